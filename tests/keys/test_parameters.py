"""Tests of C{trickster.keys.parameters}: what one origin reads otherwise than another."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.keys.cache_key import KeyRules, key_of
from trickster.keys.parameters import alike, counted_pairs, counted_pieces
from trickster.messages import MalformedParams, Request

# Queries that are for some origins the same as one with another value of a.
CLOAKED = (
    b"b=1;a=evil", b"b=1%3Ba=evil", b"b=1%26a=evil", b"b=1%2526a=evil", b"a%00=evil",
    b"a%00x=evil", b"+a=evil", b"%20a=evil", b"a+=evil", b"a%5B%5D=evil", b"a[]=evil",
    b"a[0]=evil", b"A=evil", b"b=%00a=evil", b"b=1%0Aa=evil", b"b=1#a=evil", b"b=1?a=evil",
    b"b=1%23a=evil", b"a.=evil", b";a=evil", b"b;a=evil", b"b%zz=1", b"b=%", b"\xe4=1", b"%61%00=1",
    b"_method=DELETE", b"X-HTTP-Method-Override=DELETE", b"%5fmethod=DELETE",
    b"method=DELETE", b"_http_method=DELETE", b"x-http-method=DELETE", b"xMethodOverride=DELETE",
    b"method_override=DELETE",
)
HARMLESS = (b"b=1", b"utm_source=x.y", b"fbclid=IwAR0-_", b"b=%C3%A4+x", b"b=/c/d:e@f,g", b"b",
            b"b=", b"b-c=1&d_e=2", b"", b"b=c=d")
PIECES = st.lists(st.sampled_from([
    b"a=good", b"b=1", b"b=1;a=evil", b"a%00=evil", b"+a=evil", b"b=1%26a=evil", b"A=evil", b"c",
    b"a[]=evil", b"b=%3Ba=x", b"&", b"a=%67ood"]), max_size=4)


def key(query: bytes, **rules: object) -> str:
    """:return: the key of a request with that query."""
    return key_of(KeyRules("p", **rules), Request(b"GET", b"/x?" + query))  # type: ignore[arg-type]


def readings(query: bytes) -> list[list[str]]:
    """:return: the values of C{a}, as origins of different minds read them."""
    found = []
    for separator in (b"&", b"[&;]"):
        for decoded in (query, unquote_to_bytes(query)):
            pieces = re.split(separator, decoded)
            pairs = [parse_qsl(p.decode("latin-1"), True, separator="\1") for p in pieces]
            for fold in (str, lambda name: name.split("\0")[0].split("[")[0].strip().lower()):
                found.append([v for pair in pairs for k, v in pair if fold(k) == "a"])
    return found


class PlainTests(SynchronousTestCase):
    """Queries that count as they are spelled."""

    def test_cloaked(self) -> None:
        """What may be read as a parameter that counts makes the whole query count."""
        for piece in CLOAKED:
            for query in (b"a=good&" + piece, piece + b"&a=good", piece):
                self.assertNotEqual(key(query, params=("a",)), key(b"a=good", params=("a",)), piece)
                self.assertNotEqual(key(query, params=("a",)), key(b"", params=("a",)), piece)

    def test_harmless(self) -> None:
        """A parameter that no origin reads as a counted one does not count."""
        for piece in HARMLESS:
            self.assertEqual(key(b"a=good&" + piece, params=("a",)), key(b"a=good", params=("a",)))

    def test_ignored(self) -> None:
        """
        A parameter that is ignored by name does not count, unless another could be read
        in it.
        """
        rules = {"ignored_params": frozenset({"_"})}
        self.assertEqual(key(b"a=1&_=7", **rules), key(b"a=1", **rules))
        for value in (b"1;a=2", b"1%26a=2", b"%00", b"1%3Ba=2"):
            self.assertNotEqual(key(b"a=1&_=" + value, **rules), key(b"a=1", **rules))

    def test_many(self) -> None:
        """A query of very many pieces counts as it is."""
        query = b"a=1" + b"&b=1" * 1000
        self.assertNotEqual(key(query, params=("a",)), key(b"a=1", params=("a",)))

    @settings(max_examples=500, deadline=None)
    @given(PIECES, PIECES)
    def test_any_reading(self, one: list[bytes], two: list[bytes]) -> None:
        """Queries that share a key have the same values of it for every origin."""
        first, second = b"&".join(one), b"&".join(two)
        if key(first, params=("a",)) == key(second, params=("a",)):
            self.assertEqual(readings(first), readings(second))


class FormTests(SynchronousTestCase):
    """Queries that count as sets of named values."""

    def test_cloaked(self) -> None:
        """A form parameter that may be read as a counted one makes all count, or is refused."""
        for piece in CLOAKED:
            try:
                found = key(b"a=good&" + piece, params=("a",), form=True)
            except MalformedParams:
                continue
            self.assertNotEqual(found, key(b"a=good", params=("a",), form=True), piece)

    def test_harmless(self) -> None:
        """A form parameter that no origin reads as a counted one does not count."""
        for piece in HARMLESS:
            self.assertEqual(key(b"a=good&" + piece, params=("a",), form=True),
                             key(b"a=good", params=("a",), form=True))
        rules = {"ignored_params": frozenset({"_"}), "form": True}
        self.assertEqual(key(b"a=1&_=7", **rules), key(b"a=1", **rules))
        self.assertNotEqual(key(b"a=1&_=7%26a=2", **rules), key(b"a=1", **rules))


class CountedTests(SynchronousTestCase):
    """The parameters themselves, without a key."""

    def counts(self, name: str) -> bool:
        """:return: whether a parameter counts: C{b} does not."""
        return name != "b"

    def test_left_out(self) -> None:
        """Uncounted parameters are left out; counted ones stay as spelled, in their order."""
        self.assertEqual(counted_pieces(b"c=%2f&b=1&a=x", self.counts, ()), b"c=%2f&a=x")
        self.assertEqual(counted_pairs([("c", "/"), ("b", "1"), ("a", "x")], self.counts, ()),
                         [("c", "/"), ("a", "x")])

    def test_doubtful(self) -> None:
        """Nothing is left out where an origin could read an uncounted parameter as counted."""
        for query in CLOAKED:
            whole = b"a=good&" + query
            self.assertEqual(counted_pieces(whole, lambda name: name == "a", ("a",)), whole)

    def test_pairs_doubtful(self) -> None:
        """Of decoded pairs, one whose value could be split further leaves all in."""
        for value in ("1&a=2", "1;a=2", "%26", "#", "\0"):
            pairs = [("a", "x"), ("b", value)]
            self.assertEqual(counted_pairs(pairs, self.counts, ()), pairs)

    def test_known(self) -> None:
        """A parameter whose name differs from a configured one in case alone counts."""
        self.assertEqual(counted_pieces(b"B=1&c=2", lambda name: name == "c", ("b",)),
                         b"B=1&c=2")

    def test_many(self) -> None:
        """Nothing is left out of a query with very many pieces."""
        query = b"&".join([b"b=1"] * 1001)
        self.assertEqual(counted_pieces(query, self.counts, ()), query)

    def test_alike(self) -> None:
        """Two names are alike that differ in case and punctuation, or after a NUL or a bracket."""
        for name in ("http_method", "HTTP-Method", "httpMethod[x]", "http.method\0y"):
            self.assertEqual(alike(name), "httpmethod")
        self.assertEqual(alike("..."), "...")
