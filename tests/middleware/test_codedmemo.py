"""Coded forms that are remembered."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.middleware.codedmemo import CodedMemo

BODIES = st.sampled_from([bytes([n]) * size for n in (1, 2) for size in (0, 1, 600, 2000, 90_000)])


class CodedMemoTests(SynchronousTestCase):
    """Coded forms are found by the octets of their bodies, and bounded in octets."""

    def test_found_by_octets(self) -> None:
        """An equal body finds the coded form, for the one coding only."""
        memo = CodedMemo()
        memo.keep(b"gzip", b"body" * 500, b"coded")
        self.assertEqual(memo.find(b"gzip", bytes(bytearray(b"body" * 500))), b"coded")
        self.assertIsNone(memo.find(b"br", b"body" * 500))

    def test_differs_in_one_octet(self) -> None:
        """A body that differs in one octet finds no coded form."""
        body = bytes(100_000)
        memo = CodedMemo()
        memo.keep(b"gzip", body, b"coded")
        for at in range(0, len(body), 777):
            other = body[:at] + b"\x01" + body[at + 1:]
            self.assertIsNone(memo.find(b"gzip", other))
        memo.keep(b"gzip", other, b"other")
        self.assertEqual(memo.find(b"gzip", other), b"other")

    def test_too_large(self) -> None:
        """A body too large for its share of the memo is not kept."""
        memo = CodedMemo(32_000)
        memo.keep(b"gzip", bytes(1001), b"coded")
        self.assertEqual((memo.largest, memo.kept.octets), (1000, 0))

    def test_least_recently_used_goes_first(self) -> None:
        """The least recently used coded form makes room."""
        memo = CodedMemo(32 * 1500)
        bodies = [bytes([n]) * 1000 for n in range(24)]
        for body in bodies:
            memo.keep(b"gzip", body, b"")
            memo.find(b"gzip", bodies[0])
        found = [memo.find(b"gzip", body) is not None for body in bodies]
        self.assertTrue(found[0] and found[-1])
        self.assertFalse(found[1])

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from([b"gzip", b"br"]), BODIES, st.booleans())))
    def test_never_wrong_and_never_too_much(
            self, steps: list[tuple[bytes, bytes, bool]]) -> None:
        """The memo finds the coded form of just that body, and keeps to its limit."""
        memo = CodedMemo(100_000)
        for coding, body, keeps in steps:
            coded = coding + body[:1] + b"%d" % len(body)
            if keeps:
                memo.keep(coding, body, coded)
            self.assertIn(memo.find(coding, body), (None, coded))
            self.assertTrue(0 <= memo.kept.octets <= memo.limit)
