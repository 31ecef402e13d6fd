"""Keys that files of Trickster 2.0 have and that it does not know: misspelt, moved, given up."""

from __future__ import annotations

from collections.abc import Mapping

from trickster.config.document.reading import Leftover
from trickster.config.options.backends import BackendOptions, HealthCheckOptions
from trickster.config.options.caches import CacheOptions, IndexOptions
from trickster.config.options.hereafter import TracingOptions

_ELSEWHERE = Leftover(text="is ignored: it is not about this origin type")
_GIVEN_UP = Leftover(text="is ignored: there is no such setting any more")

LEFTOVERS: Mapping[type, Mapping[str, Leftover]] = {
    BackendOptions: {
        "compressable_types": Leftover("compressible_types"),
        # Blocks of other origin types, which the original shows and reads for every
        # provider.
        **dict.fromkeys(("prometheus", "clickhouse", "influxdb", "irondb"), _ELSEWHERE),
    },
    HealthCheckOptions: {
        "port": Leftover(text="is ignored; write it after the host, as in prometheus:9090"),
        "upstream_path": Leftover("path"),
    },
    IndexOptions: {
        "size_backoff_bytes": Leftover("max_size_backoff_bytes"),
        "size_backoff_objects": Leftover("max_size_backoff_objects"),
    },
    CacheOptions: {"compression": _GIVEN_UP, "object_ttl": _GIVEN_UP,
                   "object_ttl_secs": _GIVEN_UP},
    TracingOptions: {
        "tracer_type": Leftover("provider"), "collector_url": Leftover("endpoint"),
        "jaeger": _GIVEN_UP,
    },
}

# Keys that once stood in other blocks, and where they stand now.
MOVED = {
    ("main", "config_handler_path"): ("mgmt", "config_handler_path"),
    ("main", "ping_handler_path"): ("mgmt", "ping_handler_path"),
    ("main", "health_handler_path"): ("mgmt", "health_handler_path"),
    ("main", "reload_handler_path"): ("mgmt", "reload_handler_path"),
    ("main", "pprof_server"): ("mgmt", "pprof_listener"),
    ("main", "pprof_listener"): ("mgmt", "pprof_listener"),
    ("reloading", "handler_path"): ("mgmt", "reload_handler_path"),
    ("reloading", "drain_timeout"): ("mgmt", "reload_drain_timeout"),
    ("reloading", "rate_limit"): ("mgmt", "reload_rate_limit"),
    ("reloading", "listen_address"): ("listeners", "mgmt", "address"),
    ("reloading", "listen_port"): ("listeners", "mgmt", "port"),
}
