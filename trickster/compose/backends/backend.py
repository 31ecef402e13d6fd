"""One backend: a responder, made of its origin, its caches and its paths."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from trickster.collapsing.leases.leases import Leases
from trickster.compose.backends.caches import BackendCaches
from trickster.compose.backends.origin import BackendOrigin
from trickster.compose.backends.paths import PathChains
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.interfaces import ICacheStore, IOriginType, IPurgeable, IResponder
from trickster.messages import Headers, Request, Response
from trickster.middleware.static_response import StaticResponder
from trickster.purging.purges import Purges
from trickster.routes import ALL_METHODS, Match, StaticResponse
from trickster.routing.paths import BackendPaths, RoutedEntry
from trickster.routing.router import BackendRoute
from trickster.spans import Place
from trickster.stores.inspection.hit_counts import HitCounts
from trickster.stores.key_locks import KeyLocks

_UNSERVED = StaticResponse(501, b"pools and rules are not served in this release\n",
                        Headers(((b"Content-Type", b"text/plain; charset=utf-8"),)))


@implementer(IResponder)
@define(eq=False)
class Backend:
    """
    One backend of the configuration, put together.

    It answers requests for its paths, without the prefix that addresses it; what observes
    and codes answers stands around it, once, however deep backends nest.

    :ivar name: in the configuration.
    :ivar negative: seconds that failures are kept, by status.
    :ivar locks: of the keys of the store that are being changed.
    :ivar purges: of the store; None to do without.
    :ivar cache: the options of the cache whose store that is.
    :ivar counts: of its hits; None to count none.
    :ivar leases: of the store; None where no other process shares it.
    :ivar origin: where its requests and its health checks go.
    """

    name: str
    options: BackendOptions
    origin_type: IOriginType
    store: ICacheStore
    negative: dict[int, float]
    around: Surroundings
    locks: KeyLocks = field(factory=KeyLocks)
    purges: Purges | None = None
    cache: CacheOptions = field(factory=CacheOptions)
    counts: HitCounts | None = None
    leases: Leases | None = None
    origin: BackendOrigin = field(init=False)
    _caches: BackendCaches = field(init=False)
    _chains: PathChains = field(init=False)
    _outermost: IResponder | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        options, around = self.options, self.around
        self.origin = BackendOrigin(self.name, options, around)
        self._caches = BackendCaches(self.name, options, self.store, self.negative, around,
                                     self.locks, self.purges, self.cache, self.counts,
                                     self.leases)
        if self.purges is not None:
            self.purges.keep_for(max(options.max_ttl, options.timeseries_ttl))
        self._chains = PathChains(self.origin, self._caches, options, self.origin_type, around)

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        :param request: without what addresses the backend.
        :return: an awaitable of the answer; see L{IResponder.respond}.
        """
        return self.outermost.respond(request)

    @property
    def caches(self) -> Sequence[IPurgeable]:
        """
        :return: the caches of its paths, each of which can be purged; none before L{paths} are
            put together.  Not to be changed.
        """
        return self._caches.purgeable

    @property
    def paths(self) -> BackendPaths:
        """
        :return: what answers each path; put together when it is first asked for.
        :raises PluginError: as L{PathChains.paths}.
        """
        return self._chains.paths

    @property
    def outermost(self) -> IResponder:
        """
        :return: the paths, with the backend's middlewares around them; put together when it is
            first asked for.
        :raises PluginError: as L{paths}; or a middleware of the backend cannot be used.
        """
        if self._outermost is None:
            self._outermost = self.around.middlewares(self.paths, self.options.middlewares)
        return self._outermost

    def route(self) -> BackendRoute:
        """:return: how requests get here."""
        outer = self.outermost if self.options.middlewares else None
        return _route(self.paths, self.options, outer)

    def watch(self) -> None:
        """Expose how its connections and its memory are used, until it is stopped."""
        self.origin.watch()
        self._caches.watch()

    def stop(self) -> Deferred[None]:
        """
        Give up what no client waits for, and close the connections to the origin.

        :return: fires when they are closed.
        """
        self._caches.stop()
        return self.origin.stop()

    def abort(self) -> None:
        """Close the connections to the origin, also those with a request under way."""
        self.origin.abort()


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
