"""The paths of a backend: what the origin type says, under what the configuration says."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from trickster.config.paths import PathOptions
from trickster.middleware.rewriting import changed_headers, changes, local_answer
from trickster.routes import READ_METHODS, LocalAnswer, Match, Route, Serve

_NO_OPTIONS = PathOptions()
_GENERIC = {
    "proxy": Serve.PROXY, "proxycache": Serve.OBJECT, "localresponse": Serve.LOCAL,
}


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
    planned = [_laid_over(_under(routes, options), options, routes) for options in paths]
    return [*planned, *(PathPlan(route) for route in routes)]


def _under(routes: Sequence[Route], options: PathOptions) -> Route | None:
    """:return: the route that an entry is about, or None where it is a new one."""
    for route in routes:
        same_match = options.match_type is None or options.match_type == route.match.value
        same_methods = (options.methods is None or "*" in route.methods
                        or set(options.methods) & set(route.methods))
        if route.path == options.path and same_match and same_methods:
            return route
    return None


def _laid_over(route: Route | None, options: PathOptions, routes: Sequence[Route]) -> PathPlan:
    base = route or Route(options.path, Serve.PROXY, methods=READ_METHODS)
    if options.handler is not None:
        base = _handled(base, options.handler, routes)
    if options.methods is not None:
        base = evolve(base, methods=tuple(m.upper() for m in options.methods))
    if options.match_type is not None:
        base = evolve(base, match=Match(options.match_type))
    if options.ttl is not None:
        base = evolve(base, ttl=options.ttl or None)
    if options.cache_key_headers is not None:
        named = tuple(h.lower().encode("latin-1") for h in options.cache_key_headers)
        base = evolve(base, key_headers=tuple(dict.fromkeys((*base.key_headers, *named))))
    if base.serve is Serve.LOCAL:
        base = evolve(base, local=_local(base, options))
    return PathPlan(base, options)


def _handled(base: Route, handler: str, routes: Sequence[Route]) -> Route:
    serve = _GENERIC.get(handler)
    if serve is not None:
        return evolve(base, serve=serve, handler=handler)
    for named in routes:
        if named.handler == handler:
            return evolve(named, path=base.path, match=base.match, methods=base.methods)
    return evolve(base, serve=Serve.PROXY)  # of an origin type that another stands in for


def _local(base: Route, options: PathOptions) -> LocalAnswer:
    headers = options.response_headers or {}
    if base.local is None or options.response_body is not None:
        return local_answer(options.response_code, options.response_body, headers)
    local = evolve(base.local, headers=changed_headers(base.local.headers, changes(headers)))
    return local if options.response_code is None else evolve(local, status=options.response_code)
