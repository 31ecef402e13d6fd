"""Options of a backend: an origin, how it is reached, and how its answers are kept."""

from __future__ import annotations

from typing import Any

from attrs import Factory, frozen

from trickster.config.document.settings import guarding, later, setting
from trickster.config.options.hereafter import (
    AlbOptions,
    CorsOptions,
    Sigv4Options,
    authenticator_exposes,
    cors_exposes,
    rewriter_exposes,
)
from trickster.config.options.paths import PathOptions
from trickster.identity import IDENTITY_HEADERS, OVERRIDE_HEADERS

# Origin types of the original that are accepted, and proxied until they are there.
KNOWN_ORIGINS = ("clickhouse", "influxdb", "irondb")
STAND_IN = "reverseproxy"

NOT_ENCRYPTED = "clients are answered in the clear, without encryption"

# Backends without an origin of their own.
VIRTUAL_PROVIDERS = ("alb", "rule")

_COMPRESSIBLE = (
    "text/html", "text/javascript", "text/css", "text/plain", "text/xml", "text/json",
    "application/json", "application/javascript", "application/xml",
)
# An origin that answers within less is no healthier than one that takes as long.
_LEAST_PATIENCE = 0.1


@frozen(kw_only=True)
class HealthCheckOptions:
    """
    How the health of an origin is found out.

    None means "not said": what the origin type says stands.
    """

    interval: float = setting(
        0.0, "Time between two checks; 0 to check only when asked.", unit="duration")
    failure_threshold: int = setting(
        3, "How many failures in a row make an origin unhealthy.", minimum=1)
    recovery_threshold: int = setting(
        3, "How many successes in a row make it healthy again.", minimum=1)
    verb: str | None = setting(None, "Request method.")
    scheme: str | None = setting(
        None, "Scheme to connect with; that of origin_url where not given.",
        choices=("http", "https"))
    host: str | None = setting(
        None, "Host, and port, to connect to; those of origin_url where not given.")
    path: str | None = setting(None, "Path, without the prefix of origin_url.")
    query: str | None = setting(None, "Query, without the question mark.")
    headers: dict[str, str] = setting(
        Factory(dict), "Request headers.", variables=True)
    body: str | None = setting(None, "Request body.")
    timeout: float = setting(
        3.0, "Longest time for an answer, 100ms at least.", unit="duration")
    expected_codes: tuple[int, ...] | None = setting(
        None, "Status codes that mean health.")
    expected_headers: dict[str, str] | None = setting(
        None, "Headers and values that a healthy answer has.")
    expected_body: str | None = setting(None, "The body of a healthy answer.")

    @property
    def patience(self) -> float:
        """:return: seconds that an answer may take: the timeout, or what it is taken for."""
        return max(_LEAST_PATIENCE, self.timeout)


@frozen(kw_only=True)
class TlsOptions:
    """TLS towards the origin, and the certificate that clients see."""

    insecure_skip_verify: bool = setting(
        False, "Believe any certificate of the origin.")
    certificate_authority_paths: tuple[str, ...] = setting(
        (), "Files of certificate authorities to believe besides the system's.")
    client_cert_path: str = setting("", "Certificate to show to the origin.")
    client_key_path: str = setting("", "Key of that certificate.")
    full_chain_cert_path: str = guarding(
        "", "Certificate to show to clients.", NOT_ENCRYPTED)
    private_key_path: str = guarding("", "Key of that certificate.", NOT_ENCRYPTED)


