"""Tests of C{trickster.stores.redis.beginnings}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.redis.beginnings import LENGTH, Beginnings

STEPS = st.lists(st.tuples(
    st.sampled_from(["ask", "reply", "write", "news", "peek", "void"]), st.integers(0, 1)),
    max_size=40)


def known(most: int = 10) -> Beginnings:
    """:return: what is known of a server that tells of changes."""
    made = Beginnings(most)
    made.is_live = True
    return made


def read(beginnings: Beginnings, key: bytes, value: bytes, now: float = 0.0,
         ttl: float = 60.0) -> None:
    """A value is asked for, and arrives."""
    reading = beginnings.begin(key, now)
    assert reading is not None
    beginnings.keep(reading, value, ttl)
    beginnings.end(reading)


class BeginningsTests(SynchronousTestCase):
    """What is kept of values."""

    def test_known(self) -> None:
        """The first octets of what was read are known, all of a short value, none of others."""
        beginnings = known()
        read(beginnings, b"a", b"x" * 100)
        read(beginnings, b"b", b"12")
        self.assertEqual([beginnings.peek(key, 3, 1.0) for key in (b"a", b"b", b"c")],
                         [b"xxx", b"12", None])
        self.assertEqual(beginnings.peek(b"b", LENGTH + 1, 1.0), b"12")
        self.assertIsNone(beginnings.peek(b"a", LENGTH + 1, 1.0))

    def test_expires(self) -> None:
        """It is known for as long as it had left when it was asked for, and not counted then."""
        beginnings = known()
        read(beginnings, b"a", b"1", now=10.0, ttl=5.0)
        self.assertEqual(beginnings.peek(b"a", 1, 14.9), b"1")
        self.assertIsNone(beginnings.peek(b"a", 1, 15.0))
        self.assertEqual(len(beginnings), 0)

    def test_no_time_left(self) -> None:
        """What has no time to live, or none left, is not kept: -1 and -2 are what Redis says."""
        beginnings = known()
        for ttl in (0.0, -0.001, -0.002):
            read(beginnings, b"a", b"1", ttl=ttl)
            self.assertIsNone(beginnings.peek(b"a", 1, 0.0))

    def test_bounded(self) -> None:
        """There are so many at most: what was used least recently goes."""
        beginnings = known(most=2)
        for key in (b"a", b"b"):
            read(beginnings, key, key)
        beginnings.peek(b"a", 1, 0.0)
        read(beginnings, b"c", b"c")
        self.assertEqual([beginnings.peek(key, 1, 0.0) for key in (b"a", b"b", b"c")],
                         [b"a", None, b"c"])

    def test_changed(self) -> None:
        """What has changed is not known; nor is what was on its way then, when it arrives."""
        for change in (lambda one: one.changed([b"a"]), lambda one: one.forget([b"a"]),
                       lambda one: one.void()):
            beginnings = known()
            read(beginnings, b"a", b"1")
            reading = beginnings.begin(b"a", 0.0)
            assert reading is not None
            change(beginnings)
            self.assertIsNone(beginnings.peek(b"a", 1, 0.0))
            beginnings.keep(reading, b"1", 60.0)
            beginnings.end(reading)
            self.assertIsNone(beginnings.peek(b"a", 1, 0.0))
            read(beginnings, b"a", b"2")
            self.assertEqual(beginnings.peek(b"a", 1, 0.0), b"2")

    def test_not_told(self) -> None:
        """While the server tells of no changes, nothing is kept."""
        self.assertIsNone(Beginnings().begin(b"a", 0.0))

    def test_news(self) -> None:
        """News of a change are had by those who wait for them, also where there can be none."""
        for tell in (lambda one: one.changed([b"a"]), lambda one: one.void()):
            beginnings = known()
            told, other = beginnings.changing(b"a"), beginnings.changing(b"a")
            beginnings.unchanging(b"a", other)
            tell(beginnings)
            self.successResultOf(told)
            self.assertNoResult(other)
        beginnings.unchanging(b"a", told)

    def test_used(self) -> None:
        """The server is told now and then that a value is used."""
        beginnings = known()
        read(beginnings, b"a", b"1", now=100.0)
        self.assertEqual([beginnings.is_used_anew(b"a", now, 60.0)
                          for now in (110.0, 161.0, 162.0, 222.0)], [False, True, False, True])
        self.assertFalse(beginnings.is_used_anew(b"b", 1000.0, 60.0))

    @settings(max_examples=300)
    @given(STEPS)
    def test_never_outdated(self, steps: list[tuple[str, int]]) -> None:
        """Whatever order replies and news come in, once they are all there, no old value is told."""
        beginnings, values, news = known(), [0, 0], [0, 0]
        asked: list[list[tuple[object, int]]] = [[], []]
        for step, index in [*steps, *[("news", 0), ("news", 1), ("reply", 0), ("reply", 1)] * 41]:
            key = b"%d" % index
            if step == "ask":
                # The server answers now; the answer is under way.
                asked[index].append((beginnings.begin(key, 0.0), values[index]))
            elif step == "reply" and asked[index]:
                reading, value = asked[index].pop(0)
                beginnings.keep(reading, b"%d" % value, 60.0)  # type: ignore[arg-type]
                beginnings.end(reading)  # type: ignore[arg-type]
            elif step == "write":
                values[index] += 1
                news[index] += 1
            elif step == "news" and news[index]:
                news[index] -= 1
                beginnings.changed([key])
            elif step == "void":
                beginnings.void()
            if not news[index]:
                self.assertIn(beginnings.peek(key, 20, 0.0), (None, b"%d" % values[index]))
