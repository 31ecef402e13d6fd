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
from trickster.purging.label import Label
from trickster.purging.table import Judgement, Verdict

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

    def test_since(self) -> None:
        """Of an entry whose body is that of another one, only what is beside it is written anew."""
        form = ResponseFormat(RULES)
        old = evolve(stored_response(), parts=(Part(0, (b"body",)),), length=4)
        parts = form.parts(old)
        for entry, is_same in ((evolve(old, received=9.0), True),
                               (evolve(old, parts=(Part(0, (b"b0dy",)),)), False)):
            written = form.parts_since(entry, old, parts[0])
            self.assertEqual([part for part in written if isinstance(part, int)], [1] * is_same)
            whole = [parts[part] if isinstance(part, int) else part for part in written]
            self.assertEqual(plain(from_parts(whole, RULES)), plain(entry))
        variants = Variants("1f", ((b"a",),))
        for entry, before in ((variants, old), (old, variants)):
            self.assertEqual(form.parts_since(entry, before, b""), to_parts(entry))

    def test_described(self) -> None:
        """What is told of an entry is the same from the object and from its first octets."""
        form, label = ResponseFormat(RULES), Label("b", "k", "g", b"/a", b"/a?b", (b"t",))
        for said in ({}, {"Cache-Control": "max-age=60"}, {"Cache-Control": "no-store"}):
            headers = Headers(tuple((n.encode(), v.encode()) for n, v in said.items()))
            for is_forced in (False, True):
                entry = evolve(
                    stored_response(), headers=headers, label=label, mark=7, initial_age=5.0,
                    policy=evolve(policy_of(200, headers, 10.0**9, RULES), forced=is_forced))
                now = entry.received + 20.0
                told, read = form.described(entry, now), form.described_head(form.parts(entry)[0], now)
                assert told is not None and read is not None
                self.assertEqual(evolve(told, size=0), read)
                self.assertEqual((read.label, read.mark, read.age),
                                 (label, 7, 20.0 if is_forced else 25.0))
        variants = Variants("1f", ((b"a",),))
        for found in (form.described(variants, 0.0), form.described_head(to_parts(variants)[0], 0.0)):
            assert found is not None
            self.assertEqual(found.generation, "1f")

    def test_not_described(self) -> None:
        """Nothing is told of what is none of these entries."""
        form = ResponseFormat(RULES)
        head = to_parts(stored_response())[0]
        self.assertIsNone(form.described(object(), 0.0))
        for octets in (b"", b"x", head[:-1], head[:6], head[:6] + b"[]", head[:6] + b"{}",
                       head.replace(b'"label":[', b'"label":[5,'), head[:6] + b"[" * 100_000,
                       head.replace(b'"fresh":[', b'"fresh":["x",')):
            self.assertIsNone(form.described_head(octets, 0.0), octets[:80])

    def test_left(self) -> None:
        """Of an answer, a purge leaves all, or a stale one, or nothing, as for a span of time."""
        form = ResponseFormat(RULES)
        told = form.described(stored_response(), 0.0)
        assert told is not None
        self.assertEqual([form.left(told, judgement) for judgement in (
            Judgement(), Judgement(Verdict.STALE), Judgement(Verdict.GONE),
            Judgement(spans=((0, 1),)))], [told, evolve(told, ttl=0.0), None, None])

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
