"""Tests of L{trickster.console}."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded
from trickster.config.model import Configuration, LoggingOptions, MainOptions
from trickster.console import log_file, main
from trickster.tap import Options


class MainTests(SynchronousTestCase):
    """The command."""

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
        """Misuse is told in two lines, on standard error, and nothing runs."""
        for words in (["-frob"], ["word"], ["-config"]):
            status, errors, ran = self.run_main(*words)
            self.assertEqual((status, ran), (2, []))
            self.assertRegex(errors, r"^trickster: .*\nTry 'trickster --help'\.\n$")

    def test_missing_file(self) -> None:
        """A file that is not there ends it with the reason."""
        status, _, ran = self.run_main("-config", "/no/such/file.yaml")
        self.assertEqual((status, ran), ("/no/such/file.yaml: no such file", []))

    def test_bad_file(self) -> None:
        """A bad file ends it with its problems; validation says the same."""
        path = Path(self.mktemp())
        path.write_text("backens: {}\n")
        for words in ([f"-config={path}"], ["--config", str(path), "-validate-config"]):
            status, _, ran = self.run_main(*words)
            self.assertIn(f"{path}:1:1: backens: unknown key; did you mean 'backends'?",
                          str(status))
            self.assertEqual(ran, [])

    def test_version(self) -> None:
        """The version ends it well."""
        for word in ("-version", "--version"):
            self.assertEqual(self.run_main(word), (0, "", []))


class LogFileTests(SynchronousTestCase):
    """Where the log goes."""

    def of(self, path: str, instance: int) -> str:
        """:return: the file for that path and number."""
        configuration: Configuration = evolve(
            loaded(ONE), logging=LoggingOptions(log_file=path),
            main=MainOptions(instance_id=instance))
        return log_file(configuration)

    def test_standard_output(self) -> None:
        """Without a file it is standard output, whatever the number."""
        self.assertEqual([self.of("", 0), self.of("", 3)], ["-", "-"])

    def test_numbered(self) -> None:
        """The number of the instance goes before the suffix."""
        self.assertEqual(self.of("/var/log/t.log", 0), "/var/log/t.log")
        self.assertEqual(self.of("/var/log/t.log", 3), "/var/log/t.3.log")
        self.assertEqual(self.of("/var/log/t", 3), "/var/log/t.3.log")
