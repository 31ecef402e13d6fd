"""Just enough protocol buffers and snappy to write to a Prometheus, and to read from it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

WRITE_HEADERS = {
    "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0"}
READ_HEADERS = {
    "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0"}
_LONGEST_LITERAL = 1 << 16

Labels = Mapping[str, str]


def written(labels: Labels, samples: Sequence[tuple[int, float]] = (),
            histograms: Sequence[bytes] = ()) -> bytes:
    """
    :param samples: each with its milliseconds since the epoch.
    :return: the body of a remote write request of one series.
    """
    series = b"".join((
        *(_nested(1, _text(1, name) + _text(2, labels[name])) for name in sorted(labels)),
        *(_nested(2, _double(1, value) + _number(2, at)) for at, value in samples),
        *(_nested(4, histogram) for histogram in histograms)))
    return snappy(_nested(1, series))


def histogram(at: int, counts: Sequence[int], total: float) -> bytes:
    """
    :param at: milliseconds since the epoch.
    :param counts: of neighbouring buckets, from 1 upwards, each twice as wide as the last.
    :return: a native histogram.
    """
    before = [0, *counts]
    deltas = [_zigzag(now - then) for then, now in zip(before, counts, strict=False)]
    return b"".join((
        _number(1, sum(counts)), _double(3, total), _number(4, 0), _double(5, 0.001),
        _nested(11, _number(1, _zigzag(1)) + _number(2, len(counts))),
        _nested(12, b"".join(map(_varint, deltas))), _number(15, at)))


def asked(labels: Labels, start: int, end: int, streamed: bool = False) -> bytes:
    """
    :param start: first millisecond since the epoch.
    :param streamed: whether the answer is to come in frames.
    :return: the body of a remote read request.
    """
    query = b"".join((_number(1, start), _number(2, end), *(
        _nested(3, _text(2, name) + _text(3, value)) for name, value in labels.items())))
    return snappy(_nested(1, query) + (_number(2, 1) if streamed else b""))


def snappy(octets: bytes) -> bytes:
    """:return: the same in snappy's block format, not any shorter."""
    pieces = [_varint(len(octets))]
    for i in range(0, len(octets), _LONGEST_LITERAL):
        literal = octets[i:i + _LONGEST_LITERAL]
        pieces += [b"\xf4", struct.pack("<H", len(literal) - 1), literal]
    return b"".join(pieces)


def unsnappy(octets: bytes) -> bytes:
    """:return: what a block in snappy's format stands for."""
    length, at = _read_varint(octets, 0)
    out = bytearray()
    while at < len(octets):
        tag, at = octets[at], at + 1
        kind, size = tag & 3, tag >> 2
        if kind == 0:
            if size >= 60:
                more, at = size - 59, at + size - 59
                size = int.from_bytes(octets[at - more:at], "little")
            out += octets[at:at + size + 1]
            at += size + 1
            continue
        if kind == 1:
            size, back, at = (size & 7) + 4, (tag >> 5) << 8 | octets[at], at + 1
        else:
            width = 2 if kind == 2 else 4
            back, at = int.from_bytes(octets[at:at + width], "little"), at + width
            size += 1
        for _ in range(size):
            out.append(out[-back])
    assert len(out) == length
    return bytes(out)


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    return bytes((*octets, number))


def _read_varint(octets: Iterable[int], start: int) -> tuple[int, int]:
    number = 0
    for i, octet in enumerate(octets):
        number |= (octet & 127) << 7 * i
        if octet < 128:
            return number, start + i + 1
    raise ValueError("cut off")


def _zigzag(number: int) -> int:
    return number << 1 ^ number >> 63


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _double(field: int, number: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", number)


def _text(field: int, text: str) -> bytes:
    return _nested(field, text.encode())


def _nested(field: int, octets: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(octets)) + octets
