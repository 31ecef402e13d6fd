"""What a case is: requests, what the origin answers to each, and what must come of it."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Weight(Enum):
    """How much hangs on a case."""

    REQUIRED = "required"  # a rule says must, or operators of caches count on it
    OPTIONAL = "optional"  # the rules allow more caution than a good cache has
    INFORMATIVE = "informative"  # either is fine; the summary says which it is


class Source(Enum):
    """Where the answer to a request came from."""

    ANY = "anywhere"
    FETCHED = "the origin, for this request"
    CACHED = "the cache, and the origin was not asked"
    VALIDATED = "the cache, after the origin was asked on a condition"
    STORED = "the cache, whether the origin was asked or not"
    NOWHERE = "neither the cache nor the origin"
    BROKEN = "a transfer that must be seen to have failed"


class Framing(Enum):
    """How the origin shows where a body ends."""

    LENGTH = "its length"
    CHUNKED = "chunks"
    CLOSE = "the end of the connection"
    SHORT = "a length that it has not"
    UNENDED = "chunks of which the last is missing"


@frozen
class Interim:
    """A 1xx answer before the final one."""

    status: int
    fields: tuple[str, ...] = ()


@frozen
class Answer:
    """
    What the origin answers.

    Field lines may have C{{+10}} or C{{-10:asctime}} in them: a date so many seconds from
    the beginning of the case, in one of the forms of L{tests.conformance.dates}.  And
    C{{here}} is the path of the case, C{{origin}} the C{Host} that the origin was asked for.

    :ivar status: with 304, requests without a condition get a 200.
    :ivar body: None for one that tells all steps apart.
    :ivar framing: of the body.
    :ivar hangs_up: whether the connection is closed in place of an answer.
    :ivar delay: seconds before the answer.
    :ivar is_dated: whether a C{Date} is added where C{fields} has none.
    :ivar on_range: the answer to requests with C{Range}, where that is another.
    """

    fields: tuple[str, ...] = ()
    status: int = 200
    body: str | None = None
    interims: tuple[Interim, ...] = ()
    framing: Framing = Framing.LENGTH
    hangs_up: bool = False
    delay: float = 0.0
    is_dated: bool = True
    on_range: Answer | None = None


@frozen
class Step:
    """
    One request, and what must come of it.

    Expected field lines are as in L{Answer}; a value C{*} stands for any, and C{>=10} for a
    number that is not less.

    :ivar source: where the answer must come from.
    :ivar to: what is added to the URL of the case.
    :ivar asks: field lines of the request.
    :ivar gets: what the origin answers if it is asked.
    :ivar after: seconds to wait first.
    :ivar status: that the client must see; None for that of the answer which it is.
    :ivar has: field lines that the client must see.
    :ivar lacks: names of fields that it must not see.
    :ivar text: the body that it must see; None for that of the answer which it is.
    :ivar seen: field lines that the origin must see.
    :ivar unseen: names of fields that it must not see.
    :ivar times: how often the origin must have been asked; None for any.
    :ivar relayed: the interim answers that the client must see, with these fields at least.
    """

    source: Source
    method: str = "GET"
    to: str = ""
    asks: tuple[str, ...] = ()
    sends: str = ""
    gets: Answer = Answer()
    after: float = 0.0
    status: int | None = None
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    text: str | None = None
    seen: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    times: int | None = None
    relayed: tuple[Interim, ...] | None = None


@frozen
class Case:
    """
    :ivar rule: a sentence that is true of a cache which passes.
    """

    weight: Weight
    rule: str
    steps: tuple[Step, ...]


@frozen
class Group:
    """
    Cases about one subject.

    :ivar source: where their rules come from.
    :ivar backend: in L{tests.conformance.program}; empty for the default one.
    """

    name: str
    source: str
    cases: tuple[Case, ...]
    backend: str = ""

    @property
    def prefix(self) -> str:
        """What the paths of its cases begin with."""
        return f"/{self.backend}/" if self.backend else "/"


def required(rule: str, *steps: Step) -> Case:
    """:return: a case that must pass."""
    return Case(Weight.REQUIRED, rule, steps)


def optional(rule: str, *steps: Step) -> Case:
    """:return: a case that a good cache passes."""
    return Case(Weight.OPTIONAL, rule, steps)


def informative(rule: str, *steps: Step) -> Case:
    """:return: a case that shows a choice."""
    return Case(Weight.INFORMATIVE, rule, steps)


def first(*fields: str, asks: tuple[str, ...] = (), to: str = "", status: int = 200,
          body: str | None = None) -> Step:
    """
    :param fields: of the origin's answer.
    :return: a request that nothing can answer but the origin.
    """
    return Step(Source.FETCHED, asks=asks, to=to, gets=Answer(fields, status, body))


def cached(*asks: str, to: str = "") -> Step:
    """:return: a request that the cache must answer alone."""
    return Step(Source.CACHED, asks=asks, to=to)


def fetched(*asks: str, to: str = "") -> Step:
    """:return: a request that must be answered anew."""
    return Step(Source.FETCHED, asks=asks, to=to)


def reused(rule: str, *fields: str) -> Case:
    """:return: the required case that an answer with these fields is used again."""
    return required(rule, first(*fields), cached())


def not_reused(rule: str, *fields: str, status: int = 200) -> Case:
    """:return: the required case that an answer with these fields is not used again."""
    return required(rule, first(*fields, status=status), fetched())
