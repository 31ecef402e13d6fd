"""Tests for protocol upgrades through L{trickster.frontend.exchange}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.frontend.connection import Connection, get
from trickster.errors import UpstreamBroke
from trickster.messages import Headers, Response
from trickster.testing.bodies import PausedDuplex
from trickster.testing.doubles import PausedOrigin, RecordingResponder

UPGRADE = get(b"/chat", b"Connection: Upgrade", b"Upgrade: websocket")


class TunnelTests(SynchronousTestCase):
    """RFC 9110 section 7.8: after a 101, octets go both ways."""

    def setUp(self) -> None:
        self.far = PausedDuplex()
        headers = Headers(((b"Upgrade", b"websocket"), (b"Sec-WebSocket-Accept", b"x")))
        self.connection = Connection(RecordingResponder.of(Response(101, headers, self.far)))

        self.addCleanup(self.connection.leave)

    def open(self, extra: bytes = b"") -> bytes:
        return self.connection.exchange(UPGRADE + extra)

    def test_head(self) -> None:
        """The client gets a 101 that names the protocol."""
        head = self.open()
        self.assertTrue(head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        for line in (b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: x"):
            self.assertEqual(head.count(line + b"\r\n"), 1)

    def test_both_ways(self) -> None:
        """Octets pass through a tunnel in both directions unchanged."""
        self.open()
        self.connection.send(b"\x00up", b"more")
        self.far.feed(b"down\x00")
        self.assertEqual((self.far.written, self.connection.received()),
                         ([b"\x00up", b"more"], b"down\x00"))

    def test_early_octets(self) -> None:
        """What the client sent with its request belongs to the tunnel."""
        self.open(b"early")
        self.assertEqual(self.far.written, [b"early"])

    def test_before_the_request_ends(self) -> None:
        """Where the body of the request is still on its way, what follows is no tunnel's."""
        upload = UPGRADE.replace(b"GET", b"POST").replace(b"Host: h", b"Host: h\r\nContent-Length: 4")
        received = self.connection.exchange(upload + b"ab")
        self.assertTrue(received.startswith(b"HTTP/1.1 502 "))
        self.connection.send(b"cd", b"more")
        self.assertEqual(self.far.written, [])
        self.assertTrue(self.far.is_closed)

    def test_after_the_request(self) -> None:
        """The body of the request is none of the tunnel's octets."""
        upload = UPGRADE.replace(b"GET", b"POST").replace(b"Host: h", b"Host: h\r\nContent-Length: 4")
        self.assertTrue(self.connection.exchange(upload + b"abcdmore").startswith(b"HTTP/1.1 101 "))
        self.assertEqual(self.far.written, [b"more"])

    def test_aborted_meanwhile(self) -> None:
        """An upgrade for a connection that was just reset is given back to the origin."""
        for reset in ("readConnectionLost", "abort"):
            origin, far = PausedOrigin(), PausedDuplex()
            connection = Connection(origin)
            connection.send(UPGRADE)
            getattr(connection.channel, reset)()
            origin.asked[0].answer(Response(101, Headers(((b"Upgrade", b"websocket"),)), far))
            self.assertTrue(far.is_closed)
            self.assertEqual((connection.received(), connection.ending), (b"", "aborted"))
            connection.leave()
            self.assertEqual(connection.clock.getDelayedCalls(), [])

    def test_back_pressure_up(self) -> None:
        """While the far end takes no more, the client is not read from."""
        self.open()
        self.far.full = Deferred()
        self.connection.send(b"a", b"x" * 65536)
        self.assertTrue(self.connection.is_reading)
        self.connection.send(b"y")
        self.assertFalse(self.connection.is_reading)
        full, self.far.full = self.far.full, None
        full.callback(None)
        self.assertTrue(self.connection.is_reading)
        self.assertEqual(self.far.written, [b"a", b"x" * 65536, b"y"])

    def test_back_pressure_down(self) -> None:
        """While the client takes no more, the far end is not read from."""
        self.open()
        self.connection.channel.pauseProducing()
        self.far.feed(b"a", b"b")
        self.assertEqual(self.connection.received(), b"a")
        self.connection.channel.resumeProducing()
        self.assertEqual(self.connection.received(), b"b")

    def test_far_end_closes(self) -> None:
        """A far end that closes has the connection closed after what it sent."""
        self.open()
        self.far.feed(b"bye", b"")
        self.assertEqual(self.connection.received(), b"bye")
        self.assertNotEqual(self.connection.ending, "open")
        self.assertTrue(self.far.is_closed)

    def test_far_end_breaks(self) -> None:
        """A far end that breaks has the client's connection reset."""
        self.open()
        self.far.feed(UpstreamBroke("x"))
        self.assertEqual(self.connection.ending, "aborted")

    def test_client_ends(self) -> None:
        """A client that sends no more may still receive."""
        self.open()
        self.connection.channel.readConnectionLost()
        self.assertTrue(self.far.has_ended)
        self.far.feed(b"last")
        self.assertEqual(self.connection.received(), b"last")
        self.assertEqual(self.connection.ending, "open")

    def test_client_gone(self) -> None:
        """A client that leaves closes the far end."""
        self.open()
        self.connection.leave()
        self.assertTrue(self.far.is_closed)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_far_end_refuses(self) -> None:
        """A write to the far end that fails ends the tunnel."""
        self.open()
        self.far.full = Deferred()
        self.connection.send(b"a")
        self.far.full.errback(UpstreamBroke("x"))
        self.assertEqual(self.connection.ending, "aborted")
        self.assertTrue(self.far.is_closed)

    def test_no_timeouts(self) -> None:
        """A tunnel has no idle timeout."""
        self.open()
        self.connection.clock.advance(99999)
        self.assertEqual(self.connection.ending, "open")

    def test_old_version(self) -> None:
        """HTTP/1.0 has no upgrades."""
        answer = self.connection.exchange(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "))
        self.assertTrue(self.far.is_closed)
