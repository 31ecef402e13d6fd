"""The health of backends: all of them, or one, asked now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from attrs import define, frozen
from zope.interface import implementer

from trickster.admin.endpoints import NO_CACHE, own_text
from trickster.admin.healthreport import (
    BackendHealth,
    Report,
    Situation,
    as_json,
    as_text,
    as_yaml,
)
from trickster.interfaces import IResponder
from trickster.messages import Headers, MalformedParams, Octets, Request, Response
from trickster.upstream.health.state import State, Verdict

_FORMS: Mapping[str, tuple[bytes, Report]] = {
    "json": (b"application/json", as_json),
    "yaml": (b"application/yaml", as_yaml),
    "text": (b"text/plain; charset=utf-8", as_text),
}
_LONGEST_DETAIL = 200


@frozen
class ProcessState:
    """
    How the process stands, now.

    :ivar wall: seconds since the epoch.
    :ivar failing_caches: names of the caches whose stores do not work.
    :ivar is_draining: whether it takes no more requests, and ends those that there are.
    """

    wall: Callable[[], float]
    failing_caches: Callable[[], Sequence[str]] = tuple
    is_draining: Callable[[], bool] = bool


@implementer(IResponder)
@define
class Ready:
    """Answers 200 as long as requests are taken, then 503."""

    state: ProcessState

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: a 200, or a 503 from the moment at which the process begins to drain: balancers
            then send their requests elsewhere.
        """
        if self.state.is_draining():
            return own_text(503, "draining\n")
        return own_text(200, "ready\n")


@implementer(IResponder)
@define
class HealthOfAll:
    """
    Tells what is thought of all backends, and how the process itself stands.

    :ivar board: the backends, now.
    """

    board: Callable[[], Sequence[BackendHealth]]
    state: ProcessState

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :param request: asks for C{json} or C{yaml} by a parameter of that name, or in C{Accept}.
        :return: a 200 in any case, in that form or as text.  No origin is asked: it tells what
            the last probes have found.
        """
        content_type, report = _FORMS[_form(request)]
        state = self.state
        text = report(Situation(self.board(), state.wall(), state.failing_caches(),
                                state.is_draining()))
        headers = Headers(((b"Content-Type", content_type), NO_CACHE))
        return Response(200, headers, Octets(text.encode("utf-8", "replace")))


def _form(request: Request) -> str:
    try:
        asked = {name for name, _ in request.params.pairs}
    except MalformedParams:
        asked = set()
    accept = request.headers.joined(b"accept") or b""
    for form in ("json", "yaml"):
        if form in asked or form.encode() in accept:
            return form
    return "text"


@implementer(IResponder)
@define
class HealthOfOne:
    """
    Probes one backend, named by what the path ends with.

    :ivar probes: what probes a backend, by its name.
    """

    probes: Callable[[], Mapping[str, Callable[[], Awaitable[Verdict]]]]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: once a probe of the origin, which is made for this request, is over: a 200, or a
            503 with what is wrong; a 404 where there is no backend of that name to probe.
        """
        name = unquote_to_bytes(request.path.rpartition(b"/")[2]).decode("utf-8", "replace")
        probe = self.probes().get(name)
        if probe is None:
            return own_text(404, "no such backend\n")
        return _told(await probe())


def _told(verdict: Verdict) -> Response:
    state = State.PASSING if verdict.is_good else State.FAILING
    headers = [(b"Trk-HC-Status", b"%d" % state.value)]
    if verdict.fault:
        headers.append((b"Trk-HC-Detail", _field_value(verdict.fault)))
    word = "available" if verdict.is_good else f"unavailable: {verdict.fault}"
    return own_text(200 if verdict.is_good else 503, word + "\n", headers)


def _field_value(text: str) -> bytes:
    # An error's words may come from anywhere; a field value is one line of visible ASCII.
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)
    return plain[:_LONGEST_DETAIL].strip().encode("ascii")
