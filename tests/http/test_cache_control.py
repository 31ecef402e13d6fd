"""Reading Cache-Control, its targeted form, and structured fields."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import fields
from trickster.http.cache_control import (
    SATURATED,
    Directives,
    honoured_directives,
    parse_cache_control,
    parse_targeted,
    request_directives,
)

NAMES = st.sampled_from(["max-age", "Max-Age", "no-store", "s-maxage", "foo", "PRIVATE"])
TOKENS = st.text("abc019-.", min_size=1, max_size=4)
QUOTED = st.text('ab,= \\"', max_size=6)


def quoted(text: str) -> str:
    """:return: a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class CacheControlTests(SynchronousTestCase):
    """The untargeted field."""

    def seconds(self, *lines: bytes) -> int | None:
        """:return: the value of max-age."""
        return parse_cache_control(lines).seconds(b"max-age")

    def test_values(self) -> None:
        """A number is decimal, saturated, 0 where it is invalid, and None where it is absent."""
        for line, expected in ((b"max-age=7", 7), (b"MAX-AGE=007", 7), (b"max-age", 0),
                               (b"max-age=-7", 0), (b"max-age=7.0", 0), (b'max-age="7"', 7),
                               (b"max-age=" + b"9" * 5000, SATURATED), (b"x", None),
                               (b"max-age=" + b"0" * 5000 + b"7", 7), (b'x="max-age=7"', None),
                               ("max-age=\u0667".encode(), 0)):
            self.assertEqual(self.seconds(line), expected, line[:20])

    def test_duplicates(self) -> None:
        """Equal duplicates are one; others make the response stale (RFC 9111 section 4.2.1)."""
        self.assertEqual(self.seconds(b"max-age=7, max-age=7"), 7)
        self.assertEqual(self.seconds(b"max-age=7", b"max-age=8"), 0)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(NAMES, st.one_of(st.none(), TOKENS, QUOTED.map(quoted))),
                    max_size=5))
    def test_against_a_model(self, said: list[tuple[str, str | None]]) -> None:
        """Every directive is there, by lower-case name, and no other."""
        lines = [(n if v is None else f"{n}={v}").encode() for n, v in said]
        for found in (parse_cache_control(lines), parse_cache_control([b",".join(lines)])):
            self.assertEqual(set(found.values), {name.lower().encode() for name, _ in said})
            self.assertEqual(sum(map(len, found.values.values())), len(said))

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=40))
    def test_never_raises(self, line: bytes) -> None:
        """No malformed C{Cache-Control} raises."""
        found = parse_cache_control([line])
        for name in found.values:
            self.assertLessEqual(found.seconds(name) or 0, SATURATED)


