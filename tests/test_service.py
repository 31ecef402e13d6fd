"""Tests of L{trickster.service}."""

from __future__ import annotations

import os
import socket
import sys
from errno import EADDRINUSE, EISDIR, ENOENT
from pathlib import Path
from typing import Any

from attrs import Factory, define
from twisted.application.service import IService, Service
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.config.doubles import ONE, loaded
from tests.workers.doubles import ProcessReactor
from tests.workers.plans import ALL, loaded_of
from trickster.config.load import Loaded
from trickster.config.options.model import Configuration
from trickster.errors import ConfigurationError
from trickster.observability.logging.unblocked import UnblockedFile
from trickster.service import log_problems, made_service, service, try_port, unblock_log
from trickster.workers import supervisor


@define
class Builder:
    """Stands for the composition of everything."""

    built: list[tuple[Configuration, object]] = Factory(list)

    def build(self, configuration: Configuration, reactor: Any) -> Service:
        """:return: an empty service."""
        self.built.append((configuration, reactor))
        return Service()


class ServiceTests(SynchronousTestCase):
    """The service that is made of a configuration."""

    def test_made(self) -> None:
        """The service is built once from the configuration, after all ports were tried."""
        tried: list[tuple[str, int]] = []
        builder, configuration, reactor = Builder(), loaded(ONE), object()

        def probe(address: str, port: int) -> None:
            tried.append((address, port))

        service = made_service(configuration, reactor, builder.build, probe)
        verifyObject(IService, service)
        self.assertEqual(builder.built, [(configuration, reactor)])
        self.assertEqual(tried, [("", 8480), ("", 8481), ("127.0.0.1", 8484)])

    def test_closed_listeners(self) -> None:
        """A listener without a port is not tried."""
        tried: list[int] = []
        made_service(loaded(ONE + "listeners: {mgmt: {port: 0}}"), None, Builder().build,
                     lambda address, port: tried.append(port))
        self.assertEqual(tried, [8480, 8481])

    def test_taken(self) -> None:
        """All ports that are taken are reported before anything is built."""
        builder = Builder()

        def probe(address: str, port: int) -> None:
            if port != 8481:
                raise OSError(EADDRINUSE, "the port is taken")

        error = self.assertRaises(
            SystemExit, made_service, loaded(ONE), None, builder.build, probe)
        self.assertEqual(
            error.code,
            "trickster: listener default cannot listen on * port 8480: the port is taken\n"
            "trickster: listener mgmt cannot listen on 127.0.0.1 port 8484: "
            "the port is taken")
        self.assertEqual(builder.built, [])

    def test_log_file(self) -> None:
        """A log file that cannot be opened is reported before anything is built, with the ports."""
        def probe(address: str, port: int) -> None:
            raise OSError(EADDRINUSE, "the port is taken")

        text = ONE + "listeners: {metrics: {port: 0}, mgmt: {port: 0}}\n"
        error = self.assertRaises(
            SystemExit, made_service, loaded(text + "logging: {log_file: /nowhere/x.log}"),
            None, Builder().build, probe)
        self.assertEqual(
            error.code,
            f"trickster: the log file /nowhere/x.log cannot be opened: {os.strerror(ENOENT)}\n"
            "trickster: listener default cannot listen on * port 8480: the port is taken")

    def test_unusable(self) -> None:
        """A problem found while building is reported without a traceback."""
        def build(configuration: Configuration, reactor: Any) -> Service:
            raise ConfigurationError(("backends.one.tls: no such file",))

        error = self.assertRaises(
            SystemExit, made_service, loaded(ONE), None, build, lambda address, port: None)
        self.assertEqual(error.code, "trickster: backends.one.tls: no such file")


@define
class Parsed:
    """A command line that was parsed."""

    loaded: Loaded

    def again(self) -> Loaded:
        """:return: the same."""
        return self.loaded


