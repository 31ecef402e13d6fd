"""Tests for L{trickster.upstream.uploads}, as an origin sees them."""

from __future__ import annotations

from tests.upstream.scripted import (
    OK,
    ClientCase,
    PausedBody,
    a_request,
    reading,
)
from trickster.errors import (
    BadRequest,
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamTimeout,
)
from trickster.messages import Octets


class UploadTests(ClientCase):
    def test_small(self) -> None:
        """A body that is here goes with the head."""
        self.asked(a_request(b"POST", b"/", body=Octets(b"abc")))
        asked = self.origin.wire.asked()
        self.assertTrue(asked.endswith(b"\r\nContent-Length: 3\r\n\r\nabc"), asked)

    def test_none(self) -> None:
        """A POST without a body says so; a GET does not."""
        self.asked(a_request(b"POST"))
        self.assertIn(b"\r\nContent-Length: 0\r\n", self.origin.wire.asked())
        self.asked(a_request(b"DELETE"))
        self.assertNotIn(b"Content-Length", self.origin.wire.asked())

    def test_large(self) -> None:
        """A large body that is here is sent as the origin takes it."""
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
        body.gives(b"ab")
        body.gives(b"cd")
        body.gives(b"")
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
        body.gives(b"x" * 17)
        body.gives(b"")
        self.assertEqual(self.origin.wire.asked(), b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n")
        self.origin.wire.sends(OK)
        self.successResultOf(asked)

    def test_back_pressure(self) -> None:
        """No more is read than the origin takes."""
        body = PausedBody()
        self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.producer.pauseProducing()
        body.gives(b"ab")
        self.assertIsNone(body.waiting)
        self.origin.wire.producer.resumeProducing()
        self.assertIsNotNone(body.waiting)

    def test_origin_that_takes_nothing(self) -> None:
        """An origin that does not take the body in time is given up."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.clock.advance(3600)
        self.assertNoResult(asked)
        self.origin.wire.producer.pauseProducing()
        body.gives(b"ab")
        self.clock.advance(60)
        self.failureResultOf(asked, UpstreamTimeout)
        self.assertEqual(body.closed, 1)
        self.at_rest()

    def test_wrong_length(self) -> None:
        """A body of another length than announced must not become a request."""
        for pieces in ((b"abc", b""), (b"abcde",)):
            body = PausedBody(4)
            asked = self.asked(a_request(b"POST", b"/", body=body))
            for octets in pieces:
                body.gives(octets)
            self.failureResultOf(asked, BadRequest)
            self.assertTrue(self.origin.wire.aborted)
            self.assertNotIn(b"e", self.origin.wire.asked()[-5:])
            self.at_rest()

    def test_sender_fails(self) -> None:
        """What is wrong with the client's body is what the client is told."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        body.gives(RequestError("too large", Reason.REQUEST_TOO_LARGE, 413))
        self.assertEqual(self.failureResultOf(asked, RequestError).value.status, 413)
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_answer_before_end(self) -> None:
        """An answer before the body's end is an answer; the rest is not sent."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        body.gives(b"ab")
        self.origin.wire.sends(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        self.assertEqual(self.successResultOf(asked).status, 413)
        self.assertEqual((body.cancelled, body.closed), (1, 1))
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_answer_beside_body(self) -> None:
        """A body and the answer to it may go on side by side."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        response = self.successResultOf(asked)
        self.clock.advance(200)
        self.origin.wire.asked()
        body.gives(b"xy")
        body.gives(b"")
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
        body.gives(RequestError("gone", Reason.CLIENT_GONE))
        self.failureResultOf(read, RequestError)
        self.at_rest()

    def test_origin_closes(self) -> None:
        """An origin that closes without an answer gives none."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual((body.cancelled, body.closed), (1, 1))

    def test_expectation(self) -> None:
        """The frontend answers expectations; the origin is not asked."""
        self.asked(a_request(b"POST", b"/", (b"Expect", b"100-continue"), body=Octets(b"a")))
        self.assertNotIn(b"Expect", self.origin.wire.asked())
