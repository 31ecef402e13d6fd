"""Tests of L{trickster.config.document.reading}."""

from __future__ import annotations

from typing import Any, Literal

from attrs import Factory, field, frozen
from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.parsing import read_yaml
from trickster.config.document.problems import Problems
from trickster.config.document.reading import Reader, items_at
from trickster.config.document.settings import later, setting
from trickster.errors import ConfigurationError


@frozen
class Inner:
    """A block."""

    size: int = setting(1, "", unit="size")
    name: str = setting("", "", hidden=True)


@frozen
class Outer:
    """One key of each kind."""

    text: str = "default"
    flag: bool = False
    count: int = setting(1, "", minimum=1, maximum=9)
    loose: int = 0
    ratio: float = setting(0.5, "", maximum=1)
    wait: float = setting(1.0, "", unit="duration")
    mode: str = setting("slow", "", choices=("slow", "fast"))
    kind: Literal["a", "b"] = "a"
    maybe: int | None = None
    words: tuple[str, ...] = ()
    grid: tuple[tuple[str, ...], ...] = ()
    unique: frozenset[str] = frozenset()
    many: list[int] = Factory(list)
    table: dict[str, str] = Factory(dict)
    waits: dict[str, dict[str, float]] = setting(Factory(dict), "", unit="duration")
    inner: Inner = Inner()
    perhaps: Inner | None = None
    inners: dict[str, Inner] = Factory(dict)
    listed: tuple[Inner, ...] = setting((), "", named=True)
    anything: Any = None
    password: str = setting("", "", secret=True, choices=("", "sesame"))
    someday: Inner = later(Inner(), "")
    made: str = setting("", "", hidden=True)


@frozen
class Picky:
    """Options with a validator of their own."""

    even: int = field(default=0)

    @even.validator
    def _is_even(self, attribute: object, value: int) -> None:
        if value % 2:
            raise ValueError("even must be even")


def read(text: str, options: type = Outer) -> tuple[Any, Problems]:
    """:return: what was read, and what was told."""
    problems = Problems()
    tree = read_yaml(text.encode(), "f", problems)
    assert tree is not None
    return Reader(problems).block(options, tree, ""), problems


class ReadTests(SynchronousTestCase):
    """Values that fit their keys."""

    def assertRead(self, yaml: str, **expected: object) -> None:
        """The text is read as options with these values, without a problem."""
        options, problems = read(yaml)
        problems.raise_any()
        self.assertEqual(options, Outer(**expected))  # type: ignore[arg-type]

    def test_defaults(self) -> None:
        """Keys that are not given, or null, have their defaults."""
        self.assertRead("")
        self.assertRead("{text: , count: ~, words: null, inner: , waits: }")

    def test_scalars(self) -> None:
        """Each type of scalar is read from the values that YAML has for it."""
        self.assertRead("{text: 5, flag: on, count: 9, loose: -1_000, ratio: 1, wait: 1h30m}",
                        text="5", flag=True, count=9, loose=-1000, ratio=1.0, wait=5400.0)
        self.assertRead("{text: off, flag: No, wait: 0, maybe: 0}", text="off", wait=0.0, maybe=0)

    def test_choices(self) -> None:
        """Choices are compared without case, and come in their own spelling."""
        self.assertRead("{mode: FAST, kind: b}", mode="fast", kind="b")

    def test_collections(self) -> None:
        """Lists and mappings are read into what the options class asks for."""
        self.assertRead("{words: [a, 5], grid: [[a], [b, c]], unique: [x, x], many: [1, 2]}",
                        words=("a", "5"), grid=(("a",), ("b", "c")), unique=frozenset("x"),
                        many=[1, 2])
        self.assertRead("{table: {on: 1}}", table={"on": "1"})
        self.assertRead("{waits: {x: {404: 3s}, y: }}", waits={"x": {"404": 3.0}, "y": {}})

    def test_blocks(self) -> None:
        """Blocks are read in place, in mappings, in lists and in named lists."""
        big, two = Inner(size=1 << 20), Inner(size=2)
        self.assertRead("{inner: {size: 1MiB}, perhaps: {}, inners: {a: {size: 2}, b: }}",
                        inner=big, perhaps=Inner(), inners={"a": two, "b": Inner()})
        self.assertRead("listed: [{size: 2}, {size: 1MiB}]", listed=(two, big))
        self.assertRead("listed: {n: {size: 2}}", listed=(Inner(size=2, name="n"),))

    def test_anything(self) -> None:
        """A key of any type gets what YAML makes of the value."""
        self.assertRead("anything: {a: [1, 2.5, true, x, ~, .inf]}",
                        anything={"a": [1, 2.5, True, "x", None, ".inf"]})

    def test_unused_keys(self) -> None:
        """Keys that are not yet effective are remembered, once for a whole block."""
        _, problems = read("someday: {size: 5}")
        self.assertEqual(problems.unused, ["someday"])


