"""Writes lines, the last of which may change while one looks."""

from __future__ import annotations

from typing import TextIO

from attrs import define

#: Where a terminal's cursor goes back and erases to the right (ECMA-48).
_AGAIN = "\r\x1b[K"


@define
class Display:
    """
    A terminal, or a file that is no terminal and gets whole lines only.

    :ivar is_terminal: whether lines can be rewritten.
    :ivar width: columns; longer changing lines are cut, since a wrapped line cannot be
        rewritten.
    """

    out: TextIO
    is_terminal: bool
    width: int = 80
    _is_open: bool = False

    def update(self, line: str) -> None:
        """Show this in the place of the last changing line."""
        if self.is_terminal:
            self._write(_AGAIN + line[:self.width - 1])
            self._is_open = True

    def say(self, text: str = "") -> None:
        """Show this for good, in the place of a changing line if there is one."""
        self._write((_AGAIN if self._is_open else "") + text + "\n")
        self._is_open = False

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()
