"""One line a request about how it was decided what to do with it, for debugging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from attrs import Factory, define

from trickster.errors import Reason
from trickster.messages import Outcome, Status
from trickster.observability.accesslog import AccessEntry, EntryLog, form_fields
from trickster.observability.logging.lines import Fields, ILineSink, timestamp
from trickster.observability.logging.masking import masked_target
from trickster.observability.resultheader import aligned_text, extents_text

_MOST_NOTES = 32


@define(eq=False)
class Notes:
    """
    What the parts on a request's path note down of their decisions.

    :ivar values: by name, in the order in which they came; at most a few of each name.
    """

    values: dict[str, list[object]] = Factory(dict)

    def __call__(self, name: str, value: object) -> None:
        """
        Note something down; see C{trickster.messages.Request.noted}.

        :param name: of the field in the line.
        :param value: a scalar, or extents as pairs of nanoseconds.  The line has the last one of
            a name, of C{originMS} all.
        """
        values = self.values.setdefault(name, [])
        if len(values) < _MOST_NOTES:
            values.append(value)


@define(eq=False)
class DecisionLog:
    """
    Writes a line for every request: what was held, asked, fetched and stored, and why.

    :ivar sink: takes the lines.
    :ivar spell: makes a line of fields.
    :ivar wall: seconds since the epoch.
    """

    wants_notes: ClassVar[bool] = True
    sink: ILineSink
    spell: Callable[[Fields], str]
    wall: Callable[[], float]

    def write(self, entry: AccessEntry) -> None:
        """:param entry: of a request that is over; what was noted of it is in the request."""
        self.sink.write(self.spell(decision_fields(entry, self.wall())))


@define(eq=False)
class Several:
    """Two logs of requests or more, one of which wants notes."""

    wants_notes: ClassVar[bool] = True
    logs: Sequence[EntryLog]

    def write(self, entry: AccessEntry) -> None:
        """:param entry: of a request that is over; each log gets it, in order."""
        for log in self.logs:
            log.write(entry)


def decision_fields(entry: AccessEntry, now: float) -> Fields:
    """
    :param now: seconds since the epoch.
    :return: names and values of a line, without those about which there is nothing to say.
    """
    outcome, labels = entry.outcome, entry.labels
    fields: Fields = [
        ("time", timestamp(now)),
        ("app", "trickster"),
        ("level", "debug"),
        ("event", "decision"),
        ("method", entry.request.method[:32].decode("utf-8", "backslashreplace")),
        ("uri", masked_target(entry.request.target)),
        *form_fields(entry),
        ("status", entry.status),
        ("backendName", labels.backend),
        ("provider", labels.provider),
        ("path", labels.path),
        ("engine", outcome.engine.value),
        ("cacheStatus", outcome.status.value),
        *_noted(entry),
        *_known(outcome),
        ("headersMS", round(entry.to_headers * 1000, 3)),
    ]
    return [(name, value) for name, value in fields if value not in ("", None)]


def _known(outcome: Outcome) -> Fields:
    is_collapsed = outcome.status is Status.PROXY_HIT or outcome.reason is Reason.COLLAPSED
    return [
        ("reason", _value(outcome.reason)),
        ("missed", _value(outcome.missed)),
        ("cause", _value(outcome.cause)),
        ("detail", outcome.detail[:256]),
        ("answered", aligned_text(*outcome.aligned) if outcome.aligned else ""),
        ("fetched", extents_text(outcome.fetched)),
        ("failed", extents_text(outcome.failed)),
        ("fastForward", _value(outcome.fast_forward)),
        ("pointsCached", outcome.points_cached or None),
        ("pointsFetched", outcome.points_fetched or None),
        ("originStatus", outcome.origin_status),
        ("stored", outcome.stored),
        ("collapsed", True if is_collapsed else None),
        ("ttl", None if outcome.ttl is None else round(outcome.ttl, 3)),
        ("age", None if outcome.age is None else round(outcome.age, 3)),
    ]


def _noted(entry: AccessEntry) -> Fields:
    notes = entry.request.noted
    if not isinstance(notes, Notes):
        return []
    fields: Fields = []
    for name, values in notes.values.items():
        if name == "originMS":
            fields += [("originRequests", len(values)), (name, ",".join(map(str, values)))]
        else:
            fields.append((name, _spelled(values[-1])))
    return fields


def _spelled(value: object) -> object:
    return extents_text(value) if isinstance(value, tuple) else value


def _value(member: object) -> object:
    return getattr(member, "value", None)
