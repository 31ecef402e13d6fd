"""Options of the store C{redis}."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import fields, frozen
from zope.interface import implementer

from trickster.config.document.settings import setting
from trickster.interfaces import ICheckedOptions
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.slots import hash_tag

# A path that the kernel takes for a socket, in octets, without the zero at its end.
_LONGEST_PATH = 107
_TLS_KEYS = ("tls_ca_paths", "tls_client_cert_path", "tls_client_key_path", "tls_server_name",
             "tls_insecure_skip_verify")
_SENTINEL_KEYS = ("sentinel_master", "sentinel_username", "sentinel_password")


@implementer(ICheckedOptions)
@frozen(kw_only=True)
class RedisOptions:
    """A cache in Redis, on one server or several."""

    client_type: str = setting(
        "standard", "How the servers are found: one server, a cluster, or the master that Redis "
        "Sentinel names.", choices=("standard", "cluster", "sentinel"))
    protocol: str = setting("tcp", "How they are reached; unix is for client_type standard.",
                            choices=("tcp", "unix"))
    endpoint: str = setting("redis:6379", "For client_type standard: host and port of the server, "
                            "or the path of its socket, for protocol unix.")
    endpoints: tuple[str, ...] = setting(
        ("redis:6379",), "For client_type cluster, some servers of the cluster; for sentinel, "
        "the Sentinels.  One that answers is enough.")
    sentinel_master: str = setting("", "Name of the master, as Sentinel knows it.")
    sentinel_username: str = setting("", "User of the Sentinels themselves.")
    sentinel_password: str = setting("", "Password for the Sentinels themselves.", secret=True,
                                     variables=True)
    username: str = setting("", "User to authenticate as (ACL); none is Redis's user default.")
    password: str = setting("", "Password of that user.", secret=True, variables=True)
    db: int = setting(0, "Number of the database; a cluster has only 0.", minimum=0)
    key_prefix: str = setting(
        "trickster:", "What all keys begin with: installations with the same one share their "
        "entries, others may use the same server.")
    max_retries: int = setting(
        0, "How often a command is tried again that failed and may be repeated; 0 and -1 for "
        "never.", minimum=-1, maximum=100)
    min_retry_backoff: float = setting(
        0.008, "Shortest wait before it is tried again.", unit="duration")
    max_retry_backoff: float = setting(
        0.512, "Longest wait before it is tried again.", unit="duration")
    dial_timeout: float = setting(
        5.0, "Longest time to connect, authentication included; 0 for the default.",
        unit="duration")
    read_timeout: float = setting(
        3.0, "Longest time to wait for an answer, after which the server is taken for hung; 0 "
        "for the default.", unit="duration")
    write_timeout: float = setting(
        3.0, "Longest time to send a command; 0 for the default.", unit="duration")
    pool_size: int = setting(
        20, "Most connections to a server, each of which takes many commands at a time; 0 for "
        "the default.", minimum=0, maximum=10_000, zero_is_default=True, shared_out=True)
    min_idle_conns: int = setting(0, "Connections that are kept open without need.", minimum=0,
                                  shared_out=True)
    max_conn_age: float = setting(
        0.0, "Age at which a connection is replaced; 0 for never.", unit="duration")
    pool_timeout: float = setting(
        4.0, "Longest wait for a connection that takes another command; 0 for the default.",
        unit="duration")
    idle_timeout: float = setting(
        300.0, "How long an unused connection is kept; 0 for ever.", unit="duration")
    use_tls: bool = setting(
        False, "Whether connections are encrypted, and the servers' certificates verified; to "
        "Sentinels too.")
    tls_ca_paths: tuple[str, ...] = setting(
        (), "PEM files whose certificates are believed in beside the system's.")
    tls_client_cert_path: str = setting(
        "", "PEM file with the certificate to show, and its chain after it.")
    tls_client_key_path: str = setting("", "PEM file with the key of that certificate.")
    tls_server_name: str = setting(
        "", "Name that the servers' certificates must have; empty for the host that is "
        "connected to.")
    tls_insecure_skip_verify: bool = setting(
        False, "Accept every certificate: encrypted, and open to what stands in between.")

    def faults(self) -> Iterator[tuple[str, str]]:
        """See L{ICheckedOptions.faults}."""
        yield from self._address_faults()
        if self.client_type != "standard" and self.protocol == "unix":
            yield "protocol", f"unix cannot be used with client_type {self.client_type}"
        yield from self._sentinel_faults()
        if self.client_type == "cluster" and self.db:
            yield "db", "a cluster has only database 0"
        if self.client_type == "cluster" and hash_tag(self.key_prefix.encode(
                "utf-8", "surrogatepass")):
            yield "key_prefix", "has a hash tag, which would put all entries on one server"
        yield from self._security_faults()
        if self.max_retry_backoff < self.min_retry_backoff:
            yield "max_retry_backoff", "is less than min_retry_backoff"
        if self.min_idle_conns > (self.pool_size or _default("pool_size")):
            yield "min_idle_conns", "is more than pool_size"

    def _address_faults(self) -> Iterator[tuple[str, str]]:
        unused = "endpoints" if self.client_type == "standard" else "endpoint"
        if getattr(self, unused) != _default(unused):
            other = "endpoint" if unused == "endpoints" else "endpoints"
            yield unused, (f"has no effect with client_type {self.client_type}; expected {other}")
        if self.client_type != "standard":
            if not self.endpoints:
                yield "endpoints", "expected at least one HOST:PORT"
            for number, text in enumerate(self.endpoints):
                yield from _address_fault(f"endpoints[{number}]", text)
        elif self.protocol == "tcp":
            yield from _address_fault("endpoint", self.endpoint)
        elif not self.endpoint.startswith("/") or "\0" in self.endpoint:
            yield "endpoint", "expected the absolute path of a socket, for protocol unix"
        elif len(self.endpoint.encode("utf-8", "surrogatepass")) > _LONGEST_PATH:
            yield "endpoint", f"is longer than {_LONGEST_PATH} octets, the most for a socket"

    def _sentinel_faults(self) -> Iterator[tuple[str, str]]:
        if self.client_type == "sentinel":
            if not self.sentinel_master:
                yield "sentinel_master", "expected the name of the master, for client_type sentinel"
        else:
            for key in _SENTINEL_KEYS:
                if getattr(self, key):
                    yield key, f"has no effect with client_type {self.client_type}"

    def _security_faults(self) -> Iterator[tuple[str, str]]:
        if self.use_tls and self.protocol == "unix":
            yield "use_tls", "cannot be used with protocol unix"
        for key in _TLS_KEYS:
            if getattr(self, key) and not self.use_tls:
                yield key, "has no effect without use_tls"
        if bool(self.tls_client_cert_path) != bool(self.tls_client_key_path):
            given = "cert" if self.tls_client_cert_path else "key"
            yield f"tls_client_{given}_path", "a certificate and its key go together"


def _default(name: str) -> int:
    default: int = getattr(fields(RedisOptions), name).default
    return default


def _address_fault(key: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        Address.parse(text)
    except ValueError as error:
        yield key, f"{text!r} is no address of a server: {error}"
