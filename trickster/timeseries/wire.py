"""Datasets as octets, for stores outside this process: in parts of which a refresh changes few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from attrs import frozen

from trickster.timeseries.dataset import Collation, Dataset, Runs, by_octets
from trickster.timeseries.extents import Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, Rows, TextRows, appended
from trickster.timeseries.windows import Windows
from trickster.timeseries.wire_forms import (
    Head,
    Indexed,
    Pairs,
    Piece,
    Text,
    Window,
    digest_of,
    digest_of_all,
    format_read,
    group_reader,
    head_of,
    window_reader,
)
from trickster.timeseries.wire_writing import Standing, parts_written

__all__ = ["Codec", "Pairs"]


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
        cutting = Windows.of(dataset, self.most_instants)
        written = parts_written(dataset, headers, beside, cutting, Standing())
        return [part for part in written if isinstance(part, bytes)]

    def parts_since(self, dataset: Dataset, headers: Pairs, beside: bytes, old: Dataset,
                    head: bytes) -> list[bytes | int]:
        """
        Encode a dataset of which much is encoded already.

        :param headers: as for L{to_parts}.
        :param beside: as for L{to_parts}.
        :param old: the dataset that this one was made of, most often.
        :param head: the first of the parts of that.
        :return: parts of which L{from_parts} makes the dataset; for one that is among those of the
            old dataset its number there.
        """
        cutting = Windows.of(dataset, self.most_instants)
        try:
            standing = Standing.of(old, head, dataset, cutting)
        except (ValueError, LookupError):
            standing = Standing()
        return parts_written(dataset, headers, beside, cutting, standing)

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
            head = head_of(part)
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
              series_of: Callable[[Head, Sequence[Any]], dict[bytes, Runs]]
              ) -> tuple[Dataset, Pairs, bytes] | None:
        try:
            head = head_of(parts[0] or b"")
            extents = Extents.of(head.step_ns, head.spans)
            if len(parts) != 1 + head.groups + len(head.windows):
                return None
            series = series_of(head, parts[1:])
            kind = _as_tuples(head.kind)
            if digest_of_all(map(digest_of, series)) != head.identities:
                return None
        except (ValueError, LookupError, RecursionError):
            return None
        dataset = Dataset(extents, series, self.collation, kind)
        return dataset, tuple(head.headers), head.beside


def _as_tuples(kind: Any) -> Any:
    return tuple(map(_as_tuples, kind)) if isinstance(kind, list) else kind


def _series_read(head: Head, parts: Sequence[bytes]) -> dict[bytes, Runs]:
    formats = [format_read(rows) for rows in head.formats]
    identities = [i for group in parts[:head.groups] for i in group_reader.decode(group)]
    pieces: dict[bytes, list[Piece]] = {digest_of(i): [] for i in identities}
    for bounds, window in zip(head.windows, parts[head.groups:], strict=True):
        for digest, some in _window_read(window, bounds).pieces:
            pieces[digest] += some
    return {i: _runs_read(pieces[digest_of(i)], formats) for i in identities}


def _series_refreshed(old: Dataset, head: Head, parts: Sequence[bytes | None]
                      ) -> dict[bytes, Runs]:
    if any(group is not None for group in parts[:head.groups]):
        raise ValueError("there are other series than before")
    formats = [format_read(rows) for rows in head.formats]
    # What is the same in windows side by side is cut from the old rows at once.
    stretches: list[tuple[int, int] | dict[bytes, list[Piece]]] = []
    for (start, end), window in zip(head.windows, parts[head.groups:], strict=True):
        last = stretches[-1] if stretches else None
        if window is not None:
            stretches.append(dict(_window_read(window, (start, end)).pieces))
        elif isinstance(last, tuple) and last[1] == start - 1:
            stretches[-1] = last[0], end - 1
        else:
            stretches.append((start, end - 1))
    found = {identity: _runs_refreshed(runs, digest_of(identity), stretches, formats)
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


def _window_read(octets: bytes, bounds: tuple[int, int]) -> Window:
    window = window_reader.decode(octets)
    if (window.start_ns, window.end_ns) != bounds:
        raise ValueError("a window of another time")
    return window


def _runs_read(pieces: list[Piece], formats: list[RowFormat]) -> Runs:
    """:return: the pieces of a series, those that are alike put together."""
    if not pieces:
        raise ValueError("a series without a row")
    if len(pieces) == 1:  # of a hundred thousand series most have few rows
        return (_run_read(pieces, formats),)
    return tuple(_run_read(list(alike), formats) for _, alike in groupby(pieces, _form_of))


def _form_of(piece: Piece) -> int | bytes:
    return piece.format if isinstance(piece, Text) else piece.separator


def _run_read(alike: list[Piece], formats: list[RowFormat]) -> Rows:
    first = alike[0]
    if isinstance(first, Text):
        rows = formats[first.format]
        texts = (piece.octets for piece in alike if isinstance(piece, Text))
        return TextRows.of(rows.separator.join(texts), rows)
    indexed = (row for piece in alike if isinstance(piece, Indexed) for row in piece.rows)
    return IndexedRows.of(list(indexed), first.separator)
