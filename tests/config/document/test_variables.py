"""Tests of C{trickster.config.document.variables}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.variables import Substituted, has_variable, substituted, unset


class VariableTests(SynchronousTestCase):
    """C{${NAME}} in values."""

    def test_found(self) -> None:
        """Only a name in braces is a variable; the parts of a hash are none."""
        for text in ("${A}", "x${_b1}y"):
            self.assertTrue(has_variable(text), text)
        for text in ("", "$A", "$2b$10$abc", "${}", "${1A}", "${A-x}", "${A"):
            self.assertFalse(has_variable(text), text)

    def test_unset(self) -> None:
        """The first variable that is not set is named; one that is empty is set."""
        self.assertEqual(unset("${A}${B}${C}", {"A": ""}), "B")
        self.assertEqual(unset("${A}", {"A": ""}), "")

    def test_substituted(self) -> None:
        """Values take the places of the variables, and what was written is known."""
        text = substituted("a-${A}-${B}-${A}", {"A": "1", "B": "${A}"})
        assert isinstance(text, Substituted)
        self.assertEqual((text, text.written), ("a-1-${A}-1", "a-${A}-${B}-${A}"))

    def test_plain(self) -> None:
        """A text without variables is the very text."""
        text = "no $variables"
        self.assertIs(substituted(text, {}), text)
