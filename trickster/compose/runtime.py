"""What lasts as long as the process, whichever configuration is in effect."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import SystemRandom
from tempfile import TemporaryFile
from time import process_time
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry
from twisted.application.service import IService
from twisted.logger import globalLogPublisher

from trickster import __version__
from trickster.collapsing.spool import FileSpool
from trickster.compose.backends.surroundings import Surroundings
from trickster.compose.memos import Memos
from trickster.compose.middlewares import Middlewares
from trickster.compose.running import Phase
from trickster.compose.stores import Stores
from trickster.compose.threads import Threads
from trickster.compose.trimming import MemoryTrim, resident, trimmer
from trickster.config.options.backends import BackendOptions
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.middlewares import MiddlewareOptions
from trickster.config.options.model import Configuration
from trickster.frontend.listening.accepting import descriptors
from trickster.frontend.listening.ports import bound
from trickster.frontend.overload import Lateness, Overload
from trickster.http.origin_url import OriginURL
from trickster.middleware.compression import Compression, compression
from trickster.net.runtime import PluginRuntime
from trickster.net.tls import TLSOptions
from trickster.observability.lag import ReactorLag
from trickster.observability.logging.logs import Logs, logs
from trickster.observability.metrics import Metrics, add_process_metrics
from trickster.peers.homes import Homes
from trickster.plugins import Plugins
from trickster.upstream.connecting.endpoints import connector
from trickster.upstream.connecting.resolving import Names, shared_resolver

_LARGEST_SPOOL = 16 << 30  # octets of one body on disk, for readers that lag behind
_MANY = 1 << 16  # descriptors, where there is no limit


@define(eq=False)
class Runtime:
    """
    The process: its reactor and threads, metrics, logs, memos and stores.

    What a configuration says of them (the blocks C{main} and C{logging}) is read once, at the
    start.

    :ivar reactor: its seconds never jump: see L{trickster.net.steady_clock}.
    :ivar wall: seconds since the epoch, for dates.
    :ivar for_plugins: what these may use of it.
    :ivar stores: of all configurations that are in effect.
    :ivar homes: of keys, where several workers have the same configuration; None where this process
        is by itself.
    :ivar overload: tells when there is too much to do; None to answer all the same.
    """

    configuration: Configuration
    reactor: Any
    plugins: Plugins
    wall: Callable[[], float]
    homes: Homes | None = None
    phase: Phase = field(factory=Phase, init=False)
    random: Callable[[], float] = field(factory=lambda: SystemRandom().random, init=False)
    registry: CollectorRegistry = field(factory=CollectorRegistry, init=False)
    metrics: Metrics = field(init=False)
    logs: Logs = field(init=False)
    threads: Threads = field(init=False)
    for_plugins: PluginRuntime = field(init=False)
    memos: Memos = field(init=False)
    stores: Stores = field(init=False)
    overload: Overload | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        said = self.configuration
        self.metrics = Metrics(self.registry, __version__)
        add_process_metrics(self.registry)
        self.logs = logs(said.logging, said.main.instance_id, self.reactor, globalLogPublisher,
                         self.wall)
        self.threads = Threads(self.reactor)
        self.for_plugins = PluginRuntime(self.reactor, self.threads.call, self.wall, self.random)
        self.memos = Memos.of(said.main)
        self.memos.watch(self.metrics)
        self.for_plugins.shared(compression.name, lambda: Compression(memo=self.memos.coded))
        self.stores = Stores(self.plugins, self.metrics, self.for_plugins)
        self.overload = self._overload()

    def services(self) -> Iterator[IService]:
        """:return: what is started once, in this order."""
        yield ReactorLag(self.reactor, self.metrics.reactor_lag)
        trim = trimmer()
        if trim is not None:
            yield MemoryTrim(self.reactor, resident, process_time, trim, self.threads.deferred)
        yield Names(self.reactor, shared_resolver(self.reactor))
        yield self.stores

    def listening(self, options: ListenerOptions) -> Callable[[], socket.socket]:
        """:return: gives a socket that listens where a listener is to."""
        return partial(bound, options.address, options.port)

    def surroundings(self, middlewares: Mapping[str, MiddlewareOptions]) -> Surroundings:
        """:return: what the backends of a configuration with these middlewares share."""
        around = Middlewares(middlewares, self.plugins, self.for_plugins).around
        server_name = self.configuration.main.server_name or socket.gethostname()
        return Surroundings(
            self.reactor, self.metrics, self.logs.access, self._connector, self.threads.call,
            server_name, self._spool, self.memos, self.wall, around, self.homes)

    def _connector(self, origin: OriginURL, options: BackendOptions) -> Any:
        tls = options.tls
        files = TLSOptions(tls.insecure_skip_verify, tls.certificate_authority_paths,
                           tls.client_cert_path, tls.client_key_path)
        return connector(self.reactor, origin, options.connect_timeout, files)

    def _spool(self) -> FileSpool:
        return FileSpool(self.threads.deferred, TemporaryFile, _LARGEST_SPOOL)

    def _overload(self) -> Overload | None:
        target = self.configuration.main.overload_target
        if not target:
            return None
        # Each refusal that is put off takes a descriptor; the rest is for clients that are not.
        overload = Overload(self.reactor, Lateness(target), (descriptors() or _MANY) // 2)
        self.metrics.watch_total(
            "frontend_shed_requests", "Requests refused since the process had too much to do; "
            "in no other metric and no access log.", lambda: overload.refused_total)
        return overload
