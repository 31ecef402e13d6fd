"""Tests of L{trickster.admin.purgeorders}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.admin.purgeorders import BadOrder, PurgeOrder, read_order
from trickster.purging.table import Kind

S = 1_000_000_000
FIRST, LAST = -(1 << 63), (1 << 63) - 1


def order(**members: Any) -> PurgeOrder:
    """:return: what the members of an object say."""
    return read_order(json.dumps(members).encode())


class OrderTests(SynchronousTestCase):
    """What orders say."""

    def test_kinds(self) -> None:
        """Each member that names something is an order of its kind."""
        for members, expected in (
                ({"all": True}, PurgeOrder(Kind.ALL)),
                ({"backend": "b"}, PurgeOrder(Kind.BACKEND, "b")),
                ({"backend": "b", "all": True}, PurgeOrder(Kind.BACKEND, "b")),
                ({"path": "/a"}, PurgeOrder(Kind.PATH, name=b"/a")),
                ({"prefix": "/a/", "soft": True}, PurgeOrder(Kind.PREFIX, name=b"/a/", is_soft=True)),
                ({"tag": "k", "all": False}, PurgeOrder(Kind.TAG, name=b"k")),
                ({"query": "up ä", "backend": "b"},
                 PurgeOrder(Kind.QUERY, "b", "up ä".encode())),
                ({"matcher": 'up{job="a"}'}, PurgeOrder(Kind.MATCHER, name=b'up{job="a"}')),
                ({"key": "b.x.opc.1.2"}, PurgeOrder(Kind.KEY, name=b"b.x.opc.1.2"))):
            self.assertEqual(order(**members), expected, members)

    def test_urls(self) -> None:
        """A URL is a path with a query, or has a host; it is spelled as browsers send it."""
        for text, target, authority in (
                ("/a?b=c", b"/a?b=c", b""),
                ("/a b?q=ä", b"/a%20b?q=%C3%A4", b""),
                ("/a%20b?", b"/a%20b?", b""),
                ("http://h:81/a?b", b"/a?b", b"h:81"),
                ("https://u:p@H/a", b"/a", b"H"),
                ("http://h?x=y", b"/?x=y", b"h"),
                ("http://h", b"/", b"h"),
                ("//h/a", b"//h/a", b"")):
            self.assertEqual(order(url=text), PurgeOrder(
                Kind.TARGET, name=target, authority=authority), text)

    def test_spans(self) -> None:
        """Times are RFC 3339, or seconds as a number or a text; an end that is not given is open."""
        for given_, span in (
                ({"start": 5, "end": 6.5}, (5 * S, 6 * S + S // 2)),
                ({"start": "5"}, (5 * S, LAST)),
                ({"end": "1970-01-01T00:01:00Z"}, (FIRST, 60 * S)),
                ({"start": "1970-01-01T01:00:00.5+01:00", "end": 1}, (S // 2, S)),
                ({"start": 7, "end": 7}, (7 * S, 7 * S))):
            self.assertEqual(order(query="up", **given_).span, span, given_)

    def refused(self, where: str, *words: str, **members: Any) -> None:
        """Check that an order is refused, with the member at fault and what is said of it."""
        with self.assertRaises(BadOrder) as caught:
            order(**members)
        self.assertEqual(caught.exception.where, where, members)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_refused(self) -> None:
        """What makes no sense is refused, with the member that is at fault."""
        for where, members in (
                ("", {}), ("", {"soft": True}), ("", {"all": False}), ("", {"start": 1}),
                ("", {"backend": "b", "all": False}),
                ("prefix", {"url": "/a", "prefix": "/b"}), ("all", {"tag": "a", "all": True}),
                ("all", {"all": "yes"}), ("all", {"all": 1}), ("soft", {"tag": "a", "soft": 0}),
                ("backend", {"backend": None, "all": True}), ("backend", {"backend": ""}),
                ("url", {"url": ["/a"]}), ("url", {"url": "a/b"}), ("url", {"url": "ftp://h/a"}),
                ("url", {"url": "/a#b"}), ("url", {"url": "/a\r\nb"}), ("url", {"url": "http:///a"}),
                ("url", {"url": "http://[h/a"}), ("url", {"url": "\ud800"}),
                ("path", {"path": "a"}), ("path", {"path": "/a?b"}), ("prefix", {"prefix": "*"}),
                ("tag", {"tag": "a b"}), ("tag", {"tag": "a,b"}), ("tag", {"tag": ""}),
                ("query", {"query": 5}), ("matcher", {"matcher": "sum(up)"}),
                ("start", {"query": "a", "start": True}), ("end", {"query": "a", "end": "now"}),
                ("end", {"query": "a", "end": None}), ("start", {"query": "a", "start": -5}),
                ("start", {"query": "a", "start": 10 ** 400}), ("start", {"query": "a", "start": 1e300}),
                ("end", {"query": "a", "start": 6, "end": 5}),
                ("start", {"tag": "a", "start": 5}), ("soft", {"query": "a", "end": 5, "soft": True}),
                ("kind", {"kind": "url"}), ("URL", {"URL": "/a"})):
            self.refused(where, **members)

    def test_helpful(self) -> None:
        """A refusal says what would be right."""
        self.refused("", "url", "all: true")
        self.refused("prefixx", "prefix", prefixx="/a")
        self.refused("start", "RFC 3339", "seconds", query="a", start="yesterday")

    def test_no_object(self) -> None:
        """What is no object of JSON, with each member once, is refused."""
        for octets in (b"", b"[]", b"null", b'"all"', b"{", b'{"all": true} x', b"\xff",
                       b'{"start": NaN, "query": "a"}', b'{"all": true, "all": false}',
                       b"[" * 30_000, b"9" * 5000):
            with self.assertRaises(BadOrder, msg=octets[:40]):
                read_order(octets)

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                        lambda inner: st.lists(inner) | st.dictionaries(
                            st.sampled_from(["backend", "url", "tag", "query", "start", "end", "all"]),
                            inner)))
    def test_any(self, document: Any) -> None:
        """Any JSON is an order, or is refused as none."""
        try:
            self.assertIsInstance(read_order(json.dumps(document).encode()), PurgeOrder)
        except BadOrder as error:
            self.assertTrue(str(error))
