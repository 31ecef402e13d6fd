"""Octets as they are put into stores: compressed where that pays."""

from __future__ import annotations

import zstandard
from attrs import define, field

Octets = bytes | memoryview

# How what follows was put: as it is, or in one frame of zstandard, which says how large it is.
_PLAIN, _FRAME = b"\0", b"\1"
# With fewer octets it is not worth the trying.
_LEAST = 512
# One part in so many has to be saved.
_SAVED = 8
# Faster than the next ones by half, and for rows of numbers no larger.
_LEVEL = 1
# More than this level looks back; with a larger one a frame would take memory of its own.
_WINDOW = 8 << 20


@define(eq=False)
class Packer:
    """
    Compresses the chunks of one entry, one after the other; in any thread, but in one at a time.

    A part of which a chunk did not become smaller is most likely compressed already, as images
    are: no other chunk of it is tried.
    """

    _compressor: zstandard.ZstdCompressor | None = field(default=None, init=False)
    _poor: set[int] = field(factory=set, init=False)

    def tries(self, octets: Octets, part: int = 0) -> bool:
        """:return: whether L{packed} tries to compress these octets, which takes its time."""
        return len(octets) >= _LEAST and part not in self._poor

    def packed(self, octets: Octets, part: int = 0) -> bytes:
        """
        :param part: of the entry: its number.
        :return: what L{unpacked} makes the same octets of; one more than these at most.
        """
        if self.tries(octets, part):
            if self._compressor is None:
                self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
            frame = self._compressor.compress(octets)
            if len(frame) <= len(octets) - len(octets) // _SAVED:
                return _FRAME + frame
            self._poor.add(part)
        return b"".join((_PLAIN, octets))


def unpacked(stored: Octets, most: int, least: int = 0) -> bytes | None:
    """
    :param stored: what a store gave.
    :param most: octets that it may stand for: no more memory is taken than for so many.
    :param least: octets that it must stand for.
    :return: what it stands for; None where that is none of these, or damaged.
    """
    how, rest = bytes(stored[:1]), memoryview(stored)[1:]
    if how == _FRAME:
        return _decompressed(rest, most, least)
    return bytes(rest) if how == _PLAIN and least <= len(rest) <= most else None


def _decompressed(frame: memoryview, most: int, least: int) -> bytes | None:
    try:
        # The decompressor takes as much memory as the frame says, also where it is given a limit.
        size: int = zstandard.get_frame_parameters(frame).content_size
        if not max(1, least) <= size <= most:
            return None
        octets: bytes = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompress(
            frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError:
        return None
    return octets if len(octets) == size else None
