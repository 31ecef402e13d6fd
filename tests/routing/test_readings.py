"""Tests of C{trickster.routing.readings}: what servers may take a path for (RFC 3986)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.routing.readings import Readings, readings


class ReadingsTests(SynchronousTestCase):
    """The readings of a path are all that servers may take it for."""

    def paths(self, path: bytes) -> set[bytes]:
        """:return: the readings of a path that has not too many."""
        found = readings(path)
        assert found is not None
        return set(found.paths)

    def test_plain(self) -> None:
        """A path at which no server does anything has one reading."""
        for path in (b"/", b"/api/v1/query", b"/a.b/c~d"):
            self.assertEqual(readings(path), Readings((path,)))

    def test_escapes(self) -> None:
        """Escapes are resolved in the reading to go by, but for slashes."""
        found = readings(b"/a%2Fb%41")
        assert found is not None
        self.assertEqual((found.paths[0], set(found.paths)),
                         (b"/a%2FbA", {b"/a%2FbA", b"/a/bA"}))

    def test_twice(self) -> None:
        """A path decoded more than once is a reading, since some servers do so."""
        self.assertEqual(self.paths(b"/%2541"), {b"/%41", b"/A"})

    def test_slashes(self) -> None:
        """Repeated slashes may be one, and a backslash may be one too."""
        self.assertEqual(self.paths(b"/a//b"), {b"/a//b", b"/a/b"})
        self.assertEqual(self.paths(b"/a\\b"), {b"/a\\b", b"/a/b"})

    def test_parameters(self) -> None:
        """A path without the parameters of its segments is a reading."""
        self.assertEqual(self.paths(b"/a;x=1/b"), {b"/a;x=1/b", b"/a/b"})

    def test_dot_segments(self) -> None:
        """Dot segments may be resolved, and a path that has dot segments is ambiguous."""
        found = readings(b"/a/../b")
        assert found is not None
        self.assertEqual((set(found.paths), found.is_odd, found.climbs),
                         ({b"/a/../b", b"/b"}, True, False))

    def test_hidden_dot_segments(self) -> None:
        """Dot segments that are there after decoding only are seen as well."""
        for path in (b"/a/%2e%2e/b", b"/a/%252e%252e/b", b"/a\\..\\b", b"/a/..;x/b"):
            found = readings(path)
            assert found is not None
            self.assertTrue(found.is_odd and b"/b" in found.paths, path)

    def test_climbing(self) -> None:
        """A path that leads out of the root differs from one that does not."""
        for path in (b"/../a", b"/a/../../b", b"/%2e%2e/a"):
            found = readings(path)
            assert found is not None
            self.assertTrue(found.climbs, path)

    def test_end_of_text(self) -> None:
        """A path cut at a NUL is a reading, since some servers stop there."""
        found = readings(b"/a%00b")
        assert found is not None
        self.assertTrue(b"/a" in found.paths and found.is_odd)

    def test_bounded(self) -> None:
        """A path with more readings than a client could mean has none."""
        self.assertIsNone(readings(b"/" + b"//%25252525252e;a\\b/.." * 40))
        self.assertIsNone(readings(b"/%41" * 20_000))

    @given(st.lists(st.sampled_from([b"a", b"/", b"%2f", b"%2e", b".", b"..", b";x", b"\\",
                                     b"%25", b"%00", b"%5c"]), max_size=8))
    def test_closed(self, pieces: list[bytes]) -> None:
        """A reading of a reading is a reading, so that no server sees more than we do."""
        found = readings(b"/" + b"".join(pieces))
        if found is None:
            return
        for one in found.paths:
            again = readings(one)
            if again is not None:
                # A slash that stays escaped is for the first reading alone.
                more = {path for path in again.paths if b"%2F" not in path}
                self.assertLessEqual(more, set(found.paths))
