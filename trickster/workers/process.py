"""One worker process, as the supervisor sees it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.workers.assignment import Assignment
from trickster.workers.lines import Lines

# Descriptors of a worker beside the three that every process has: on this one it says that it
# serves; sockets follow.
READY = 3
FIRST_SOCKET = 4
# What a worker is told on its standard input, after its assignment.  No signal says so: what ends a
# service often sends one to each of its processes, and they count those.
GIVE_WAY, END, HURRY = "give way", "end", "hurry"
# Seconds that a worker has to serve, once it is started: plugins are imported, and stores opened.
_START = 60.0
# Seconds that one which is to end at once has.
_LAST = 5.0


class State(Enum):
    """Where a worker process stands."""

    STARTING = "starting"
    SERVING = "serving"
    ENDING = "ending"
    GONE = "gone"


class Spawn(Protocol):
    """Starts processes, as C{IReactorProcess.spawnProcess} does."""

    def __call__(self, protocol: ProcessProtocol, executable: str, args: Sequence[str],
                 env: Mapping[str, str], *, childFDs: Mapping[int, Any]) -> Any:
        """
        Start a process.

        :return: its C{IProcessTransport}.
        """


@frozen
class Launcher:
    """
    Starts worker processes.

    :ivar spawn: starts a process.
    :ivar environ: environment variables.
    """

    spawn: Spawn
    environ: Mapping[str, str]
    command: Sequence[str] = (sys.executable, "-P", "-m", "trickster.worker")

    def launch(self, protocol: ProcessProtocol, sockets: Sequence[int]) -> Any:
        """
        :param sockets: descriptors that the worker has, from L{FIRST_SOCKET} on in this order.
        :return: an C{IProcessTransport}.
        :raises OSError: there can be no more processes.
        """
        # It imports what this process would, and nothing from where it happens to run.
        environ = {**self.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        descriptors: dict[int, Any] = {0: "w", 1: "r", 2: "r", READY: "r"}
        descriptors |= dict(enumerate(sockets, FIRST_SOCKET))
        return self.spawn(protocol, self.command[0], self.command, environ,
                          childFDs=descriptors)


@frozen
class Watched:
    """
    Who is told of a worker process.

    :ivar serves: called once it serves.
    :ivar gone: called once the process is no more, with how it ended.
    :ivar log_line: takes each line that it logs.
    """

    serves: Callable[[WorkerProcess], None]
    gone: Callable[[WorkerProcess, str], None]
    log_line: Callable[[str], None]


@define(eq=False, slots=False)
class WorkerProcess(ProcessProtocol):
    """
    A worker process, from its start to its end.

    :ivar assignment: what it is given to do.
    :ivar sockets: descriptors that it has, in the order of L{FIRST_SOCKET}.
    :ivar clock: an C{IReactorTime}.
    :ivar began: when it was started, in the clock's seconds.
    :ivar _hears: whether it was told to end on its standard input, which it reads once it serves.
    """

    _log = Logger()

    assignment: Assignment
    sockets: Sequence[int]
    clock: Any
    watched: Watched
    state: State = field(default=State.STARTING, init=False)
    began: float = field(default=0.0, init=False)
    _hears: bool = field(default=False, init=False)
    _over: Deferred[None] = field(factory=Deferred, init=False)
    _pid: int | None = field(default=None, init=False)
    _late: Any = field(default=None, init=False)
    _outputs: dict[int, Lines] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._outputs = {1: Lines(self.watched.log_line), 2: Lines(self._complain)}

    @property
    def name(self) -> str:
        """:return: what logs call it."""
        number = self.assignment.number
        return f"Worker {number}" if self._pid is None else f"Worker {number} (process {self._pid})"

    def start(self, launcher: Launcher) -> None:
        """Start the process; where that cannot be done, it is gone soon."""
        self.began = self.clock.seconds()
        try:
            transport = launcher.launch(self, self.sockets)
        except OSError as error:
            self.clock.callLater(0, self._is_gone, f"could not be started: {error.strerror}")
            return
        self._pid = transport.pid
        self._late = self.clock.callLater(_START, self._too_late)

    def give_way(self) -> None:
        """Tell it that others serve in its place, so that no connection is to be lost by its end."""
        if self.state is State.SERVING:
            self._tell(GIVE_WAY)

    def end(self, patience: float) -> None:
        """
        Have it accept no more, and end with its last request.

        :param patience: seconds after which it is killed.
        """
        if self.state is State.STARTING:
            self._signal(signal.SIGTERM)
        elif self.state is State.SERVING:
            self._hears = True
            self._tell(END)
        else:
            return
        self.state = State.ENDING
        self._kill_in(patience)

    def hurry(self) -> None:
        """Have it end at once, without an answer to what it is at."""
        self.end(_LAST)
        if self.state is State.ENDING:
            if self._hears:
                self._tell(HURRY)
            else:
                self._signal(signal.SIGTERM)
            if not self._ends_within(_LAST):
                self._kill_in(_LAST)

    def ended(self) -> Deferred[None]:
        """:return: fires when it is no more."""
        told: Deferred[None] = Deferred()
        self._over.addCallback(lambda _: told.callback(None))
        return told

    def connectionMade(self) -> None:
        """The process runs: it is told what to do."""
        self.transport: Any
        self.transport.writeToChild(0, self.assignment.encoded())

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        It says something.

        :param childFD: on which of its descriptors.
        """
        if childFD in self._outputs:
            self._outputs[childFD].add(data)
        elif childFD == READY and self.state is State.STARTING:
            self.state = State.SERVING
            self._cancel()
            self.watched.serves(self)

    def processEnded(self, reason: Failure) -> None:
        """
        The process is no more, and has said its last.

        :param reason: tells its status, or the signal that ended it.
        """
        for lines in self._outputs.values():
            lines.end()
        self._is_gone(_how(reason.value))

    def _is_gone(self, how: str) -> None:
        self.state = State.GONE
        self._cancel()
        self.watched.gone(self, how)
        self._over.callback(None)

    def _complain(self, line: str) -> None:
        self._log.error("{worker} wrote: {line}", worker=self.name, line=line)

    def _too_late(self) -> None:
        self._log.error("{worker} does not serve after {seconds} s, and is killed",
                        worker=self.name, seconds=round(_START))
        self._signal(signal.SIGKILL)

    def _kill_in(self, seconds: float) -> None:
        self._cancel()
        self._late = self.clock.callLater(seconds, self._signal, signal.SIGKILL)

    def _ends_within(self, seconds: float) -> bool:
        late = self._late
        return (late is not None and late.active()
                and late.getTime() <= self.clock.seconds() + seconds)

    def _tell(self, order: str) -> None:
        # Where its end is known of the pipe, and not yet of the process.
        with suppress(KeyError):
            self.transport.writeToChild(0, f"{order}\n".encode("ascii"))

    def _cancel(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None

    def _signal(self, number: int) -> None:
        if self._pid is None:
            return
        # In that case processEnded follows.
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(number)


def _how(error: BaseException | None) -> str:
    if isinstance(error, ProcessDone):
        return "ended with status 0"
    if isinstance(error, ProcessTerminated):
        if error.signal is not None:
            return f"was ended by {_name(error.signal)}"
        return f"ended with status {error.status if error.exitCode is None else error.exitCode}"
    return f"ended: {error}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Of real-time signals only the first and the last one have names.
        return f"signal {number}"
