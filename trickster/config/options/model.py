"""The whole configuration as values; the other options classes hang from here."""

from __future__ import annotations

from attrs import Factory, frozen

from trickster.config.document.settings import guarding, later, setting
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.config.options.hereafter import (
    AuthenticatorOptions,
    RewriterOptions,
    RuleOptions,
    TracingOptions,
)
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.middlewares import MiddlewareOptions

_WHERE = ("mgmt", "metrics", "both", "off")


@frozen(kw_only=True)
class MainOptions:
    """The process: its identity, its bounds and its memory."""

    instance_id: int = setting(
        0, "Number of this process; above 0 it becomes part of the log file's name.", minimum=0)
    workers: str = setting(
        "1", "How many processes serve: a number, or auto for one for each core. From two on, a "
        "supervisor starts them, restarts those that die, and has their metrics together.")
    server_name: str = setting(
        "", "Identity in Via and Forwarded; the host's name where empty.")
    overload_target: float = setting(
        0.1, "How long a request may wait for its turn in a process that has too much to do; "
        "where that has lasted for half a second, those that have waited longer are answered "
        "503. 0 to answer all, however late. The metrics and mgmt listeners never refuse.",
        unit="duration")
    hit_memo_bytes: int = setting(
        64 << 20, "Most memory for small answers that were just given whole from a cache and "
        "may be given again as they are; 0 for none.", unit="size", shared_out=True)
    compressed_memo_bytes: int = setting(
        64 << 20, "Most memory for the compressed forms of answers that are given again and "
        "again; 0 for none.", unit="size", shared_out=True)
    fast_forward_memo_bytes: int = setting(
        16 << 20, "Most memory for the newest samples of range queries; 0 for none.",
        unit="size", shared_out=True)
    decoded_memo_bytes: int = setting(
        64 << 20, "Most memory for entries as they were read from, or written to, caches that "
        "keep octets (all providers but memory), so that a hit need not decode them again; 0 for "
        "none.", unit="size", shared_out=True)
    config_include_directory: str = guarding(
        "", "Directory of further configuration files, beside the main one.",
        "the files in it are not read")


@frozen(kw_only=True)
class MgmtOptions:
    """The paths of the built-in endpoints, and on which listeners they are."""

    config_handler_path: str = setting(
        "/trickster/config", "Where the running configuration is shown, secrets masked; nowhere "
        "where empty.")
    config_handler_listener: str = setting(
        "mgmt", "Which listeners show the configuration.", choices=_WHERE)
    ping_handler_path: str = setting(
        "/trickster/ping", "Answers 200 on every frontend listener while the process lives; nowhere "
        "where empty.")
    health_handler_path: str = setting(
        "/trickster/health", "Health of all backends, on the metrics listener; nowhere where empty.")
    purge_by_key_path: str = setting(
        "/trickster/purge/key/", "On the mgmt listener, removes a cache entry by backend and key; "
        "nowhere where empty.")
    purge_by_path_path: str = setting(
        "/trickster/purge/path/", "On the mgmt listener, removes the cache entries of a backend's "
        "path; nowhere where empty.")
    pprof_listener: str = later(
        "both", "Which listeners show profiles.", choices=_WHERE)
    reload_handler_path: str = later(
        "/trickster/config/reload", "Asks for a reload of the configuration.")
    reload_drain_timeout: float = later(
        30.0, "Longest wait for requests on what a reload replaced.", unit="duration")
    reload_rate_limit: float = later(
        3.0, "Shortest time between two reloads.", unit="duration")
    auto_reload_interval: float = later(
        0.0, "How often the files are looked at for changes; 0 for never.", unit="duration")


@frozen(kw_only=True)
class LoggingOptions:
    """Where the log goes, and how much of it."""

    log_file: str = setting("", "File to append to; standard output where empty.")
    log_level: str = setting(
        "info", "Least severe level that is logged.",
        choices=("trace", "debug", "info", "warn", "error", "none"))
    format: str = setting("logfmt", "Form of a log line.", choices=("logfmt", "json"))
    access_log: bool = setting(False, "Whether every request makes a line in the log.")


@frozen(kw_only=True)
class Configuration:
    """
    Everything a configuration file can say, complete and consistent.

    :ivar source: absolute path of the file it was read from; empty where there was none.
    :ivar notices: what the operator should read once at the start: keys that are not yet
        effective, backends that are not served.
    :ivar unprotected: what is open although a key says otherwise; to be read at each start.
    """

    main: MainOptions = setting(MainOptions(), "The process.")
    listeners: dict[str, ListenerOptions] = setting(
        Factory(dict), "What is listened on, by name; default, metrics and mgmt are built in.")
    mgmt: MgmtOptions = setting(MgmtOptions(), "The built-in endpoints.")
    logging: LoggingOptions = setting(LoggingOptions(), "The log.")
    tracing: dict[str, TracingOptions] = later(Factory(dict), "Where spans go, by name.")
    negative_caches: dict[str, dict[str, float]] = setting(
        Factory(dict), "How long failed answers are kept: by name, then by status code.",
        unit="duration")
    caches: dict[str, CacheOptions] = setting(Factory(dict), "Cache stores, by name.")
    backends: dict[str, BackendOptions] = setting(Factory(dict), "Origins, by name.")
    middlewares: dict[str, MiddlewareOptions] = setting(
        Factory(dict), "Behaviour to be put around listeners, backends and paths, by name.")
    rules: dict[str, RuleOptions] = later(Factory(dict), "Routing rules, by name.")
    request_rewriters: dict[str, RewriterOptions] = later(
        Factory(dict), "Changes to requests, by name.")
    authenticators: dict[str, AuthenticatorOptions] = later(
        Factory(dict), "Who may ask, by name.")
    source: str = setting("", "", hidden=True)
    notices: tuple[str, ...] = setting((), "", hidden=True)
    unprotected: tuple[str, ...] = setting((), "", hidden=True)

    def negative_ttls(self, name: str) -> dict[int, float]:
        """
        :param name: of a negative cache.
        :return: seconds that an answer of each status code is kept.
        """
        return {int(code): ttl for code, ttl in self.negative_caches.get(name, {}).items()}

    @property
    def opened(self) -> dict[str, ListenerOptions]:
        """:return: by name, the listeners that have a port, and something to serve."""
        used = {"metrics", "mgmt", *(each.listener_name for each in self.backends.values())}
        return {k: v for k, v in self.listeners.items() if v.is_open and k in used}

    @property
    def frontends(self) -> dict[str, ListenerOptions]:
        """:return: by name, the listeners for backends: all but C{metrics} and C{mgmt}."""
        return {k: v for k, v in self.listeners.items() if k not in ("metrics", "mgmt")}
