"""Tests of L{trickster.admin.samesite}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.admin.samesite import SameSite
from trickster.messages import Headers, Request, text_response
from trickster.testing.doubles import RecordingResponder, at_once


class SameSiteTests(SynchronousTestCase):
    """What browsers send for pages of other sites is refused."""

    def status(self, *pairs: tuple[bytes, bytes]) -> int:
        """:return: of the answer to a request with these fields."""
        inner = RecordingResponder.of(text_response(200, "done"))
        request = Request(b"DELETE", b"/x", Headers(pairs), authority=b"trickster:8484")
        response = at_once(SameSite(inner).respond(request))
        self.assertEqual(len(inner.requests), response.status == 200)
        return int(response.status)

    def test_programs(self) -> None:
        """Programs, and the user who enters an address, are let through."""
        for pairs in ((), ((b"Sec-Fetch-Site", b"none"),), ((b"Sec-Fetch-Site", b"same-origin"),),
                      ((b"Origin", b"http://Trickster:8484"),)):
            self.assertEqual(self.status(*pairs), 200, pairs)

    def test_others(self) -> None:
        """Pages of other sites, or of none, are not."""
        for pairs in (((b"Sec-Fetch-Site", b"cross-site"),), ((b"sec-fetch-site", b"same-site"),),
                      ((b"Origin", b"http://evil.test"),), ((b"Origin", b"null"),),
                      ((b"Origin", b"http://[x"),), ((b"Origin", b""),),
                      ((b"Origin", b"http://trickster:8484"), (b"Origin", b"http://evil.test"))):
            self.assertEqual(self.status(*pairs), 403, pairs)
