"""A Prometheus in memory: its series are pure functions of time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.bodies import Pieces
from trickster.errors import Reason
from trickster.interfaces import IResponder
from trickster.messages import Headers, Octets, Request, Response
from trickster.testing.bodies import ScriptedBody
from trickster.testing.doubles import PausedOrigin, PausedRequest

JSON = Headers(((b"Content-Type", b"application/json"), (b"X-Origin", b"fake")))
Fault = Callable[[Response], Response]
# Fields of an answer, and why it is then for the one who asked only.
FORBIDDING = (
    ((b"Cache-Control", b"no-store"), Reason.NO_STORE),
    ((b"cache-control", b"max-age=60, No-Store"), Reason.NO_STORE),
    ((b"Cache-Control", b"private"), Reason.PRIVATE),
    ((b"Cache-Control", b'private="x-a", max-age=60'), Reason.PRIVATE),
    ((b"Cache-Control", b"no-cache"), Reason.NO_CACHE),
    ((b"CDN-Cache-Control", b"no-store"), Reason.NO_STORE),
    ((b"CDN-Cache-Control", b"private"), Reason.PRIVATE),
    ((b"Set-Cookie", b"a=b"), Reason.SET_COOKIE),
    ((b"Set-Cookie2", b"a=b"), Reason.SET_COOKIE),
    ((b"Vary", b"*"), Reason.VARY_STAR),
    ((b"Vary", b"Accept-Encoding, *"), Reason.VARY_STAR),
    ((b"Vary", b"X-Team"), Reason.VARY),
    ((b"vary", b"Authorization, Accept"), Reason.VARY),
)


def status(code: int, body: bytes = b"no", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Fault:
    """:return: a fault: another status, and another body."""
    return lambda response: Response(code, Headers(headers), Octets(body))


def raising(error: Exception) -> Fault:
    """:return: a fault: no answer at all."""
    def fail(response: Response) -> Response:
        raise error
    return fail


def saying(octets: bytes) -> Fault:
    """:return: a fault: a 200 with something else in it."""
    return lambda response: Response(200, JSON, Octets(octets))


def having(name: str, value: Any) -> Fault:
    """:return: a fault: one more member in the answer, such as C{warnings}."""
    def more(response: Response) -> Response:
        return Response(200, JSON, Octets(_json({**json.loads(octets(response)), name: value})))
    return more


def truncated(response: Response) -> Response:
    """A fault: the end of the body is missing, and nothing says so."""
    return Response(200, JSON, Octets(octets(response)[:-7]))


def breaking(error: Exception) -> Fault:
    """:return: a fault: the connection breaks in the middle of the body."""
    return lambda response: Response(
        200, JSON, ScriptedBody.of(octets(response)[:20], error))


def in_pieces(size: int) -> Fault:
    """:return: no fault: the body comes by and by, and its length is unknown."""
    def cut(response: Response) -> Response:
        whole = octets(response)
        return Response(200, JSON, Pieces.streamed(
            [whole[i:i + size] for i in range(0, len(whole), size)]))
    return cut


def headed(*pairs: tuple[bytes, bytes]) -> Fault:
    """:return: a fault: the same answer, with more fields."""
    return lambda response: Response(
        response.status, response.headers.with_added(*pairs), response.body)


def doubtful(response: Response) -> Response:
    """A fault: servers may differ about what the answer is."""
    return evolve(response, is_doubtful=True)


def octets(response: Response) -> bytes:
    """:return: what the body of one of the fake's own answers holds."""
    body = response.body
    assert isinstance(body, Octets)
    return body.octets


@implementer(IResponder)
@define(eq=False)
class Lingering:
    """Ends its work some time after it has been cancelled."""

    inner: Any
    lingering: Deferred[None]

    async def respond(self, request: Any) -> Response:
        """See L{IResponder.respond}."""
        try:
            response: Response = await self.inner.respond(request)
            return response
        except CancelledError:
            await self.lingering
            raise


