"""Tests for time and back pressure in answers."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from tests.upstream.scripted import (
    OK,
    ClientCase,
    a_client,
    reading,
)
from trickster.errors import (
    Reason,
    UpstreamTimeout,
)
from trickster.upstream.h1.arriving import READ_AHEAD


class TimeTests(ClientCase):
    def test_no_answer(self) -> None:
        """An origin that does not answer in time is given up."""
        asked = self.asked()
        self.clock.advance(59.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        error = self.failureResultOf(asked, UpstreamTimeout).value
        self.assertEqual((error.status, error.reason), (504, Reason.ORIGIN_TIMEOUT))
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_endless_head(self) -> None:
        """A head that comes ever so slowly does not get more time."""
        asked = self.asked()
        for _ in range(6):
            self.origin.wire.sends(b"H" if _ == 0 else b"")
            self.clock.advance(10)
        self.failureResultOf(asked, UpstreamTimeout)

    def test_between_reads(self) -> None:
        """The timeout of a body begins anew with each part that arrives."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for octets in (b"ab", b"cd"):
            self.clock.advance(59)
            self.origin.wire.sends(octets)
            self.assertEqual(self.successResultOf(reading(response.body)), octets)
        read = reading(response.body)
        self.clock.advance(60)
        self.failureResultOf(read, UpstreamTimeout)
        self.at_rest()

    def test_total(self) -> None:
        """A total time is an end, however well the answer comes on."""
        self.client = a_client(self.origin, self.clock, total_timeout=100.0)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        self.clock.advance(50)
        self.origin.wire.sends(b"ab")
        self.successResultOf(reading(response.body))
        self.clock.advance(50)
        self.failureResultOf(reading(response.body), UpstreamTimeout)

    def test_slow_reader(self) -> None:
        """The origin is not blamed for a client that does not read."""
        many = b"x" * READ_AHEAD
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                                 % (READ_AHEAD + 10), many)
        self.clock.advance(3600)
        self.assertEqual(self.successResultOf(reading(response.body)), many)
        self.clock.advance(59)
        self.origin.wire.sends(b"x" * 10)
        self.assertEqual(self.whole(response.body), b"x" * 10)

    def test_kept_too_long(self) -> None:
        """An unused connection is closed in the end."""
        self.answered(OK)
        self.clock.advance(119)
        self.at_rest(idle=1)
        self.clock.advance(1)
        self.at_rest()
        self.assertTrue(self.origin.wire.is_aborted)

    def test_origin_keeps_it_shorter(self) -> None:
        """A connection is given up a little before the origin said it would."""
        self.answered(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n")
        self.clock.advance(4)
        self.at_rest()
        self.answered(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n")
        self.at_rest()

    def test_nothing_left(self) -> None:
        """A closed connection leaves nothing with the clock."""
        self.answered(OK)
        self.origin.wire.closes()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FlowTests(ClientCase):
    def test_paused(self) -> None:
        """The connection is not read while the body has no reader, and is when it has one."""
        response = self.answered(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * READ_AHEAD)
        self.assertFalse(self.origin.wire.is_read)
        self.successResultOf(reading(response.body))
        self.assertTrue(self.origin.wire.is_read)

    def test_ends_while_paused(self) -> None:
        """A connection that was paused is kept readable."""
        many = b"x" * READ_AHEAD
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                                 % (READ_AHEAD + 1), many, b"x")
        self.assertTrue(self.origin.wire.is_read)
        self.at_rest(idle=1)
        self.assertEqual(self.whole(response.body), many + b"x")
        self.assertTrue(self.origin.wire.is_read)

    def test_last_part_is_large(self) -> None:
        """The end of a body does not pause a connection that is free again."""
        many = b"x" * (2 * READ_AHEAD)
        response = self.answered(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(many), many)
        self.assertTrue(self.origin.wire.is_read)
        self.assertEqual(self.whole(response.body), many)

    def test_close_early(self) -> None:
        """A body that is closed before its end drops the connection."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        response.body.close()
        response.body.close()
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_close_late(self) -> None:
        """A body that has come whole may be closed unread."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"abc")
        response.body.close()
        self.assertFalse(self.origin.wire.is_aborted)
        self.at_rest(idle=1)

    def test_cancelled_reader(self) -> None:
        """A reader that goes away leaves the body to be closed."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        read = reading(response.body)
        read.cancel()
        self.failureResultOf(read, CancelledError)
        self.origin.wire.sends(b"ab")
        response.body.close()
        self.at_rest()
