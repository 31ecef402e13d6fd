"""Tests of L{trickster.config.document.tree}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.problems import Place
from trickster.config.document.tree import Entry, Listing, Scalar, Table, is_null, with_value

PLACE = Place("t.yaml", 1, 1)


class NullTests(SynchronousTestCase):
    """Keys without a value."""

    def test_null(self) -> None:
        """YAML's nulls alone are null; neither an empty text nor an empty list is."""
        for kind in ("null", "str", "int"):
            self.assertEqual(is_null(Scalar("", kind, PLACE)), kind == "null")
        self.assertFalse(is_null(Table({}, PLACE)) or is_null(Listing((), PLACE)))


class WithValueTests(SynchronousTestCase):
    """A tree is copied with one value replaced."""

    def test_made(self) -> None:
        """Missing mappings on the way to the value are made, with the value's place."""
        value = Scalar("x", "str", PLACE)
        tree = with_value(Table({}, PLACE), ("a", "b"), value)
        self.assertEqual(tree, Table({"a": Entry(PLACE, Table(
            {"b": Entry(PLACE, value)}, PLACE))}, PLACE))

    def test_beside(self) -> None:
        """Values beside the replaced one stay, and the tree before is unchanged."""
        one, other = Scalar("1", "int", PLACE), Scalar("2", "int", PLACE)
        before = Table({"a": Entry(PLACE, one), "b": Entry(PLACE, one)}, PLACE)
        after = with_value(before, ("a",), other)
        self.assertEqual([entry.value for entry in after.entries.values()], [other, one])
        self.assertEqual([entry.value for entry in before.entries.values()], [one, one])

    def test_no_mapping(self) -> None:
        """A value on the way that is no mapping is replaced by one."""
        value = Scalar("x", "str", PLACE)
        before = Table({"a": Entry(PLACE, value)}, PLACE)
        after = with_value(before, ("a", "b"), value)
        self.assertIsInstance(after.entries["a"].value, Table)
