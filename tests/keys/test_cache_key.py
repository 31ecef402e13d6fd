"""Cache keys, and the fields of request bodies that are part of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.keys.cache_key import (
    PRINCIPAL,
    KeyRules,
    counted_query,
    digest,
    framed,
    key_of,
    merged,
    path_prefix,
    purge_prefix,
)
from trickster.keys.form_fields import UnreadableBody
from trickster.keys.identity import Identity
from trickster.messages import Headers, MalformedParams, Params, Principal, Request
from trickster.routes import Aligned

PARTS = st.lists(st.one_of(st.none(), st.binary(max_size=5)), max_size=5)
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.text("x&=+ %", max_size=3)), max_size=5)


def key(target: bytes = b"/a", method: bytes = b"GET", body: bytes | None = None,
        authority: bytes = b"h", kind: str = "", **rules: Any) -> str:
    """:return: the key of a request."""
    headers = Headers(((b"Content-Type", kind.encode()),) if kind else ())
    return key_of(KeyRules("p", **rules), Request(method, target, headers, authority=authority),
                  body)


class FramingTests(SynchronousTestCase):
    """Framing of the texts of a key is unambiguous."""

    @settings(max_examples=300, deadline=None)
    @given(PARTS, PARTS)
    def test_unambiguous(self, one: list[bytes | None], two: list[bytes | None]) -> None:
        """Framed texts are equal only for equal sequences."""
        self.assertEqual(framed(one) == framed(two), one == two)
        self.assertEqual(digest(one) == digest(two), one == two)


class PrincipalTests(SynchronousTestCase):
    """Requests of different principals have different keys."""

    def test_each(self) -> None:
        """A principal's name and claims count, however split; purging a path takes all keys."""
        principals = [None, Principal("a"), Principal("ab"), Principal("a", (("b", ""),)),
                      Principal("a", (("", "b"),)), Principal("")]
        for rules in (KeyRules("p"), KeyRules("p", form=True)):
            keys = [key_of(rules, Request(b"GET", b"/a?x=1", identity=who)) for who in principals]
            self.assertEqual(len(set(keys)), len(principals))
            for each in keys:
                self.assertTrue(each.startswith(path_prefix("p", b"/a")))

    def test_like_shared_keys(self) -> None:
        """Keys of a principal differ where keys without one differ."""
        for rules in (KeyRules("p"), KeyRules("p", form=True), KeyRules("p", with_authority=True)):
            for target in (b"/a", b"/a?", b"/a?x", b"/a?x=1"):
                shared, own = (key_of(rules, Request(b"GET", target, authority=b"h", identity=who))
                               for who in (None, Principal("a")))
                self.assertTrue(own.startswith(shared + PRINCIPAL))

    def test_with_fields(self) -> None:
        """A principal counts beside the identity fields."""
        identity = Identity(frozenset((b"x-tenant",)))
        told = {identity.of_request(Request(b"GET", b"/", Headers(pairs), identity=who))
                for pairs in ((), ((b"X-Tenant", b"1"),))
                for who in (None, Principal("a"), Principal("b"))}
        self.assertEqual(len(told), 6)


