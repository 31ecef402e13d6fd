"""Tests of L{trickster.cacheclient.command}."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from trickster.cacheclient.asking import NoAnswer
from trickster.cacheclient.command import cache_main
from trickster.cacheclient.words import Question
from trickster.console import main

BACKENDS = "backends: {x: {provider: reverseproxycache, origin_url: 'http://h'}}\n"


class CommandTests(SynchronousTestCase):
    """The command, and how it ends."""

    def run_main(self, *words: str, answer: str | Exception = "a table\n"
                 ) -> tuple[int, str, str, list[Question]]:
        """:return: exit status, standard output and error, and what was asked."""
        asked: list[Question] = []

        def told(question: Question) -> str:
            asked.append(question)
            if isinstance(answer, Exception):
                raise answer
            return answer

        out, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", errors)
        return cache_main(words, {}, told), out.getvalue(), errors.getvalue(), asked

    def file(self, text: str) -> str:
        """:return: the path of a configuration."""
        path = Path(self.mktemp())
        path.write_text(BACKENDS + text)
        return str(path)

    def test_shown(self) -> None:
        """An answer is shown, and the status is 0."""
        status, out, errors, _ = self.run_main("ls")
        self.assertEqual((status, out, errors), (0, "a table\n", ""))

    def test_failed(self) -> None:
        """Where the answer is no, the reason goes to standard error, and the status is 1."""
        status, out, errors, _ = self.run_main("ls", answer=NoAnswer("it is down"))
        self.assertEqual((status, out, errors), (1, "", "trickster cache: it is down\n"))

    def test_misuse(self) -> None:
        """Misuse is told in two lines, and the status is 2."""
        status, out, errors, asked = self.run_main("frob")
        self.assertEqual((status, out, asked), (2, "", []))
        self.assertRegex(errors, r"^trickster cache: .*\nTry 'trickster cache --help'\.\n$")

    def test_configuration(self) -> None:
        """A configuration file says where the listener is."""
        for text, place in (("", "http://127.0.0.1:8484"),
                            ("listeners: {mgmt: {port: 9000}}", "http://127.0.0.1:9000"),
                            ("listeners: {mgmt: {address: '::1', port: 9000}}", "http://[::1]:9000")):
            _, _, _, asked = self.run_main("ls", "-config", self.file(text))
            self.assertEqual([each.place for each in asked], [place])

    def test_bad_configuration(self) -> None:
        """A file that cannot be used, or has no such listener, is told."""
        for path, word in (("/no/such/file", "no such file"), (self.file("backens: 5"), "backens"),
                           (self.file("listeners: {mgmt: {port: 0}}"), "no mgmt listener")):
            status, _, errors, asked = self.run_main("ls", "-config", path)
            self.assertEqual((status, asked), (1, []))
            self.assertIn(word, errors)

    def test_help(self) -> None:
        """Help and version are shown, and the status is 0."""
        for words, word in ((("--help",), "ls|show|purge"), (("show", "--help"), "show [options] CACHE"),
                            (("--version",), "trickster "), (("ls", "--version"), "trickster ")):
            out = StringIO()
            self.patch(sys, "stdout", out)
            with self.assertRaises(SystemExit) as caught:
                cache_main(words, {})
            self.assertFalse(caught.exception.code)
            self.assertIn(word, out.getvalue())

    def test_console(self) -> None:
        """It is a word of the console command, and changes none of its flags."""
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        self.assertEqual(main(["cache"], {}), 2)
        self.assertIn("ls, show and purge", errors.getvalue())