@frozen(kw_only=True)
class BackendOptions:
    """
    An origin, or a pool of them.

    :ivar origin_type: the name of the origin type that is really used: C{provider}, or
        C{reverseproxy} where that provider is known but not yet there.
    :ivar plugin: the options of the origin type, an instance of its C{options} class, from
        the block named like the provider.
    """

    provider: str = setting("", "Kind of origin.")
    origin_url: str = setting(
        "", "Where it is: scheme, host, port and a prefix for every path.")
    is_default: bool | None = setting(
        None, "Whether it serves what no other does; the only backend does unless false.")
    hosts: tuple[str, ...] = setting((), "Host names that are served by this backend.")
    path_routing_disabled: bool = setting(
        False, "Whether it is not reached by a path that begins with its name.")
    require_tls: bool = guarding(False, "Whether it is reached by TLS only.", NOT_ENCRYPTED)
    listener_name: str = setting("default", "Listener that it is reached by.")

    timeout: float = setting(
        60.0, "Longest time until an answer begins, and between two pieces of one that is no "
        "stream.", unit="duration")
    stream_idle_timeout: float = setting(
        0.0, "Longest silence in a stream: an event stream, an answer of unknown length that "
        "is passed on as it comes, or both ways after an upgrade; 0 for no limit.",
        unit="duration")
    connect_timeout: float = setting(
        10.0, "Longest time to connect, encryption included.", unit="duration")
    total_timeout: float = setting(
        0.0, "Longest time for a whole answer; 0 for no limit.", unit="duration")
    keep_alive_timeout: float = setting(
        120.0, "How long an unused connection is kept.", unit="duration")
    max_idle_conns: int = setting(20, "Most unused connections.", minimum=0, shared_out=True)
    max_concurrent_conns: int = setting(
        20, "Most connections with an answer that is awaited; 0 for no limit.", minimum=0,
        shared_out=True)
    max_streaming_conns: int = setting(
        512, "Most connections beside those that last: upgrades, event streams, answers and "
        "uploads that take longer than five seconds, or whose reader takes nothing for one; 0 "
        "for no limit.", minimum=0, shared_out=True)
    max_queued_requests: int = setting(
        1024, "Most requests that wait for a connection.", minimum=0, shared_out=True)
    queue_timeout: float = setting(
        10.0, "Longest time that a request waits for a connection; one that would probably "
        "wait longer is refused at once.", unit="duration")
    max_response_header_bytes: int = setting(
        256 << 10, "Largest head of an answer that is taken from the origin.", unit="size",
        minimum=1024)
    max_conn_age: float = setting(
        300.0, "Age after which a connection is not used again, and the origin's name is "
        "looked up anew; 0 for any.", unit="duration")
    forwarded_headers: str = setting(
        "standard", "Which headers tell the origin who asks.",
        choices=("standard", "x", "both", "none"))
    request_headers: dict[str, str] = setting(
        Factory(dict), "Headers to set in every request to the origin, health checks "
        "included; +name adds, -name removes. Those of a path lie over them.", secret=True,
        variables=True)
    tls: TlsOptions = setting(TlsOptions(), "Encryption.")
    healthcheck: HealthCheckOptions = setting(HealthCheckOptions(), "Health.")

    cache_name: str = setting("default", "Cache for its answers.")
    cache_key_prefix: str = setting(
        "", "Part of every cache key; the origin's host and port where empty.")
    identity_headers: tuple[str, ...] = setting(
        IDENTITY_HEADERS, "Request headers that tell who asks, and through what, and so are "
        "part of every cache key; Authorization always is.", are_names=True)
    override_headers: tuple[str, ...] = setting(
        OVERRIDE_HEADERS, "Request headers that may ask for something else than the URL does; "
        "requests with them are not answered from the cache, nor are their answers kept. A name "
        "that ends with * stands for all that begin so and are not known by default to tell who "
        "asks, through what, or from where.",
        are_names=True)
    negative_cache_name: str = setting("default", "Negative cache for its failures.")
    max_ttl: float = setting(90_000.0, "Longest time an answer is kept.", unit="duration")
    revalidation_factor: float = setting(
        2.0, "How much longer than fresh an answer with a validator is kept.", minimum=0)
    max_object_size_bytes: int = setting(
        512 << 10, "Largest object that is kept.", unit="size")
    max_cached_request_body_bytes: int = setting(
        10 << 20, "Largest body of a POST that is a question to a cache; larger ones are refused "
        "with 413, as those larger than the listener takes are.", unit="size")
    compressible_types: tuple[str, ...] = setting(
        _COMPRESSIBLE, "Media types that are worth compressing.")
    stale_while_revalidate: float = setting(
        0.0, "How long a stale answer serves while a new one is fetched.", unit="duration")
    stale_if_error: float = setting(
        0.0, "How long a stale answer serves while the origin fails.", unit="duration")
    honour_request_directives: bool = setting(
        False, "Whether a client's Cache-Control decides as RFC 9111 has it.")
    multipart_ranges_disabled: bool = setting(
        False, "Whether a request for several ranges gets the whole object.")
    dearticulate_upstream_ranges: bool = setting(
        False, "Whether several missing ranges are fetched one by one.")
    proxy_only: bool = setting(False, "Whether nothing is cached.")

    timeseries_retention_factor: int = setting(
        1024, "Most timestamps kept of one query.", minimum=1)
    timeseries_eviction_method: str = setting(
        "oldest", "Which timestamps go first.", choices=("oldest", "lru"))
    timeseries_ttl: float = setting(
        21_600.0, "How long a query is kept after its last change.", unit="duration")
    timeseries_step_mode: str = setting(
        "aligned", "Whether ranges are moved to multiples of the step, or kept apart by "
        "their phase.", choices=("aligned", "phase"))
    timeseries_max_age: float = setting(
        0.0, "Age of the oldest timestamp kept; 0 for any.", unit="duration")
    timeseries_max_bytes: int = setting(
        0, "Most octets kept of one query; 0 for what the cache takes.", unit="size")
    max_timeseries_bytes: int = setting(
        256 << 20, "Largest answer to a range query, or answer to be given labels, that is held "
        "in memory.", unit="size", minimum=1)
    in_flight_bytes: int = setting(
        1 << 30, "Most octets of answers held while they are fetched and sent, and of request "
        "bodies; what finds no room passes through and is not stored.", unit="size",
        minimum=1, shared_out=True)
    fastforward_ttl: float = setting(
        15.0, "How long the newest sample is kept.", unit="duration")
    fast_forward_disable: bool = setting(
        False, "Whether answers end with the last whole step.")
    backfill_tolerance: float = setting(
        0.0, "Age up to which samples may still change.", unit="duration")
    backfill_tolerance_points: int = setting(
        0, "The same in steps; the longer of both counts.", minimum=0)
    shard_max_size_points: int = setting(
        0, "Most timestamps asked of the origin at once; 0 for no limit.", minimum=0)
    shard_max_size_time: float = setting(
        0.0, "Longest range asked of the origin at once; 0 for no limit.", unit="duration")
    shard_step: float = setting(
        0.0, "Where those pieces begin: at multiples of this.", unit="duration")
    fetch_concurrency_limit: int = setting(
        16, "Most pieces of one query fetched at one time.", minimum=1)
    chunk_read_concurrency_limit: int = setting(
        16, "Most pieces of an entry read from the cache at one time.", minimum=1)
    chunk_write_concurrency_limit: int = setting(
        16, "Most pieces of an entry written to the cache at one time.", minimum=1)
    max_query_range: float = setting(
        0.0, "Longest range that may be asked for; 0 for any.", unit="duration")

    middlewares: tuple[str, ...] = setting(
        (), "Middlewares around all its paths, within those of the listener, the first "
        "outermost.")
    paths: tuple[PathOptions, ...] = setting(
        (), "Paths that are served in another way than the origin type says.",
        named=True)

    max_capture_bytes: int = later(
        256 << 20, "Most octets of one member's answer.", unit="size")
    max_fanout_capture_bytes: int = later(
        0, "Most octets of all members' answers.", unit="size")
    latency_min: float = later(0.0, "Least delay to simulate.", unit="duration")
    latency_max: float = later(0.0, "Greatest delay to simulate.", unit="duration")
    replica_group: str = later("", "Members that hold the same data.")
    tracing_name: str = later("default", "Where spans go.")
    authenticator_name: str = guarding("", "Who may ask.", authenticator_exposes)
    req_rewriter_name: str = guarding("", "Rewriter for its requests.", rewriter_exposes)
    rule_name: str = later("", "Rule, for provider rule.")
    cors: CorsOptions | None = guarding(None, "Cross-origin headers.", cors_exposes)
    alb: AlbOptions | None = later(None, "Pool, for provider alb.")
    sigv4: Sigv4Options | None = guarding(
        None, "Signatures of requests to the origin.",
        "requests reach the origin without a signature")
    origin_type: str = setting("", "", hidden=True)
    plugin: Any = setting(None, "", hidden=True)

    @property
    def is_virtual(self) -> bool:
        """:return: whether it has no origin of its own (providers C{alb} and C{rule})."""
        return self.provider in VIRTUAL_PROVIDERS
