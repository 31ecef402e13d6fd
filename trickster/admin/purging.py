"""Where purges are asked for: the management API, and the URLs of Trickster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from attrs import define
from zope.interface import implementer

from trickster.admin.endpoints import own_json, own_text
from trickster.admin.purgeorders import LONGEST_ORDER, BadOrder, PurgeOrder, read_order
from trickster.admin.purger import Purged, Purger, UnknownBackend
from trickster.bodies import BodyTooLarge, read_all
from trickster.interfaces import IResponder
from trickster.messages import Request, Response, media_type
from trickster.purging.table import Kind, Scope

_NS = 1_000_000_000


@implementer(IResponder)
@define
class PurgeByOrder:
    """Purges what a JSON document says (L{read_order})."""

    purger: Purger

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :param request: a POST.  Its media type has to be JSON: forms, which any web page can
            send, are refused.
        :return: a 200 with what was purged, once that is effective wherever the caches are used;
            a 503 where a store does not work, so that only this process knows of it.
        """
        if media_type(request.headers) != b"application/json":
            request.body.close()
            return _refusal(415, "", "Content-Type has to be application/json")
        try:
            order = read_order(await read_all(request.body, LONGEST_ORDER))
        except BodyTooLarge:
            return _refusal(413, "", f"an order has at most {LONGEST_ORDER} octets")
        except BadOrder as error:
            return _refusal(400, error.where, str(error))
        try:
            return _told(order, await self.purger.purge(order))
        except UnknownBackend as error:
            return _refusal(404, "backend", f"there is no backend {str(error)!r} that keeps "
                            f"anything; there are {', '.join(sorted(self.purger.backends))}")


def _refusal(status: int, where: str, problem: str) -> Response:
    return own_json(status, {"error": f"{where}: {problem}" if where else problem,
                             "where": where})


def _told(order: PurgeOrder, done: Sequence[Purged]) -> Response:
    faults = {each.cache: each.fault for each in done if each.fault}
    report = {"purged": _said(order), "caches": [_cache(each) for each in done]}
    if not faults:
        return own_json(200, report)
    text = "; ".join(f"cache {name}: {fault}" for name, fault in faults.items())
    return own_json(503, {"error": f"effective in this process, but not in others: {text}",
                          "where": "", **report})


def _said(order: PurgeOrder) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if order.backend is not None:
        said["backend"] = order.backend
    if order.kind is Kind.ALL:
        said["all"] = True
    elif order.kind is not Kind.BACKEND:
        said["url" if order.kind is Kind.TARGET else order.kind.value] = _text(order.name)
    if order.span is not None:
        said["start"], said["end"] = (instant / _NS for instant in order.span)
    return {**said, "soft": order.is_soft}


def _cache(purged: Purged) -> dict[str, Any]:
    told: dict[str, Any] = {"name": purged.cache, "rules": [_rule(one) for one in purged.scopes]}
    if purged.fault:
        return {**told, "error": purged.fault}
    return {**told, "number": purged.number}


def _rule(scope: Scope) -> dict[str, str]:
    told = {"kind": scope.kind.value, "backend": scope.backend, "name": _text(scope.name)}
    return {member: text for member, text in told.items() if text}


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


@implementer(IResponder)
@define
class PurgeByURL:
    """
    Purges what a URL says, as that of Trickster does: C{PLACE/BACKEND/KEY}, or
    C{PLACE/BACKEND/PATH}.

    :ivar place: where it is, with a slash at its end.
    :ivar kind: L{Kind.KEY}, or L{Kind.PATH} for all that is kept for exactly that path, of any
        parameters, headers and methods.
    """

    purger: Purger
    place: bytes
    kind: Kind

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: a 200 once the purge is effective, 400 where there is no such backend, 404 where
            backend or key is missing, 503 where a store does not work.
        """
        request.body.close()
        backend, mark, rest = request.path[len(self.place):].partition(b"/")
        is_key = self.kind is Kind.KEY
        if not backend or not mark or is_key and (not rest or b"/" in rest):
            return own_text(404, "not found: what is asked for is "
                            f"{_text(self.place)}BACKEND/{'KEY' if is_key else 'PATH'}\n")
        name = unquote(rest).encode() if is_key else b"/" + rest
        return await self._purged(PurgeOrder(self.kind, unquote(backend.decode("latin-1")), name))

    async def _purged(self, order: PurgeOrder) -> Response:
        try:
            [done] = await self.purger.purge(order)
        except UnknownBackend:
            return own_text(400, f"unknown backend, or one that keeps nothing: {order.backend}\n")
        if done.fault:
            return own_text(503, "effective in this process, but not in others: "
                            f"{done.fault}\n")
        return own_text(200, f"purged: {order.backend} | {_text(order.name)}\n")
