"""Runs Trickster as a C{twistd} service of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

#: Seconds that Trickster may take to answer for the first time, and to end.
_START = 20.0
_END = 8.0
_AGAIN = 0.1
_PATIENCE = 2.0
#: Octets of its log that are shown when it fails.
_TAIL = 4000


class ProxyFailed(Exception):
    """
    Trickster did not start, or is gone.

    :ivar log: the end of what it wrote.
    """

    def __init__(self, detail: str, log: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.log = log


@frozen
class Ports:
    """Where Trickster listens, on 127.0.0.1."""

    front: int
    metrics: int
    mgmt: int


def configuration(ports: Ports, origin_port: int) -> str:
    """
    :param origin_port: of the demo origin, on 127.0.0.1.
    :return: YAML.
    """
    # Without fast forward: its newest point lies on no grid, and the two answers are to
    # be compared point by point.
    return f"""\
listeners:
  default:
    address: 127.0.0.1
    port: {ports.front}
  metrics:
    address: 127.0.0.1
    port: {ports.metrics}
  mgmt:
    address: 127.0.0.1
    port: {ports.mgmt}
logging:
  log_level: info
backends:
  demo:
    provider: prometheus
    origin_url: http://127.0.0.1:{origin_port}
    is_default: true
    fast_forward_disable: true
    healthcheck:
      interval: 5s
      path: /-/healthy
      query: ""
"""


def command(configuration_file: Path) -> list[str]:
    """
    :return: what runs Trickster in the foreground, with the interpreter that runs us.
    """
    beside = Path(sys.executable).parent / "twistd"
    run = "from twisted.scripts.twistd import run; run()"
    start = [str(beside)] if beside.exists() else [sys.executable, "-c", run]
    return [*start, "-n", "--pidfile=", "trickster", "-c", str(configuration_file)]


def environment() -> dict[str, str]:
    """:return: ours, with this very checkout first on the path, and no settings of Trickster's."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TRK_")}
    here = str(Path(__file__).resolve().parents[1])
    ours["PYTHONPATH"] = os.pathsep.join(filter(None, (here, ours.get("PYTHONPATH", ""))))
    return ours


@define
class _Watched(ProcessProtocol):
    """Keeps the end of what a process writes."""

    tail: bytes = b""
    has_ended: bool = False
    _waiting: list[Deferred[None]] = field(factory=list, init=False)

    def until_ended(self) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        if self.has_ended:
            waiter.callback(None)
        else:
            self._waiting.append(waiter)
        return waiter

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.tail = (self.tail + data)[-_TAIL:]

    def processEnded(self, reason: Failure) -> None:
        self.has_ended = True
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)


class IDemoReactor(IReactorProcess, IReactorTime):
    """What is needed of a reactor here."""


@define
class Proxy:
    """
    Trickster, in a process of its own.

    :ivar directory: where its configuration is written; the caller removes it.
    :ivar is_up: asks it whether it answers.
    """

    reactor: IDemoReactor
    directory: Path
    ports: Ports
    is_up: Callable[[], Coroutine[Any, Any, bool]]
    _process: IProcessTransport | None = field(default=None, init=False)
    _watched: _Watched = field(factory=_Watched, init=False)

    async def start(self, origin_port: int) -> None:
        """
        Start it, and wait until it answers.

        :param origin_port: of the demo origin.
        :raises ProxyFailed: it ended, or did not answer in time.
        """
        path = self.directory / "trickster.yaml"
        path.write_text(configuration(self.ports, origin_port))
        line = command(path)
        self._process = self.reactor.spawnProcess(
            self._watched, line[0], line, environment(), str(self.directory))
        deadline = self.reactor.seconds() + _START
        while not await self._answers():
            if self.reactor.seconds() > deadline:
                raise self._failed("Trickster did not answer in time.")
            await deferLater(self.reactor, _AGAIN)

    async def _answers(self) -> bool:
        asking = Deferred.fromCoroutine(self.is_up())
        try:
            is_up = await asking.addTimeout(_PATIENCE, self.reactor)
        except TimeoutError:
            is_up = False
        self.check()
        return is_up

    def check(self) -> None:
        """
        :raises ProxyFailed: it has ended.
        """
        if self._watched.has_ended:
            raise self._failed("Trickster ended.")

    async def ended(self) -> None:
        """Wait for its end."""
        await self._watched.until_ended()

    async def stop(self) -> None:
        """End it, kindly first.  May be called at any time, and again."""
        if not self._signal("TERM"):
            return
        patience = self.reactor.callLater(_END, self._signal, "KILL")
        await self._watched.until_ended()
        if patience.active():
            patience.cancel()

    def _signal(self, name: str) -> bool:
        if self._process is None or self._watched.has_ended:
            return False
        with suppress(ProcessExitedAlready):
            self._process.signalProcess(name)
        return True

    def _failed(self, detail: str) -> ProxyFailed:
        return ProxyFailed(detail, self._watched.tail.decode("utf-8", "replace"))
