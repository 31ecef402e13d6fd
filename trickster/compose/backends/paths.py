"""The paths of a backend, and the chain of responders behind each."""

from __future__ import annotations

from typing import Any

from attrs import Factory, define, field

from trickster.compose.backends.caches import BackendCaches
from trickster.compose.backends.origin import BackendOrigin
from trickster.compose.backends.overlay import PathPlan, overlaid
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions
from trickster.errors import BrokenPlugin, Reason
from trickster.interfaces import IBody, IOriginType, IRefusalFormat, IResponder
from trickster.messages import Request
from trickster.middleware.compression import compressible
from trickster.middleware.rewriting import AnswerHeaders, changes
from trickster.middleware.static_response import StaticResponder
from trickster.middleware.translating import Change, TranslatingResponder
from trickster.middleware.with_reason import WithReason
from trickster.objects.invalidation import InvalidatingProxy
from trickster.observability.forms import FormsKept
from trickster.routes import READ_METHODS, Route, Serve
from trickster.routing.paths import BackendPaths, ByClarity, Found, RoutedEntry
from trickster.spans import Place


@define(eq=False)
class PathChains:
    """
    Puts together what answers each path of a backend, once it is asked for.

    :ivar origin: what all of them end at.
    :ivar caches: makes those that stand before it.
    """

    origin: BackendOrigin
    caches: BackendCaches
    _options: BackendOptions
    _origin_type: IOriginType
    _around: Surroundings
    _paths: BackendPaths | None = field(default=None, init=False)
    _spelling: IRefusalFormat | None = field(init=False, default=Factory(
        lambda self: _spelling(self._origin_type), takes_self=True))

    @property
    def paths(self) -> BackendPaths:
        """
        :return: what answers each path; put together, and its caches made, when it is first asked
            for.
        :raises BrokenPlugin: the origin type serves a path by range, and names no dialect for it.
        :raises PluginError: a middleware of a path cannot be used.
        """
        if self._paths is None:
            self._paths = self._put_together()
        return self._paths

    def _put_together(self) -> BackendPaths:
        options = self._options
        plans = overlaid(self._origin_type.routes(options.plugin), options.paths)
        responders = [self._responder(plan) for plan in plans]
        entries = [self._entry(plan, responder)
                   for plan, responder in zip(plans, responders, strict=True)]
        return BackendPaths.of(
            Place(self.origin.name, options.provider, spelling=self._spelling),
            entries, bool(self.origin.url.prefix))

    def _entry(self, plan: PathPlan, responder: IResponder) -> RoutedEntry:
        route = plan.route
        passing = WithReason(self.origin.responder(plan.options), Reason.AMBIGUOUS_PATH)
        clear, unclear = self._surrounded(
            plan, self._invalidating(route, responder),
            InvalidatingProxy(passing, self.caches.invalidation))
        return RoutedEntry(
            route.path, route.match, route.methods, self._logged(route, clear),
            passing=self._logged(route, unclear),
            is_local=isinstance(responder, StaticResponder),
            place=Place(self.origin.name, self._options.provider, route.path,
                        not plan.options.no_metrics, route.form, self._spelling,
                        compressible(self._options.compressible_types)))

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
        surrounded = self._around.middlewares(ByClarity(clear, unclear, self._is_clear), names)
        return surrounded, surrounded

    def _is_clear(self, request: Request) -> bool:
        found = self.paths.find(request.path, request.method.decode("latin-1"))
        return isinstance(found, Found) and found.is_clear

    def _logged(self, route: Route, responder: IResponder) -> IResponder:
        """:return: the responder, with the forms of requests kept where they are logged."""
        is_kept = route.form and self._around.access_log is not None
        return FormsKept(responder) if is_kept else responder

    def _invalidating(self, route: Route, responder: IResponder) -> IResponder:
        """:return: the responder, made to outdate what the backend's caches hold if it may."""
        invalidation = self.caches.invalidation
        if (route.serve is not Serve.PROXY or not invalidation
                or set(route.methods) <= set(READ_METHODS)):
            return responder
        return InvalidatingProxy(responder, invalidation)

    def _responder(self, plan: PathPlan) -> IResponder:
        route = plan.route
        if route.serve is Serve.STATIC and route.static is not None:
            return StaticResponder(route.static)
        inner = self._translating(route, self.origin.responder(plan.options))
        if self._options.proxy_only:
            return WithReason(inner, Reason.PROXY_ONLY)
        if route.serve is Serve.DELTA:
            return self._by_range(plan, inner)
        if route.serve is Serve.OBJECT:
            return self.caches.objects(plan, inner)
        if plan.options.is_progressive:
            return self.caches.progressive(plan, inner)
        return inner

    def _by_range(self, plan: PathPlan, inner: IResponder) -> IResponder:
        dialect = plan.route.dialect
        if dialect is None:
            raise BrokenPlugin(f"origin type {self._origin_type.name!r} names no dialect for "
                               f"{plan.route.path}")
        ranges = self.caches.ranges(dialect, plan, inner)
        todo = changes(plan.options.response_headers or {})
        return AnswerHeaders(ranges, todo) if todo else ranges

    def _translating(self, route: Route, inner: IResponder) -> IResponder:
        """:return: the inner responder, asked in the origin's words where these are others."""
        if route.translate is None:
            return inner
        most, in_flight = self._options.max_timeseries_bytes, self.caches.in_flight

        async def collect(body: IBody, change: Change) -> IBody:
            return await in_flight.changed(body, most, change)

        return TranslatingResponder(inner, route.translate, collect, self._around.offload)


def _spelling(origin_type: Any) -> IRefusalFormat | None:
    return origin_type if IRefusalFormat.providedBy(origin_type) else None
