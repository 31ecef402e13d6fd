"""Tests of C{trickster.messages}."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote_from_bytes

from attrs import fields
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import (
    LONGEST_PARAMS,
    MOST_PARAMS,
    Collecting,
    Headers,
    MalformedParams,
    Octets,
    Outcome,
    Pair,
    Params,
    Peer,
    Principal,
    Request,
    Response,
    Status,
)
from trickster.spans import Span

_NAMES = st.sampled_from([b"a", b"A", b"b", b"X-y", b"x-Y"])


class HeadersTests(SynchronousTestCase):
    """Header fields of messages."""

    @given(st.lists(st.tuples(_NAMES, st.sampled_from([b"", b"1", b"2"]))).map(tuple))
    def test_against_a_walk(self, pairs: tuple[Pair, ...]) -> None:
        """A lookup of a name gives the fields of that name, in their order."""
        headers = Headers(pairs)
        for name in (b"a", b"b", b"x-y", b"c"):
            values = [value for spelled, value in pairs if spelled.lower() == name]
            self.assertEqual(headers.get_all(name), values)
            self.assertEqual(headers.get(name), values[0] if values else None)
            self.assertEqual(headers.joined(name), b", ".join(values) if values else None)
            self.assertEqual(name in headers, bool(values))
            self.assertEqual(headers.has_any(frozenset((name, b"d"))), bool(values))
            self.assertEqual(headers.among(frozenset((name, b"d"))),
                             frozenset((name,) if values else ()))

    @given(st.lists(st.tuples(_NAMES, st.sampled_from([b"", b"1", b"2"]))).map(tuple),
           st.frozensets(st.sampled_from([b"a", b"b", b"c", b"x-y"])), st.booleans())
    def test_excluding(self, pairs: tuple[Pair, ...], gone: frozenset[bytes], known: bool) -> None:
        """Headers without some names equal those made of the other fields, also after a lookup."""
        headers = Headers(pairs)
        if known:
            headers.get(b"a")
            headers.derived(lambda fields, _: fields.pairs)
        left, plain = headers.excluding(gone), Headers(tuple(
            pair for pair in pairs if pair[0].lower() not in gone))
        self.assertEqual(left, plain)
        for name in (b"a", b"b", b"c", b"x-y"):
            self.assertEqual(left.get_all(name), plain.get_all(name))
        self.assertEqual(left.derived(lambda fields, _: fields.pairs), plain.pairs)
        self.assertEqual(headers.get_all(b"a"), Headers(pairs).get_all(b"a"))

    def test_derived(self) -> None:
        """A value derived from headers is computed once for each object."""
        made: list[object] = []

        def length(headers: Headers, other: object) -> int:
            made.append(other)
            return len(headers.pairs)

        headers, one, another = Headers(((b"a", b"1"),)), object(), object()
        for other in (one, one, another, another, one):
            self.assertEqual(headers.derived(length, other), 1)
        self.assertEqual(made, [one, another, one])

    def test_derived_is_no_field(self) -> None:
        """A derived value changes neither the fields nor the equality of headers."""
        headers, equal = Headers(((b"a", b"1"),)), Headers(((b"a", b"1"),))
        headers.derived(lambda fields, _: fields.pairs)
        self.assertEqual(headers, equal)
        self.assertEqual(hash(headers), hash(equal))
        self.assertEqual(headers.get_all(b"a"), [b"1"])


class ParamsTests(SynchronousTestCase):
    """Parameters of query strings and forms."""

    def test_broken(self) -> None:
        """A query that receivers may read in different ways is refused, wherever the fault is."""
        for octets in (b"a=%", b"a=%4", b"a=%4g", b"%=1", b"a=%25%", b"a=1;b=2", b"a=%zz" * 2000):
            with self.subTest(octets=octets[:20]), self.assertRaises(MalformedParams):
                Params.parse(octets)

    def test_bounds(self) -> None:
        """A query that is too long, or has too many parameters, is refused."""
        most = b"&".join([b"a=1"] * MOST_PARAMS)
        self.assertEqual(len(Params.parse(most).pairs), MOST_PARAMS)
        self.assertEqual(len(Params.parse(b"a=" + b"x" * (LONGEST_PARAMS - 2)).pairs), 1)
        for octets in (most + b"&a=1", b"&" * MOST_PARAMS, b"a=" + b"x" * LONGEST_PARAMS):
            with self.assertRaises(MalformedParams):
                Params.parse(octets)

    @given(st.binary(max_size=50), st.sampled_from([1, 500]), st.sampled_from(["", "=?/\r\n"]))
    def test_escapes(self, octets: bytes, times: int, safe: str) -> None:
        """Escapes are decoded, in short values and in long ones."""
        value = octets * times
        quoted = quote_from_bytes(value, safe).encode("ascii")
        (_, read), = Params.parse(b"a=" + quoted).pairs
        self.assertEqual(read.encode("utf-8", "surrogateescape"), value)

    @given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=5))
    def test_against_the_library(self, pairs: list[tuple[str, str]]) -> None:
        """
        An encoded query is read back as the same parameters, by us and by the standard library.
        """
        encoded = Params(tuple(pairs)).encode()
        self.assertEqual(list(Params.parse(encoded).pairs), pairs)
        self.assertEqual(parse_qsl(encoded.decode(), keep_blank_values=True), pairs)


class ChangedTests(SynchronousTestCase):
    """Changed copies of messages."""

    def assert_changed(self, before: Request | Response, after: Request | Response,
                       *names: str) -> None:
        """Only these attributes differ, and none had its default before."""
        for each in fields(type(before)):
            kept, now = getattr(before, each.name), getattr(after, each.name)
            self.assertNotEqual(kept, each.default, each.name)
            if each.name in names:
                self.assertIsNot(now, kept, each.name)
            else:
                self.assertIs(now, kept, each.name)

    def test_request(self) -> None:
        """A changed request keeps its sender, its observer and its notes."""
        request = Request(
            b"GET", b"/a", Headers(((b"A", b"1"),)), Octets(b"x"), b"a.example", Peer("::1"),
            b"HTTP/1.0", lambda status, headers: None, frozenset((b"a",)), Collecting(),
            lambda name, value: None, Principal("ann"), Span())
        self.assert_changed(request, request.with_target(b"/b"), "target")
        self.assert_changed(request, request.with_headers(Headers()), "headers")
        self.assert_changed(request, request.with_body(Octets()), "body")
        self.assert_changed(request, request.with_span(None), "span")

    def test_response(self) -> None:
        """A changed response keeps its phrase, and whether it is doubtful."""
        response = Response(404, Headers(((b"A", b"1"),)), Octets(b"x"),
                            Outcome(status=Status.HIT), b"Gone", True)
        self.assert_changed(response, response.with_outcome(Outcome()), "outcome")
        self.assert_changed(response, response.with_headers(Headers()), "headers")
        self.assert_changed(response, response.with_body(Octets()), "body")
