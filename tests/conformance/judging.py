"""Whether what a client got, and what the origin saw, is what a step expects."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from tests.conformance.dates import rendered
from tests.conformance.model import Interim, Source, Step
from tests.conformance.octets import Message
from tests.conformance.origin import MADE_FOR, Run, body_of

_MUCH = 100
_CONDITIONS = ("if-none-match", "if-modified-since")


@frozen
class Exchange:
    """
    What came of one step.

    :ivar number: of the step, from 1.
    :ivar got: the final answer; None where the connection ended without one.
    :ivar interims: those before it.
    :ivar seen: what the origin had seen of this step when the answer was complete.
    """

    run: Run
    path: str
    number: int
    got: Message | None
    interims: tuple[Message, ...]
    seen: tuple[Message, ...]

    @property
    def step(self) -> Step:
        """What was expected."""
        return self.run.case.steps[self.number - 1]

    @property
    def made_for(self) -> int | None:
        """The step for which the answer was made, where it says so."""
        said = None if self.got is None else self.got.get(MADE_FOR)
        return int(said) if said is not None else None


def complaints(exchange: Exchange) -> Iterator[str]:
    """:return: everything that is not as expected, in words."""
    step = exchange.step
    if exchange.got is None:
        if step.source is not Source.BROKEN and not (
                step.gets.hangs_up and step.source is Source.FETCHED):
            yield "no answer"
        return
    if step.source is Source.BROKEN and exchange.got.status == 502:
        return
    yield from _about_source(exchange)
    yield from _about_status(exchange, exchange.got)
    yield from _about_body(exchange, exchange.got)
    yield from _about_fields(step.has, step.lacks, exchange.got, exchange.run.start, "answer")
    for request in exchange.seen[:1]:
        yield from _about_fields(step.seen, step.unseen, request, exchange.run.start, "request")
    if step.seen and not exchange.seen:
        yield "the origin was not asked"
    if step.times is not None and step.times != len(exchange.seen):
        yield f"the origin was asked {len(exchange.seen)} times"
    if step.relayed is not None:
        yield from _about_interims(exchange, step.relayed)


def _about_source(exchange: Exchange) -> Iterator[str]:
    source, made_for, number = exchange.step.source, exchange.made_for, exchange.number
    was_asked = bool(exchange.seen)
    conditionally = any(one.get(name) for one in exchange.seen for name in _CONDITIONS)
    is_old = made_for is not None and made_for < number
    right = {
        Source.ANY: True,
        Source.FETCHED: was_asked and not is_old,
        Source.CACHED: not was_asked and made_for != number,
        Source.VALIDATED: conditionally and made_for != number,
        Source.STORED: is_old,
        Source.NOWHERE: not was_asked and made_for is None,
        Source.BROKEN: False,
    }[source]
    if not right:
        asked = "conditionally" if conditionally else "asked" if was_asked else "not asked"
        yield f"not from {source.value}: made for step {made_for}, the origin was {asked}"


def _about_status(exchange: Exchange, got: Message) -> Iterator[str]:
    step = exchange.step
    expected = step.status
    if expected is None and exchange.made_for is not None:
        expected = exchange.run.case.steps[exchange.made_for - 1].gets.status
        expected = 200 if expected == 304 else expected
    if expected is not None and got.status != expected:
        yield f"status {got.status}, not {expected}"


def _about_body(exchange: Exchange, got: Message) -> Iterator[str]:
    step, made_for = exchange.step, exchange.made_for
    expected = step.text
    if expected is None and made_for is not None and step.method == "GET" \
            and got.status not in (204, 206, 304, 412, 416) \
            and got.get("content-encoding") in (None, "identity"):
        expected = body_of(exchange.run.case.steps[made_for - 1].gets, exchange.path, made_for)
    if expected is not None and got.body.decode("latin-1") != expected:
        yield f"body {got.body[:_MUCH]!r}, not {expected[:_MUCH]!r}"


def _about_interims(exchange: Exchange, expected: tuple[Interim, ...]) -> Iterator[str]:
    statuses = [one.status for one in exchange.interims]
    if statuses != [one.status for one in expected]:
        yield f"interim answers {statuses}"
        return
    for wanted, got in zip(expected, exchange.interims, strict=True):
        yield from _about_fields(wanted.fields, (), got, exchange.run.start, "interim answer")


def _about_fields(has: tuple[str, ...], lacks: tuple[str, ...], message: Message, start: int,
                  what: str) -> Iterator[str]:
    for line in has:
        name, _, value = rendered(line, start).partition(":")
        said = message.get(name)
        if not _is_as(said, value.strip()):
            yield f"{name} of the {what} is {said!r}, not {value.strip()!r}"
    for name in lacks:
        if message.get(name) is not None:
            yield f"{name} of the {what} is there: {message.get(name)!r}"


def _is_as(said: str | None, expected: str) -> bool:
    if said is None:
        return False
    if expected.startswith(">="):
        return said.isdigit() and int(said) >= int(expected[2:])
    if expected.startswith("~"):
        return expected[1:] in said
    return expected == "*" or said == expected
