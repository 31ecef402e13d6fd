"""Tests of C{trickster.ranges.origin_messages}: what is sent to origins, and what comes back."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Headers, Request
from trickster.ranges.origin_messages import fetch_request, is_plain


class FetchRequestTests(SynchronousTestCase):
    """Requests of the cache's own."""

    def test_stripped(self) -> None:
        """Conditions, ranges and codings of the client are removed, and its identity is kept."""
        headers = Headers(((b"If-None-Match", b"1"), (b"RANGE", b"bytes=0-"),
                           (b"Accept-Encoding", b"gzip"), (b"Authorization", b"x"),
                           (b"Cache-Control", b"max-age=0"), (b"Cookie", b"y")))
        request = fetch_request(Request(b"GET", b"/", headers))
        self.assertEqual(request.headers.pairs, ((b"Authorization", b"x"), (b"Cookie", b"y")))

    def test_plain(self) -> None:
        """No content coding, or the one that is none."""
        for value, plain in ((None, True), (b"", True), (b" Identity", True), (b"gzip", False),
                             (b"identity, gzip", False)):
            pairs = () if value is None else ((b"Content-Encoding", value),)
            self.assertEqual(is_plain(Headers(pairs)), plain)
