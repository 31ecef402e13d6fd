"""Tests of L{trickster.stores.packing}."""

from __future__ import annotations

import tracemalloc
from random import Random

import zstandard
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.packing import Packer, unpacked

MIB = 1 << 20
ROWS = b",".join(b'[%d,"%d"]' % (1_700_000_000 + 60 * n, n * n % 9973) for n in range(200))
NOISE = Random(1).randbytes(4096)
texts = st.one_of(
    st.binary(max_size=2000),
    st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=20),
              st.integers(0, 300)))


class PackingTests(SynchronousTestCase):
    """Octets that are compressed where that pays."""

    @given(st.lists(st.tuples(texts, st.integers(0, 2)), max_size=5))
    def test_there_and_back(self, given: list[tuple[bytes, int]]) -> None:
        """What was packed is unpacked, whatever one packer has packed before, and is no larger."""
        packer = Packer()
        for octets, part in given:
            stored = packer.packed(memoryview(octets), part)
            self.assertEqual(unpacked(stored, len(octets), len(octets)), octets)
            self.assertLessEqual(len(stored), len(octets) + 1)

    def test_pays(self) -> None:
        """Rows of numbers become a third; what is short, or is noise, is stored as it is."""
        self.assertLess(len(Packer().packed(ROWS)), len(ROWS) // 3)
        for octets in (b"", b"x" * 511, NOISE):
            self.assertEqual(len(Packer().packed(octets)), len(octets) + 1)

    def test_saves_enough(self) -> None:
        """What would become smaller by less than an eighth is stored as it is."""
        for share, is_smaller in ((16, False), (4, True)):
            octets = NOISE[len(NOISE) // share:] + bytes(len(NOISE) // share)
            self.assertIs(len(Packer().packed(octets)) < len(octets), is_smaller)

    def test_not_tried_again(self) -> None:
        """After a chunk that did not become smaller, no other of the same part is tried."""
        packer = Packer()
        packer.packed(NOISE, part=1)
        self.assertEqual([packer.tries(ROWS, part) for part in (0, 1)], [True, False])
        self.assertEqual(len(packer.packed(ROWS, part=1)), len(ROWS) + 1)
        self.assertLess(len(packer.packed(ROWS, part=0)), len(ROWS))

    def test_damaged(self) -> None:
        """What is cut or changed in any octet is unpacked to so many octets, or to nothing."""
        for octets in (ROWS, NOISE[:600]):
            stored = Packer().packed(octets)
            for at in range(len(stored)):
                self.assertIsNone(unpacked(stored[:at], len(octets), len(octets)))
                for change in (1, 0x10, 0xFF):
                    damaged = stored[:at] + bytes([stored[at] ^ change]) + stored[at + 1:]
                    self.assertIn(len(unpacked(damaged, len(octets), len(octets)) or b""),
                                  (0, len(octets)))
            self.assertIsNone(unpacked(stored + b"x", len(octets), len(octets)))

    @given(st.binary(max_size=100), st.integers(0, 200))
    def test_foreign(self, stored: bytes, most: int) -> None:
        """Any octets are unpacked to as many as they may be, or to nothing, without an error."""
        for begin in (b"", b"\1", b"\1\x28\xb5\x2f\xfd"):
            self.assertLessEqual(len(unpacked(begin + stored, most) or b""), most)

    def test_bombs(self) -> None:
        """What stands for more than it may takes no memory, whether it says how much or not."""
        zeros = bytes(16 * MIB)
        frames = [zstandard.ZstdCompressor(write_content_size=says).compress(zeros)
                  for says in (True, False)]
        # Says that it is short, and is not: the size is in four octets after the magic number,
        # the descriptor, and the window.
        says = frames[0]
        self.assertEqual(zstandard.get_frame_parameters(says).content_size, len(zeros))
        frames.append(says[:6] + (MIB // 2).to_bytes(4, "little") + says[10:])
        self.assertEqual(zstandard.get_frame_parameters(frames[2]).content_size, MIB // 2)
        frames += [says + says, b"\x50\x2a\x4d\x18\4\0\0\0zero" + says]
        for frame in frames:
            tracemalloc.start()
            try:
                self.assertIsNone(unpacked(b"\1" + frame, MIB))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(peak, 2 * MIB)

    def test_sizes(self) -> None:
        """What stands for fewer octets than it must, or more than it may, is nothing."""
        for octets in (ROWS, NOISE):
            stored, size = Packer().packed(octets), len(octets)
            for least, most, found in ((0, size, octets), (size, size, octets),
                                       (size + 1, 2 * size, None), (0, size - 1, None)):
                self.assertEqual(unpacked(stored, most, least), found)
