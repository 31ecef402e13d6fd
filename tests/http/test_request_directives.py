"""What clients' requests want of a cache."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.caching.objectworld import SlowBody, fields
from trickster.http.request_directives import heeded, is_more_than_reading, wished
from trickster.messages import Octets, Request


class WishTests(SynchronousTestCase):
    """Directives of requests."""

    def test_pragma(self) -> None:
        """It counts only where there is no Cache-Control (RFC 9111 section 5.4)."""
        self.assertIn(b"no-cache", wished(fields(Pragma="No-Cache")))
        self.assertNotIn(b"no-cache", wished(fields(Pragma="no-cache", Cache_Control="x")))
        self.assertNotIn(b"no-cache", wished(fields(Pragma="foo")))

    def test_heeded(self) -> None:
        """By default only a wish for a fresh answer is, which no-store is too."""
        for said, expected in (
                ("no-cache", {b"no-cache"}), ("NO-STORE", {b"no-cache", b"no-store"}),
                ("max-age=0, no-cache", {b"no-cache"}), ('x="a, b"\nno-cache', {b"no-cache"}),
                ("max-age=0", set()), ('x="no-cache"', set()), ("private", set()), ("", set())):
            self.assertEqual(heeded(fields(Cache_Control=said), False).values.keys(), expected)
        self.assertEqual(heeded(fields(Pragma="no-cache"), False).values.keys(), {b"no-cache"})
        self.assertEqual(heeded(fields(), True).values, {})

    def test_heeded_in_full(self) -> None:
        """Else all are, as they are said."""
        self.assertEqual(heeded(fields(Cache_Control="no-store, max-age=3"), True).values,
                         {b"no-store": (None,), b"max-age": (b"3",)})


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
