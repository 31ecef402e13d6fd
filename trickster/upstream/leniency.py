"""Telling of what origins do that HTTP does not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trickster.http.h1.leniency import Leniency
from trickster.net.callbacks import ignore

_SILENCE = 60.0


@define(eq=False)
class LeniencyLog:
    """
    Counts what is taken from one origin, and says so once a minute.

    :ivar place: the origin's.
    :ivar count: called with the kind of each.
    """

    place: str
    clock: IReactorTime
    count: Callable[[str], None] = ignore
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
