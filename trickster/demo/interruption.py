"""Ctrl-C and SIGTERM end what is being done, not what has to be tidied up after it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred


@define
class Interruption:
    """
    Somebody may ask for the end.

    :ivar is_asked: whether somebody has.
    """

    is_asked: bool = field(default=False, init=False)
    _running: Deferred[None] | None = field(default=None, init=False)

    def ask(self) -> None:
        """End what is being done now, and begin nothing that comes after it."""
        self.is_asked = True
        if self._running is not None:
            self._running.cancel()

    async def until(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """
        Do this, unless or until somebody asks for the end.
        """
        if self.is_asked:
            return
        self._running = Deferred.fromCoroutine(work())
        try:
            await self._running
        except CancelledError:
            if not self.is_asked:
                raise
        finally:
            self._running = None
