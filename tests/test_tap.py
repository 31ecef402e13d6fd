"""Tests of L{trickster.tap}."""

from __future__ import annotations

import os
import socket
import sys
from errno import EADDRINUSE, EISDIR, ENOENT
from io import StringIO
from pathlib import Path
from typing import Any

from attrs import Factory, define
from twisted.application.service import IService, Service
from twisted.internet.task import Clock
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.config.doubles import ONE, MemoryLike, PrometheusLike, loaded, with_backend
from tests.entrypoints import Entry, Graphite
from trickster import __version__
from trickster.config.options.model import Configuration
from trickster.errors import BrokenPlugin, ConfigurationError
from trickster.interfaces import IStoreType
from trickster.observability.logging.unblocked import UnblockedFile
from trickster.plugins import ORIGINS, Plugins
from trickster.routes import Route, Serve
from trickster.stores.memory import MemoryStore
from trickster.tap import (
    Options,
    log_problems,
    made_service,
    plugin_options,
    try_port,
    unblock_log,
)


@define
class Prometheus(Graphite):
    """An origin type with a way of its own."""

    options: Any = PrometheusLike

    def routes(self, options: Any) -> list[Route]:
        """:return: one with a name for its handler, and one without."""
        return [Route("/q", Serve.OBJECT, handler="query_range"), Route("/", Serve.PROXY)]


@implementer(IStoreType)
@define
class Memory:
    """A store type."""

    name: str = "memory"
    options: Any = MemoryLike

    def store(self, name: str, options: Any, limits: Any, runtime: Any) -> Any:
        """:return: one that forgets nothing."""
        return MemoryStore(runtime.clock)


def _find(group: str) -> list[Any]:
    if group == ORIGINS:
        return [Entry("prometheus", Prometheus)]
    return [Entry("memory", Memory)]


def options_of(*words: str, text: str = ONE, environ: dict[str, str] | None = None) -> Options:
    """:return: the options of a command line, with that text in every file."""
    options = Options(environ or {}, lambda path: text.encode(), Plugins(_find))
    options.parseOptions(list(words))
    return options


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def setUp(self) -> None:
        self.output = StringIO()
        self.patch(sys, "stdout", self.output)

    def test_file(self) -> None:
        """The configuration is there once the options are parsed."""
        for words in (["-c", "x.yaml"], ["--config=x.yaml"], ["-config", "x.yaml"]):
            configuration = options_of(*words).configuration
            self.assertTrue(configuration.source.endswith("/x.yaml"))
            self.assertEqual(configuration.backends["one"].plugin, PrometheusLike())

    def test_all_flags(self) -> None:
        """Every flag has its effect, over environment and file."""
        configuration = options_of(
            "-origin-url", "http://x", "-provider", "prometheus", "-proxy-port", "1",
            "-metrics-port", "2", "-log-level", "debug", "-instance-id", "3", text="",
            environ={"TRK_PROXY_PORT": "9", "TRK_LOG_LEVEL": "warn"}).configuration
        self.assertEqual(configuration.backends["default"].origin_url, "http://x")
        self.assertEqual((configuration.listeners["default"].port,
                          configuration.listeners["metrics"].port), (1, 2))
        self.assertEqual((configuration.logging.log_level, configuration.main.instance_id),
                         ("debug", 3))

    def test_problems(self) -> None:
        """All problems are for standard error, without traceback, and the exit fails."""
        error = self.assertRaises(
            SystemExit, options_of, "-c", "x.yaml", text=ONE + "foo: 1\nbar: 2\n")
        self.assertIsInstance(error.code, str)
        self.assertIn("x.yaml:2:1: foo: unknown key", str(error.code))
        self.assertIn("x.yaml:3:1: bar: unknown key", str(error.code))

    def test_validate(self) -> None:
        """Validation ends well for a good file, and as ever for a bad one."""
        self.assertEqual(self.assertRaises(SystemExit, options_of, "-validate-config").code, 0)
        self.assertEqual(self.output.getvalue(), "configuration is valid\n")
        error = self.assertRaises(SystemExit, options_of, "-validate-config", text="a: 1")
        self.assertIn("a: unknown key", str(error.code))

    def test_ineffective(self) -> None:
        """What protects nothing yet is refused, unless the flag lets it pass, and is told."""
        text = with_backend("require_tls: true")
        error = self.assertRaises(SystemExit, options_of, "-validate-config", text=text)
        self.assertIn("require_tls: is not yet effective", str(error.code))
        good = self.assertRaises(SystemExit, options_of, "-validate-config",
                                 "-allow-ineffective-security", text=text)
        self.assertEqual(good.code, 0)
        self.assertIn("NOT PROTECTED: ", self.output.getvalue())

    def test_version(self) -> None:
        """The version is Trickster's, not Twisted's, and needs no configuration."""
        error = self.assertRaises(SystemExit, options_of, "--version", text="nonsense: [")
        self.assertEqual(error.code, 0)
        self.assertEqual(self.output.getvalue(), f"trickster {__version__}\n")

    def test_misuse(self) -> None:
        """Unknown flags, words and missing values are misuse."""
        for words in (["--frob"], ["word"], ["-config"], ["-version=maybe"]):
            self.assertRaises(UsageError, options_of, *words)

    def test_misuse_of_a_command(self) -> None:
        """As a command of twistd, misuse is told on standard error, and the status is 2."""
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        options = Options({}, lambda path: b"", Plugins(_find))
        options.parent = UsageOptions()
        error = self.assertRaises(SystemExit, options.parseOptions, ["-frob"])
        self.assertEqual(error.code, 2)
        self.assertIn("trickster: there is no flag -frob", errors.getvalue())

    def test_help(self) -> None:
        """Every flag of the original is explained."""
        text = str(Options({}))
        self.assertIn("trickster [options]", text)
        for flag in ("config", "origin-url", "provider", "proxy-port", "metrics-port",
                     "log-level", "instance-id", "validate-config", "version",
                     "allow-ineffective-security"):
            self.assertIn(f"--{flag}", text)

    def test_handlers(self) -> None:
        """A path may name the ways of its origin type."""
        text = with_backend("paths: [{path: /q, handler: query_range}]")
        self.assertTrue(options_of(text=text).configuration.backends["one"].paths)
        error = self.assertRaises(
            SystemExit, options_of, text=text.replace("query_range", "query_rage"))
        self.assertIn("did you mean 'query_range'?", str(error.code))

    def test_broken_routes(self) -> None:
        """An origin type that fails to say its routes is broken."""
        @define
        class Bad(Prometheus):
            def routes(self, options: Any) -> list[Route]:
                raise KeyError("x")

        asked = plugin_options(Plugins(lambda group: [Entry("bad", Bad)]))  # type: ignore[arg-type,return-value,list-item]
        error = self.assertRaises(BrokenPlugin, asked.routes, "bad", PrometheusLike())
        self.assertIn("origin type 'graphite' is broken: routes() fails with KeyError: 'x'", str(error))


