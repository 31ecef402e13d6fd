"""Tests of L{trickster.net.callbacks}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.net.callbacks import ignore


class IgnoreTests(SynchronousTestCase):
    """Of no interest."""

    def test_anything(self) -> None:
        """Whatever is told is taken, and nothing is answered."""
        for told in ((), ("event",), ("get", "hit", 3)):
            self.assertIsNone(ignore(*told))  # type: ignore[func-returns-value]
