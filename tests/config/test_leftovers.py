"""Tests of C{trickster.config.leftovers}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.settings import keys_of
from trickster.config.leftovers import LEFTOVERS, MOVED
from trickster.config.options.model import Configuration


class LeftoverTests(SynchronousTestCase):
    """Keys of the original's files that it does not know."""

    def test_meant(self) -> None:
        """A leftover key is no key of its block: it is read as one that is, or explained."""
        for block, leftovers in LEFTOVERS.items():
            known = {key.name for key in keys_of(block)}
            for name, leftover in leftovers.items():
                self.assertNotIn(name, known)
                self.assertTrue(leftover.meant in known if leftover.meant else leftover.text)

    def test_moved(self) -> None:
        """A block that has moved is read at another block of the configuration."""
        blocks = {key.name for key in keys_of(Configuration)}
        for old, new in MOVED.items():
            self.assertNotEqual(old, new)
            self.assertIn(new[0], blocks)
