"""Worker processes that are none, and sockets that only know whether they are closed."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from trickster.workers.assignment import Assignment
from trickster.workers.process import READY


@define(eq=False)
class Child:
    """
    A child process that does what the test says; of C{IProcessTransport} it has what is used.

    :ivar sent: signals that it was sent, and orders to end or to hurry.
    :ivar written: what else it was given on its standard input.
    """

    protocol: ProcessProtocol
    args: Sequence[str]
    environ: Mapping[str, str]
    descriptors: Mapping[int, Any]
    pid: int | None
    sent: list[str] = field(factory=list, init=False)
    written: bytes = field(default=b"", init=False)

    @property
    def assignment(self) -> Assignment:
        """:return: what it was told to do."""
        return Assignment.decode(self.written.partition(b"\n")[0])

    @property
    def told(self) -> bytes:
        """:return: what it was told after that."""
        return self.written.partition(b"\n")[2]

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Keep what it is given; as in Twisted, that is an error where it is gone."""
        if self.pid is None:
            raise KeyError(childFD)
        if data in (b"end\n", b"hurry\n"):
            self.sent.append(data.decode().strip())
        else:
            self.written += data

    def signalProcess(self, signalID: int) -> None:
        """Note a signal, as long as it is there."""
        if self.pid is None:
            raise ProcessExitedAlready
        self.sent.append(signal.Signals(signalID).name)

    def serves(self) -> None:
        """Say that it serves."""
        self.protocol.childDataReceived(READY, b"serves\n")

    def says(self, octets: bytes, descriptor: int = 1) -> None:
        """Write something."""
        self.protocol.childDataReceived(descriptor, octets)

    def exits(self, status: int = 0) -> None:
        """End by itself."""
        self._is_over(ProcessTerminated(status) if status else ProcessDone(0))

    def dies(self, number: int = signal.SIGKILL) -> None:
        """End by a signal."""
        self._is_over(ProcessTerminated(signal=number))

    def leaves(self) -> None:
        """Be gone; that is not noticed yet."""
        self.pid = None

    def _is_over(self, reason: Exception) -> None:
        self.pid = None
        self.protocol.processEnded(Failure(reason))


@define(eq=False)
class Children:
    """
    Starts no processes.

    :ivar error: raised in their place.
    :ivar all: those that were started, in order.
    """

    error: OSError | None = None
    all: list[Child] = field(factory=list, init=False)

    def spawn(self, protocol: ProcessProtocol, executable: str, args: Sequence[str],
              env: Mapping[str, str], *, childFDs: Mapping[int, Any]) -> Child:
        """:return: a child that runs, as C{IReactorProcess.spawnProcess} does."""
        if self.error is not None:
            raise self.error
        assert executable == args[0]
        child = Child(protocol, args, env, childFDs, 1000 + len(self.all))
        self.all.append(child)
        protocol.makeConnection(child)
        return child

    @property
    def living(self) -> list[Child]:
        """:return: those that are not gone."""
        return [child for child in self.all if child.pid is not None]

    @property
    def latest(self) -> Child:
        """:return: the one that was started last."""
        return self.all[-1]


class ProcessReactor(MemoryReactorClock):
    """
    A reactor in memory that starts no processes.

    :ivar children: those that there would be.
    """

    def __init__(self) -> None:
        super().__init__()
        self.children = Children()
        self.spawnProcess = self.children.spawn


@define(eq=False)
class FakeSocket:
    """
    A socket that listens, but for no one.

    :ivar closed: how often it was closed.
    """

    place: tuple[str, int]
    descriptor: int
    closed: int = field(default=0, init=False)

    def fileno(self) -> int:
        """:return: a number of its own; -1 once it is closed."""
        return -1 if self.closed else self.descriptor

    def getsockname(self) -> tuple[str, int, int, int]:
        """:return: as of a socket of IPv6."""
        return (*self.place, 0, 0)

    def dup(self) -> FakeSocket:
        """:return: one at the same place."""
        assert not self.closed
        return FakeSocket(self.place, self.descriptor + 1000)

    def close(self) -> None:
        """Count."""
        self.closed += 1


@define(eq=False)
class Addresses:
    """
    Binds sockets that are none.

    :ivar taken: ports that cannot be had.
    :ivar bound: all that were made, in order.
    """

    taken: dict[int, Exception] = field(factory=dict)
    bound: list[FakeSocket] = field(factory=list, init=False)

    def bind(self, address: str, port: int) -> Any:
        """:return: a socket; two at the same place cannot be open at the same time."""
        if port in self.taken:
            raise self.taken[port]
        assert (address, port) not in [each.place for each in self.open]
        made = FakeSocket((address, port), 100 + len(self.bound))
        self.bound.append(made)
        return made

    @property
    def open(self) -> list[FakeSocket]:
        """:return: those that are not closed."""
        return [each for each in self.bound if not each.closed]

    @property
    def ports(self) -> list[int]:
        """:return: of those that are not closed."""
        return sorted(each.place[1] for each in self.open)
