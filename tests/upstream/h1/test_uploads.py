"""Tests for L{trickster.upstream.h1.uploads}, as an origin sees them."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from tests.upstream.scripted import OK, ClientCase, a_client, a_request, reading
from trickster.errors import (
    BadRequest,
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamTimeout,
)
from trickster.messages import Octets, Response
from trickster.testing.bodies import PausedBody


class UploadTests(ClientCase):
    def test_small(self) -> None:
        """A body that is in memory is sent with the header."""
        self.asked(a_request(b"POST", b"/", body=Octets(b"abc")))
        asked = self.origin.wire.asked()
        self.assertTrue(asked.endswith(b"\r\nContent-Length: 3\r\n\r\nabc"), asked)

    def test_none(self) -> None:
        """A POST without a body has a Content-Length of 0; a DELETE has none."""
        self.asked(a_request(b"POST"))
        self.assertIn(b"\r\nContent-Length: 0\r\n", self.origin.wire.asked())
        self.asked(a_request(b"DELETE"))
        self.assertNotIn(b"Content-Length", self.origin.wire.asked())

    def test_large(self) -> None:
        """A large body that is in memory is sent as the origin takes it."""
        asked = self.asked(a_request(b"PUT", b"/", body=Octets(b"x" * 100_000)))
        self.assertTrue(self.origin.wire.asked().endswith(b"x" * 100_000))
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.at_rest(idle=1)

    def test_counted(self) -> None:
        """A body of known length is sent as it is."""
        body = PausedBody(4)
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.assertIn(b"\r\nContent-Length: 4\r\n\r\n", self.origin.wire.asked())
        body.feed(b"ab")
        body.feed(b"cd")
        body.feed(b"")
        self.assertEqual(self.origin.wire.asked(), b"abcd")
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.at_rest(idle=1)

    def test_chunked(self) -> None:
        """A body of unknown length is sent in chunks."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", (b"Content-Length", b"9"), body=body))
        head = self.origin.wire.asked()
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n\r\n", head)
        self.assertNotIn(b"Content-Length", head)
        body.feed(b"x" * 17)
        body.feed(b"")
        self.assertEqual(self.origin.wire.asked(), b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n")
        self.origin.wire.sends(OK)
        self.successResultOf(asked)

    def test_back_pressure(self) -> None:
        """A body is read no faster than the origin takes it."""
        body = PausedBody()
        self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.producer.pauseProducing()
        body.feed(b"ab")
        self.assertFalse(body.is_awaited)
        self.origin.wire.producer.resumeProducing()
        self.assertTrue(body.is_awaited)

    def test_origin_that_takes_nothing(self) -> None:
        """An origin that does not take the body in time is given up."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.clock.advance(3600)
        self.assertNoResult(asked)
        self.origin.wire.producer.pauseProducing()
        body.feed(b"ab")
        self.clock.advance(60)
        self.failureResultOf(asked, UpstreamTimeout)
        self.assertEqual(body.closes, 1)
        self.at_rest()

    def test_wrong_length(self) -> None:
        """A body whose length differs from the declared one breaks the request off."""
        for pieces in ((b"abc", b""), (b"abcde",)):
            body = PausedBody(4)
            asked = self.asked(a_request(b"POST", b"/", body=body))
            for octets in pieces:
                body.feed(octets)
            self.failureResultOf(asked, BadRequest)
            self.assertTrue(self.origin.wire.is_aborted)
            self.assertNotIn(b"e", self.origin.wire.asked()[-5:])
            self.at_rest()

    def test_sender_fails(self) -> None:
        """An error in the client's body is the error that the client gets."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        body.feed(RequestError("too large", Reason.REQUEST_TOO_LARGE, 413))
        self.assertEqual(self.failureResultOf(asked, RequestError).value.status, 413)
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_answer_before_end(self) -> None:
        """A response before the body's end is given, and the rest of the body is not sent."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        body.feed(b"ab")
        self.origin.wire.sends(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        self.assertEqual(self.successResultOf(asked).status, 413)
        self.assertEqual((body.cancels, body.closes), (1, 1))
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_answer_beside_body(self) -> None:
        """A body and the answer to it may go on side by side."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        response = self.successResultOf(asked)
        self.clock.advance(200)
        self.origin.wire.asked()
        body.feed(b"xy")
        body.feed(b"")
        self.assertEqual(self.origin.wire.asked(), b"2\r\nxy\r\n0\r\n\r\n")
        self.origin.wire.sends(b"cd")
        self.assertEqual(self.whole(response.body), b"abcd")
        self.at_rest(idle=1)

    def test_body_fails_beside_answer(self) -> None:
        """A client's body that fails ends the answer to it as well."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        read = reading(self.successResultOf(asked).body)
        body.feed(RequestError("gone", Reason.CLIENT_GONE))
        self.failureResultOf(read, RequestError)
        self.at_rest()

    def test_origin_closes(self) -> None:
        """An origin that closes without an answer gives none."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual((body.cancels, body.closes), (1, 1))

    def test_expectation(self) -> None:
        """The frontend answers expectations; the origin is not asked."""
        self.asked(a_request(b"POST", b"/", (b"Expect", b"100-continue"), body=Octets(b"a")))
        self.assertNotIn(b"Expect", self.origin.wire.asked())


class ExpectationTests(ClientCase):
    """C{Expect: 100-continue} (RFC 9110 section 10.1.1)."""

    def expecting(self, method: bytes = b"PUT", *, version: bytes = b"HTTP/1.1",
                  ) -> tuple[PausedBody, Deferred[Response]]:
        body = PausedBody(4)
        request = a_request(method, b"/", (b"Expect", b"100-Continue"), body=body)
        return body, self.asked(evolve(request, version=version))

    def sent_whole(self, body: PausedBody) -> None:
        body.feed(b"abcd")
        body.feed(b"")
        self.assertEqual(self.origin.wire.asked(), b"abcd")

    def test_asked_first(self) -> None:
        """A body with an expectation is read once the origin has sent 100."""
        body, asked = self.expecting()
        self.assertTrue(self.origin.wire.asked().endswith(
            b"\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"))
        self.assertFalse(body.is_awaited)
        self.origin.wire.sends(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        self.assertFalse(body.is_awaited)
        self.origin.wire.sends(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertTrue(body.is_awaited)
        self.sent_whole(body)
        self.origin.wire.sends(OK)
        self.assertEqual(self.successResultOf(asked).status, 200)
        self.at_rest(idle=1)

    def test_refused(self) -> None:
        """
        A final response without a 100 means that the body is not wanted, and drops the connection.
        """
        for answer in (b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
            body, asked = self.expecting()
            self.origin.wire.sends(answer)
            self.successResultOf(asked)
            self.assertFalse(body.is_awaited)
            self.assertEqual(body.closes, 1)
            self.assertTrue(self.origin.wire.is_aborted)
            self.at_rest()

    def test_refused_bit_by_bit(self) -> None:
        """
        The body is not read while a final answer to it is on its way, and the answer is
        timed.
        """
        body, asked = self.expecting()
        self.origin.wire.sends(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n")
        answer = self.successResultOf(asked).body
        self.clock.advance(30)
        self.assertFalse(body.is_awaited)
        rest = reading(answer)
        self.clock.advance(31)
        self.failureResultOf(rest, UpstreamTimeout)
        self.at_rest()

    def test_silence(self) -> None:
        """An origin that says nothing for a second gets the body."""
        body, asked = self.expecting()
        self.origin.wire.asked()
        self.clock.advance(0.9)
        self.assertFalse(body.is_awaited)
        self.clock.advance(0.1)
        self.sent_whole(body)
        self.origin.wire.sends(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
        self.assertEqual(self.successResultOf(asked).status, 200)
        self.at_rest(idle=1)

    def test_total_timeout(self) -> None:
        """The total time of an exchange goes on while an expectation waits."""
        self.client = a_client(self.origin, self.clock, total_timeout=0.5)
        _, asked = self.expecting()
        self.clock.advance(1)
        self.clock.advance(0)
        self.failureResultOf(asked, UpstreamTimeout)
        self.at_rest()

    def test_old_client(self) -> None:
        """An expectation of an HTTP/1.0 client is ignored."""
        body, _ = self.expecting(version=b"HTTP/1.0")
        self.assertNotIn(b"Expect", self.origin.wire.asked())
        self.assertTrue(body.is_awaited)

    def test_body_is_here(self) -> None:
        """A sender that has the body does not ask whether to send it."""
        for octets in (b"", b"ab", b"x" * 100_000):
            self.asked(a_request(b"PUT", b"/", (b"Expect", b"100-continue"), body=Octets(octets)))
            self.assertNotIn(b"Expect", self.origin.wire.asked())

    def test_stale_connection(self) -> None:
        """A kept connection that was closed is replaced as long as no body was read."""
        self.answered(OK)
        body, asked = self.expecting()
        self.origin.wire.closes()
        self.assertEqual(len(self.origin.wires), 2)
        self.assertEqual(body.closes, 0)
        self.origin.wire.asked()
        self.origin.wire.sends(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.sent_whole(body)
        self.origin.wire.sends(OK)
        self.assertEqual(self.successResultOf(asked).status, 200)

    def test_stale_connection_of_what_is_not_idempotent(self) -> None:
        """A POST on a kept connection that was closed is not sent again."""
        self.answered(OK)
        body, asked = self.expecting(b"POST")
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual(body.closes, 1)
        self.at_rest()

    def test_cancelled(self) -> None:
        """A client that leaves cancels its upload, and nothing is left behind."""
        body, asked = self.expecting()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(body.closes, 1)
        self.clock.advance(2)
        self.assertFalse(body.is_awaited)
        self.at_rest()