class WorkersTests(SynchronousTestCase):
    """One process, or a supervisor of several."""

    def parts(self, workers: str) -> tuple[Any, set[str]]:
        """:return: the reactor, and the kinds of services of which the program is made."""
        reactor = ProcessReactor()
        text = ALL.replace("workers: 2", f"workers: {workers}").replace("port: ", "port: 1000")
        made: Any = service(Parsed(loaded_of(text)), reactor, lambda: 1e9)
        return reactor, {type(each).__name__ for each in made}

    def test_one(self) -> None:
        """One worker is this process: there is no supervisor."""
        _, kinds = self.parts("1")
        self.assertIn("Generations", kinds)
        self.assertNotIn("Supervisor", kinds)

    def test_several(self) -> None:
        """From two on there is a supervisor, which answers nothing itself, and starts nothing yet."""
        reactor, kinds = self.parts("2")
        self.assertTrue({"Supervisor", "Workers", "OwnListeners"} <= kinds)
        self.assertNotIn("Generations", kinds)
        self.assertEqual(reactor.getDelayedCalls(), [])

    def test_automatic(self) -> None:
        """With C{auto} there is one for each core."""
        for cores, kind in ((1, "Generations"), (3, "Supervisor")):
            self.patch(supervisor, "usable_cores", lambda cores=cores: cores)
            self.assertIn(kind, self.parts("auto")[1])

    def test_told_before(self) -> None:
        """Ports that are taken are told before anything is made, for several workers too."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            text = ALL.replace("port: 4", f"port: {port}")
            error = self.assertRaises(
                SystemExit, service, Parsed(loaded_of(text)), MemoryReactorClock(), lambda: 1e9)
        self.assertIn(f"listener mgmt cannot listen on 127.0.0.1 port {port}", str(error.code))


class UnblockedLogTests(SynchronousTestCase):
    """The logs of C{twistd} and C{twist}, which must not block the reactor."""

    def test_twist(self) -> None:
        """No file that C{twist} logs to makes the reactor wait."""
        with Path(self.mktemp()).open("w") as file:
            parent = {"logFile": file}
            unblock_log(parent, Clock())
        self.assertIsInstance(parent["logFile"], UnblockedFile)

    def test_twistd(self) -> None:
        """Standard output, where C{twistd} logs to it, does not make the reactor wait."""
        with Path(self.mktemp()).open("w") as file:
            for parent, is_stdout in (
                    ({"nodaemon": True, "logfile": None}, True),
                    ({"nodaemon": True, "logfile": "-"}, True),
                    ({"nodaemon": True, "logfile": "x.log"}, False),
                    ({"nodaemon": False, "logfile": None}, False)):
                self.patch(sys, "stdout", file)
                unblock_log(parent, Clock())
                self.assertEqual(isinstance(sys.stdout, UnblockedFile), is_stdout, parent)

    def test_alone(self) -> None:
        """A program of its own logs without these measures."""
        before = sys.stdout
        unblock_log(None, Clock())
        self.assertIs(sys.stdout, before)


class LogFileTests(SynchronousTestCase):
    """Checks that a log file can be written."""

    def test_good(self) -> None:
        """A file in an existing directory, or a stream, is accepted, and no file is made."""
        path = self.mktemp()
        for good in ("", "-", "/dev/stdout", "/dev/stderr", path, __file__):
            self.assertEqual(list(log_problems(good)), [])
        self.assertFalse(os.path.exists(path))

    def test_bad(self) -> None:
        """A directory, or a file in a missing directory, is refused as a log file."""
        directory = self.mktemp()
        os.mkdir(directory)
        self.assertEqual([*log_problems(directory), *log_problems(f"{directory}/a/b.log")], [
            f"trickster: the log file {directory} cannot be opened: {os.strerror(EISDIR)}",
            (f"trickster: the log file {directory}/a/b.log cannot be opened: "
             f"{os.strerror(ENOENT)}")])


class TryPortTests(SynchronousTestCase):
    """Checks that a port can be listened on, on loopback."""

    def test_taken(self) -> None:
        """A port that is in use fails with the system's own words; free ones do not."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            error = self.assertRaises(OSError, try_port, "127.0.0.1", port)
            self.assertEqual(error.errno, EADDRINUSE)
            self.assertRaises(OSError, try_port, "", port)
        try_port("127.0.0.1", port)

    def test_not_ours(self) -> None:
        """An address of another machine fails."""
        self.assertRaises(OSError, try_port, "192.0.2.1", 0)
