"""What clients' requests want of a cache."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.caching.objectworld import SlowBody, fields
from trickster.caching.wishes import is_more_than_reading, purges, wished
from trickster.messages import Octets, Request


class WishTests(SynchronousTestCase):
    """Directives of requests."""

    def test_pragma(self) -> None:
        """It counts only where there is no Cache-Control (RFC 9111 section 5.4)."""
        self.assertIn(b"no-cache", wished(fields(Pragma="No-Cache")))
        self.assertNotIn(b"no-cache", wished(fields(Pragma="no-cache", Cache_Control="x")))
        self.assertNotIn(b"no-cache", wished(fields(Pragma="foo")))

    def test_purges(self) -> None:
        """Whatever says that no stored answer is wanted."""
        for said in ("no-cache", "NO-STORE", "max-age=0, private", 'x="a, b"\nno-cache'):
            self.assertTrue(purges(fields(Cache_Control=said)), said)
        for said in ("max-age=0", 'x="no-cache"', "nothing", ""):
            self.assertFalse(purges(fields(Cache_Control=said)), said)
        self.assertFalse(purges(fields()))


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
