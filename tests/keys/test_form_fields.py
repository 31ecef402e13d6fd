"""Tests of C{trickster.keys.form_fields}."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World
from trickster.errors import Reason
from trickster.keys.form_fields import UnreadableBody, field_values, is_form
from trickster.messages import Headers

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"
NUMBERS = st.sampled_from([0, 1, -1, 1.5, 10**30, True, False, None, "1", "", "x", [], {}])
DOCUMENTS = st.recursive(NUMBERS, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6)


def headers(*kinds: str, **more: str) -> Headers:
    """:return: request fields with these content types."""
    return Headers((*((b"Content-Type", kind.encode()) for kind in kinds),
                    *((n.replace("_", "-").encode(), v.encode()) for n, v in more.items())))


def values(kind: str, body: bytes, *names: str) -> list[bytes | None]:
    """:return: what a body has of these fields."""
    return field_values(headers(kind), body, names)[1:]


def part(name: str = "a", content: str = "1", *lines: str, disposition: str = "") -> str:
    """:return: one part of a multipart body."""
    said = disposition or f'form-data; name="{name}"'
    head = "".join(f"{line}\r\n" for line in (f"Content-Disposition: {said}", *lines))
    return f"--B\r\n{head}\r\n{content}\r\n"


def whole(*parts: str) -> bytes:
    """:return: a multipart body."""
    return ("".join(parts) + "--B--\r\n").encode()


class FieldCase(SynchronousTestCase):
    """Asserts about bodies."""

    def assertUnreadable(self, kind: str, body: bytes, name: str = "a", **more: str) -> None:
        """It is refused."""
        with self.assertRaises(UnreadableBody, msg=(kind, body)):
            field_values(headers(kind, **more), body, [name])


class UrlencodedTests(FieldCase):
    """Fields of C{application/x-www-form-urlencoded}."""

    def test_values(self) -> None:
        """All values of a name are framed unambiguously."""
        for kind in (FORM, FORM + "; charset=utf-8", FORM.title() + ';charset="UTF-8"'):
            self.assertEqual(values(kind, b"a=1&b=2&a=3", "a", "c"), [b"1:11:3", None])

    def test_ambiguous(self) -> None:
        """A form that origins read differently is refused."""
        for body in (b"a=%zz", b"b=1;a=2", b"a=1&A=2", b"+a=1", b"a%00=1", b"a[]=1", b"a%5b0%5d=1",
                     b"_charset_=utf-16&a=1", b"&".join([b"b=1"] * 2001)):
            self.assertUnreadable(FORM, body)
        for kind in (FORM + "; charset=utf-16", FORM + "; charset=utf-8; charset=x", FORM + "; x=y",
                     "", "text/plain", FORM + ", " + FORM):
            self.assertUnreadable(kind, b"a=1")
        self.assertUnreadable(FORM, b"a=1", Content_Type=FORM)
        self.assertUnreadable(FORM, b"a=1", Content_Encoding="gzip")

    def test_is_form(self) -> None:
        """A form is one whose octets all origins read alike."""
        self.assertTrue(is_form(headers(FORM)))
        for kinds in ((), (FORM, FORM), (FORM + "; charset=utf-7",), ("text/plain",)):
            self.assertFalse(is_form(headers(*kinds)))
        self.assertFalse(is_form(headers(FORM, Content_Encoding="gzip")))


class MultipartTests(FieldCase):
    """Fields of C{multipart/form-data} (RFC 7578)."""

    def test_values(self) -> None:
        """Parts are found by name, in order; files are parts too."""
        body = whole(part(), part("b", "x\r\n--C\r\n"), part("a", "2", "Content-Type: text/plain"),
                     part(disposition='form-data; name="c"; filename="d e.txt"'),
                     part(disposition="form-data; name=e; filename=f"))
        for kind in (MULTIPART, 'Multipart/Form-Data; Boundary="B"'):
            self.assertEqual(values(kind, body, "a", "b", "c", "e", "f"), [
                b"1:11:2", b"8:x\r\n--C\r\n", b"1:1", b"1:1", None])

    def test_other_fields(self) -> None:
        """A part with other fields than its disposition's name is unreadable."""
        for line in ('X-Note: a; name="a"', 'Content-Disposition: form-data; name="a"',
                     "Content-Transfer-Encoding: base64", "Content-Length: 1",
                     'Content-Type: text/plain; name="a"', "Content-Type: text/plain; charset=x",
                     "Content-Type: multipart/mixed", "Content-Type: multipart/mixed; boundary=C"):
            self.assertUnreadable(MULTIPART, whole(part("b", "1", line)))

    def test_disposition(self) -> None:
        """A disposition that is read in different ways is refused."""
        for said in ('form-data; name="b"; name="a"', 'form-data; name="b"; filename="x"; name="a"',
                     "form-data; name*=utf-8''a", "form-data; name=\"b\"; filename*=utf-8''a",
                     'attachment; name="a"', 'form-data; name="a\\"b"', 'form-data; name="%22a"',
                     "form-data", 'form-data;name="b', 'form-data; x=y; name="a"',
                     'form-data; name="b", form-data; name="a"', 'form-data; name="b\0a"'):
            self.assertUnreadable(MULTIPART, whole(part(disposition=said)))

    def test_names(self) -> None:
        """Names that some origin takes for a counted one are refused."""
        for name in ("A", "a[]", "a[0]", " a", "a ", "_charset_"):
            self.assertUnreadable(MULTIPART, whole(part("a"), part(name)))

    def test_framing(self) -> None:
        """A multipart body that is cut short, or has octets beside its parts, is refused."""
        body = whole(part())
        for odd in (body[:-6], b"x\r\n" + body, body + b"x", body + whole(part()), b"--C--",
                    b"--B\r\n\r\n1\r\n--B--", body.replace(b"\r\n", b"\n"), b"\r\n" + body,
                    whole(part("a", "1", " name=x")), whole(*[part()] * 257)):
            self.assertUnreadable(MULTIPART, odd)

    def test_boundary(self) -> None:
        """A multipart form has exactly one boundary, given once."""
        for kind in ("multipart/form-data", MULTIPART + "; boundary=C", MULTIPART + "; charset=x",
                     "multipart/form-data; boundary=", "multipart/mixed; boundary=B",
                     "multipart/form-data; boundary=B, x", "multipart/form-data; boundary*=B"):
            self.assertUnreadable(kind, whole(part()))
        self.assertUnreadable(MULTIPART, whole(part()), Content_Type=MULTIPART)

    def test_large(self) -> None:
        """A very large multipart body is not parsed."""
        self.assertUnreadable(MULTIPART, whole(part("b", "x" * (1 << 20))))


