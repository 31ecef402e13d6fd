"""Request bodies on the proxy path: streamed, refused, cut, given up."""

from __future__ import annotations

import random
import zlib
from typing import ClassVar

from tests.end_to_end.proxying import BACKENDS, ProxyCase
from tests.end_to_end.talking import PATIENCE, Growth, eventually, sent_until_full

MIB = 1 << 20


class UploadTests(ProxyCase):
    """Request bodies that stream to the origin."""

    def test_large(self) -> None:
        """A body of a hundred MiB is streamed in bounded memory, with a length and without."""
        piece = random.Random(9).randbytes(MIB)
        total = zlib.crc32(piece * 100)
        for backend in ("proxied", "cached"):
            for is_chunked in (False, True):
                growth = Growth(self.trickster)
                talk = self.talk()
                head = f"PUT /{backend}/upload HTTP/1.1\r\nHost: a\r\n"
                framing = ("Transfer-Encoding: chunked" if is_chunked
                           else f"Content-Length: {100 * MIB}")
                talk.send(f"{head}{framing}\r\n\r\n".encode())
                for _ in range(100):
                    talk.send(b"%x\r\n%b\r\n" % (MIB, piece) if is_chunked else piece)
                talk.send(b"0\r\n\r\n" if is_chunked else b"")
                self.assertEqual(talk.answer().body, b"%d %d " % (100 * MIB, total))
                self.assertLess(growth.peak, 16 * MIB)

    def test_slow_origin(self) -> None:
        """An origin that does not read stops the client from sending."""
        growth = Growth(self.trickster)
        talk = self.talk()
        talk.send(b"PUT /proxied/later HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
                  % (1 << 40))
        self.assertLess(sent_until_full(talk), 64 * MIB)
        self.assertLess(growth.peak, 16 * MIB)

    def test_refused_early(self) -> None:
        """An answer before the end of the upload reaches the client."""
        talk = self.talk()
        talk.send(b"PUT /proxied/early HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"
                  % (10 * MIB, bytes(100_000)))
        self.assertEqual((talk.answer().status), 403)

    def test_given_up(self) -> None:
        """A client that leaves during its upload cancels the request to the origin."""
        for framing in (b"Content-Length: 1000", b"Transfer-Encoding: chunked"):
            self.origin.renew()
            talk = self.talk()
            talk.send(b"PUT /proxied/listen HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n5\r\nab" % framing)
            self.assertTrue(eventually(lambda: bool(self.origin.heads)))
            talk.reset()
            self.assertTrue(self.origin.is_left.wait(PATIENCE), framing)

    def test_trailers(self) -> None:
        """Trailers of a request body do no harm."""
        talk = self.talk()
        talk.send(b"PUT /proxied/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")
        self.assertTrue(talk.answer().body.startswith(b"5 "))
        self.assertEqual(talk.asked("/proxied/said").status, 200)

    def test_expectation(self) -> None:
        """A client with an expectation gets one 100 before it has sent any of its body."""
        for page in ("upload", "expect"):
            talk = self.talk()
            talk.ask(f"/proxied/{page}", [("Expect", "100-continue"), ("Content-Length", "5")],
                     "PUT")
            self.assertEqual(talk.until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
            talk.send(b"hello")
            self.assertTrue(talk.answer().body.startswith(b"5 "))
            self.assertEqual(talk.asked("/proxied/said").status, 200)

    def test_expectation_refused(self) -> None:
        """A refusal by the origin comes in place of a 100, and ends the connection."""
        for backend in BACKENDS:
            for framing in ("Content-Length: 5000000", "Transfer-Encoding: chunked"):
                talk = self.talk()
                talk.send(f"PUT /{backend}/early HTTP/1.1\r\nHost: a\r\n{framing}\r\n"
                          "Expect: 100-continue\r\n\r\n".encode())
                answer = talk.rest()
                self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer)
                self.assertIn(b"\r\nConnection: close\r\n", answer)
                self.assertTrue(answer.endswith(b"\r\n\r\nno"), answer)
                self.assertIn(b"\r\nExpect: 100-continue\r\n", self.origin.heads[-1])
                self.assertTrue(self.origin.is_left.wait(PATIENCE))
                self.origin.renew()

    def test_expectation_of_an_old_client(self) -> None:
        """An expectation of an HTTP/1.0 client is not answered with a 100."""
        talk = self.talk()
        talk.send(b"PUT /proxied/upload HTTP/1.0\r\nExpect: 100-continue\r\n"
                  b"Content-Length: 5\r\n\r\n")
        self.assertTrue(eventually(lambda: bool(self.origin.heads)))
        self.assertNotIn(b"Expect", self.origin.heads[-1])
        talk.send(b"hello")
        self.assertTrue(talk.answer().body.startswith(b"5 "))

    def test_expectation_not_needed(self) -> None:
        """A client that has sent its body already gets no 100."""
        talk = self.talk()
        talk.send(b"PUT /proxied/upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                  b"Content-Length: 5\r\n\r\nhello")
        self.assertTrue(talk.answer().body.startswith(b"5 "))


class LimitTests(ProxyCase):
    """Request bodies above the listener's limit."""

    listener: ClassVar = {"max_request_body_size_bytes": "1KiB"}

    def test_refused(self) -> None:
        """A body above the limit gets a 413, an orderly close, and does not reach the origin."""
        for more in ("", "Expect: 100-continue\r\n"):
            talk = self.talk()
            talk.send(f"PUT /proxied/upload HTTP/1.1\r\nHost: a\r\n{more}"
                      "Content-Length: 1025\r\n\r\n".encode())
            if not more:
                talk.send(bytes(1025))
            answer = talk.rest()
            self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
            self.assertEqual(self.origin.heads, [])

    def test_refused_on_the_way(self) -> None:
        """
        A chunked body is refused where it exceeds the limit, and the origin's request is cancelled.
        """
        talk = self.talk()
        talk.send(b"PUT /proxied/listen HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"200\r\n%b\r\n" % bytes(512))
        self.assertTrue(eventually(lambda: bool(self.origin.heads)))
        talk.send(b"400\r\n%b\r\n0\r\n\r\n" % bytes(1024))
        self.assertTrue(talk.rest().startswith(b"HTTP/1.1 413 "))
        self.assertTrue(self.origin.is_left.wait(PATIENCE))

    def test_exactly(self) -> None:
        """A body of exactly the limit is accepted."""
        answer = self.talk().asked("/proxied/upload", (), "PUT", bytes(1024))
        self.assertTrue(answer.body.startswith(b"1024 "))


class TruncationTests(ProxyCase):
    """Request bodies that are truncated at a limit."""

    listener: ClassVar = {"max_request_body_size_bytes": "1KiB",
                          "truncate_request_body_too_large": True}

    def test_cut(self) -> None:
        """A truncated body reaches the origin in a well-formed request, and the rest is dropped."""
        expected = b"1024 %d " % zlib.crc32(bytes(1024))
        for framing, body in ((b"Content-Length: 3000", bytes(3000)),
                              (b"Transfer-Encoding: chunked",
                               b"bb8\r\n%b\r\n0\r\n\r\n" % bytes(3000))):
            talk = self.talk()
            talk.send(b"PUT /proxied/upload HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b" % (framing, body))
            self.assertEqual(talk.answer().body, expected, framing)
