"""The place of one worker: whenever its process is gone, there is another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from trickster.workers.process import Watched, WorkerProcess

# Seconds that pass before a process takes the place of one that did not last, from the first of
# several in a row on; each has another half of that, or less, by chance.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
# Seconds after which a process has lasted.
_LASTED = 60.0

Make = Callable[[int, Watched], WorkerProcess]


class NotReplaced(Exception):
    """The process that was to take another one's place did not serve; says why."""


@define(eq=False)
class Slot:
    """
    Keeps one worker process running.

    :ivar number: of the worker.
    :ivar make: makes, and starts, a process of a number.
    :ivar clock: an C{IReactorTime}.
    :ivar random: numbers from 0 to 1.
    :ivar restarted: called when a process is started in the place of one that died.
    :ivar process: the one that serves, or will; None between one and the next.
    """

    _log = Logger()

    number: int
    make: Make
    clock: Any
    random: Callable[[], float]
    restarted: Callable[[], None]
    _log_line: Callable[[str], None]
    _changed: Callable[[WorkerProcess], None]
    process: WorkerProcess | None = field(default=None, init=False)
    _others: set[WorkerProcess] = field(factory=set, init=False)
    _failures: int = field(default=0, init=False)
    _pause: Any = field(default=None, init=False)
    _is_over: bool = field(default=False, init=False)
    _replacing: tuple[WorkerProcess, Deferred[None]] | None = field(default=None, init=False)
    _renewed: WorkerProcess | None = field(default=None, init=False)

    def start(self) -> None:
        """Start a process."""
        self._pause = None
        self.process = self._made(self.make)

    async def replace(self, make: Make, patience: float) -> None:
        """
        Start another process and, once it serves, have the one before end with its last request.

        :param make: makes it, and those that follow it.
        :param patience: seconds that the one before has.
        :raises NotReplaced: the other one does not serve, or nothing is started any more; nothing
            is changed.
        """
        if self._is_over:
            raise NotReplaced(f"Worker {self.number} is to end")
        after = self._made(make)
        self._others.add(after)
        await self._serving(after, patience)
        self._others.discard(after)
        # It may be another one by now.
        before, self.process, self.make = self.process, after, make
        self._cancel_pause()
        if before is not None:
            self._others.add(before)
            before.give_way()
            before.end(patience)
            await before.ended()

    def renew(self, make: Make, patience: float) -> None:
        """
        Have the process end, in whose place another one is started.

        :param make: makes that one, and those that follow it.
        :param patience: seconds that the process has for its last request.
        """
        self.make = make
        if self.process is not None:
            self._renewed = self.process
            self.process.give_way()
            self.process.end(patience)

    async def stop(self, patience: float) -> None:
        """
        Have all that runs end with its last request, and start nothing any more.

        :param patience: seconds that it has for that.
        """
        self._is_over = True
        self._cancel_pause()
        running = self._running()
        for process in running:
            process.end(patience)
        for process in running:
            await process.ended()

    def hurry(self) -> None:
        """Have all that runs end at once."""
        for process in self._running():
            process.hurry()

    def _running(self) -> list[WorkerProcess]:
        return [*self._others, *([] if self.process is None else [self.process])]

    def _cancel_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _made(self, make: Make) -> WorkerProcess:
        return make(self.number, Watched(self._serves, self._gone, self._log_line))

    async def _serving(self, process: WorkerProcess, patience: float) -> None:
        waiting: Deferred[None] = Deferred()
        self._replacing = process, waiting
        try:
            await waiting
        except CancelledError:
            process.end(patience)
            raise
        finally:
            self._replacing = None

    def _serves(self, process: WorkerProcess) -> None:
        self._log.info("{worker} serves", worker=process.name)
        self._changed(process)
        if self._replacing is not None and self._replacing[0] is process:
            self._replacing[1].callback(None)

    def _gone(self, process: WorkerProcess, how: str) -> None:
        self._changed(process)
        if process in self._others:
            self._others.discard(process)
            if self._replacing is not None and self._replacing[0] is process:
                self._replacing[1].errback(NotReplaced(f"{process.name} {how}"))
            return
        self.process = None
        if self._is_over:
            return
        if process is self._renewed:
            self.start()
        else:
            self._start_another(process, how)

    def _start_another(self, process: WorkerProcess, how: str) -> None:
        lasted = self.clock.seconds() - process.began
        self._failures = 0 if lasted >= _LASTED else self._failures + 1
        pause = self._seconds()
        self._log.error("{worker} {how}; another one is started in {pause} s",
                        worker=process.name, how=how, pause=f"{pause:.1f}")
        self._pause = self.clock.callLater(pause, self._again)

    def _seconds(self) -> float:
        if not self._failures:
            return 0.0
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures - 1, 20))
        return pause * (1.0 + self.random() / 2)

    def _again(self) -> None:
        self.restarted()
        self.start()

