"""Tests for L{trickster.upstream.connecting.failures}."""

from __future__ import annotations

from errno import EMFILE, ENFILE

from twisted.internet import defer, error
from twisted.internet.error import ConnectBindError, ConnectError
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import Overloaded, UpstreamTimeout, UpstreamUnreachable
from trickster.http.origin_url import OriginURL
from trickster.upstream.connecting.failures import unreachable


class WordsTests(SynchronousTestCase):
    def test_reasons(self) -> None:
        """Why there is no connection is said in words, with the place."""
        origin = OriginURL.parse("http://a:1")
        for reason, kind, words in (
                (ConnectError(string="no route"), UpstreamUnreachable, "no route"),
                (ValueError(), UpstreamUnreachable, "a:1: ValueError"),
                (ValueError([("SSL routines", "", "wrong version number")]),
                 UpstreamUnreachable, "a:1: TLS: wrong version number"),
                (TimeoutError(), UpstreamUnreachable, "a:1: TimeoutError")):
            found = unreachable(origin, reason)
            self.assertIs(type(found), kind)
            self.assertIn(words, found.detail)

    def test_descriptors(self) -> None:
        """A lack of file descriptors is an overload of the proxy, and not a fault of the origin."""
        for reason in (ConnectBindError(EMFILE, "too many"), OSError(ENFILE, "too many")):
            self.assertIsInstance(unreachable(OriginURL.parse("http://a:1"), reason), Overloaded)

    def test_timeouts(self) -> None:
        """A connection that is not made in time is the origin's slowness."""
        for late in (error.TimeoutError(), error.TCPTimedOutError(), defer.TimeoutError()):
            self.assertIsInstance(unreachable(OriginURL.parse("http://a:1"), late),
                                  UpstreamTimeout)
