"""The routes of a backend: those of its origin type, with the entries of its paths laid over."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from trickster.config.options.paths import PathOptions
from trickster.routes import READ_METHODS, Match, Route, Serve

_GENERIC = {each.value: each for each in Serve}


def laid_over(routes: Sequence[Route], options: PathOptions) -> Route:
    """
    Lay an entry over an origin type's routes, field by field: what the entry leaves unsaid
    stays as the origin type has it.

    :param routes: of the origin type.
    :param options: the entry.
    :return: the route that the entry is; but for the answer of one that is C{Serve.STATIC}.
    """
    base = (_under(routes, options)
            or Route(options.path, Serve.PROXY, methods=READ_METHODS))
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
    return base


def _under(routes: Sequence[Route], options: PathOptions) -> Route | None:
    """:return: the route that an entry is about, or None where it is a new one."""
    for route in routes:
        same_match = options.match_type is None or options.match_type == route.match.value
        same_methods = (options.methods is None or "*" in route.methods
                        or set(options.methods) & set(route.methods))
        if route.path == options.path and same_match and same_methods:
            return route
    return None


def _handled(base: Route, handler: str, routes: Sequence[Route]) -> Route:
    serve = _GENERIC.get(handler)
    if serve is not None and serve is not Serve.DELTA:
        return evolve(base, serve=serve, handler=handler)
    for named in (base, *routes):
        if named.handler == handler or named.serve is serve:
            return evolve(named, path=base.path, match=base.match, methods=base.methods)
    # Other names are those of an origin type that another one stands in for.
    return evolve(base, serve=serve or Serve.PROXY)


def in_effect(routes: Sequence[Route], entries: Sequence[PathOptions]
              ) -> list[tuple[Route, PathOptions | None]]:
    """
    :param routes: of the origin type.
    :param entries: of the backend.
    :return: the routes of a backend, and the entry that each is; an origin type's own where
        no entry takes all of it over.
    """
    laid = [(laid_over(routes, each), each) for each in entries]
    own = [route for route in routes
           if not any(_takes_over(entry, route) for entry, _ in laid)]
    return [*((route, None) for route in own), *laid]


def _takes_over(entry: Route, route: Route) -> bool:
    return ((entry.path, entry.match) == (route.path, route.match)
            and ("*" in entry.methods or set(route.methods) <= set(entry.methods)))
