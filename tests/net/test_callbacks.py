"""Tests of L{trickster.net.callbacks}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.net.callbacks import ignore


class IgnoreTests(SynchronousTestCase):
    """A callback that ignores what it is called with."""

    def test_anything(self) -> None:
        """Any arguments are taken, and None is returned."""
        for told in ((), ("event",), ("get", "hit", 3)):
            self.assertIsNone(ignore(*told))  # type: ignore[func-returns-value]
