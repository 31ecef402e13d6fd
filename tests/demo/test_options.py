"""Tests of the demonstration's command line."""

from __future__ import annotations

import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from demo.options import Options, read_options


class OptionsTests(SynchronousTestCase):
    """Arguments and environment of the demonstration."""

    def refused(self, *arguments: str, **environment: str) -> None:
        """Assert that the user is told something, and that it ends."""
        said = StringIO()
        self.patch(sys, "stderr", said)
        error = self.assertRaises(SystemExit, read_options, arguments, environment)
        self.assertEqual(error.code, 2)
        named = [*environment, *(word.partition("=")[0].lstrip("-") for word in arguments)]
        self.assertIn(named[0], said.getvalue())

    def test_usual(self) -> None:
        """
        Without arguments the demonstration runs until Ctrl-C, on free ports, with six hours at 15
        s.
        """
        options = read_options([], {})
        self.assertEqual(options, Options())
        self.assertEqual((options.seconds, options.port, options.span, options.step),
                         (None, 0, 21_600, 15))

    def test_arguments(self) -> None:
        """Each option can be given as an argument."""
        line = ("--seconds 20 --port 8480 --origin-port 9090 --refresh 0.5 --refreshes 3 "
                "--span 600 --step 5")
        self.assertEqual(read_options(line.split(), {}),
                         Options(20.0, 8480, 9090, 0.5, 3, 600, 5))

    def test_environment(self) -> None:
        """C{SECONDS} sets the duration unless an argument does; an empty one sets none."""
        self.assertEqual(read_options([], {"SECONDS": "7"}).seconds, 7.0)
        self.assertEqual(read_options(["--seconds", "8"], {"SECONDS": "7"}).seconds, 8.0)
        self.assertIsNone(read_options([], {"SECONDS": ""}).seconds)

    def test_refused(self) -> None:
        """Arguments that make no sense are refused."""
        for name, value in (("seconds", "0"), ("seconds", "x"), ("seconds", "nan"),
                            ("seconds", "inf"), ("port", "-1"), ("port", "70000"),
                            ("refresh", "-1"), ("refreshes", "0"), ("step", "0"),
                            ("span", "1.5"), ("nothing", "1")):
            self.refused(f"--{name}={value}")

    def test_refused_environment(self) -> None:
        """An environment that makes no sense is refused."""
        self.refused(SECONDS="soon")
