"""Tests of L{trickster.promql.tokens}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.promql.tokens import Unreadable, Words, tokens


def words(text: str) -> Words:
    """:return: the words of a text."""
    return Words(tokens(text)[0])


class TokensTests(SynchronousTestCase):
    """An expression is cut into words."""

    def test_kinds(self) -> None:
        """Space is left out, comments stand apart, and each word knows its place."""
        found, comments = tokens("a:b >= 'x y' # why\n5m * 1e3")
        self.assertEqual([tuple(word) for word in found], [
            ("word", "a:b", 0), ("mark", ">=", 4), ("string", "'x y'", 7), ("duration", "5m", 19),
            ("mark", "*", 22), ("number", "1e3", 24)])
        self.assertEqual([comments, found[2].end], [["# why"], 12])

    def test_unknown(self) -> None:
        """Text that is no word of PromQL, or too long, is unreadable."""
        for text, most in (("a ? b", 9), ("a b c", 2), ("'a", 9)):
            with self.assertRaises(Unreadable):
                tokens(text, most)


class WordsTests(SynchronousTestCase):
    """Words are taken one after the other."""

    def test_taken(self) -> None:
        """The next two words can be seen ahead; after the last one the end comes repeatedly."""
        found = words("a (")
        self.assertEqual((found.next.text, found.second.text), ("a", "("))
        self.assertEqual((found.take().text, found.last_end), ("a", 1))
        self.assertEqual((found.next.text, found.second.kind), ("(", "end"))
        found.take()
        found.expect_end()
        for _ in range(2):
            self.assertEqual(found.next.kind, "end")
            with self.assertRaises(Unreadable):
                found.take()

    def test_eaten(self) -> None:
        """A word is eaten in any case of its letters; a string is none, whatever is in it."""
        found = words("OFFSET 'by' by")
        self.assertEqual((found.eats("by", "offset"), found.eats("by")), ("offset", ""))
        self.assertEqual((found.take().kind, found.eats("by"), found.eats("by")),
                         ("string", "by", ""))

    def test_expected(self) -> None:
        """A word other than the expected one is unreadable, and is not taken."""
        found = words("a")
        with self.assertRaises(Unreadable):
            found.expect("(")
        with self.assertRaises(Unreadable):
            found.expect_end()
        found.expect("a")

    def test_brackets(self) -> None:
        """Brackets are passed over to the one that closes the first, strings as a whole."""
        found = words("[a(b{c=')'})] d")
        found.skip_brackets()
        self.assertEqual((found.last_end, found.next.text), (13, "d"))
        for text in ("[a(]", "[a)", "(a", "("):
            with self.assertRaises(Unreadable):
                words(text).skip_brackets()
