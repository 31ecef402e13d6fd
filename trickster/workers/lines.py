"""Octets that come in pieces, as whole lines."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

_LONGEST = 1 << 20


@define
class Lines:
    """
    Puts lines together, and passes each on whole.

    :ivar take: called with each line, without its end.
    :ivar longest: octets after which a line is passed on without its end.
    """

    take: Callable[[str], None]
    longest: int = _LONGEST
    _rest: bytes = field(default=b"", init=False)

    def add(self, octets: bytes) -> None:
        """
        :param octets: what follows.
        """
        *whole, self._rest = (self._rest + octets).split(b"\n")
        for line in whole:
            self._pass(line)
        if len(self._rest) >= self.longest:
            self.end()

    def end(self) -> None:
        """Pass on what there is of a line that will not be ended."""
        rest, self._rest = self._rest, b""
        if rest:
            self._pass(rest)

    def _pass(self, line: bytes) -> None:
        self.take(line.decode("utf-8", "backslashreplace"))
