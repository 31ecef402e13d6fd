"""Whether what plugins give is what the interfaces say: types, names, what goes with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from zope.interface.interface import InterfaceClass

from trickster.errors import BrokenPlugin, ConfigurationError, PluginError
from trickster.http.grammar import is_field_name
from trickster.interfaces import (
    ICacheStore,
    ICompareAndSetStore,
    IMeteredStore,
    INewestDialect,
    IQueryDialect,
    IReferenceStore,
    IResponder,
)
from trickster.messages import Headers
from trickster.plugins import explained, verify
from trickster.routes import Match, Probe, Route, Serve, StaticResponse

_PATH = re.compile(r"/[^\x00-\x20\x7f?#]*")
_DIALECTS = (IQueryDialect, INewestDialect)
_STORE_COMPANIONS = (IReferenceStore, ICompareAndSetStore, IMeteredStore)
_OPTIONAL_CALLS = ("normalise", "transform", "unkept", "align", "translate")


def checked_routes(origin_type: Any, options: Any) -> tuple[Route, ...]:
    """
    Ask an origin type for its routes, and for what goes with them.

    :param origin_type: provides L{trickster.interfaces.IOriginType}.
    :param options: an instance of its C{options}.
    :return: its routes.
    :raises BrokenPlugin: they, their dialects or its probe are not what they must be; says what.
    """
    what = f"origin type {origin_type.name!r} is broken: "
    routes = _asked(what + "routes()", lambda: list(origin_type.routes(options)))
    faults = list(_faults(routes))
    if faults:
        raise BrokenPlugin(what + "; ".join(faults[:5]))
    for route in routes:
        _check_dialect(what, route)
    probe = _asked(what + "probe()", lambda: origin_type.probe(options))
    fault = _probe_fault(probe)
    if fault:
        raise BrokenPlugin(f"{what}its probe {fault}")
    return tuple(routes)


def _check_dialect(what: str, route: Route) -> None:
    if route.dialect is not None:
        for interface in _DIALECTS:
            if interface is IQueryDialect or interface.providedBy(route.dialect):
                _verify(interface, route.dialect, f"{what}the dialect of route {route.path!r}")
    elif route.serve is Serve.DELTA:
        raise BrokenPlugin(f"{what}route {route.path!r} is served by range (DELTA), and has no "
                           "dialect")


def checked_store(store_type: Any, name: str, options: Any, limits: Any, runtime: Any) -> Any:
    """
    Make a store, as L{trickster.interfaces.IStoreType.store} does.

    :return: it; it provides L{ICacheStore}.
    :raises BrokenPlugin: it does not, or cannot be made.
    :raises PluginError: what it is told cannot be; says what.
    """
    what = f"store {store_type.name!r} is broken: store()"
    store = _asked(what, lambda: store_type.store(name, options, limits, runtime))
    _verify(ICacheStore, store, f"{what} of cache {name!r}")
    for more in _STORE_COMPANIONS:
        if more.providedBy(store):
            _verify(more, store, f"{what} of cache {name!r}")
    return store


def checked_middleware(kind: Any, inner: Any, options: Any, runtime: Any) -> Any:
    """
    Put a middleware around a responder, as L{trickster.interfaces.IMiddlewareType.wrap} does.

    :return: it; it provides L{IResponder}.
    :raises BrokenPlugin: it does not, or cannot be put there.
    """
    what = f"middleware {kind.name!r} is broken: wrap()"
    responder = _asked(what, lambda: kind.wrap(inner, options, runtime))
    _verify(IResponder, responder, what)
    return responder


def _asked(what: str, ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ConfigurationError as error:
        # Not the plugin is wrong, but what it is told, such as the name of a file.
        raise PluginError("; ".join(error.problems)) from error
    except (Exception, SystemExit) as error:
        # A stranger's code, called with options that it may not have thought of.
        raise BrokenPlugin(f"{what} fails with {explained(error)}") from error


def _verify(interface: InterfaceClass, given: Any, what: str) -> None:
    verify(interface, given, f"{what} is no {interface.__name__}")


def _faults(routes: Iterable[Any]) -> Iterator[str]:
    serves: dict[str, Serve] = {each.value: each for each in Serve}
    taken: set[tuple[str, Match, str]] = set()
    for route in routes:
        fault = _route_fault(route)
        if fault:
            yield fault
            continue
        known = serves.setdefault(route.handler, route.serve) if route.handler else route.serve
        if known is not route.serve:
            yield (f"route {route.path!r} calls {route.serve.name} {route.handler!r}, which is "
                   f"the name of {known.name}")
        ways = {(route.path, route.match, method) for method in route.methods}
        if ways & taken:
            yield f"route {route.path!r} is given twice for the same methods"
        taken |= ways


def _route_fault(route: Any) -> str:
    if not _is(route, Route):
        return f"{type(route).__name__} is among its routes, where only Route may be"
    if not (_is(route.path, str) and _PATH.fullmatch(route.path)):
        return f"the path {route.path!r} of a route is none that begins with / and has no query"
    fault = _fields_fault(route) or _calls_fault(route) or _static_fault(route)
    return f"route {route.path!r} {fault}" if fault else ""


def _fields_fault(route: Any) -> str:
    if not _is(route.serve, Serve) or not _is(route.match, Match):
        return "has a serve that is no Serve, or a match that is no Match"
    if not _are(route.methods, str) or not route.methods or not all(
            _is_method(each) for each in route.methods):
        return "has methods that are no tuple of request methods in capitals"
    if not _is(route.handler, str):
        return "has a handler that is no text"
    if not _are(route.key_headers, bytes) or any(h != h.lower() for h in route.key_headers):
        return "has key_headers that are no tuple of names in octets, in lower case"
    if _is(route.ignored_params, str) or not _are(tuple(route.ignored_params), str):
        return "has ignored_params that are no set of names"
    return ""


def _is(given: Any, kind: type[Any] | tuple[type[Any], ...]) -> bool:
    return isinstance(given, kind)


def _are(given: Any, kind: type[Any]) -> bool:
    return _is(given, (tuple, list)) and all(_is(each, kind) for each in given)


def _calls_fault(route: Any) -> str:
    for name in _OPTIONAL_CALLS:
        if getattr(route, name) is not None and not callable(getattr(route, name)):
            return f"has a {name} that cannot be called"
    is_number = _is(route.ttl, (int, float)) and not _is(route.ttl, bool)
    if route.ttl is not None and not (is_number and route.ttl >= 0):
        return "has a ttl that is no number of seconds"
    return ""


def _static_fault(route: Any) -> str:
    if route.serve is not Serve.STATIC:
        return ""
    if not _is(route.static, StaticResponse):
        return "is STATIC, and has no StaticResponse to give"
    static = route.static
    if not _is(static.status, int) or not 200 <= static.status <= 599:
        return f"answers with {static.status!r}, which is no status code"
    if not _is(static.body, bytes) or not _is(static.headers, Headers):
        return "answers with a body that is no octets, or headers that are no Headers"
    return ""


def _probe_fault(probe: Any) -> str:
    if probe is None:
        return ""
    if not _is(probe, Probe):
        return f"is no Probe, but {type(probe).__name__}"
    if not _is(probe.target, bytes) or not probe.target.startswith(b"/"):
        return "has a target that is no octets that begin with /"
    if not _is(probe.method, bytes) or not _is_method(probe.method.decode("latin-1")):
        return "has a method that is no octets in capitals"
    if not _are(probe.expected, int) or not _is(probe.headers, Headers):
        return "expects what is no tuple of status codes, or headers that are no Headers"
    return ""


def _is_method(text: str) -> bool:
    return is_field_name(text) and text == text.upper()
