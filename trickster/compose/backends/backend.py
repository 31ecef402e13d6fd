"""One backend: its origin, its paths, and the chain of responders behind each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import Factory, define, evolve, field, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.progressive_proxy import ProgressiveProxy
from trickster.collapsing.spool import ISpool
from trickster.compose.backends.overlay import PathPlan, overlaid
from trickster.compose.backends.settings import (
    identity,
    object_options,
    overrides,
    place_of,
    probe_origin,
    range_policy,
    upstream_options,
)
from trickster.compose.memos import Memos
from trickster.config.model import BackendOptions, PathOptions
from trickster.errors import BrokenPlugin, Reason
from trickster.http.origin_url import OriginURL
from trickster.interfaces import (
    IBody,
    ICacheStore,
    IOriginType,
    IPurgeable,
    IRefusalFormat,
    IResponder,
)
from trickster.messages import Headers, Request, Response
from trickster.middleware.compression import compressible
from trickster.middleware.rewriting import AnswerHeaders, Rewriting, changes, rewritten
from trickster.middleware.static_response import StaticResponder
from trickster.middleware.translating import Change, TranslatingResponder
from trickster.middleware.with_reason import WithReason
from trickster.objects.cache import CacheRuntime, ObjectCache
from trickster.objects.invalidation import InvalidatingProxy, Invalidation
from trickster.observability.accesslog import EntryLog
from trickster.observability.forms import FormsKept
from trickster.observability.metrics import Metrics
from trickster.observability.origins import CountedOrigin
from trickster.observability.outages import OutageLog
from trickster.ranges.path import RangePath
from trickster.routes import ALL_METHODS, READ_METHODS, LocalAnswer, Match, Route, Serve
from trickster.routing.paths import BackendPaths, ByClarity, Found, RoutedEntry
from trickster.routing.router import BackendRoute
from trickster.spans import Place
from trickster.stores.key_locks import KeyLocks
from trickster.upstream.client import UpstreamClient
from trickster.upstream.side_client import SideClient

# Seconds that a time-series origin's answers are kept that cannot be cached by range.
_WHOLE_TTL = 60.0

_UNSERVED = LocalAnswer(501, b"pools and rules are not served in this release\n",
                        Headers(((b"Content-Type", b"text/plain; charset=utf-8"),)))


def _none_around(inner: IResponder, names: Sequence[str]) -> IResponder:
    assert not names, names
    return inner


@frozen
class Surroundings:
    """
    What backends share.

    :ivar clock: for delays and ages.
    :ivar connector: makes, for an origin and its backend's options, what connects to it.
    :ivar offload: calls a function with arguments in a thread.
    :ivar access_log: None for no access log.
    :ivar spool: makes a place on disk for what slow readers have not read yet.
    :ivar memos: what all backends remember.
    :ivar wall: seconds since the epoch, for dates; the clock's where not given.
    :ivar middlewares: puts those of the configuration around a responder, by name.
    """

    clock: IReactorTime
    metrics: Metrics
    access_log: EntryLog | None
    connector: Callable[[OriginURL, BackendOptions], Any]
    offload: Callable[..., Awaitable[Any]]
    server_name: str
    spool: Callable[[], ISpool]
    memos: Memos = field(factory=Memos)
    wall: Callable[[], float] = Factory(lambda self: self.clock.seconds, takes_self=True)
    middlewares: Callable[[IResponder, Sequence[str]], IResponder] = _none_around


@implementer(IResponder)
@define(eq=False)
class Backend:
    """
    One backend of the configuration, put together.

    It answers requests for its paths, without the prefix that addresses it; what observes
    and codes answers stands around it, once, however deep backends nest.

    :ivar name: in the configuration.
    :ivar upstream: the way to the origin.
    :ivar probed: the way that health checks take, beside that of requests.
    :ivar negative: seconds that failures are kept, by status.
    :ivar locks: of the keys of the store that are being changed.
    """

    name: str
    options: BackendOptions
    origin_type: IOriginType
    store: ICacheStore
    negative: dict[int, float]
    around: Surroundings
    locks: KeyLocks = field(factory=KeyLocks)
    upstream: UpstreamClient = field(init=False)
    probed: SideClient = field(init=False)
    _origin: CountedOrigin = field(init=False)
    _in_flight: ByteBudget = field(init=False)
    _runtime: CacheRuntime = field(init=False)
    _paths: BackendPaths | None = field(default=None, init=False)
    _outermost: IResponder | None = field(default=None, init=False)
    _stops: list[Callable[[], None]] = field(factory=list, init=False, repr=False)
    _caches: list[IPurgeable] = field(factory=list, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        options = self.options
        origin = OriginURL.parse(options.origin_url)
        self.upstream = self._client(origin)
        self.probed = self._side_client(probe_origin(options))
        self._origin = CountedOrigin(
            self.upstream, self.around.metrics.origin(self.name, options.provider),
            OutageLog(self.name, OriginURL.parse(options.origin_url).place, self.around.clock))
        self._in_flight = ByteBudget(options.in_flight_bytes)
        around = self.around
        self._runtime = CacheRuntime(
            self.store, around.clock, around.wall, self._in_flight,
            Invalidation(place_of(options)), around.memos.hits, self.locks,
            around.memos.decoded, around.offload, around.spool)

    def respond(self, request: Request) -> Awaitable[Response]:
        """See L{IResponder.respond}."""
        return self.outermost.respond(request)

    @property
    def caches(self) -> Sequence[IPurgeable]:
        """The caches of its paths, each of which can be purged."""
        return self._caches

    def stop(self) -> Deferred[None]:
        """
        Give up what no client waits for, and close the connections to the origin.

        :return: fires when they are closed.
        """
        for stop in self._stops:
            stop()
        self._stops.clear()
        return gatherResults([self.upstream.stop(), self.probed.stop()]).addCallback(
            lambda _: None)

    def _client(self, origin: OriginURL) -> UpstreamClient:
        options, around = self.options, self.around
        counters = around.metrics.origin(self.name, options.provider)
        return UpstreamClient(origin, upstream_options(options, around.server_name),
                              around.connector(origin, options), around.clock,
                              on_lenient=counters.lenient)

    def _side_client(self, origin: OriginURL) -> SideClient:
        options, around = self.options, self.around
        return SideClient(origin, upstream_options(options, around.server_name),
                          around.connector(origin, options), around.clock)

    def abort(self) -> None:
        """Close the connections to the origin, also those with a request under way."""
        self.upstream.abort()

    def watch(self) -> None:
        """Expose how its connections and its memory are used, until it is stopped."""
        labels = {"backend_name": self.name}
        upstream, in_flight = self.upstream, self._in_flight

        def watch(name: str, documentation: str, read: Callable[[], float], **labels: str) -> None:
            self._stops.append(self.around.metrics.watch(name, documentation, read, **labels))

        watch("origin_active_connections", "Connections to the origin in use.",
              lambda: upstream.stats.active, **labels)
        watch("origin_lasting_connections", "Connections with an upgrade, a stream or an answer "
              "that takes long, beside those in use.", lambda: upstream.stats.lasting, **labels)
        watch("origin_max_lasting_connections", "Most of those that last; 0 for no limit.",
              lambda: self.options.max_streaming_conns, **labels)
        watch("origin_max_connections", "Most connections in use at a time; 0 for no limit.",
              lambda: self.options.max_concurrent_conns, **labels)
        watch("origin_idle_connections", "Connections to the origin kept for later.",
              lambda: upstream.stats.idle, **labels)
        watch("origin_waiting_requests", "Requests that wait for a connection.",
              lambda: upstream.stats.waiting, **labels)
        watch("in_flight_bytes", "Octets of answers held while they are fetched and sent, and "
              "of request bodies.", lambda: in_flight.held, **labels)
        watch("in_flight_max_bytes", "Most of those octets.", lambda: in_flight.limit, **labels)

    @property
    def _prefix(self) -> str:
        place = self.options.cache_key_prefix or OriginURL.parse(self.options.origin_url).place
        return f"{self.name}.{place}"

    @property
    def paths(self) -> BackendPaths:
        """What answers each path."""
        if self._paths is None:
            self._paths = self._put_together()
        return self._paths

    @property
    def outermost(self) -> IResponder:
        """The paths, with the backend's middlewares around them."""
        if self._outermost is None:
            self._outermost = self.around.middlewares(self.paths, self.options.middlewares)
        return self._outermost

    def route(self) -> BackendRoute:
        """:return: how requests get here."""
        outer = self.outermost if self.options.middlewares else None
        return _route(self.paths, self.options, outer)

    def _is_clear(self, request: Request) -> bool:
        found = self.paths.find(request.path, request.method.decode("latin-1"))
        return isinstance(found, Found) and found.is_clear

    def _put_together(self) -> BackendPaths:
        options = self.options
        plans = overlaid(self.origin_type.routes(options.plugin), options.paths)
        responders = [self._responder(plan) for plan in plans]
        entries = [self._entry(plan, responder)
                   for plan, responder in zip(plans, responders, strict=True)]
        return BackendPaths.of(Place(self.name, options.provider, spelling=self._spelling),
                               entries, bool(OriginURL.parse(options.origin_url).prefix))

    def _entry(self, plan: PathPlan, responder: IResponder) -> RoutedEntry:
        route = plan.route
        passing = WithReason(_rewriting(self._origin, self.options, plan.options),
                             Reason.AMBIGUOUS_PATH)
        clear, unclear = self._surrounded(
            plan, self._invalidating(route, responder),
            InvalidatingProxy(passing, self._runtime.invalidation))
        return RoutedEntry(
            route.path, route.match, route.methods, self._logged(route, clear),
            passing=self._logged(route, unclear),
            is_local=isinstance(responder, StaticResponder),
            place=Place(self.name, self.options.provider, route.path,
                        not plan.options.no_metrics, route.form, self._spelling,
                        compressible(self.options.compressible_types)))

    def _surrounded(self, plan: PathPlan, clear: IResponder, unclear: IResponder
                    ) -> tuple[IResponder, IResponder]:
        """
        :param clear: what answers where the path is clear.
        :param unclear: what does where it is not.
        :return: the same two, with the path's middlewares around both: each is one, which may
            count and limit requests, however these are spelled.
        """
        names = plan.options.middlewares or ()
        if not names:
            return clear, unclear
        surrounded = self.around.middlewares(ByClarity(clear, unclear, self._is_clear), names)
        return surrounded, surrounded

    def _logged(self, route: Route, responder: IResponder) -> IResponder:
        """:return: the responder, with the forms of requests kept where they are logged."""
        is_kept = route.form and self.around.access_log is not None
        return FormsKept(responder) if is_kept else responder

    @property
    def _spelling(self) -> IRefusalFormat | None:
        origin_type: Any = self.origin_type
        return origin_type if IRefusalFormat.providedBy(origin_type) else None

    def _responder(self, plan: PathPlan) -> IResponder:
        route = plan.route
        if route.serve is Serve.LOCAL and route.local is not None:
            return StaticResponder(route.local)
        inner = self._translating(route, _rewriting(self._origin, self.options, plan.options))
        if self.options.proxy_only:
            return WithReason(inner, Reason.PROXY_ONLY)
        if route.serve is Serve.DELTA:
            ranges = self._range_responder(plan, inner)
            todo = changes(plan.options.response_headers or {})
            return AnswerHeaders(ranges, todo) if todo else ranges
        if route.serve is Serve.OBJECT:
            return self._object_cache(plan, inner)
        if plan.options.is_progressive:
            return self._progressive_proxy(plan, inner)
        return inner

    def _translating(self, route: Route, inner: IResponder) -> IResponder:
        """:return: the inner responder, asked in the origin's words where these are others."""
        if route.translate is None:
            return inner
        most = self.options.max_timeseries_bytes

        async def collect(body: IBody, change: Change) -> IBody:
            return await self._in_flight.changed(body, most, change)

        return TranslatingResponder(inner, route.translate, collect, self.around.offload)

    # The caches

    def _invalidating(self, route: Route, responder: IResponder) -> IResponder:
        """:return: the responder, made to outdate what the backend's caches hold if it may."""
        invalidation = self._runtime.invalidation
        if (route.serve is not Serve.PROXY or not invalidation
                or set(route.methods) <= set(READ_METHODS)):
            return responder
        return InvalidatingProxy(responder, invalidation)

    def _object_cache(self, plan: PathPlan, inner: IResponder) -> ObjectCache:
        options = object_options(self._prefix, self.options, plan, self.negative)
        cache = ObjectCache(inner, options, self._runtime)
        self._runtime.invalidation.add(cache.invalidate)
        self._stops.append(cache.stop)
        self._caches.append(cache)
        return cache

    def _progressive_proxy(self, plan: PathPlan, inner: IResponder) -> ProgressiveProxy:
        buffering = Buffering(self.options.max_object_size_bytes, spool=self.around.spool,
                        in_flight=self._in_flight)
        proxy = ProgressiveProxy(
            inner, self.around.clock, buffering, identity(self.options, plan),
            overrides(self.options, plan))
        self._stops.append(proxy.stop)
        return proxy

    def _range_responder(self, plan: PathPlan, inner: IResponder) -> IResponder:
        dialect = plan.route.dialect
        if dialect is None:
            raise BrokenPlugin(f"origin type {self.origin_type.name!r} names no dialect for "
                               f"{plan.route.path}")
        whole = evolve(plan, route=evolve(plan.route, ttl=_WHOLE_TTL))
        around = self.around
        answering = RangePath(
            dialect, inner, self._object_cache(whole, inner),
            range_policy(self._prefix, self.options, plan), self.store, self._in_flight,
            around.clock, around.wall, around.offload, around.memos.hits,
            around.memos.newest, self.locks, around.memos.decoded).made()
        self._caches.extend(answering.caches)
        return answering.responder


def unserved(name: str, options: BackendOptions) -> BackendRoute:
    """
    :return: the route to a pool or a rule: all is refused, where it would else be the default
        backend's, whose answers are perhaps not meant for those who ask here.
    """
    everything = RoutedEntry("/", Match.PREFIX, ALL_METHODS, StaticResponder(_UNSERVED),
                             place=Place(name, options.provider, "/"))
    return _route(BackendPaths.of(Place(name, options.provider), [everything]), options)


def _route(paths: BackendPaths, options: BackendOptions, outer: IResponder | None = None
           ) -> BackendRoute:
    return BackendRoute(paths.place.backend, paths, options.hosts, bool(options.is_default),
                        options.path_routing_disabled, outer)


def _rewriting(inner: IResponder, backend: BackendOptions, path: PathOptions) -> IResponder:
    """:return: the inner responder with what the options change put around it."""
    return rewritten(inner, Rewriting(
        changes(backend.request_headers) + changes(path.request_headers or {}),
        changes(path.request_params or {}), changes(path.response_headers or {})))
