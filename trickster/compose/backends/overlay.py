"""The paths of a backend: what the origin type says, under what the configuration says."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from trickster.config.options.paths import PathOptions
from trickster.config.options.routes import laid_over
from trickster.middleware.rewriting import changed_headers, changes, static_response
from trickster.routes import Route, Serve, StaticResponse

_NO_OPTIONS = PathOptions()


@frozen
class PathPlan:
    """
    A path, how it is served, and what the configuration says of it beyond that.

    :ivar options: of the configuration's entry, or all unsaid.
    """

    route: Route
    options: PathOptions = _NO_OPTIONS


def overlaid(routes: Sequence[Route], paths: Sequence[PathOptions]) -> list[PathPlan]:
    """
    Lay the configuration's entries over an origin type's routes, field by field: what an
    entry leaves unsaid stays as the origin type has it.

    :return: the configuration's entries first, so that they win where both match.
    """
    planned = [_laid_over(options, routes) for options in paths]
    return [*planned, *(PathPlan(route) for route in routes)]


def _laid_over(options: PathOptions, routes: Sequence[Route]) -> PathPlan:
    route = laid_over(routes, options)
    if route.serve is Serve.STATIC:
        route = evolve(route, static=_static(route, options))
    return PathPlan(route, options)


def _static(base: Route, options: PathOptions) -> StaticResponse:
    headers = options.response_headers or {}
    if base.static is None or options.response_body is not None:
        return static_response(options.response_code, options.response_body, headers)
    static = evolve(base.static, headers=changed_headers(base.static.headers, changes(headers)))
    return evolve(static, status=options.response_code or static.status)