@implementer(IResponder)
@define(eq=False)
class FakePrometheus:
    """
    Answers C{query_range} and C{query}, by GET and by POST, exactly as it is asked.

    :ivar series: how many series a query has; each is absent now and then.
    :ivar settle_ms: samples younger than this still change with the clock.
    :ivar faults: what becomes of the next answers, one each; None for nothing.
    :ivar always: what becomes of every other answer.
    :ivar salt: what all values depend on.
    :ivar is_paused: whether answers wait for the test (L{release}).
    :ivar requests: everything that was asked.
    :ivar ranges: start, end and step of each range asked for, in milliseconds.
    :ivar instants: how often each instant was asked for in ranges, in milliseconds.
    :ivar newest: instants of instant queries, in milliseconds.
    """

    clock: IReactorTime
    series: int = 3
    settle_ms: int = 0
    faults: list[Fault | None] = field(factory=list)
    always: Fault | None = None
    newest_fault: Fault | None = None
    salt: str = ""
    is_paused: bool = False
    requests: list[Request] = field(factory=list, init=False)
    ranges: list[tuple[int, int, int]] = field(factory=list, init=False)
    instants: Counter[int] = field(factory=Counter, init=False)
    newest: list[int] = field(factory=list, init=False)
    _paused: PausedOrigin = field(factory=PausedOrigin, init=False)

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        self.requests.append(request)
        params = _params(request)
        if request.path.endswith(b"/query"):
            self.newest.append(_ms(params["time"]))
            response = self._vector(params["query"], self.newest[-1])
            return self.newest_fault(response) if self.newest_fault else response
        fault = self.faults.pop(0) if self.faults else self.always
        if not params.get("step") or params["step"] == "0":
            return fault(_answer("matrix", [])) if fault else status(400)(_answer("matrix", []))
        start, end, step = (_ms(params[name]) for name in ("start", "end", "step"))
        self.ranges.append((start, end, step))
        self.instants.update(range(start, end + 1, step))
        if self.is_paused:
            return await self._later(request, fault)
        response = self.matrix(params["query"], start, end, step)
        return fault(response) if fault else response

    async def _later(self, request: Request, fault: Fault | None) -> Response:
        response = await self._paused.respond(request)
        return fault(response) if fault else response

    @property
    def waiting(self) -> list[PausedRequest]:
        """Requests that are neither answered nor cancelled."""
        return self._paused.waiting

    @property
    def paused(self) -> list[PausedRequest]:
        """Every request that ever had to wait."""
        return self._paused.asked

    def release(self, *which: int) -> None:
        """Answer waiting requests: those at these places of L{waiting}, or all."""
        waiting = self.waiting
        for paused in [waiting[i] for i in which] if which else waiting:
            params = _params(paused.request)
            start, end, step = (_ms(params[name]) for name in ("start", "end", "step"))
            paused.answer(self.matrix(params["query"], start, end, step))

    def matrix(self, query: str, start: int, end: int, step: int) -> Response:
        """:return: the answer to a range query; times in milliseconds."""
        result = []
        for number in range(self.series):
            rows = [self._row(query, number, t) for t in range(start, end + 1, step)
                    if self._is_present(number, t)]
            if rows:
                result.append({"metric": _labels(query, number), "values": rows})
        return _answer("matrix", result)

    def _vector(self, query: str, at: int) -> Response:
        return _answer("vector", [
            {"metric": _labels(query, number), "value": self._row(query, number, at)}
            for number in range(self.series)])

    def _is_present(self, number: int, t: int) -> bool:
        return number == 0 or t // 60_000 % (7 * number) >= number

    def _row(self, query: str, number: int, t: int) -> list[Any]:
        age = self.clock.seconds() * 1000 - t
        moment = f".{int(self.clock.seconds() * 1000)}" if age < self.settle_ms else ""
        value = f"{(t * 7919 + number * 104729 + len(query) + sum(self.salt.encode())) % 1_000_003}{moment}"
        return [t // 1000 if t % 1000 == 0 else t / 1000, value]


def _labels(query: str, number: int) -> dict[str, str]:
    return {"__name__": query, "job": f'"{{[{number}],\\', "n": str(number)}


def _answer(kind: str, result: list[Any]) -> Response:
    answer = {"status": "success", "data": {"resultType": kind, "result": result}}
    return Response(200, JSON, Octets(_json(answer)))


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _params(request: Request) -> dict[str, str]:
    body = request.body
    assert isinstance(body, Octets)
    form = body.octets if request.method == b"POST" else b""
    return dict(parse_qsl((form + b"&" + request.query).decode().strip("&")))


def _ms(text: str) -> int:
    if text.endswith("ms"):
        return int(text[:-2])
    milliseconds = Decimal(text) * 1000
    assert milliseconds == int(milliseconds), text
    return int(milliseconds)
