"""Debian's Chromium without a head, and what can be seen in its pictures."""

from __future__ import annotations

import itertools
import struct
import subprocess
import zlib
from pathlib import Path

from attrs import frozen

from tests.end_to_end.servers import program

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-proxy-server", "--hide-scrollbars", "--window-size=900,700",
    # Where it shares what it draws: containers may have little room in /dev/shm.
    "--disable-dev-shm-usage", "--virtual-time-budget=8000")
# How often it is started where it is ended by a signal, which no page can do.
_STARTS = 3
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Chromium:
    """
    Visits pages, each in a process of its own.

    :ivar profile: a directory for what it keeps.
    """

    def __init__(self, profile: Path) -> None:
        self.profile = profile
        self._profiles = itertools.count()
        self._program = program("chromium")

    def document(self, url: str) -> str:
        """:return: the markup of a page, once its scripts have nothing more to do."""
        return self._run(url, "--dump-dom").decode()

    def picture(self, url: str) -> Picture:
        """:return: what a page looks like then."""
        file = self.profile / "screenshot.png"
        file.unlink(missing_ok=True)
        self._run(url, f"--screenshot={file}")
        return decoded(file.read_bytes())

    def _run(self, url: str, flag: str) -> bytes:
        for start in range(_STARTS):
            # One that has died may have left its profile locked, or in pieces.
            profile = self.profile / str(next(self._profiles))
            done = subprocess.run(
                [self._program, *_FLAGS, f"--user-data-dir={profile}", flag, url],
                check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=180)
            if done.returncode >= 0 or start == _STARTS - 1:
                break
        if done.returncode:
            raise AssertionError(f"Chromium ended with {done.returncode}: "
                                 f"{done.stderr[-3000:].decode(errors='replace')}")
        return done.stdout


@frozen
class Picture:
    """Rows of pixels of red, green and blue."""

    width: int
    rows: tuple[bytes, ...]

    def pixels(self, top: int, bottom: int) -> list[bytes]:
        """:return: the pixels of some rows, one after another."""
        return [row[i:i + 3] for row in self.rows[top:bottom] for i in range(0, len(row), 3)]

    def difference(self, other: Picture, top: int = 0) -> float:
        """
        :param top: the first row that counts.
        :return: how many of the pixels differ, from 0 to 1.
        """
        if (self.width, len(self.rows)) != (other.width, len(other.rows)):
            return 1.0
        ours, theirs = self.pixels(top, len(self.rows)), other.pixels(top, len(self.rows))
        return sum(map(bytes.__ne__, ours, theirs)) / len(ours)


def decoded(octets: bytes) -> Picture:
    """
    :param octets: a PNG of 8 bits a channel, without interlacing (ISO/IEC 15948).
    :raises ValueError: it is none.
    """
    chunks = _chunks(octets)
    width, height, depth, colour, *methods = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or colour not in (2, 6) or any(methods):
        raise ValueError(f"depth {depth}, colour {colour}, methods {methods}")
    channels = 3 if colour == 2 else 4
    data = zlib.decompress(chunks[b"IDAT"])
    stride = width * channels
    rows, above = [], bytearray(stride)
    for i in range(height):
        start = i * (stride + 1)
        above = _unfiltered(data[start], bytearray(data[start + 1:start + 1 + stride]), above,
                            channels)
        rows.append(_without_alpha(above) if channels == 4 else bytes(above))
    return Picture(width, tuple(rows))


def _chunks(octets: bytes) -> dict[bytes, bytes]:
    if not octets.startswith(_SIGNATURE):
        raise ValueError("no PNG")
    found: dict[bytes, bytes] = {}
    at = len(_SIGNATURE)
    while at < len(octets):
        length, name = struct.unpack_from(">I4s", octets, at)
        found[name] = found.get(name, b"") + octets[at + 8:at + 8 + length]
        at += length + 12
    return found


def _unfiltered(kind: int, row: bytearray, above: bytearray, channels: int) -> bytearray:
    if kind == 2:
        return bytearray([(a + b) & 255 for a, b in zip(row, above, strict=True)])
    for i in range(len(row) if kind else 0):
        left = row[i - channels] if i >= channels else 0
        row[i] = (row[i] + _predicted(kind, left, above[i],
                                      above[i - channels] if i >= channels else 0)) & 255
    return row


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 3:
        return (left + up) // 2
    guess = left + up - corner
    return min((left, up, corner), key=lambda near: abs(guess - near))


def _without_alpha(row: bytearray) -> bytes:
    out = bytearray(len(row) // 4 * 3)
    for channel in range(3):
        out[channel::3] = row[channel::4]
    return bytes(out)
