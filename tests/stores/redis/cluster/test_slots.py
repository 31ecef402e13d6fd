"""Tests of C{trickster.stores.redis.cluster.slots}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.redis.cluster.slots import hash_tag, slot_of

# Of the specification, and of CLUSTER KEYSLOT of a server of version 7.0.
KNOWN = {b"123456789": 12739, b"": 0, b"foo": 12182, b"bar": 5061, b"hello": 866,
         b"{user1000}.following": 3443, b"{user1000}.followers": 3443, b"user1000": 3443,
         b"foo{}{bar}": 8363, b"foo{{bar}}zap": 4015, b"{bar": 4015, b"foo{bar}{zap}": 5061,
         b"{}": 15257, b"a}b{c}d": 7365, b"\xff\x00{\x80}": 4488}


def _by_the_book(key: bytes) -> int:
    """:return: the slot, by the definition of CRC16: a bit at a time."""
    _, brace, after = key.partition(b"{")
    tag, end, _ = after.partition(b"}")
    if brace and end and tag:
        key = tag
    crc = 0
    for octet in key:
        crc ^= octet << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc % 16384


class SlotTests(SynchronousTestCase):
    """In which slot a key is."""

    def test_known(self) -> None:
        """Keys are in the slots in which servers have them, those with hash tags too."""
        self.assertEqual({key: slot_of(key) for key in KNOWN}, KNOWN)

    def test_tags(self) -> None:
        """A hash tag is what the first brace that opens and the next that closes have between them."""
        for key, tag in ((b"", b""), (b"a", b""), (b"{a}", b"a"), (b"x{a}{b}", b"a"),
                         (b"{}{b}", b""), (b"}{a}", b"a"), (b"{a", b""), (b"{{a}}", b"{a")):
            self.assertEqual(hash_tag(key), tag)

    @given(st.binary() | st.text(alphabet="ab{}").map(str.encode))
    def test_model(self, key: bytes) -> None:
        """Any key is in the slot that the definition gives."""
        self.assertEqual(slot_of(key), _by_the_book(key))
