"""A table of series whose samples stay as the origin encoded them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from attrs import evolve, field, frozen

from trickster.timeseries.extents import AFTER_ALL, BEFORE_ALL, Extent, Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, Rows, TextRows, appended

_SERIES_OVERHEAD = 200
_FEW_SERIES = 64  # cut at once; more would hold the reactor
Collation = Callable[[bytes], Any]
Runs = tuple[Rows, ...]


def by_octets(identity: bytes) -> bytes:
    """
    The collation of origins that nothing better is known of.

    :param identity: of a series, in the origin's own octets.
    :return: what series are ordered by: these octets.
    """
    return identity


@frozen(slots=True)
class Dataset:
    """
    Samples of some series over some extents.  A value: methods return new ones.

    :ivar extents: what is covered, with or without samples, on a step's grid.
    :ivar series: by identity, in the origin's order: the series' own octets (labels, tags,
        columns), and its rows in runs, in time order.
    :ivar collation: gives what series are ordered by where the origin's order is unknown.
    :ivar kind: what the dialect wants to remember, such as the result type: a text, octets, a
        number, None, or a tuple of them.  Datasets of different kinds are not merged.
    """

    extents: Extents
    series: Mapping[bytes, Runs] = field(factory=dict)
    collation: Collation = field(default=by_octets, eq=False, repr=False)
    kind: Any = None

    @classmethod
    def from_rows(cls, extents: Extents, series: Mapping[bytes, Iterable[tuple[int, bytes]]],
                  kind: Any = None, separator: bytes = b",") -> Dataset:
        """
        The plain way to make one, for dialects that decode sample by sample.

        :param series: instants and octets of each series' rows, ascending; rows outside
            the extents are left out, and so is a series without rows.
        :param separator: what stands between two rows in an answer.
        :raises ValueError: rows are out of order.
        """
        found = {i: IndexedRows.of(rows, separator) for i, rows in
                 ((identity, list(rows)) for identity, rows in series.items()) if rows}
        whole = cls(extents, {i: (run,) for i, run in found.items()}, kind=kind)
        return whole.restricted(extents)

    @classmethod
    def from_encoded(cls, extents: Extents, series: Mapping[bytes, bytes], rows: RowFormat,
                     kind: Any = None) -> Dataset:
        """
        The fast way to make one: no row is looked at until it is needed.

        :param series: the octets of each series' rows as they stand in the answer, with their
            separators; rows outside the extents are left out, and so is a series without rows.
        :param rows: how they are written.
        :raises ValueError: some are not in the canonical form, or out of order; a dialect takes
            them apart then.
        """
        found: dict[bytes, Runs] = {}
        for identity, octets in series.items():
            if octets:
                if not rows.canonical(octets):
                    raise ValueError(f"another form of rows: {octets[:80]!r}")
                found[identity] = (TextRows.of(octets, rows),)
        return cls(extents, found, kind=kind).restricted(extents)

    @property
    def nbytes(self) -> int:
        """
        :return: about how many octets of memory it holds on to, for the accounts of a store; a
            buffer that several runs are cut from counts for each.
        """
        return sum(_SERIES_OVERHEAD + len(identity) + sum(120 + run.nbytes for run in runs)
                   for identity, runs in self.series.items())

    @property
    def encoded_bytes(self) -> int:
        """:return: about how many octets its identities and rows take in an answer."""
        return sum(len(identity) + sum(len(run.encoded()) + 1 for run in runs)
                   for identity, runs in self.series.items())

    def rows(self, identity: bytes) -> Iterator[tuple[int, bytes]]:
        """:return: instant and octets of each row of one series."""
        for run in self.series[identity]:
            yield from run.rows()

    def encoded(self) -> Iterator[tuple[bytes, list[bytes | memoryview]]]:
        """
        :return: identity of each series, in order, and the octets of its rows, separators
            included, in pieces.
        """
        for identity, runs in self.series.items():
            pieces = [runs[0].encoded()]
            for run in runs[1:]:
                pieces += (run.separator, run.encoded())
            yield identity, pieces

    def restricted(self, extents: Extents) -> Dataset:
        """
        :return: only the samples inside C{extents}, and that coverage.  A series without
            samples there is left out.
        """
        kept = {}
        for identity, runs in self.series.items():
            inside = _cropped(runs, extents.spans)
            if inside:
                kept[identity] = inside
        return evolve(self, extents=self.extents & extents, series=kept)

    def window(self, extent: Extent) -> Dataset:
        """
        :return: L{restricted} to one extent that is wholly covered.  Many series are only
            cut as they are asked for, so that an answer can begin at once.
        """
        covered = Extents(self.extents.step_ns, (extent,))
        if self.extents == covered:
            return self
        windowed = _Windowed(self.series, extent)
        few = len(self.series) <= _FEW_SERIES
        return evolve(self, extents=covered, series=dict(windowed.items()) if few else windowed)

    def merged(self, newer: Dataset) -> Dataset:
        """
        :return: all samples; where both cover an instant, the newer's.
        :raises ValueError: the two are of different kinds.
        """
        if self.kind != newer.kind and self.series and newer.series:
            raise ValueError(f"{self.kind} and {newer.kind} do not merge")
        old = self.series
        if self.extents & newer.extents:
            old = self.restricted(self.extents - newer.extents).series
        extents = self.extents | newer.extents
        kind = newer.kind if newer.series else self.kind
        if not newer.series or not old:
            return evolve(self, extents=extents, series=newer.series or old, kind=kind,
                          collation=newer.collation)
        joined = {new: _merged_runs(old.get(known, ()), newer.series.get(new, ()), newer.extents)
                  for known, new in _paired(old, newer)}
        return evolve(newer, extents=extents, series=joined, kind=kind)

    def followed_by(self, newest: Dataset) -> Dataset:
        """
        :param newest: rows later than all of ours, on no grid.
        :return: our samples and then those; what is covered stays what it was.
        """
        ours = dict(self.series.items())
        joined = {new: _merged_runs(ours.get(old, ()), newest.series.get(new, ()), newest.extents)
                  for old, new in _paired(ours, newest)}
        return evolve(self, series=joined)

    def compacted(self) -> Dataset:
        """:return: an equal dataset whose runs hold on to what they use, give or take half."""
        return evolve(self, series={i: tuple(_slim(run) for run in runs)
                                    for i, runs in self.series.items()})


@frozen(slots=True, eq=False)
class _Windowed(Mapping[bytes, Runs]):
    """Series cut to an extent at each look-up; those without a row there are not in it."""

    _whole: Mapping[bytes, Runs]
    _extent: Extent

    def __getitem__(self, identity: bytes) -> Runs:
        inside = _cropped(self._whole[identity], (self._extent,))
        if not inside:
            raise KeyError(identity)
        return inside

    def __iter__(self) -> Iterator[bytes]:
        return (identity for identity, _ in self.items())

    def __len__(self) -> int:
        """:return: how many there are at most: to count them would be to cut them all."""
        return len(self._whole)

    def items(self) -> Iterator[tuple[bytes, Runs]]:  # type: ignore[override]
        start, end = self._extent
        for identity, runs in self._whole.items():
            if len(runs) == 1:  # by far the most
                run = runs[0].cropped(start, end)
                if run is not None:
                    yield identity, (run,)
            elif inside := _cropped(runs, (self._extent,)):
                yield identity, inside


def _paired(old: Mapping[bytes, Runs], newer: Dataset) -> Iterable[tuple[bytes, bytes]]:
    """
    :return: the identities of every series in the order of the result, as the older and as
        the newer side spell it: an origin that was upgraded may spell the same labels anew.
    """
    fresh = newer.series
    if old.keys() <= fresh.keys():
        return ((i, i) for i in fresh)
    if fresh.keys() <= old.keys():
        return ((i, i) for i in old)
    # Of thousands of series a few come and go, and those that stay are in one order: only what
    # stands between two of them has to be collated.
    pairs: list[tuple[bytes, bytes]] = []
    alone: list[tuple[bytes, bytes]] = []
    ours, theirs = iter(old), iter(fresh)
    while True:
        gone, left = _until_common(ours, fresh)
        come, right = _until_common(theirs, old)
        if left != right:
            break  # they are in two orders
        if gone or come:
            between = _collated(gone, come, newer.collation)
            border = [*pairs[-1:], between[0], between[-1], *([] if left is None else [(left, left)])]
            if not _is_in_order([newer.collation(new) for _, new in border]):
                break
            alone += between
            pairs += between
        if left is None:
            if len({newer.collation(new) for _, new in alone}) < len(alone):
                break  # one is spelled in two ways, and stands in two places
            return pairs
        pairs.append((left, left))
    return _collated(old, fresh, newer.collation)


def _is_in_order(keys: Sequence[Any]) -> bool:
    return all(one <= other for one, other in pairwise(keys))


def _until_common(identities: Iterator[bytes], others: Mapping[bytes, Runs]
                  ) -> tuple[list[bytes], bytes | None]:
    """:return: what comes before the next identity that both sides have; and that, or None."""
    alone: list[bytes] = []
    for identity in identities:
        if identity in others:
            return alone, identity
        alone.append(identity)
    return alone, None


def _collated(old: Iterable[bytes], fresh: Iterable[bytes], collation: Collation
              ) -> list[tuple[bytes, bytes]]:
    spelled = {collation(i): [i, i] for i in old}
    for i in fresh:
        spelled.setdefault(collation(i), [i, i])[1] = i
    return [(pair[0], pair[1]) for _, pair in sorted(spelled.items(), key=_first_of)]


def _first_of(item: tuple[Any, Any]) -> Any:
    return item[0]


def _cropped(runs: Runs, spans: Iterable[Extent]) -> Runs:
    pieces = (run.cropped(start, end) for start, end in spans for run in runs)
    return tuple(p for p in pieces if p is not None)


def _merged_runs(old: Runs, new: Runs, extents: Extents) -> Runs:
    """
    :param extents: what the newer rows cover; no older row lies there.
    """
    if not new:
        return old
    runs: Runs = old
    if old and old[-1].last_ns >= new[0].first_ns:
        # A run may reach over a hole that the newer rows fill.
        new = _cropped(new, extents.spans)
        runs, new = (), tuple(sorted((*_around(old, new), *new), key=_first))
    for run in new:
        runs = appended(runs, run)
    return runs


def _around(old: Runs, new: Runs) -> Runs:
    """:return: the older runs, cut where newer ones stand."""
    for run in new:
        pieces = (piece for one in old for piece in (
            one.cropped(BEFORE_ALL, run.first_ns - 1), one.cropped(run.last_ns + 1, AFTER_ALL)))
        old = tuple(piece for piece in pieces if piece is not None)
    return old


def _first(run: Rows) -> int:
    return run.first_ns


def _slim(run: Rows) -> Rows:
    return run.compacted() if run.nbytes > 2 * len(run.encoded()) + 64 else run
