"""Tests of L{trickster.console}."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded
from trickster.commandline import Options
from trickster.console import application_of, main
from trickster.observability.logging.logs import Logs

# The command, which need not be installed.
COMMAND = (sys.executable, "-c", "import sys; from trickster.console import main; sys.exit(main())")


class MainTests(SynchronousTestCase):
    """The console command."""

    def run_main(self, *words: str) -> tuple[int | str | None, str, list[Options]]:
        """:return: exit status or message, standard error, and what would have been run."""
        ran: list[Options] = []
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        self.patch(sys, "stdout", StringIO())
        try:
            status: int | str | None = main(list(words), {}, ran.append)
        except SystemExit as exit:
            status = exit.code
        return status, errors.getvalue(), ran

    def test_misuse(self) -> None:
        """A usage error is reported in two lines on standard error, and nothing runs."""
        for words in (["-frob"], ["word"], ["-config"]):
            status, errors, ran = self.run_main(*words)
            self.assertEqual((status, ran), (2, []))
            self.assertRegex(errors, r"^trickster: .*\nTry 'trickster --help'\.\n$")

    def test_missing_file(self) -> None:
        """A missing configuration file ends the command with the reason."""
        status, _, ran = self.run_main("-config", "/no/such/file.yaml")
        self.assertEqual((status, ran), ("/no/such/file.yaml: no such file", []))

    def test_bad_file(self) -> None:
        """A bad configuration file ends the command with its problems, as validation does."""
        path = Path(self.mktemp())
        path.write_text("backens: {}\n")
        for words in ([f"-config={path}"], ["--config", str(path), "-validate-config"]):
            status, _, ran = self.run_main(*words)
            self.assertIn(f"{path}:1:1: backens: unknown key; did you mean 'backends'?",
                          str(status))
            self.assertEqual(ran, [])

    def test_not_written(self) -> None:
        """What standard output does not take ends the command with the reason, in one line."""
        config = Path(self.mktemp())
        config.write_text("backends: {a: {provider: proxy, origin_url: 'http://127.0.0.1:1'}}\n")
        for words in (["-version"], ["--help"], ["cache", "--help"],
                      ["-config", str(config), "-validate-config"]):
            for unbuffered in ("", "1"):
                environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
                with open("/dev/full", "w") as full:
                    ended = subprocess.run(
                        [*COMMAND, *words], env=environ, stdout=full,
                        stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(ended.returncode, 1)
                self.assertRegex(ended.stderr, r"^trickster: standard output: [^\n]+\n$")

    def test_reader_gone(self) -> None:
        """Where its reader has gone, nothing is said of it."""
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "w") as pipe:
            ended = subprocess.run([*COMMAND, "--help"], stdout=pipe,
                                   stderr=subprocess.PIPE, check=False)
        self.assertEqual((ended.returncode, ended.stderr), (1, b""))

    def test_version(self) -> None:
        """The version flag ends the command with success."""
        for word in ("-version", "--version"):
            self.assertEqual(self.run_main(word), (0, "", []))


class ApplicationTests(SynchronousTestCase):
    """The application that the console command runs."""

    def application(self, text: str) -> tuple[Any, Service]:
        """:return: an application, and the service in it."""
        service = Service()
        return application_of(loaded(text), service, Clock()), service

    def test_standard_output(self) -> None:
        """Without a log file, the log to standard output is started first."""
        application, service = self.application(ONE)
        log, last = list(IService(application))
        self.assertIsInstance(log, Logs)
        self.assertIs(last, service)

    def test_level_and_format(self) -> None:
        """The log is written with the level and in the format of the configuration."""
        application, _ = self.application(ONE + "logging: {log_level: error, format: json}")
        log, _ = list(IService(application))
        self.assertEqual((log.observer.level, log.observer.spell([("a", 1)])), ("error", '{"a":1}'))

    def test_file(self) -> None:
        """With a log file configured the service writes it, and nothing is written elsewhere."""
        application, service = self.application(ONE + "logging: {log_file: /var/log/t.log}")
        self.assertEqual(list(IService(application)), [service])
        observer = application.getComponent(ILogObserver)
        self.assertIsNone(observer({"log_level": LogLevel.critical}))
