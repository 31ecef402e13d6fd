"""Tests of running Trickster as a process, with a reactor that only remembers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from demo.proxy import Ports, Proxy, ProxyFailed, command, configuration, environment

PORTS = Ports(8480, 8481, 8484)


class ConfigurationTests(SynchronousTestCase):
    """The configuration and command line for Trickster."""

    def test_yaml(self) -> None:
        """
        The configuration has one backend, the demo origin, and the ports that were found free.
        """
        read = yaml.safe_load(configuration(PORTS, 9090))
        self.assertEqual(read["backends"]["demo"]["origin_url"], "http://127.0.0.1:9090")
        self.assertEqual({name: one["port"] for name, one in read["listeners"].items()},
                         {"default": 8480, "metrics": 8481, "mgmt": 8484})
        self.assertEqual({one["address"] for one in read["listeners"].values()}, {"127.0.0.1"})

    def test_command(self) -> None:
        """The command runs Trickster in the foreground and without a pid file."""
        line = command(Path("/x/c.yaml"))
        self.assertEqual(line[-5:], ["-n", "--pidfile=", "trickster", "-c", "/x/c.yaml"])
        self.assertEqual(Path(line[0]).parent, Path(sys.executable).parent)

    def test_environment(self) -> None:
        """The process runs the checkout of the demonstration, without settings of the user's."""
        self.patch(os, "environ", {"TRK_ORIGIN_URL": "x", "HOME": "/h", "PYTHONPATH": "/p"})
        found = environment()
        first, rest = found["PYTHONPATH"].split(os.pathsep)
        self.assertTrue((Path(first) / "demo").is_dir())
        self.assertTrue((Path(first) / "trickster").is_dir())
        self.assertEqual((rest, found["HOME"], "TRK_ORIGIN_URL" in found), ("/p", "/h", False))


class _Process:
    """A process that ends when it is told to, or only when it is killed."""

    def __init__(self, protocol: Any, is_stubborn: bool) -> None:
        self.protocol = protocol
        self.is_stubborn = is_stubborn
        self.signals: list[str] = []
        self.is_gone = False

    def signalProcess(self, name: str) -> None:
        """Remember, and perhaps end."""
        if self.is_gone:
            raise ProcessExitedAlready
        self.signals.append(name)
        if name == "KILL" or not self.is_stubborn:
            self.end()

    def end(self, is_known: bool = True) -> None:
        """End, and perhaps say so."""
        self.is_gone = True
        if is_known:
            self.protocol.processEnded(Failure(ProcessDone(0)))


class _Reactor(Clock):
    """A clock that spawns fakes."""

    is_stubborn = False

    def spawnProcess(self, protocol: Any, *arguments: Any) -> _Process:
        """:return: a fake."""
        self.arguments = arguments
        self.process = _Process(protocol, self.is_stubborn)
        return self.process


class ProxyTests(SynchronousTestCase):
    """The start, watch and stop of Trickster's process."""

    def setUp(self) -> None:
        """It does not answer yet."""
        self.reactor = _Reactor()
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.asked: list[Deferred[bool]] = []
        self.proxy = Proxy(self.reactor, self.directory, PORTS, self.is_up)  # type: ignore[arg-type]

    async def is_up(self) -> bool:
        """:return: what the test says, when it says it."""
        asking: Deferred[bool] = Deferred()
        self.asked.append(asking)
        return await asking

    def start(self) -> Deferred[None]:
        """:return: fires when it has started."""
        return Deferred.fromCoroutine(self.proxy.start(9090))

    def started(self) -> _Process:
        """:return: the process of one that has started."""
        starting = self.start()
        self.asked[-1].callback(True)
        self.successResultOf(starting)
        return self.reactor.process

    def test_configuration_is_written(self) -> None:
        """The configuration is written to the file that the command line names."""
        self.started()
        line = self.reactor.arguments[1]
        self.assertEqual(Path(line[-1]).read_text(), configuration(PORTS, 9090))

    def test_waits_until_it_answers(self) -> None:
        """The start of the proxy is complete when the proxy answers, and not before."""
        starting = self.start()
        self.asked[0].callback(False)
        self.reactor.advance(0.1)
        self.assertNoResult(starting)
        self.asked[1].callback(True)
        self.successResultOf(starting)

    def test_ends_at_once(self) -> None:
        """A process that ends while it starts is a failed start, and the error has its log."""
        starting = self.start()
        self.reactor.process.protocol.childDataReceived(2, b"no such file")
        self.reactor.process.end()
        self.asked[0].callback(False)
        self.assertEqual(self.failureResultOf(starting, ProxyFailed).value.log, "no such file")

    def test_somebody_else_answers(self) -> None:
        """A process that has ended is a failed start, even if another one answers on its port."""
        starting = self.start()
        self.reactor.process.end()
        self.asked[0].callback(True)
        self.failureResultOf(starting, ProxyFailed)

    def test_never_answers(self) -> None:
        """A process that does not answer within its time is a failed start."""
        starting = self.start()
        for _ in range(300):
            self.reactor.advance(0.1)
        self.failureResultOf(starting, ProxyFailed)

    def test_log_is_bounded(self) -> None:
        """Only the end of the process's log is kept."""
        process = self.started()
        for n in range(10_000):
            process.protocol.childDataReceived(1, b"line %d\n" % n)
        process.end()
        log = self.assertRaises(ProxyFailed, self.proxy.check).log
        self.assertTrue(log.endswith("line 9999\n"))
        self.assertLess(len(log), 5000)

    def test_check(self) -> None:
        """A check of a running process succeeds."""
        self.started()
        self.proxy.check()

    def test_ended(self) -> None:
        """The end of the process can be waited for, before and after the end."""
        process = self.started()
        waiting = [Deferred.fromCoroutine(self.proxy.ended()) for _ in range(2)]
        self.assertNoResult(waiting[0])
        process.end()
        for one in (*waiting, Deferred.fromCoroutine(self.proxy.ended())):
            self.successResultOf(one)

    def stopped(self) -> None:
        """Assert that it can be stopped."""
        self.successResultOf(Deferred.fromCoroutine(self.proxy.stop()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """A stop sends SIGTERM to the process."""
        process = self.started()
        self.stopped()
        self.assertEqual(process.signals, ["TERM"])

    def test_stop_again(self) -> None:
        """A process that has ended, or was never started, is not signalled."""
        self.stopped()
        process = self.started()
        self.stopped()
        self.stopped()
        self.assertEqual(process.signals, ["TERM"])

    def test_stubborn(self) -> None:
        """A process that does not end after SIGTERM is killed with SIGKILL."""
        self.reactor.is_stubborn = True
        process = self.started()
        stopping = Deferred.fromCoroutine(self.proxy.stop())
        self.reactor.advance(7)
        self.assertNoResult(stopping)
        self.reactor.advance(2)
        self.successResultOf(stopping)
        self.assertEqual(process.signals, ["TERM", "KILL"])

    def test_gone_unnoticed(self) -> None:
        """A stop waits for a process that is gone but whose end is not reported yet."""
        process = self.started()
        process.end(is_known=False)
        stopping = Deferred.fromCoroutine(self.proxy.stop())
        process.protocol.processEnded(Failure(ProcessDone(0)))
        self.successResultOf(stopping)