class TargetedTests(SynchronousTestCase):
    """CDN-Cache-Control (RFC 9213)."""

    def test_valid(self) -> None:
        """Known directives of the right type, unknown ones of any."""
        found = parse_targeted([b"max-age=7;q=1, no-store, foo=(1 2)", b'private="x"'])
        assert found is not None
        self.assertEqual(found.seconds(b"max-age"), 7)
        self.assertIn(b"no-store", found)
        self.assertIn(b"private", found)

    def test_false(self) -> None:
        """A directive with the value C{?0} is absent."""
        found = parse_targeted([b"no-store=?0, max-age=1"])
        assert found is not None
        self.assertNotIn(b"no-store", found)

    def test_last_wins(self) -> None:
        """Of two members of a name the later counts (RFC 9651)."""
        found = parse_targeted([b"max-age=1, max-age=2"])
        assert found is not None
        self.assertEqual(found.seconds(b"max-age"), 2)

    def test_invalid(self) -> None:
        """An invalid C{CDN-Cache-Control} is ignored as a whole."""
        for line in (b"", b"max-age=?1", b"max-age", b"no-store=1", b"private=1", b"a,,b",
                     b"max-age=1000000000000000"):
            self.assertIsNone(parse_targeted([line]), line)
        self.assertIsNone(parse_targeted([]))

    def test_types(self) -> None:
        """Extensions may have values of any type, and parameters."""
        found = parse_targeted([b'a=1, b=-2.5;x;y="z", c="q\\"\\\\", d=t/x*, e=:AQI=:, f, g=?0',
                                b'i=(1 a;b  "c");d, *j=(), max-age=3'])
        assert found is not None
        self.assertEqual(found.seconds(b"max-age"), 3)

    def test_words(self) -> None:
        """A token is no string in the value of a directive."""
        for line in (b"private=x", b"no-cache=x"):
            self.assertIsNone(parse_targeted([line]))

    def test_several_lines(self) -> None:
        """Lines are one dictionary, in which the last of a name counts."""
        found = parse_targeted([b"max-age=1, s-maxage=2", b"max-age=3"])
        assert found is not None
        self.assertEqual((found.seconds(b"max-age"), found.seconds(b"s-maxage")), (3, 2))

    def test_malformed(self) -> None:
        """One malformed member makes the whole dictionary invalid."""
        for line in (b"a=", b"a=1,", b",a", b"a b", b"A=1", b"1=1", b'a="', b'a="\\x"', b"a='x'",
                     b"a=.5", b"a=1.2345", b"a=1234567890123456", b"a=1x1=", b"a=?2",
                     b"a=:?:", b"a=:AQ", b"a=(1", b"a=(1,2)", b"a=(1(2))", b"a=@1.5", b"a=@",
                     b"a;=1", b"a; A", b"a=\xe4", b'a="\xe4"', b"a=--1", b"a=:A:"):
            self.assertIsNone(parse_targeted([b"max-age=1, " + line]), line)

    def test_long(self) -> None:
        """An absurdly long field forbids what it may forbid."""
        long, longer = (parse_targeted([b"max-age=1, " * n + b"a"]) for n in (180, 200))
        assert long is not None and longer is not None
        self.assertNotIn(b"no-store", long)
        self.assertIn(b"no-store", longer)

    @settings(max_examples=300, deadline=None)
    @given(st.text('ab=,;"()?:@1. -\\*', max_size=20))
    def test_never_raises(self, line: str) -> None:
        """Any octets are None, or directives."""
        self.assertIsInstance(parse_targeted([line.encode()]), Directives | None)


class RequestDirectivesTests(SynchronousTestCase):
    """Directives of requests."""

    def test_pragma(self) -> None:
        """C{Pragma} counts only where there is no C{Cache-Control} (RFC 9111 section 5.4)."""
        self.assertIn(b"no-cache", request_directives(fields(Pragma="No-Cache")))
        self.assertNotIn(b"no-cache", request_directives(fields(Pragma="no-cache", Cache_Control="x")))
        self.assertNotIn(b"no-cache", request_directives(fields(Pragma="foo")))

    def test_honoured(self) -> None:
        """By default C{no-cache} alone is honoured, which C{no-store} implies."""
        for said, expected in (
                ("no-cache", {b"no-cache"}), ("NO-STORE", {b"no-cache", b"no-store"}),
                ("max-age=0, no-cache", {b"no-cache"}), ('x="a, b"\nno-cache', {b"no-cache"}),
                ("max-age=0", set()), ('x="no-cache"', set()), ("private", set()), ("", set())):
            self.assertEqual(honoured_directives(fields(Cache_Control=said), False).values.keys(), expected)
        self.assertEqual(honoured_directives(fields(Pragma="no-cache"), False).values.keys(), {b"no-cache"})
        self.assertEqual(honoured_directives(fields(), True).values, {})

    def test_in_full(self) -> None:
        """Where request directives are honoured in full, each counts as it is given."""
        self.assertEqual(honoured_directives(fields(Cache_Control="no-store, max-age=3"), True).values,
                         {b"no-store": (None,), b"max-age": (b"3",)})
