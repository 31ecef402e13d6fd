"""Tests of L{trickster.objects.requests}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import SlowBody, fields
from trickster.messages import Octets, Request
from trickster.objects.requests import is_more_than_reading


class ReadingTests(SynchronousTestCase):
    """What no stored answer can be an answer to."""

    def test_bodies(self) -> None:
        """A request with a body, however long that is."""
        for body, expected in ((Octets(), False), (Octets(b"x"), True), (SlowBody(), True),
                               (SlowBody(3), True)):
            self.assertIs(is_more_than_reading(Request(b"GET", b"/", body=body)), expected)

    def test_upgrades(self) -> None:
        """One that would change the protocol to another than HTTP/2."""
        for said, expected in (("websocket", True), ("h2c, x", True), (" H2C ", False)):
            self.assertIs(is_more_than_reading(
                Request(b"GET", b"/", fields(Upgrade=said))), expected)
