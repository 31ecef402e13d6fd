"""What origins do that HTTP does not know, and that is taken all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

_SILENCE = 60.0


class Leniency(Enum):
    """
    One way not to keep to RFC 9112; the values are labels of a metric.

    None of these can smuggle anything, since the connection is not used again: two views of
    where an answer ends only matter where another answer follows.
    """

    LINE_FEED = "line-feed"
    BLANK_LINE = "blank-line"
    VERSION = "version"
    STATUS_LINE = "status-line"
    STATUS = "status"
    SPACE_BEFORE_COLON = "space-before-colon"
    FOLD = "fold"
    FIELD_NAME = "field-name"
    CONTROL = "control-octet"
    REPEATED_LENGTH = "repeated-length"
    LENGTH_AND_CODING = "length-and-coding"
    REPEATED_CODING = "repeated-coding"
    IDENTITY_CODING = "identity-coding"
    OLD_CODING = "coding-in-http-1.0"
    CHUNK_PADDING = "chunk-padding"
    TRAILER = "trailer"


# Where servers differ about what the answer is, and not only about how it should be spelled:
# it is passed on, and kept by no cache.
DOUBTFUL = frozenset((
    Leniency.VERSION, Leniency.STATUS, Leniency.FIELD_NAME, Leniency.LENGTH_AND_CODING,
    Leniency.REPEATED_CODING, Leniency.IDENTITY_CODING, Leniency.OLD_CODING,
))
NO_LENIENCIES: frozenset[Leniency] = frozenset()


def not_counted(kinds: object) -> None:
    """Nothing is counted."""


@define(eq=False)
class LeniencyLog:
    """
    Counts what is taken from one origin, and says so once a minute.

    :ivar place: the origin's.
    :ivar count: called with the kind of each.
    """

    place: str
    clock: IReactorTime
    count: Callable[[str], None] = not_counted
    _log: Logger = field(factory=Logger)
    _unsaid: Counter[str] = field(factory=Counter, init=False)
    _silent_until: float = field(default=float("-inf"), init=False)

    def note(self, kinds: Iterable[Leniency]) -> None:
        """
        An answer was read.

        :param kinds: what there was about it.
        """
        for kind in kinds:
            self.count(kind.value)
            self._unsaid[kind.value] += 1
        now = self.clock.seconds()
        if not self._unsaid or now < self._silent_until:
            return
        self._silent_until = now + _SILENCE
        said, self._unsaid = self._unsaid, Counter()
        self._log.warn(
            "The origin at {place} does not keep to HTTP/1.1 ({kinds}); its answers are taken, "
            "and its connections not used again", place=self.place,
            kinds=", ".join(f"{kind}: {number}" for kind, number in sorted(said.items())))
