"""One line a request, for the operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from attrs import define, frozen

from trickster.messages import Outcome, Request
from trickster.observability.counters import RouteLabels
from trickster.observability.logging.lines import Fields, ILineSink, timestamp
from trickster.observability.logging.masking import masked_form, masked_target

_LONGEST_AGENT = 256


@frozen(slots=True)
class AccessEntry:
    """
    A request, and how it was answered.

    :ivar form: the beginning of the form that the request has for a body, if it has one and
        was asked with it.
    :ivar status: that the client saw; 499 where it did not wait.
    :ivar octets: of the body, handed over.
    :ivar to_headers: seconds until there was an answer.
    :ivar to_end: seconds until the body was handed over.
    """

    request: Request
    labels: RouteLabels
    status: int
    outcome: Outcome
    octets: int
    to_headers: float
    to_end: float
    form: bytes = b""


class EntryLog(Protocol):
    """
    Takes what there is to say of each request.

    :ivar wants_notes: whether it also shows what the parts on a request's path decide.
    """

    wants_notes: ClassVar[bool]

    def write(self, entry: AccessEntry) -> None:
        """
        Log one request.

        :param entry: of a request that is over.
        """


@define(eq=False)
class AccessLog:
    """
    Writes a line for every entry.

    :ivar sink: takes the lines.
    :ivar spell: makes a line of fields: L{trickster.observability.logging.lines.logfmt} or
        L{trickster.observability.logging.lines.json_text}.
    :ivar wall: seconds since the epoch.
    """

    wants_notes: ClassVar[bool] = False
    sink: ILineSink
    spell: Callable[[Fields], str]
    wall: Callable[[], float]

    def write(self, entry: AccessEntry) -> None:
        """
        Log one request.

        :param entry: of a request that is over.
        """
        self.sink.write(self.spell(access_fields(entry, self.wall())))


def access_fields(entry: AccessEntry, now: float) -> Fields:
    """
    :param now: seconds since the epoch.
    :return: names and values of a line, secrets masked.
    """
    request, outcome, labels = entry.request, entry.outcome, entry.labels
    fields: Fields = [
        ("time", timestamp(now)),
        ("app", "trickster"),
        ("level", "info"),
        ("event", "access"),
        ("method", _text(request.method[:32])),
        ("uri", masked_target(request.target)),
        *form_fields(entry),
        ("status", entry.status),
        ("bytes", entry.octets),
        ("durationMS", round(entry.to_end * 1000, 3)),
        ("headersMS", round(entry.to_headers * 1000, 3)),
        ("backendName", labels.backend),
        ("provider", labels.provider),
        ("path", labels.path),
        ("engine", outcome.engine.value),
        ("cacheStatus", outcome.status.value),
    ]
    if outcome.reason is not None:
        fields.append(("reason", outcome.reason.value))
    if outcome.cause is not None:
        fields.append(("cause", outcome.cause.value))
    if outcome.detail:
        fields.append(("detail", outcome.detail[:_LONGEST_AGENT]))
    fields.append(("client", request.peer.client or request.peer.host))
    agent = request.headers.get(b"user-agent")
    if agent is not None:
        fields.append(("userAgent", _text(agent[:_LONGEST_AGENT])))
    return fields


def form_fields(entry: AccessEntry) -> Fields:
    """:return: what the request's form asks, where it has one, secrets masked."""
    return [("query", masked_form(entry.form))] if entry.form else []


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")