class ProblemTests(SynchronousTestCase):
    """Values that do not fit their keys."""

    def assertProblem(self, text: str, expected: str) -> None:
        """Exactly this problem is told, and the key keeps its default."""
        _, problems = read(text)
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertEqual(error.problems, (expected,))

    def test_unknown_key(self) -> None:
        """An unknown key is reported with a near name, or with all known ones."""
        self.assertProblem("texd: x", "f:1:1: texd: unknown key; did you mean 'text'?")
        self.assertProblem("inner: {weight: 1}",
                           "f:1:9: inner.weight: unknown key; expected one of size")

    def test_hidden_key(self) -> None:
        """A key that the loader fills in cannot be given in a file."""
        self.assertProblem("inner: {name: x}",
                           "f:1:9: inner.name: unknown key; expected one of size")

    def test_wrong_shape(self) -> None:
        """A list, a mapping and a single value are not one another."""
        self.assertProblem("text: [a]", "f:1:7: text: a list is given; expected a text")
        self.assertProblem("words: a", "f:1:8: words: a single value is given; expected a list, "
                           "such as [a, b]")
        self.assertProblem("words: {a: b}", "f:1:8: words: a mapping is given; expected a list, "
                           "such as [a, b]")
        self.assertProblem("inner: 5",
                           "f:1:8: inner: a single value is given; expected a mapping of keys")
        self.assertProblem("inners: {a: [1]}",
                           "f:1:13: inners.a: a list is given; expected a mapping of keys")

    def test_numbers(self) -> None:
        """A value that is no whole number, or out of range, is refused with the range."""
        expected = "expected a whole number from 1 to 9"
        self.assertProblem("count: x", f"f:1:8: count: 'x' is not a whole number; {expected}")
        self.assertProblem("count: 1.5", f"f:1:8: count: '1.5' is not a whole number; {expected}")
        self.assertProblem("count: 0x5", f"f:1:8: count: '0x5' is not a whole number; {expected}")
        self.assertProblem("count: 1:30",
                           f"f:1:8: count: '1:30' is not a whole number; {expected}")
        self.assertProblem("count: 010", f"f:1:8: count: '010' is not a whole number; {expected}")
        self.assertProblem("count: true",
                           f"f:1:8: count: 'true' is not a whole number; {expected}")
        self.assertProblem("count: 10", "f:1:8: count: 10 is out of range; expected from 1 to 9")
        self.assertProblem("ratio: .nan",
                           "f:1:8: ratio: '.nan' is not a number; expected a number at most 1")
        self.assertProblem("ratio: 2.5",
                           "f:1:8: ratio: 2.5 is out of range; expected at most 1")

    def test_quoted_number(self) -> None:
        """A number in quotes is refused with the fix."""
        self.assertProblem(
            "count: '5'", "f:1:8: count: '5' is not a whole number; "
            "expected a whole number from 1 to 9; write 5 without quotes")

    def test_switches(self) -> None:
        """Only YAML's own switches are true or false."""
        self.assertProblem(
            "flag: 1", "f:1:7: flag: '1' is not true or false; expected true or false")
        self.assertProblem(
            "flag: 'yes'", "f:1:7: flag: 'yes' is not true or false; "
            "expected true or false (without quotes)")

    def test_units(self) -> None:
        """Durations need a unit; neither they nor sizes can be negative."""
        self.assertProblem("wait: 15", "f:1:7: wait: 15 has no unit; for seconds write 15s")
        self.assertProblem("wait: -1s", "f:1:7: wait: -1s is out of range; expected at least 0s")
        self.assertProblem("inner: {size: -1}",
                           "f:1:15: inner.size: -1 is out of range; expected at least 0")

    def test_choices(self) -> None:
        """An impossible choice is refused with the possible ones and a near one."""
        self.assertProblem("mode: fist", "f:1:7: mode: 'fist' is not possible; "
                           "expected one of slow, fast; did you mean 'fast'?")
        self.assertProblem("kind: z",
                           "f:1:7: kind: 'z' is not possible; expected one of a, b")

    def test_missing_value(self) -> None:
        """A null inside a mapping or a list stands for nothing that could be used."""
        self.assertProblem("table: {a: }", "f:1:9: table.a: no value is given")
        self.assertProblem("words: [~]",
                           "f:1:9: words[0]: no value is given; expected a text")

    def test_secrets(self) -> None:
        """
        A secret is not shown, even when it is wrong; nor is what stands where a mapping or a
        list should, since that may be one as well.
        """
        self.assertProblem("password: hunter2", "f:1:11: password: the value is not possible; "
                           "expected one of '', sesame")
        for text in ("words: hunter2", "inner: hunter2", "table: hunter2"):
            error = self.assertRaises(ConfigurationError, read(text)[1].raise_any)
            self.assertNotIn("hunter2", error.problems[0])

    def test_units_in_keys(self) -> None:
        """A key of the first generation, which names the unit, is reported by its present name."""
        self.assertProblem("wait_secs: 60", "f:1:1: wait_secs: unknown key; write wait, with the "
                           "unit in the value, such as 60s")
        self.assertProblem("wait_ms: 60", "f:1:1: wait_ms: unknown key; write wait, with the "
                           "unit in the value, such as 250ms")

    def test_all_at_once(self) -> None:
        """All problems of a file are reported at once, at any depth."""
        _, problems = read("{count: x, listed: [{size: -1}, {sise: 2}], waits: {a: {b: 5}}}")
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertEqual([line.split(": ")[1] for line in error.problems],
                         ["count", "listed[0].size", "listed[1].sise", "waits.a.b"])

    def test_own_validator(self) -> None:
        """The error of an options class's own validator is reported at its block."""
        options, problems = read("even: 3", Picky)
        self.assertEqual(options, Picky())
        error = self.assertRaises(ConfigurationError, problems.raise_any)
        self.assertIn("even must be even", error.problems[0])


class ItemsTests(SynchronousTestCase):
    """The paths of items in lists."""

    def test_paths(self) -> None:
        """An item has the path by which the reader has noted its place, named or not."""
        for text in ("listed: [{size: 1}, {size: 2}]", "listed: {a: {size: 1}, b: {size: 2}}"):
            options, problems = read(text)
            found = dict(items_at("listed", options.listed))
            self.assertEqual([each.size for each in found.values()], [1, 2])
            self.assertEqual(set(found), set(problems.places) & set(found))
