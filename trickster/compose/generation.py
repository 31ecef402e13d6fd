"""One configuration in effect, and how the next one takes its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import ref

from attrs import define, evolve, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger
from twisted.web.resource import IResource

from trickster.admin.health import ProcessState
from trickster.admin.metricspage import MetricsPage
from trickster.admin.trees import Administration
from trickster.compose.administration import administration, health_check
from trickster.compose.backends.backend import Backend, unserved
from trickster.compose.backends.surroundings import Surroundings
from trickster.compose.management import management
from trickster.compose.running import Origins
from trickster.compose.runtime import Runtime
from trickster.config.options.backends import BackendOptions
from trickster.config.options.model import Configuration
from trickster.frontend.site import ProxySite
from trickster.frontend.tree import ListenerRoot, ResponderResource
from trickster.interfaces import IOriginType, IResponder
from trickster.middleware.compression import CompressionOptions, compression
from trickster.observability.access import Observed
from trickster.observability.exposition import Exposition
from trickster.plugins import ORIGINS
from trickster.routing.router import Router


class Generation(MultiService):
    """
    One configuration in effect: its caches, backends and health checks, and what each listener
    serves.

    It opens nothing, and exposes nothing, before it is started: one that is never started has
    changed nothing.

    :ivar caches: by name; the next configuration may have the same.
    :ivar backends: by name; without pools and rules.
    """

    def __init__(self, configuration: Configuration, runtime: Runtime) -> None:
        """
        :param configuration: complete and consistent.
        :raises ConfigurationError: a file that it names cannot be used.
        :raises PluginError: an origin type, a store or a middleware cannot be used.
        """
        super().__init__()
        self.configuration = configuration
        self._runtime = runtime
        self._around: Surroundings = runtime.surroundings(configuration.middlewares)
        self.caches = runtime.stores.of(configuration.caches)
        self.backends = {name: self._backend(name, options)
                         for name, options in configuration.backends.items()
                         if not options.is_virtual}
        self._checks = {name: health_check(backend, runtime.random)
                        for name, backend in self.backends.items()}
        self._observed: list[Observed] = []
        self._unused: _Unused | None = None
        self._roots = self._made_roots()
        for service in (Origins([each.stop for each in self.backends.values()]),
                        *self._checks.values()):
            service.setServiceParent(self)

    def startService(self) -> None:
        """Open and expose what is its own."""
        self._runtime.stores.use(self.caches.values())
        self.watch()
        super().startService()

    def watch(self) -> None:
        """Expose how the backends are used."""
        for backend in self.backends.values():
            backend.watch()

    def root(self, listener: str) -> IResource:
        """:return: what a listener of this name serves."""
        return self._roots[listener]

    def abort(self) -> None:
        """Give up all that goes on with origins."""
        for backend in self.backends.values():
            backend.abort()

    def unused(self) -> Deferred[None]:
        """
        Give up what listeners serve; they serve something else by now.

        :return: fires when no request is answered by it any more.
        """
        # Kept here, as nothing else refers to it but what it refers to itself.
        unused = self._unused = _Unused(self._runtime.reactor, len(self._observed))
        # Requests under way refer to what observes them until their last octet is sent, and
        # nothing else does: counting them would cost each request, and this costs none.
        unused.refs = [ref(each, unused.gone) for each in self._observed]
        self._observed, self._roots = [], {}
        return unused.over

    def _backend(self, name: str, options: BackendOptions) -> Backend:
        runtime, cache = self._runtime, self.caches[options.cache_name]
        return Backend(
            name, options, runtime.plugins.load(ORIGINS, options.origin_type, IOriginType),
            cache.store, self.configuration.negative_ttls(options.negative_cache_name),
            self._around, cache.locks, cache.purges, cache.options,
            cache.counts, cache.leases)

    def _made_roots(self) -> dict[str, IResource]:
        said = self.configuration
        asked = self._administration()
        own = {"metrics": asked.on_metrics(), "mgmt": asked.on_mgmt()}
        endpoints = {path.encode(): ResponderResource(responder)
                     for path, responder in asked.on_frontend().items()}
        roots: dict[str, IResource] = {}
        for name, options in said.opened.items():
            if name in own:
                roots[name] = ResponderResource(
                    self._around.middlewares(own[name], options.middlewares))
            else:
                served = self._served(name, options.middlewares)
                roots[name] = ListenerRoot(ResponderResource(served), endpoints)
        return roots

    def _served(self, listener: str, middlewares: Sequence[str]) -> IResponder:
        """:return: what answers the requests for the backends of a listener."""
        router = Router.of(self.backends[each].route() if each in self.backends
                           else unserved(each, options)
                           for each, options in self.configuration.backends.items()
                           if options.listener_name == listener)
        around = self._around
        surrounded = around.middlewares(
            compression.wrap(router, CompressionOptions(), self._runtime.for_plugins),
            middlewares)
        observed = Observed(surrounded, around.metrics, around.access_log, around.clock, router)
        self._observed.append(observed)
        return observed

    def _administration(self) -> Administration:
        runtime = self._runtime
        state = ProcessState(runtime.wall, self._failing_caches,
                             lambda: runtime.phase.is_draining)
        checked = {name: (self.backends[name], check) for name, check in self._checks.items()}
        page = MetricsPage(Exposition(runtime.registry, runtime.reactor,
                                      runtime.threads.deferred))
        asked = administration(self.configuration, checked, state, page)
        managed = management(self.configuration.mgmt, self.caches, self.backends)
        return evolve(asked, more=managed.exact, more_below=managed.below)

    def _failing_caches(self) -> Sequence[str]:
        return [name for name, cache in self.caches.items() if cache.store.is_failing]


@define(eq=False)
class _Unused:
    """Waits until several objects are gone."""

    _reactor: Any
    _left: int
    over: Deferred[None] = field(factory=Deferred)
    refs: list[ref[Observed]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._tell_if_over()

    def gone(self, _: ref[Observed]) -> None:
        """
        One of them is, which may happen in the middle of anything: nothing else is done now.

        :param _: the reference to it, which is dead.
        """
        self._left -= 1
        self._tell_if_over()

    def _tell_if_over(self) -> None:
        if not self._left:
            # An object may go in the middle of anything.
            self._reactor.callLater(0, self._tell)

    def _tell(self) -> None:
        if not self.over.called:
            self.over.callback(None)


class Generations(MultiService):
    """
    The configuration in effect, and those before it that still answer requests.

    :ivar current: what is in effect.
    """

    _log = Logger()

    def __init__(self, first: Generation, runtime: Runtime,
                 sites: Mapping[str, ProxySite]) -> None:
        """
        :param sites: what listens, by name.
        """
        super().__init__()
        self.current = first
        self._runtime = runtime
        self._sites = sites
        first.setServiceParent(self)

    def follow(self, configuration: Configuration, patience: float) -> Deferred[None]:
        """
        Put another configuration into effect, for all requests from now on.  Those under way
        are answered by the one under which they began.

        :param configuration: of the same listeners.
        :param patience: seconds that requests under way have to end.
        :return: fires when the one before is over, and its connections are closed.
        :raises ConfigurationError: as L{Generation}; nothing has changed.
        :raises PluginError: the same.
        """
        before, after = self.current, Generation(configuration, self._runtime)
        try:
            after.setServiceParent(self)
        except BaseException:
            Deferred.fromCoroutine(self._undone(after))
            raise
        self.current = after
        for name, site in self._sites.items():
            site.serve(after.root(name))
        return Deferred.fromCoroutine(self._retired(before, patience))

    def abort(self) -> None:
        """Give up all that goes on with origins."""
        for generation in self:
            generation.abort()

    async def _retired(self, before: Generation, patience: float) -> None:
        unused = before.unused()
        unused.addTimeout(patience, self._runtime.reactor)
        try:
            await unused
        except DeferredTimeout:
            self._log.warn("Requests that began under an earlier configuration are given up")
            before.abort()
        await maybeDeferred(before.disownServiceParent)
        self._runtime.memos.forget()
        await self._close_unused_stores()

    async def _undone(self, generation: Generation) -> None:
        await maybeDeferred(generation.disownServiceParent)
        await self._close_unused_stores()

    def _close_unused_stores(self) -> Deferred[Any]:
        return self._runtime.stores.keep(
            [cache for generation in self for cache in generation.caches.values()])
