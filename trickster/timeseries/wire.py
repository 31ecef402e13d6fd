"""Datasets as octets, for stores outside this process: in parts of which a refresh changes few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import groupby
from typing import Annotated, Any

import msgspec
from attrs import frozen

from trickster.timeseries.dataset import Collation, Dataset, Runs, by_octets
from trickster.timeseries.extents import Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, Rows, TextRows, appended
from trickster.timeseries.windows import Windows

_VERSION = b"TkD5"  # another number for every change of the form
_BEFORE_ALL = -(1 << 63)
Pairs = tuple[tuple[bytes, bytes], ...]


class _Text(msgspec.Struct, array_like=True, tag="t", gc=False):
    format: Annotated[int, msgspec.Meta(ge=0)]  # its place in the list of formats
    octets: memoryview  # what is read is not copied before it is put together


class _Indexed(msgspec.Struct, array_like=True, tag="i", gc=False):
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


class _Head(msgspec.Struct, array_like=True):
    version: Annotated[bytes, msgspec.Meta(min_length=4, max_length=4)]
    step_ns: Annotated[int, msgspec.Meta(gt=0)]
    spans: list[tuple[int, int]]
    kind: Any
    headers: list[tuple[bytes, bytes]]
    beside: bytes
    formats: list[_Format]
    groups: Annotated[int, msgspec.Meta(ge=0)]  # of identities; the other parts are windows
    identities: bytes  # what tells all of them, in their order, from others
    windows: list[tuple[int, int]]  # where each begins, and where the next may


class _Window(msgspec.Struct, array_like=True):
    start_ns: int
    end_ns: int
    pieces: list[tuple[bytes, list[_Text | _Indexed]]]  # by digest of identity

_head_reader = msgspec.msgpack.Decoder(_Head)
_group_reader = msgspec.msgpack.Decoder(list[bytes])
_window_reader = msgspec.msgpack.Decoder(_Window)
_writer = msgspec.msgpack.Encoder()


@frozen
class Codec:
    """
    Makes octets of datasets, and datasets of octets.

    The octets are in parts: a small head; identities of series, in groups; and for each window
    of time (L{trickster.timeseries.windows}) the rows of all series.  So of a dataset to which
    a few instants were added, with some series that came or went, most parts are as they were.

    Nothing in them tells that they are whole: the seal of the store does
    (L{trickster.stores.sealed}).

    :ivar collation: of the dialect whose datasets they are.
    :ivar most_instants: timestamps in a window; 0 for as many as suit.
    """

    collation: Collation = by_octets
    most_instants: int = 0

    def to_parts(self, dataset: Dataset, headers: Pairs = (), beside: bytes = b"") -> list[bytes]:
        """
        :param headers: header fields to keep beside it.
        :param beside: other octets to keep beside it.
        """
        extents = dataset.extents
        places: dict[RowFormat, int] = {}
        cutting = Windows.of(dataset, self.most_instants)
        windows, groups = _windows_stored(dataset, places, cutting)
        head = _Head(
            _VERSION, extents.step_ns, [(s.start_ns, s.end_ns) for s in extents.spans],
            dataset.kind, list(headers), beside, [_format_stored(rows) for rows in places],
            len(groups), _digest_of_all(dataset.series),
            [(window.start_ns, window.end_ns) for window in windows])
        return [_writer.encode(part) for part in (head, *groups, *windows)]

    def from_parts(self, parts: Sequence[bytes]) -> tuple[Dataset, Pairs, bytes] | None:
        """
        :param parts: octets that are whole.
        :return: the dataset, and what was kept beside it; None where the octets are not
            exactly what L{to_parts} of this version made.
        """
        return self._read(parts, _series_read)

    def head(self, part: bytes) -> tuple[Extents, bytes] | None:
        """
        :param part: the first of those of a dataset.
        :return: what the dataset covers, and what was kept beside it; None where the octets are
            no such part.
        """
        try:
            head = _head_reader.decode(part)
            if head.version != _VERSION:
                return None
            return Extents.of(head.step_ns, head.spans), head.beside
        except (ValueError, LookupError):
            return None

    def refreshed(self, parts: Sequence[bytes | None], old: Dataset
                  ) -> tuple[Dataset, Pairs, bytes] | None:
        """
        Decode a dataset of which some parts are those of another one, without decoding these.

        :param parts: as for L{from_parts}, with None for each that L{to_parts} of C{old} has to
            the octet; the first is always there.
        :param old: read only where a window of time is the same.
        :return: what L{from_parts} gives for all parts; None also where it takes those that are
            not given to know.
        """
        return self._read(parts, partial(_series_refreshed, old))

    def _read(self, parts: Sequence[bytes | None],
              series_of: Callable[[_Head, Sequence[Any]], dict[bytes, Runs]]
              ) -> tuple[Dataset, Pairs, bytes] | None:
        try:
            head = _head_reader.decode(parts[0] or b"")
            if head.version != _VERSION:
                return None
            extents = Extents.of(head.step_ns, head.spans)
            if len(parts) != 1 + head.groups + len(head.windows):
                return None
            series = series_of(head, parts[1:])
            kind = _as_tuples(head.kind)
            if _digest_of_all(series) != head.identities:
                return None
        except (ValueError, LookupError, RecursionError):
            return None
        dataset = Dataset(extents, series, self.collation, kind)
        return dataset, tuple(head.headers), head.beside


def _as_tuples(kind: Any) -> Any:
    return tuple(map(_as_tuples, kind)) if isinstance(kind, list) else kind


def _windows_stored(dataset: Dataset, places: dict[RowFormat, int], cutting: Windows
                    ) -> tuple[list[_Window], list[list[bytes]]]:
    windows: dict[int, dict[bytes, list[_Text | _Indexed]]] = {}
    groups: list[list[bytes]] = [[]]
    is_last = _group_ends(len(dataset.series))
    for identity, runs in dataset.series.items():
        digest = _digest_of(identity)
        groups[-1].append(identity)
        if is_last(digest):
            groups.append([])
        for start, piece in cutting.cut(runs):
            pieces = windows.setdefault(start, {}).setdefault(digest, [])
            pieces.append(_stored(piece, places))
    return ([_Window(max(start, _BEFORE_ALL), cutting.around(start)[1],
                     list(windows[start].items())) for start in sorted(windows)],
            [group for group in groups if group])


def _group_ends(series: int) -> Callable[[bytes], bool]:
    """
    :param series: how many there are; some hundred groups hold the identities of all.
    :return: whether a group ends with the identity of a digest: so groups end where they did
        while series come and go.
    """
    within = (1 << max(8, (series >> 8).bit_length())) - 1
    return lambda digest: not int.from_bytes(digest[:4], "big") & within


def _series_read(head: _Head, parts: Sequence[bytes]) -> dict[bytes, Runs]:
    formats = [_format_read(rows) for rows in head.formats]
    identities = [i for group in parts[:head.groups] for i in _group_reader.decode(group)]
    pieces: dict[bytes, list[_Text | _Indexed]] = {_digest_of(i): [] for i in identities}
    for bounds, window in zip(head.windows, parts[head.groups:], strict=True):
        for digest, some in _window_read(window, bounds).pieces:
            pieces[digest] += some
    return {i: _runs_read(pieces[_digest_of(i)], formats) for i in identities}


def _series_refreshed(old: Dataset, head: _Head, parts: Sequence[bytes | None]
                      ) -> dict[bytes, Runs]:
    if any(group is not None for group in parts[:head.groups]):
        raise ValueError("there are other series than before")
    formats = [_format_read(rows) for rows in head.formats]
    # What is the same in windows side by side is cut from the old rows at once.
    stretches: list[tuple[int, int] | dict[bytes, list[_Text | _Indexed]]] = []
    for (start, end), window in zip(head.windows, parts[head.groups:], strict=True):
        last = stretches[-1] if stretches else None
        if window is not None:
            stretches.append(dict(_window_read(window, (start, end)).pieces))
        elif isinstance(last, tuple):
            stretches[-1] = last[0], end - 1
        else:
            stretches.append((start, end - 1))
    found = {identity: _runs_refreshed(runs, _digest_of(identity), stretches, formats)
             for identity, runs in old.series.items()}
    return {identity: runs for identity, runs in found.items() if runs}


def _runs_refreshed(old: Runs, digest: bytes, stretches: Sequence[Any],
                    formats: list[RowFormat]) -> Runs:
    runs: Runs = ()
    for stretch in stretches:
        if isinstance(stretch, tuple):
            more: Iterable[Rows | None] = (run.cropped(*stretch) for run in old)
        else:
            more = _runs_read(stretch[digest], formats) if digest in stretch else ()
        for run in more:
            if run is not None:
                runs = appended(runs, run)
    return runs


def _window_read(octets: bytes, bounds: tuple[int, int]) -> _Window:
    window = _window_reader.decode(octets)
    if (window.start_ns, window.end_ns) != bounds:
        raise ValueError("a window of another time")
    return window


def _digest_of_all(identities: Iterable[bytes]) -> bytes:
    digest = blake2b(digest_size=16)
    for identity in identities:
        digest.update(_digest_of(identity))
    return digest.digest()


def _digest_of(identity: bytes) -> bytes:
    return blake2b(identity, digest_size=16).digest()


def _stored(run: Rows, places: dict[RowFormat, int]) -> _Text | _Indexed:
    if isinstance(run, TextRows):
        return _Text(places.setdefault(run.format, len(places)), memoryview(run.encoded()))
    return _Indexed(run.separator, list(run.rows()))


def _runs_read(pieces: list[_Text | _Indexed], formats: list[RowFormat]) -> Runs:
    """:return: the pieces of a series, those that are alike put together."""
    if not pieces:
        raise ValueError("a series without a row")
    if len(pieces) == 1:  # of a hundred thousand series most have few rows
        return (_run_read(pieces, formats),)
    return tuple(_run_read(list(alike), formats) for _, alike in groupby(pieces, _form_of))


def _form_of(piece: _Text | _Indexed) -> int | bytes:
    return piece.format if isinstance(piece, _Text) else piece.separator


def _run_read(alike: list[_Text | _Indexed], formats: list[RowFormat]) -> Rows:
    first = alike[0]
    if isinstance(first, _Text):
        rows = formats[first.format]
        texts = (piece.octets for piece in alike if isinstance(piece, _Text))
        return TextRows.of(rows.separator.join(texts), rows)
    indexed = (row for piece in alike if isinstance(piece, _Indexed) for row in piece.rows)
    return IndexedRows.of(list(indexed), first.separator)


def _format_stored(rows: RowFormat) -> _Format:
    return _Format(rows.separator, rows.after, rows.opening, rows.closing, rows.delimiter,
                   rows.column, rows.unit_ns)


def _format_read(rows: _Format) -> RowFormat:
    return _row_format(rows.separator, rows.after, rows.opening, rows.closing, rows.delimiter,
                       rows.column, rows.unit_ns)


# Shared by datasets: each remembers how rows begin, which may be more than a small one has.
_row_format = lru_cache(maxsize=64)(RowFormat)
