"""Tests of C{trickster.remembering}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.remembering import remembered


class RememberedTests(SynchronousTestCase):
    """A function of texts, called again."""

    def setUp(self) -> None:
        self.calls: list[tuple[str, ...]] = []

        @remembered(most=2, longest=10)
        def joined(*texts: str) -> str:
            self.calls.append(texts)
            return "".join(texts)

        self.joined = joined

    def test_once(self) -> None:
        """The same short texts are worked on once."""
        self.assertEqual([self.joined("a", "b"), self.joined("a", "b")], ["ab", "ab"])
        self.assertEqual(len(self.calls), 1)

    def test_long_texts(self) -> None:
        """Long texts, all together, are worked on each time."""
        for _ in range(2):
            self.joined("12345", "678901")
        self.assertEqual(len(self.calls), 2)

    def test_many(self) -> None:
        """Only so many calls are remembered."""
        for text in "abca":
            self.joined(text)
        self.assertEqual(len(self.calls), 4)
