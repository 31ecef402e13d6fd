"""Tests of L{trickster.http.hop_by_hop}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.fields import HOP_BY_HOP
from trickster.http.hop_by_hop import (
    connection_options,
    response_headers,
    upgrade_of,
    without_nominated,
)
from trickster.messages import Headers, Pair, Request

NAMES = st.sampled_from([b"A", b"b", b"Connection", b"Keep-Alive", b"TE", b"Content-Length"])
PAIRS = st.lists(st.tuples(NAMES, st.sampled_from([b"close", b"a", b"B, te", b"x"])), max_size=6)


def _asking(*fields: Pair, version: bytes = b"HTTP/1.1") -> Request:
    return Request(b"GET", b"/", Headers(fields), version=version)


class PassingTests(SynchronousTestCase):
    """Which fields pass."""

    @given(PAIRS)
    def test_all(self, pairs: list[Pair]) -> None:
        """All fields pass but hop-by-hop ones, and those that Connection names, in order."""
        headers = Headers(tuple(pairs))
        named = connection_options(headers)
        passing = [pair for pair in pairs
                   if pair[0].lower() not in HOP_BY_HOP and pair[0].lower() not in named]
        self.assertEqual(list(response_headers(headers, False).pairs), passing)

    @given(PAIRS)
    def test_nominated(self, pairs: list[Pair]) -> None:
        """Fields that a request's Connection names go at once, and hop-by-hop fields later."""
        headers = Headers(tuple(pairs))
        named = connection_options(headers) - HOP_BY_HOP
        self.assertEqual(list(without_nominated(headers).pairs),
                         [pair for pair in pairs if pair[0].lower() not in named])

    def test_framing(self) -> None:
        """Content-Length is removed where the body is framed anew, and kept without a body."""
        headers = Headers(((b"Content-Length", b"5"),))
        self.assertEqual(response_headers(headers, True).pairs, ())
        self.assertEqual(response_headers(headers, False).pairs, headers.pairs)


class UpgradeTests(SynchronousTestCase):
    """Requests that ask for another protocol (RFC 9110 section 7.8)."""

    def test_wanted(self) -> None:
        """An Upgrade counts where Connection names it, and never in HTTP/1.0."""
        upgrade, connection = (b"Upgrade", b"a, b"), (b"Connection", b"keep-alive, UPGRADE")
        self.assertIsNone(upgrade_of(_asking(upgrade)))
        self.assertIsNone(upgrade_of(_asking(connection)))
        self.assertIsNone(upgrade_of(_asking(upgrade, connection, version=b"HTTP/1.0")))
        self.assertEqual(upgrade_of(_asking(upgrade, connection)), b"a, b")

    def test_http2(self) -> None:
        """C{h2c} is removed from Upgrade."""
        connection = (b"Connection", b"upgrade")
        self.assertEqual(upgrade_of(_asking((b"Upgrade", b"H2C, a"), connection)), b"a")
        self.assertIsNone(upgrade_of(_asking((b"Upgrade", b"h2c"), connection)))