class PlainKeyTests(SynchronousTestCase):
    """Keys of plain web origins."""

    def test_begins_with_its_path(self) -> None:
        """All keys of a path have the same prefix, so that they can be purged together."""
        for target in (b"/a", b"/a?x", b"/a?x=1"):
            self.assertTrue(key(target).startswith(path_prefix("p", b"/a")))
            self.assertTrue(key(target, with_authority=True).startswith(
                path_prefix("p", b"/a")))
            self.assertTrue(key(target).startswith(purge_prefix("p", None)))
        self.assertFalse(key(b"/ab").startswith(purge_prefix("p", b"/a")))

    def test_get_and_head(self) -> None:
        """GET and HEAD share a key; other methods have keys of their own."""
        self.assertEqual(key(), key(method=b"HEAD"))
        self.assertNotEqual(key(), key(method=b"POST", body=b""))

    def test_authority(self) -> None:
        """The host counts where the rules say so, whatever its case."""
        self.assertEqual(key(authority=b"x"), key(authority=b"y"))
        self.assertNotEqual(key(authority=b"x", with_authority=True),
                            key(authority=b"y", with_authority=True))
        self.assertEqual(key(authority=b"X", with_authority=True),
                         key(authority=b"x", with_authority=True))

    def test_query(self) -> None:
        """A query counts as it is spelled, all of it or the named parameters only."""
        self.assertNotEqual(key(b"/a?b=1"), key(b"/a?b=%31"))
        self.assertEqual(counted_query(KeyRules("p", params=("b",)), b"a=1&b=2&c&b=%33"),
                         b"b=2&b=%33")
        self.assertEqual(counted_query(KeyRules("p", ignored_params=frozenset({"u"})),
                                       b"a=1&u=2&u&b&&"), b"a=1&b")
        self.assertEqual(counted_query(KeyRules("p", params=()), b"a=1"), b"")

    def test_body(self) -> None:
        """A body counts whole, with its type, unless fields of it are named."""
        self.assertNotEqual(key(method=b"POST", body=b"1"), key(method=b"POST", body=b"2"))
        self.assertNotEqual(key(method=b"POST", body=b"1", kind="a"),
                            key(method=b"POST", body=b"1", kind="b"))
        json = {"method": b"POST", "kind": "application/json", "form_fields": ("q",)}
        self.assertEqual(key(body=b'{"q": 1, "t": 2}', **json),
                         key(body=b'{"t":3,"q":1}', **json))
        self.assertNotEqual(key(body=b'{"q": 1}', **json), key(body=b'{"q": "1"}', **json))
        with self.assertRaises(UnreadableBody):
            key(body=b"{", **json)


class FormKeyTests(SynchronousTestCase):
    """Keys of routes whose parameters are a set of named values."""

    def test_order_and_spelling(self) -> None:
        """The order of parameters, the spelling of values and the method do not count."""
        self.assertEqual(key(b"/a?b=1&c=%32", form=True), key(b"/a?c=2&b=1", form=True))
        self.assertEqual(key(b"/a?b=1&c=2", form=True),
                         key(method=b"POST", body=b"c=2&b=1", form=True))
        self.assertEqual(key(b"/a?b=1", form=True),
                         key(b"/a?b=1", b"POST", b"", form=True))

    def test_order_of_one_name(self) -> None:
        """The order of the values of one name does count."""
        self.assertNotEqual(key(b"/a?b=1&b=2", form=True), key(b"/a?b=2&b=1", form=True))

    def test_ignored(self) -> None:
        """Parameters that cannot change an answer do not count."""
        rules = {"form": True, "ignored_params": frozenset({"_"})}
        self.assertEqual(key(b"/a?b=1&_=1", **rules), key(b"/a?b=1&_=2", **rules))

    def test_normalised(self) -> None:
        """Queries that are normalised to the same have the same key."""

        def lower(params: Params) -> Params:
            return Params(tuple((n, v.lower()) for n, v in params.pairs))

        self.assertEqual(key(b"/a?b=X", form=True, normalise=lower),
                         key(b"/a?b=x", form=True, normalise=lower))

    def test_aligned(self) -> None:
        """Queries aligned to the same instant have the same key, and their extent is known."""

        def align(params: Params) -> Aligned | None:
            return Aligned(params.replaced(t="0"), (0, 0)) if params.get("t") != "0" else None

        self.assertEqual(key(b"/a?t=4", form=True, align=align),
                         key(b"/a?t=0", form=True, align=align))
        rules = KeyRules("p", form=True, align=align)
        self.assertEqual(merged(rules, Request(b"GET", b"/a?t=4"), None).extent, (0, 0))
        self.assertEqual(merged(rules, Request(b"POST", b"/a"), b"t=4").extent, (0, 0))
        self.assertIsNone(merged(rules, Request(b"GET", b"/a?t=0"), None).extent)

    def test_malformed(self) -> None:
        """A query that may be read in several ways has no key."""
        for target in (b"/a?b=%zz", b"/a?b;c"):
            with self.assertRaises(MalformedParams):
                key(target, form=True)

    @settings(max_examples=200, deadline=None)
    @given(PAIRS, PAIRS)
    def test_against_a_model(self, one: list[tuple[str, str]], two: list[tuple[str, str]]
                             ) -> None:
        """Keys are equal if each name has the same values in the same order."""
        keys = [key(b"/a?" + Params(tuple(pairs)).encode(), form=True) for pairs in (one, two)]
        models = [{n: [v for m, v in pairs if m == n] for n, _ in pairs} for pairs in (one, two)]
        self.assertEqual(keys[0] == keys[1], models[0] == models[1])
