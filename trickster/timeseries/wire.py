"""Datasets as octets, for stores outside this process: versioned, and checked on reading."""

from __future__ import annotations

import zlib
from typing import Annotated, Any

import msgspec
from attrs import frozen

from trickster.timeseries.dataset import Collation, Dataset, by_octets
from trickster.timeseries.extents import Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, Rows, TextRows

_MAGIC = b"TkD2"  # another number for every change of the form
_CHECKSUM = 4
Pairs = tuple[tuple[bytes, bytes], ...]


class _Text(msgspec.Struct, array_like=True, tag="t"):
    format: Annotated[int, msgspec.Meta(ge=0)]  # its place in the list of formats
    octets: bytes


class _Indexed(msgspec.Struct, array_like=True, tag="i"):
    separator: bytes
    rows: list[tuple[int, bytes]]


class _Format(msgspec.Struct, array_like=True):
    separator: bytes
    after: bytes
    opening: bytes
    closing: bytes
    delimiter: bytes
    column: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    unit_ns: Annotated[int, msgspec.Meta(gt=0)]


class _Stored(msgspec.Struct, array_like=True):
    step_ns: Annotated[int, msgspec.Meta(gt=0)]
    spans: list[tuple[int, int]]
    kind: Any
    series: list[tuple[bytes, Annotated[list[_Text | _Indexed], msgspec.Meta(min_length=1)]]]
    headers: list[tuple[bytes, bytes]]
    span: int
    formats: list[_Format]


_reader = msgspec.msgpack.Decoder(_Stored)
_writer = msgspec.msgpack.Encoder()


@frozen
class Codec:
    """
    Makes octets of datasets, and datasets of octets.

    :ivar collation: of the dialect whose datasets they are.
    """

    collation: Collation = by_octets

    def to_octets(self, dataset: Dataset, headers: Pairs = (), span: int = 0) -> bytes:
        """
        :param headers: header fields to keep beside it.
        :param span: a number to keep beside it.
        """
        extents = dataset.extents
        places: dict[RowFormat, int] = {}
        series = [(i, [_run_stored(run, places) for run in runs])
                  for i, runs in dataset.series.items()]
        stored = _Stored(
            extents.step_ns, [(s.start_ns, s.end_ns) for s in extents.spans], dataset.kind,
            series, list(headers), span, [_format_stored(rows) for rows in places])
        octets = _writer.encode(stored)
        return _MAGIC + zlib.crc32(octets).to_bytes(_CHECKSUM, "big") + octets

    def from_octets(self, octets: bytes) -> tuple[Dataset, Pairs, int] | None:
        """
        :return: the dataset, and what was kept beside it; None where the octets are not
            exactly what L{to_octets} of this version made.
        """
        start = len(_MAGIC) + _CHECKSUM
        body = memoryview(octets)[start:]
        claimed = octets[len(_MAGIC):start]
        if octets[:len(_MAGIC)] != _MAGIC or zlib.crc32(body).to_bytes(4, "big") != claimed:
            return None
        try:
            stored = _reader.decode(body)
            extents = Extents.of(stored.step_ns, stored.spans)
            formats = [_format_read(rows) for rows in stored.formats]
            series = {i: tuple(_run_read(run, formats) for run in runs)
                      for i, runs in stored.series}
        except (ValueError, IndexError):
            return None
        dataset = Dataset(extents, series, self.collation, stored.kind)
        return dataset, tuple(stored.headers), stored.span


def _run_stored(run: Rows, places: dict[RowFormat, int]) -> _Text | _Indexed:
    if isinstance(run, TextRows):
        return _Text(places.setdefault(run.format, len(places)), bytes(run.encoded()))
    return _Indexed(run.separator, list(run.rows()))


def _run_read(run: _Text | _Indexed, formats: list[RowFormat]) -> Rows:
    if isinstance(run, _Text):
        return TextRows.of(run.octets, formats[run.format])
    return IndexedRows.of(run.rows, run.separator)


def _format_stored(rows: RowFormat) -> _Format:
    return _Format(rows.separator, rows.after, rows.opening, rows.closing, rows.delimiter,
                   rows.column, rows.unit_ns)


def _format_read(rows: _Format) -> RowFormat:
    return RowFormat(rows.separator, rows.after, rows.opening, rows.closing, rows.delimiter,
                     rows.column, rows.unit_ns)
