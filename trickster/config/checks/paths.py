"""What the entries of a backend's C{paths} must be."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from trickster.config.checks.fields import check_changes, check_methods, check_names
from trickster.config.checks.idle import Idle, idle_backend_keys, idle_keys
from trickster.config.document.problems import Problems, meant, one_of, shown
from trickster.config.document.reading import items_at
from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions
from trickster.config.options.routes import in_effect, laid_over
from trickster.routes import READ_METHODS, Route, Serve


def check_paths(within: str, backend: BackendOptions, problems: Problems) -> None:
    """
    :param within: path of the backend in the configuration.
    :param problems: is told of entries that no origin type could serve, and of two that say
        one thing of one path.
    """
    taken: dict[tuple[str, str, str], str] = {}
    for at, each in items_at(f"{within}.paths", backend.paths):
        _check_path(at, each, problems)
        check_methods(f"{at}.methods", each.methods or (), problems)
        check_names(f"{at}.cache_key_headers", each.cache_key_headers or (), problems)
        check_changes(f"{at}.request_headers", each.request_headers or {}, problems)
        check_changes(f"{at}.response_headers", each.response_headers or {}, problems)
        check_changes(f"{at}.cors.headers", each.cors.headers if each.cors else {}, problems)
        _check_clash(at, each, taken, problems)


def check_routes(within: str, backend: BackendOptions, routes: Sequence[Route],
                 problems: Problems) -> None:
    """
    Tell of handlers that the origin type does not have, and of keys that cannot have an effect
    where they stand.

    :param within: path of the backend in the configuration.
    :param routes: of its origin type.
    """
    # A stand-in does not know what the real one calls its ways.
    handlers = set() if backend.origin_type != backend.provider else {
        "health", *(each.value for each in Serve), *(r.handler for r in routes if r.handler)}
    for at, each in items_at(f"{within}.paths", backend.paths):
        _check_handler(at, each, handlers, problems)
        route = laid_over(routes, each)
        if route.serve is Serve.DELTA:
            fault = _dialect_fault(each, routes, backend.provider)
            if fault:
                problems.at(f"{at}.handler", fault)
        for idle in idle_keys(each, route):
            _tell_idle(at, idle, problems)
    for idle in idle_backend_keys(backend, in_effect(routes, backend.paths)):
        _tell_idle(within, idle, problems)


def _dialect_fault(entry: PathOptions, routes: Sequence[Route], provider: str) -> str:
    """
    :param entry: for range queries.
    :param routes: of the origin type.
    :return: why it is not known in which dialect these queries are, or nothing: it has to be
        said where there are several.
    """
    ranges = [route for route in routes if route.serve is Serve.DELTA]
    if not ranges:
        return f"{provider} has no range queries; expected another handler"
    is_general = entry.handler == Serve.DELTA.value and all(r.path != entry.path for r in ranges)
    if not is_general or len({id(route.dialect) for route in ranges}) == 1:
        return ""
    names = sorted({route.handler or route.path for route in ranges})
    return (f"{provider} has several kinds of range queries; expected the handler of one of "
            f"them: {', '.join(names)}")


def _tell_idle(at: str, idle: Idle, problems: Problems) -> None:
    if idle.is_refused:
        problems.at(f"{at}.{idle.key}", f"cannot have an effect here: {idle.text}")
    else:
        problems.remark(f"{at}.{idle.key}", f"has no effect here: {idle.text}")


def _check_path(at: str, each: PathOptions, problems: Problems) -> None:
    if not each.path:
        problems.at(f"{at}.path", "is missing; expected one such as /api/v1/query")
    elif not each.path.startswith("/") or re.search(r"[\x00-\x20\x7f?#]", each.path):
        problems.at(f"{at}.path", f"{shown(each.path)} is not a path; expected one that begins "
                    "with / and has no query")
    if 0 < (each.response_code or 0) < 200:
        # RFC 9110 section 15.2: a 1xx is not an answer, but comes before one.
        problems.at(f"{at}.response_code", f"{each.response_code} is not the status code of an "
                    "answer; expected one from 200 to 599")
    if each.collapsed_forwarding == "basic" and each.progressive_collapsed_forwarding:
        problems.at(f"{at}.progressive_collapsed_forwarding",
                    "contradicts collapsed_forwarding: basic; keep one of them")


def _check_handler(at: str, each: PathOptions, handlers: Collection[str],
                   problems: Problems) -> None:
    name = each.handler
    if name is None or not handlers or name in handlers:
        return
    problems.at(f"{at}.handler", lambda: f"{shown(name)} is not known here; expected one of "
                f"{one_of(sorted(handlers))}{meant(name, handlers)}")


def _check_clash(at: str, each: PathOptions, taken: dict[tuple[str, str, str], str],
                 problems: Problems) -> None:
    for method in each.methods or READ_METHODS:
        key = (each.path, each.match_type or "exact", method)
        other = taken.setdefault(key, at)
        if other != at and each.path:
            problems.at(at, f"{method} {each.path} is said by {other} already")
            return