class JsonTests(FieldCase):
    """Fields of JSON bodies (RFC 8259)."""

    def test_values(self) -> None:
        """A field may be a deep path; an absent one differs from null."""
        body = b'{"a": {"b": [1, {"c": "x"}]}, "n": null, "t": true, "f": 1.5}'
        found = values("application/json", body, "a/b/1/c", "n", "t", "f", "x", "a/x", "a/b/9",
                       "a/b/-1", "t/x")
        self.assertEqual([one is None for one in found], [False] * 4 + [True] * 5)
        self.assertEqual(values("application/x+json", b"[5]", "0"),
                         values("application/json", b'{"0":5}', "0"))

    @settings(max_examples=300, deadline=None)
    @given(DOCUMENTS, DOCUMENTS)
    def test_equal(self, one: Any, two: Any) -> None:
        """Values of JSON are spelled alike exactly where they are equal."""
        first, second = (values("application/json", json.dumps({"a": d}).encode(), "a")
                         for d in (one, two))
        self.assertEqual(first == second, json.dumps(one, sort_keys=True)
                         == json.dumps(two, sort_keys=True))

    def test_numbers(self) -> None:
        """Numbers count as they are spelled: not all origins round alike."""
        found = {values("application/json", b'{"a":%b}' % text, "a")[0] for text in (
            b"1", b"1.0", b"1e0", b"0.1", b"0.1000000000000000055", b"12345678901234567890", b'"1"')}
        self.assertEqual(len(found), 7)

    def test_ambiguous(self) -> None:
        """A JSON body that origins read differently is refused."""
        for body in (b"{", b'{"a":1,"a":2}', b'{"a":1,"A":2}', b'{"A":1}', b'{"b":{"x":1,"x":2}}',
                     b'{"a":NaN}', b'{"a":Infinity}', b'\xef\xbb\xbf{"a":1}', b'{"a":"\xe4"}',
                     '{"a":1}'.encode("utf-16"), b"[" * 100_000, b'{"b":"' + b"x" * 131_072 + b'"}'):
            self.assertUnreadable("application/json", body)
        self.assertUnreadable("application/json; charset=latin-1", b'{"a":1}')
        self.assertUnreadable("application/json", b'{"\xc5\xbf":1}', "s")

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=60), st.sampled_from([
        "application/json", "multipart/form-data; boundary=-", "multipart/form-data", FORM]))
    def test_rubbish(self, body: bytes, kind: str) -> None:
        """Octets that are no JSON raise the one error."""
        try:
            field_values(headers(kind), body, ["a"])
        except UnreadableBody:
            return

    def test_kinds_apart(self) -> None:
        """A field of one value has different keys in bodies of different types."""
        found = [field_values(headers(kind), body, ["a"]) for kind, body in (
            (FORM, b"a=1"), (MULTIPART, whole(part())), ("application/json", b'{"a":"1"}'))]
        self.assertEqual(len({tuple(one) for one in found}), 3)
        self.assertEqual(field_values(Headers(), b"", ["a"]), [None, None])


class CacheTests(SynchronousTestCase):
    """An object cache on a path with C{cache_key_form_fields}."""

    def _asked(self, *bodies: bytes, kind: str = MULTIPART) -> list[Any]:
        world = World.of(key_form_fields=("f1",))
        world.given(*[world.answer(body=b"%d" % n, Cache_Control="max-age=9") for n in range(9)])
        return [world.ask(b"/x", b"POST", body=body, Content_Type=kind) for body in bodies]

    def test_poisoning(self) -> None:
        """A body that hides a counted field is passed through, and its answer is not shared."""
        good = whole(part("f1", "good"))
        evil = whole(part("f2", "x", 'X-Note: a; name="f1"'), part("f1", "good"))
        asked = self._asked(evil, good, evil, good)
        self.assertEqual([one.octets for one in asked], [b"0", b"1", b"2", b"1"])
        self.assertEqual(asked[0].outcome.reason, Reason.UNPARSABLE_BODY)

    def test_shared(self) -> None:
        """Bodies that differ in other fields share a stored response."""
        asked = self._asked(whole(part("f1", "x"), part("f2", "1")),
                            whole(part("f2", "2"), part("f1", "x")), whole(part("f1", "y")))
        self.assertEqual([one.octets for one in asked], [b"0", b"0", b"1"])
