"""What a backend's options are called in the parts that it is made of: pure."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from trickster.compose.backends.overlay import PathPlan
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.http.fields import COUNTED_FIELDS
from trickster.http.freshness import FreshnessRules
from trickster.http.invalidation import Place
from trickster.http.origin_url import OriginURL
from trickster.identity import AUTHORIZATION
from trickster.keys.identity import Identity, Overrides, field_names
from trickster.objects.options import Collapse, ObjectOptions
from trickster.ranges.plan import SECOND_NS
from trickster.ranges.policy import RangePolicy
from trickster.routes import Route
from trickster.stores.chunking import Chunking
from trickster.stores.sealed import CHUNK
from trickster.timeseries.planning import Sharding
from trickster.upstream.options import UpstreamOptions


def range_policy(name: str, options: BackendOptions, plan: PathPlan) -> RangePolicy:
    """
    :param name: of the backend.
    :return: how the range queries of a path are cached.
    """
    sharding = Sharding(
        options.shard_max_size_points, int(options.shard_max_size_time * SECOND_NS),
        int(options.shard_step * SECOND_NS))
    return RangePolicy(
        prefix=key_prefix(name, options), backend=name, identity=identity(options, plan),
        overrides=overrides(options, plan),
        rules=FreshnessRules(shares_cookies=bool(plan.options.cache_set_cookie)),
        phase=options.timeseries_step_mode == "phase",
        retention=options.timeseries_retention_factor,
        lru=options.timeseries_eviction_method == "lru",
        max_age=options.timeseries_max_age, max_bytes=options.timeseries_max_bytes,
        tolerance=options.backfill_tolerance,
        tolerance_points=options.backfill_tolerance_points, ttl=options.timeseries_ttl,
        fast_forward=not options.fast_forward_disable and (
            options.timeseries_step_mode != "phase"),
        fast_forward_ttl=options.fastforward_ttl, sharding=sharding,
        concurrency=options.fetch_concurrency_limit,
        max_query_range=options.max_query_range,
        max_answer_bytes=options.max_timeseries_bytes, transform=plan.route.transform,
        max_request_bytes=options.max_cached_request_body_bytes,
        honours=honours(options, plan))


def honours(options: BackendOptions, plan: PathPlan) -> bool:
    """:return: whether all directives of clients' C{Cache-Control} are obeyed on a path."""
    said = plan.options.honour_request_directives
    return options.honour_request_directives if said is None else said


def object_options(prefix: str, options: BackendOptions, plan: PathPlan,
                   negative: Mapping[int, float]) -> ObjectOptions:
    """
    :param prefix: of every key of the backend.
    :param negative: seconds that failures are kept, by status.
    :return: how the whole answers of a path are cached.
    """
    said = plan.options
    return ObjectOptions(
        key_prefix=prefix, route=_exact(plan.route, options), negative=negative,
        max_ttl=options.max_ttl, revalidation_factor=options.revalidation_factor,
        max_object_size_bytes=options.max_object_size_bytes,
        max_capture_bytes=options.max_timeseries_bytes,
        max_request_body_bytes=options.max_cached_request_body_bytes,
        honour_request_directives=honours(options, plan),
        stale_while_revalidate=options.stale_while_revalidate,
        stale_if_error=options.stale_if_error,
        collapse=Collapse.PROGRESSIVE if said.is_progressive else Collapse.BASIC,
        key_params=said.cache_key_params if said.cache_key_params is not None else ("*",),
        key_headers=key_headers(plan),
        identity_headers=field_names(options.identity_headers),
        override_headers=field_names(options.override_headers),
        key_form_fields=said.cache_key_form_fields or (),
        shares_cookies=bool(said.cache_set_cookie),
        multipart_ranges_disabled=options.multipart_ranges_disabled,
        dearticulate_upstream_ranges=options.dearticulate_upstream_ranges)


def most_instants(cache: CacheOptions) -> int:
    """:return: timestamps in a piece of a time series entry; 0 for as many as suit."""
    return cache.timeseries_chunk_factor if cache.use_cache_chunking else 0


def chunking_of_ranges(options: BackendOptions, cache: CacheOptions) -> Chunking:
    """
    :param cache: the options of the backend's cache.
    :return: how time series entries are cut in stores of octets.
    """
    return Chunking(
        # A head, the identities and one window: any more are timestamps of another piece.
        whole=3 if cache.use_cache_chunking else 0,
        reads=options.chunk_read_concurrency_limit,
        writes=options.chunk_write_concurrency_limit)


def chunking_of_objects(options: BackendOptions, cache: CacheOptions) -> Chunking:
    """
    :param cache: the options of the backend's cache.
    :return: how stored responses are cut in stores of octets.
    """
    return Chunking(
        octets=min(CHUNK, cache.byterange_chunk_size) if cache.use_cache_chunking else CHUNK,
        reads=options.chunk_read_concurrency_limit,
        writes=options.chunk_write_concurrency_limit)


def key_prefix(name: str, options: BackendOptions) -> str:
    """
    :param name: of the backend.
    :return: how all its keys begin.
    """
    place = options.cache_key_prefix or OriginURL.parse(options.origin_url).place
    return f"{name}.{place}"


def place_of(options: BackendOptions) -> Place:
    """:return: where the origin is, in its own words."""
    origin = OriginURL.parse(options.origin_url)
    return Place(origin.authority, origin.prefix)


def overrides(options: BackendOptions, plan: PathPlan) -> Overrides:
    """:return: the request headers with which a request of a path is for itself alone."""
    return Overrides(field_names(options.override_headers), identity(options, plan).names)


def identity(options: BackendOptions, plan: PathPlan) -> Identity:
    """:return: the request headers that are part of a path's keys in any case."""
    return Identity(field_names(options.identity_headers).union(
        (AUTHORIZATION,), COUNTED_FIELDS, plan.route.key_headers, key_headers(plan)))


def key_headers(plan: PathPlan) -> tuple[bytes, ...]:
    """:return: the request headers that a path's entry makes part of its keys, in lower case."""
    return tuple(h.lower().encode("latin-1") for h in plan.options.cache_key_headers or ())


def _exact(route: Route, options: BackendOptions) -> Route:
    # Where no answer may be changed, no instant is rounded either.
    return evolve(route, align=None) if options.timeseries_step_mode == "phase" else route


def probe_origin(options: BackendOptions) -> OriginURL:
    """:return: where health checks connect: the origin, unless their own keys say otherwise."""
    origin, said = OriginURL.parse(options.origin_url), options.healthcheck
    place = said.host or origin.authority.decode("ascii")
    return OriginURL.parse(
        f"{said.scheme or origin.scheme}://{place}{origin.prefix.decode('ascii')}")


def upstream_options(options: BackendOptions, server_name: str) -> UpstreamOptions:
    """:return: how the backend's origin is spoken to."""
    return UpstreamOptions(
        timeout=options.timeout, connect_timeout=options.connect_timeout,
        total_timeout=options.total_timeout or None,
        keep_alive_timeout=options.keep_alive_timeout,
        max_idle_conns=options.max_idle_conns,
        max_concurrent_conns=options.max_concurrent_conns,
        max_streaming_conns=options.max_streaming_conns,
        max_queued_requests=options.max_queued_requests, queue_timeout=options.queue_timeout,
        max_conn_age=options.max_conn_age or None,
        stream_idle_timeout=options.stream_idle_timeout or None,
        forwarded_headers=options.forwarded_headers, server_name=server_name,
        max_response_header_bytes=options.max_response_header_bytes)
