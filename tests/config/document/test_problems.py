"""Tests of L{trickster.config.document.problems}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.problems import (
    Place,
    Problems,
    Text,
    containers,
    meant,
    one_of,
    shown,
)
from trickster.errors import ConfigurationError


class ProblemsTests(SynchronousTestCase):
    """Problems are collected."""

    def test_none(self) -> None:
        """A collection without problems raises nothing."""
        problems = Problems()
        problems.raise_any()
        self.assertFalse(problems)

    def test_order(self) -> None:
        """Problems come in the order of the file, each once."""
        problems = Problems()
        for line in (3, 1, 3):
            problems.add(Place("f", line, 2), "a.b", "is wrong")
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertEqual(error.problems, ("f:1:2: a.b: is wrong", "f:3:2: a.b: is wrong"))
        self.assertTrue(problems)

    def test_one_line(self) -> None:
        """Each problem and each remark is one line, also where names have line ends."""
        problems = Problems({"a\nb": Place("f", 1, 1)})
        problems.add(Place("f", 1, 2), "a\nb", "/x\r\x1b[31m is said already")
        problems.remark("a\nb", "is of no use\u2028here")
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertEqual(error.problems, ("f:1:2: a\\nb: /x\\r\\x1b[31m is said already",))
        self.assertEqual(problems.remarks, ["f:1:1: a\\nb is of no use\\u2028here"])

    def test_places(self) -> None:
        """A problem of a key that is not in the file has the place of the block around the key."""
        problems = Problems({"a": Place("f", 1, 1), "a.b[2]": Place("f", 2, 1)})
        self.assertEqual(problems.place_of("a.b[2].c"), Place("f", 2, 1))
        self.assertEqual(problems.place_of("a.b[3].c"), Place("f", 1, 1))
        self.assertEqual(str(problems.place_of("z")), "configuration")

    def test_unread(self) -> None:
        """A value that could not be read has one problem; its neighbours have theirs."""
        problems = Problems()
        problems.unread(Place("f", 1, 1), "a.b", "is no number")
        problems.at("a.b", "is odd")
        problems.at("a.b.c", "is odd")
        problems.at("a.bc", "is odd")
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertEqual(error.problems, ("configuration: a.bc: is odd", "f:1:1: a.b: is no number"))

    def test_spellings(self) -> None:
        """A path is reported as it is spelled in the file."""
        problems = Problems(spellings={"backends": "origins", "backends.a.provider": "x.y"})
        self.assertEqual(problems.spelled("backends.a.b"), "origins.a.b")
        self.assertEqual(problems.spelled("backends.a.provider"), "x.y")
        self.assertEqual(problems.spelled("backendsish"), "backendsish")


class WordTests(SynchronousTestCase):
    """Phrases of which problems are made."""

    def test_containers(self) -> None:
        """The paths that contain a path are given from the nearest on."""
        self.assertEqual(list(containers("a.b[0].c")), ["a.b[0].c", "a.b[0]", "a.b", "a", ""])

    def test_near_names(self) -> None:
        """A near name is offered, in either case; a far one is not."""
        self.assertEqual(meant("TIMEOUTS", ["timeout", ""]), "; did you mean 'timeout'?")
        self.assertEqual(meant("xyz", ["timeout"]), "")

    def test_lists(self) -> None:
        """Long lists are cut; empty ones and empty names can be seen."""
        self.assertEqual(one_of([]), "(none)")
        self.assertEqual(one_of(["", "a"]), "'', a")
        self.assertTrue(one_of(str(n) for n in range(99)).endswith("39, ..."))

    def test_shown(self) -> None:
        """Texts are quoted, short and without passwords."""
        self.assertEqual(shown("a\nb"), "'a\\nb'")
        self.assertEqual(len(shown("x" * 500)), 65)
        self.assertNotIn("hunter2", shown("http://joe:hunter2@h"))


class ManyTests(SynchronousTestCase):
    """The number of problems that are listed is bounded."""

    def test_bounded(self) -> None:
        """The first problems of a file are listed, with the number of the others."""
        asked: list[int] = []

        def saying(number: int) -> Text:
            def said() -> str:
                asked.append(number)
                return f"problem {number}"
            return said

        problems = Problems()
        for number in range(5000, 0, -1):
            problems.add(Place("f", number, 1), "a", saying(number))
        told = self.assertRaises(ConfigurationError, problems.raise_any).problems
        self.assertEqual((len(told), told[0], told[-1]),
                         (101, "f:1:1: a: problem 1", "... and 4900 more"))
        self.assertLessEqual(len(asked), 200)

    def test_same(self) -> None:
        """Equal problems count once."""
        problems = Problems()
        for number in range(150):
            problems.add(Place("f", number // 3 + 1, 1), "a", "wrong")
        told = self.assertRaises(ConfigurationError, problems.raise_any).problems
        self.assertEqual(len(told), 50)

    def test_long(self) -> None:
        """A long text is not shown at all: a part of it could be a part of a secret."""
        self.assertEqual(shown("x" * 5000), "a text of 5000 characters")
        self.assertEqual(meant("x" * 5000, ["x" * 4999]), "")