@define
class Builder:
    """Stands for the composition of everything."""

    built: list[tuple[Configuration, object]] = Factory(list)

    def build(self, configuration: Configuration, reactor: Any) -> Service:
        """:return: an empty service."""
        self.built.append((configuration, reactor))
        return Service()


class ServiceTests(SynchronousTestCase):
    """Making the service."""

    def test_made(self) -> None:
        """It is built once, of the configuration, after all ports were tried."""
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
        """All ports that are taken are named before anything is built."""
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
        """A log file that cannot be opened is told before anything is built, ports with it."""
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
        """What turns out while building is told without a traceback too."""
        def build(configuration: Configuration, reactor: Any) -> Service:
            raise ConfigurationError(("backends.one.tls: no such file",))

        error = self.assertRaises(
            SystemExit, made_service, loaded(ONE), None, build, lambda address, port: None)
        self.assertEqual(error.code, "trickster: backends.one.tls: no such file")


class UnblockedLogTests(SynchronousTestCase):
    """The logs of C{twistd} and C{twist}."""

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
        """A program of its own sees to that itself."""
        before = sys.stdout
        unblock_log(None, Clock())
        self.assertIs(sys.stdout, before)


class LogFileTests(SynchronousTestCase):
    """Whether a log can be written."""

    def test_good(self) -> None:
        """A file in a directory that is there, or a stream; and no file is made."""
        path = self.mktemp()
        for good in ("", "-", "/dev/stdout", "/dev/stderr", path, __file__):
            self.assertEqual(list(log_problems(good)), [])
        self.assertFalse(os.path.exists(path))

    def test_bad(self) -> None:
        """A directory is no file, and a file in no directory cannot be made."""
        directory = self.mktemp()
        os.mkdir(directory)
        self.assertEqual([*log_problems(directory), *log_problems(f"{directory}/a/b.log")], [
            f"trickster: the log file {directory} cannot be opened: {os.strerror(EISDIR)}",
            (f"trickster: the log file {directory}/a/b.log cannot be opened: "
             f"{os.strerror(ENOENT)}")])


class TryPortTests(SynchronousTestCase):
    """Trying a port, on loopback."""

    def test_taken(self) -> None:
        """A port that is listened on fails, with the system's own words; free ones do not."""
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
