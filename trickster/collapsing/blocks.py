"""The octets of a body that are in memory, as few and large blocks."""

from __future__ import annotations

from bisect import bisect_right

from attrs import define, field

# Many small pieces are joined, so that a body of them does not cost a multiple of its size.
_SMALL = 8192
_LARGE = 2 * 1024 * 1024
# Given to a reader at once: a late one must not keep the others waiting.
PIECE = 256 * 1024


@define(eq=False)
class Blocks:
    """
    A run of octets that grows at its end and may be forgotten from its beginning.

    :ivar size: offset after the last octet.
    """

    size: int = field(default=0, init=False)
    _blocks: list[bytes] = field(factory=list, init=False)
    _starts: list[int] = field(factory=list, init=False)
    # Index of the first block that may still be joined with those after it.
    _loose: int = field(default=0, init=False)

    @property
    def first(self) -> int:
        """:return: offset of the first octet that is here; L{size} where there is none."""
        return self._starts[0] if self._starts else self.size

    def all(self) -> tuple[bytes, ...]:
        """:return: everything that is here."""
        return tuple(self._blocks)

    def append(self, piece: bytes) -> None:
        """
        Add octets at the end.

        :param piece: held as it is, or copied together with the block before where both are
            small.
        """
        if self._loose < len(self._blocks) and len(self._blocks[-1]) + len(piece) <= _SMALL:
            self._blocks[-1] += piece
        else:
            self._blocks.append(piece)
            self._starts.append(self.size)
        self.size += len(piece)

    def join_enough(self) -> None:
        """Join the newest blocks after an L{append}, once there is enough for a large one."""
        if self.size - self._starts[self._loose] >= _LARGE:
            self.join()

    def join(self) -> None:
        """
        Join the newest blocks.

        What is kept is sent again and again, in large pieces: better joined once.  And pieces
        that a socket has given, and cut to size, leave holes between them that together are
        nearly as large as they: the fewer blocks stay among them, the better.
        """
        loose = self._blocks[self._loose:]
        if len(loose) > 1:
            self._blocks[self._loose:] = [b"".join(loose)]
            del self._starts[self._loose + 1:]
        self._loose = len(self._blocks)

    def at(self, offset: int) -> bytes | memoryview | None:
        """:return: some octets from an offset on, if they are here."""
        if not self.first <= offset < self.size:
            return None
        index = bisect_right(self._starts, offset) - 1
        block, skipped = self._blocks[index], offset - self._starts[index]
        if not skipped and len(block) <= PIECE:
            return block
        return memoryview(block)[skipped:skipped + PIECE]

    def forget(self, before: int) -> None:
        """
        Let go of blocks that are not needed.

        :param before: an offset; a block that goes on beyond it stays whole.
        """
        while self._blocks and self._starts[0] + len(self._blocks[0]) <= before:
            del self._blocks[0], self._starts[0]
            self._loose = max(0, self._loose - 1)
