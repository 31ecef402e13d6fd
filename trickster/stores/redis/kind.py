"""The kind of store C{redis}, as a configuration names it."""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import frozen
from zope.interface import implementer

from trickster.interfaces import IRuntime, IStoreType
from trickster.net.tls import TLSFiles, TLSOptions
from trickster.stores.limits import StoreLimits
from trickster.stores.redis.addresses import SENTINEL_PORT, Address
from trickster.stores.redis.cluster.cluster import Cluster
from trickster.stores.redis.connections.dialing import Dial, Dialler, MakeTLS, endpoint_of
from trickster.stores.redis.node import Node
from trickster.stores.redis.options import RedisOptions
from trickster.stores.redis.retrying import Retries
from trickster.stores.redis.sentinel import Master
from trickster.stores.redis.servers import Servers, Standalone
from trickster.stores.redis.settings import Settings
from trickster.stores.redis.store import RedisStore


@implementer(IStoreType)
@frozen
class RedisType:
    """The store type C{redis}."""

    name: str = "redis"
    options: type = RedisOptions

    def store(self, name: str, options: Any, limits: StoreLimits, runtime: IRuntime) -> RedisStore:
        """
        See L{IStoreType.store}.

        :param options: L{RedisOptions}.
        :param limits: not heeded: Redis bounds itself.
        :raises ConfigurationError: a file for TLS cannot be used.
        """
        retries = Retries.of(options, runtime)
        return RedisStore(_servers(options, runtime), options.key_prefix, retries,
                          retries.timeout(Settings.of(options).timeout))


def _servers(options: RedisOptions, runtime: IRuntime) -> Servers:
    settings, make_tls = Settings.of(options), _make_tls(options)
    make = partial(Node.at, settings=settings, runtime=runtime, make_tls=make_tls)
    if options.client_type == "cluster":
        return Cluster.of(map(Address.parse, options.endpoints), make, runtime)
    if options.client_type == "sentinel":
        asked = settings.of_sentinels(options)
        sentinels = [_sentinel(Address.parse(each, SENTINEL_PORT), asked, runtime, make_tls)
                     for each in options.endpoints]
        return Master.of(options.sentinel_master, sentinels, make, runtime, settings)
    is_unix = options.protocol == "unix"
    address = Address(path=options.endpoint) if is_unix else Address.parse(options.endpoint)
    return Standalone(make(address))


def _sentinel(address: Address, settings: Settings, runtime: IRuntime,
              make_tls: MakeTLS | None) -> tuple[Node, Dial]:
    tls = None if make_tls is None else make_tls(address.host)
    connector = partial(endpoint_of, runtime.clock, address, settings.dial_timeout, tls)
    return (Node.at(address, settings, runtime, make_tls),
            Dialler(connector, runtime.clock, settings.listening))


def _make_tls(options: RedisOptions) -> MakeTLS | None:
    if not options.use_tls:
        return None
    files = TLSFiles.read(TLSOptions(
        options.tls_insecure_skip_verify, options.tls_ca_paths, options.tls_client_cert_path,
        options.tls_client_key_path))
    return lambda host: files.creator(options.tls_server_name or host)


redis = RedisType()
