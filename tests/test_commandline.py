"""Tests of L{trickster.commandline}."""

from __future__ import annotations

import os
import sys
from io import StringIO
from typing import Any

from attrs import define
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.config.doubles import ONE, MemoryLike, PrometheusLike, with_backend
from tests.entrypoints import Entry, Graphite
from trickster import __version__
from trickster.commandline import Options, plugin_options
from trickster.config.load import Sources
from trickster.errors import BrokenPlugin, ConfigurationError
from trickster.interfaces import IStoreType
from trickster.plugins import ORIGINS, Plugins
from trickster.routes import Route, Serve
from trickster.stores.memory import MemoryStore


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
    """The options of the command line."""

    def setUp(self) -> None:
        self.output = StringIO()
        self.patch(sys, "stdout", self.output)

    def test_file(self) -> None:
        """The configuration is loaded when the options are parsed."""
        for words in (["-c", "x.yaml"], ["--config=x.yaml"], ["-config", "x.yaml"]):
            configuration = options_of(*words).configuration
            self.assertTrue(configuration.source.endswith("/x.yaml"))
            self.assertEqual(configuration.backends["one"].plugin, PrometheusLike())

    def test_all_flags(self) -> None:
        """Each flag overrides the environment and the file."""
        configuration = options_of(
            "-origin-url", "http://x", "-provider", "prometheus", "-proxy-port", "1",
            "-metrics-port", "2", "-log-level", "debug", "-instance-id", "3", "-workers", "4",
            text="", environ={"TRK_PROXY_PORT": "9", "TRK_LOG_LEVEL": "warn", "TRK_WORKERS": "5"}
        ).configuration
        self.assertEqual(configuration.backends["default"].origin_url, "http://x")
        self.assertEqual((configuration.listeners["default"].port,
                          configuration.listeners["metrics"].port), (1, 2))
        self.assertEqual((configuration.logging.log_level, configuration.main.instance_id,
                          configuration.main.workers), ("debug", 3, "4"))

    def test_loaded(self) -> None:
        """What the configuration is made of is known: another process can make the same."""
        options = options_of("-c", "x.yaml", "-workers", "2", environ={"TRK_LOG_LEVEL": "warn"})
        self.assertEqual(options.loaded.sources, Sources(
            "x.yaml", {"TRK_LOG_LEVEL": "warn"}, {"workers": "2"}, False))
        self.assertEqual(options.loaded.files, {"x.yaml": ONE.encode()})
        self.assertIs(options.configuration, options.loaded.configuration)

    def test_again(self) -> None:
        """The same file is read again with the same flags, and what was read before stays."""
        texts = [ONE, ONE + "logging: {log_level: error}\n", ONE + "foo: 1\n"]
        options = Options({}, lambda path: texts[0].encode(), Plugins(_find))
        options.parseOptions(["-c", "x.yaml", "-workers", "2"])
        del texts[0]
        again = options.again()
        self.assertEqual((again.configuration.logging.log_level, again.configuration.main.workers,
                          again.files, again.sources),
                         ("error", "2", {"x.yaml": texts[0].encode()}, options.loaded.sources))
        del texts[0]
        self.assertRaises(ConfigurationError, options.again)
        self.assertEqual(options.configuration.logging.log_level, "info")

    def test_again_elsewhere(self) -> None:
        """A relative path is read again where it was, wherever the process is by then."""
        asked: list[str] = []

        def read(path: str) -> bytes:
            asked.append(path)
            return ONE.encode()

        start = os.getcwd()
        options = Options({}, read, Plugins(_find))
        options.parseOptions(["-c", "x.yaml"])
        self.addCleanup(os.chdir, start)
        os.chdir("/")
        self.assertEqual(options.again().files, {"x.yaml": ONE.encode()})
        self.assertEqual(asked, ["x.yaml", f"{start}/x.yaml"])

    def test_problems(self) -> None:
        """
        All problems of a configuration go to standard error, without traceback, and the exit fails.
        """
        error = self.assertRaises(
            SystemExit, options_of, "-c", "x.yaml", text=ONE + "foo: 1\nbar: 2\n")
        self.assertIsInstance(error.code, str)
        self.assertIn("x.yaml:2:1: foo: unknown key", str(error.code))
        self.assertIn("x.yaml:3:1: bar: unknown key", str(error.code))

    def test_validate(self) -> None:
        """Validation succeeds for a good file, and fails with the problems for a bad one."""
        self.assertEqual(self.assertRaises(SystemExit, options_of, "-validate-config").code, 0)
        self.assertEqual(self.output.getvalue(), "configuration is valid\n")
        error = self.assertRaises(SystemExit, options_of, "-validate-config", text="a: 1")
        self.assertIn("a: unknown key", str(error.code))

    def test_ineffective(self) -> None:
        """
        Settings that protect nothing yet are refused, unless a flag allows them, and then reported.
        """
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
        """Unknown flags, extra arguments and missing values are usage errors."""
        for words in (["--frob"], ["word"], ["-config"], ["-version=maybe"]):
            self.assertRaises(UsageError, options_of, *words)

    def test_misuse_of_a_command(self) -> None:
        """A usage error under twistd is reported on standard error with exit status 2."""
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        options = Options({}, lambda path: b"", Plugins(_find))
        options.parent = UsageOptions()
        error = self.assertRaises(SystemExit, options.parseOptions, ["-frob"])
        self.assertEqual(error.code, 2)
        self.assertIn("trickster: there is no flag -frob", errors.getvalue())

    def test_help(self) -> None:
        """The help explains every flag of the original."""
        text = str(Options({}))
        self.assertIn("trickster [options]", text)
        for flag in ("config", "origin-url", "provider", "proxy-port", "metrics-port",
                     "log-level", "instance-id", "validate-config", "version",
                     "allow-ineffective-security"):
            self.assertIn(f"--{flag}", text)

    def test_handlers(self) -> None:
        """A path may name the handlers of its origin type."""
        text = with_backend("paths: [{path: /q, handler: query_range}]")
        self.assertTrue(options_of(text=text).configuration.backends["one"].paths)
        error = self.assertRaises(
            SystemExit, options_of, text=text.replace("query_range", "query_rage"))
        self.assertIn("did you mean 'query_range'?", str(error.code))

    def test_broken_routes(self) -> None:
        """An origin type whose routes fail is reported as broken."""
        @define
        class Bad(Prometheus):
            def routes(self, options: Any) -> list[Route]:
                raise KeyError("x")

        asked = plugin_options(Plugins(lambda group: [Entry("bad", Bad)]))  # type: ignore[arg-type,return-value,list-item]
        error = self.assertRaises(BrokenPlugin, asked.routes, "bad", PrometheusLike())
        self.assertIn("origin type 'graphite' is broken: routes() fails with KeyError: 'x'", str(error))
