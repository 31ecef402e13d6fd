"""Tests of L{trickster.objects.codec}: stored responses as octets."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import stored_response
from trickster.http.freshness import FreshnessRules, policy_of
from trickster.http.partial_content import Part
from trickster.messages import Headers
from trickster.objects.codec import (
    ResponseFormat,
    Unreadable,
    Variants,
    from_parts,
    to_parts,
)
from trickster.objects.stored_response import StoredResponse

RULES = FreshnessRules()
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=5)


def plain(entry: Any) -> Any:
    """:return: an entry in a form that compares by value."""
    if isinstance(entry, Variants):
        return entry
    parts = [(part.start, b"".join(part.buffers)) for part in entry.parts]
    return (entry.status, entry.phrase, entry.headers, parts, entry.length, entry.policy,
            entry.initial_age, entry.received, entry.selecting)


class WireTests(SynchronousTestCase):
    """Entries as octets."""

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.text("aB-9", min_size=1), LATIN), max_size=4),
           st.lists(st.binary(min_size=1, max_size=5), max_size=3), LATIN, st.booleans())
    def test_round_trip(self, pairs: list[tuple[str, str]], bodies: list[bytes], phrase: str,
                        is_known: bool) -> None:
        """What is written is read."""
        headers = Headers(tuple((n.encode(), v.encode("latin-1")) for n, v in pairs))
        parts = tuple(Part(n * 10, (b[:1], b[1:]) if b[1:] else (b,))
                      for n, b in enumerate(bodies))
        entry = evolve(stored_response(), headers=headers, parts=parts,
                       phrase=phrase.encode("latin-1"),
                       length=99 if is_known else None,
                       policy=policy_of(200, headers, 10.0**9, RULES))
        self.assertEqual(plain(from_parts(to_parts(entry), RULES)), plain(entry))

    def test_variants(self) -> None:
        """The entry that says where variants are is read as it was written."""
        entry = Variants("1f", ((b"a", b"b"), ()))
        self.assertEqual(from_parts(to_parts(entry), RULES), entry)

    def test_same_body(self) -> None:
        """A response whose body is that of the one before is made of that, and new fields."""
        before = evolve(stored_response(), parts=(Part(0, (b"ab", b"c")), Part(9, (b"d",))))
        after = evolve(before, headers=Headers(((b"ETag", b'"new"'),)))
        made = ResponseFormat(RULES).refreshed(before, [to_parts(after)[0], None])
        self.assertEqual(plain(made), plain(from_parts(to_parts(after), RULES)))
        self.assertIsNone(ResponseFormat(RULES).refreshed(Variants("1f", ()), [b"", None]))

    def test_body_apart(self) -> None:
        """What a validation changes leaves the part that the body is in as it is."""
        entry = stored_response()
        validated = evolve(entry, received=entry.received + 100,
                           headers=Headers(((b"ETag", b'"new"'),)))
        self.assertEqual(to_parts(entry)[1:], to_parts(validated)[1:])
        self.assertNotEqual(to_parts(entry)[0], to_parts(validated)[0])

    def test_missing(self) -> None:
        """Parts that are too few, too many, or cut are noticed."""
        head, body = to_parts(stored_response())
        for bad in ([], [head], [body], [head, body, b""], [head, body[:-1]], [head[:-1], body],
                    [head, body + b"x"]):
            with self.assertRaises(Unreadable):
                from_parts(bad, RULES)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(max_size=60), max_size=3))
    def test_rubbish(self, parts: list[bytes]) -> None:
        """Rubbish is refused, and nothing else happens."""
        with self.assertRaises(Unreadable):
            from_parts(parts, RULES)
        with self.assertRaises(Unreadable):
            from_parts([b"TROBJ\x02" + b"".join(parts), b""], RULES)

    def test_forged(self) -> None:
        """What would make an answer of another form is refused, with any checksum."""
        good = stored_response()
        bad = [
            evolve(good, headers=Headers(((b"a", b"b\r\nc: d"),))),
            evolve(good, headers=Headers(((b"a b", b"c"),))),
            evolve(good, phrase=b"a\r\nb"), evolve(good, status=99), evolve(good, status=1000),
            evolve(good, parts=(Part(5, (b"a",)), Part(3, (b"b",)))),
            evolve(good, parts=(Part(0, (b"abc",), 4),)),
            evolve(good, parts=(Part(0, (b"abc",), 2),)),
            Variants("a.b", ()), Variants("a", ((b"a b",),)),
        ]
        for entry in bad:
            with self.assertRaises(Unreadable):
                from_parts(to_parts(entry), RULES)

    def test_policy_is_made_anew(self) -> None:
        """An operator's new rules count for what is stored already."""
        entry = from_parts(to_parts(stored_response()), FreshnessRules(max_ttl=5.0))
        assert isinstance(entry, StoredResponse)
        self.assertEqual(entry.policy.lifetime, 5.0)
