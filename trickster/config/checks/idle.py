"""Keys of backends and paths that cannot have an effect where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import fields, frozen

from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions
from trickster.routes import Route, Serve

# What Trickster 2.0 counts of a range query by itself, and so spells out where it shows paths.
_COUNTED_ANYWAY = frozenset(("query", "step", "stats"))


@frozen
class Idle:
    """
    A key that cannot have an effect where it stands.

    :ivar key: its name.
    :ivar text: why.
    :ivar is_refused: whether it would change who sees what, or what is answered; else it is
        only worth a line.
    """

    key: str
    text: str
    is_refused: bool = False


def idle_keys(options: PathOptions, route: Route) -> Iterator[Idle]:
    """
    :param route: what the entry is, by L{trickster.config.options.routes.laid_over}.
    :return: the keys of the entry that cannot have an effect on such a route.
    """
    if route.serve is Serve.DELTA:
        yield from _idle_by_range(options)
    elif route.serve is not Serve.OBJECT:
        yield from _idle_uncached(options, route.serve)
        if options.cache_set_cookie is not None:
            yield Idle("cache_set_cookie", "the path is not cached", is_refused=True)
    if route.serve is Serve.STATIC:
        for key in ("request_headers", "request_params"):
            if getattr(options, key):
                yield Idle(key, "a localresponse asks no origin")
        return
    for key in ("response_code", "response_body"):
        if getattr(options, key) not in (None, "", 0, 200):
            yield Idle(key, "only a localresponse answers so; expected handler: localresponse "
                       "beside it", is_refused=True)


def _idle_by_range(options: PathOptions) -> Iterator[Idle]:
    params = set(options.cache_key_params or ("*",))
    if "*" not in params and params != _COUNTED_ANYWAY:
        yield Idle("cache_key_params", "of a range query every parameter counts that may change "
                   "the answer; leave it out", is_refused=True)
    if options.cache_key_form_fields:
        yield Idle("cache_key_form_fields", "of a range query every field of the form counts "
                   "that may change the answer; leave it out", is_refused=True)
    if options.ttl is not None:
        yield Idle("ttl", "ranges are kept for the backend's timeseries_ttl; expected that",
                   is_refused=True)
    if options.is_progressive:
        yield Idle(_progressive(options), "range queries that wait for the same are answered "
                   "together, when it is there")


def _idle_uncached(options: PathOptions, serve: Serve) -> Iterator[Idle]:
    keys = ["cache_key_params", "cache_key_form_fields", "ttl", "honour_request_directives"]
    if not (serve is Serve.PROXY and options.is_progressive):
        keys.append("cache_key_headers")
    for key in keys:
        if getattr(options, key):
            yield Idle(key, f"nothing is cached with handler {serve.value}")
    if serve is Serve.STATIC and options.is_progressive:
        yield Idle(_progressive(options), "a localresponse asks no origin")


def _progressive(options: PathOptions) -> str:
    is_new = options.collapsed_forwarding is not None
    return "collapsed_forwarding" if is_new else "progressive_collapsed_forwarding"


_BY_RANGE = (
    "timeseries_retention_factor", "timeseries_eviction_method", "timeseries_ttl",
    "timeseries_max_age", "timeseries_max_bytes", "max_timeseries_bytes", "fastforward_ttl",
    "fast_forward_disable", "backfill_tolerance", "backfill_tolerance_points",
    "shard_max_size_points", "shard_max_size_time", "shard_step", "fetch_concurrency_limit",
    "max_query_range",
)
_CACHED = (
    "cache_name", "cache_key_prefix", "negative_cache_name", "max_ttl", "revalidation_factor",
    "stale_while_revalidate", "stale_if_error", "honour_request_directives",
    "max_cached_request_body_bytes",
    "multipart_ranges_disabled", "dearticulate_upstream_ranges",
)


# What has an effect where several clients may get one answer.
SHARED = ("identity_headers", "override_headers")


def idle_backend_keys(backend: BackendOptions,
                      routes: Sequence[tuple[Route, PathOptions | None]]) -> Iterator[Idle]:
    """
    :param routes: of the backend, by L{trickster.config.options.routes.in_effect}.
    :return: keys of a backend that differ from their defaults, and that cannot have an effect
        on any of its routes.  Where C{proxy_only} switches caching off, that is meant.
    """
    if backend.proxy_only or not any(_is_shared(*each) for each in routes):
        yield from said(backend, SHARED, "no answer of this backend is given to more than one "
                         "client", is_refused=True)
    if backend.proxy_only:
        return
    served = {route.serve for route, _ in routes}
    if Serve.DELTA not in served:
        yield from said(backend, _BY_RANGE, "no path of this backend is cached by range")
    if not served & {Serve.DELTA, Serve.OBJECT}:
        yield from said(backend, _CACHED, "no path of this backend is cached")


def _is_shared(route: Route, entry: PathOptions | None) -> bool:
    is_progressive = entry is not None and entry.is_progressive
    return route.serve in (Serve.DELTA, Serve.OBJECT) or (
        route.serve is Serve.PROXY and bool(is_progressive))


def said(backend: BackendOptions, keys: Sequence[str], text: str, is_refused: bool = False
         ) -> Iterator[Idle]:
    """
    :param text: why they cannot have an effect.
    :return: those of the keys that differ from their defaults.
    """
    default: Callable[[str], Any] = {f.name: f.default for f in fields(BackendOptions)}.get
    for key in keys:
        if getattr(backend, key) != default(key):
            yield Idle(key, text, is_refused)
