"""Tests for L{trickster.upstream.forwarding.max_forwards}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.upstream.scripted import a_request
from trickster.errors import BadRequest
from trickster.messages import Request, Response, octets_of
from trickster.upstream.forwarding.max_forwards import counted_down


class MaxForwardsTests(SynchronousTestCase):
    def counted(self, method: bytes, *values: bytes) -> Any:
        return counted_down(a_request(method, b"/a", *[(b"Max-Forwards", v) for v in values],
                                      (b"X", b"y"), (b"Cookie", b"secret")))

    def test_counted_down(self) -> None:
        """A proxy that forwards a request with Max-Forwards decrements the value by one."""
        for said, left in ((b"5", b"4"), (b"1", b"0"), (b"007", b"6")):
            request = self.counted(b"OPTIONS", said)
            assert isinstance(request, Request)
            self.assertEqual(request.headers.get_all(b"max-forwards"), [left])

    def test_others(self) -> None:
        """Requests with other methods, or without Max-Forwards, are forwarded uncounted."""
        for request in (a_request(b"GET", b"/", (b"Max-Forwards", b"0")), a_request(b"TRACE")):
            self.assertIs(counted_down(request), request)

    def test_trace(self) -> None:
        """The last hop answers TRACE with the request it got, but without secrets."""
        response = self.counted(b"TRACE", b"0")
        assert isinstance(response, Response)
        self.assertEqual(response.headers.get(b"content-type"), b"message/http")
        self.assertEqual(octets_of(response.body),
                         b"TRACE /a HTTP/1.1\r\nMax-Forwards: 0\r\nX: y\r\n\r\n")

    def test_options(self) -> None:
        """The last hop answers OPTIONS itself."""
        response = self.counted(b"OPTIONS", b"000")
        assert isinstance(response, Response)
        self.assertEqual((response.status, octets_of(response.body)), (200, b""))

    def test_malformed(self) -> None:
        """A malformed Max-Forwards is a bad request."""
        for values in ((b"x",), (b"-1",), (b"",), (b"1", b"1")):
            self.assertRaises(BadRequest, self.counted, b"TRACE", *values)
