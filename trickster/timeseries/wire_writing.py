"""Makes parts of datasets, for stores outside this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from attrs import field, frozen

from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import AFTER_ALL, BEFORE_ALL
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import Rows, TextRows
from trickster.timeseries.sharing import common_span
from trickster.timeseries.windows import Windows
from trickster.timeseries.wire_forms import (
    VERSION,
    Head,
    Indexed,
    Pairs,
    Piece,
    Text,
    Window,
    digest_of,
    digest_of_all,
    format_read,
    format_stored,
    head_of,
    writer,
)

Bounds = tuple[int, int]


@frozen
class Standing:
    """
    What is in the store of an earlier dataset, and need not be written again.

    :ivar windows: numbers of parts, by where their windows begin and where the next may.
    :ivar stretches: of time in which everything is written: first and last instants.
    :ivar formats: that windows refer to, by their places.
    :ivar identities: what tells the identities of all series, in their order, from others.
    :ivar groups: how many parts these are in.
    """

    windows: Mapping[Bounds, int] = field(factory=dict)
    stretches: Sequence[Bounds] = ((BEFORE_ALL, AFTER_ALL),)
    formats: Sequence[RowFormat] = ()
    identities: bytes = b""
    groups: int = 0

    @classmethod
    def of(cls, old: Dataset, part: bytes, new: Dataset, cutting: Windows) -> Standing:
        """
        :param old: the earlier dataset.
        :param part: the first of its parts.
        :param new: what is to be written.
        :param cutting: its windows.
        :return: what both have in common, as far as that is seen at once.
        :raises ValueError: that is no first part of this version.
        """
        head = head_of(part)
        since, until = common_span(old, new) or (AFTER_ALL, BEFORE_ALL)
        windows, left = dict[Bounds, int](), list[Bounds]()
        for number, (start, end) in enumerate(head.windows, 1 + head.groups):
            if since <= start and end - 1 <= until and _bounds(cutting, start) == (start, end):
                windows[start, end] = number
            elif since < end and start <= until:
                left.append((start, end - 1))
        # No row is where there is no window.
        stretches = _joined([(BEFORE_ALL, since - 1), *left, (until + 1, AFTER_ALL)])
        return cls(windows, stretches, [format_read(one) for one in head.formats],
                   head.identities, head.groups)


def parts_written(dataset: Dataset, headers: Pairs, beside: bytes, cutting: Windows,
                  standing: Standing) -> list[bytes | int]:
    """
    :param headers: header fields to keep beside it.
    :param beside: other octets to keep beside it.
    :param cutting: the windows of the dataset.
    :param standing: what is in the store already.
    :return: the octets of each part, the first of them a L{Head}; and numbers of parts that are.
    """
    extents = dataset.extents
    digests = {identity: digest_of(identity) for identity in dataset.series}
    identities = digest_of_all(digests.values())
    places = dict(zip(standing.formats, count(), strict=False))
    windows: dict[Bounds, Window | int] = dict(standing.windows)
    for window in _windows(dataset, digests, places, cutting, standing.stretches):
        windows[window.start_ns, window.end_ns] = window
    groups: Sequence[list[bytes] | int] = range(1, 1 + standing.groups)
    if identities != standing.identities:
        groups = _groups(digests)
    bounds = sorted(windows)
    head = Head(
        VERSION, extents.step_ns, [(s.start_ns, s.end_ns) for s in extents.spans],
        dataset.kind, list(headers), beside, [format_stored(rows) for rows in places],
        len(groups), identities, bounds)
    parts = (head, *groups, *(windows[each] for each in bounds))
    return [part if isinstance(part, int) else writer.encode(part) for part in parts]


def _bounds(cutting: Windows, instant_ns: int) -> Bounds:
    start, end = cutting.around(instant_ns)
    return max(start, BEFORE_ALL), end


def _joined(stretches: Iterable[Bounds]) -> list[Bounds]:
    """:return: the same in order, without those that are empty, and as few as there may be."""
    joined: list[Bounds] = []
    for start, end in sorted(stretches):
        if start > end:
            continue
        if joined and start <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _windows(dataset: Dataset, digests: Mapping[bytes, bytes], places: dict[RowFormat, int],
             cutting: Windows, stretches: Sequence[Bounds]) -> list[Window]:
    windows: dict[int, dict[bytes, list[Piece]]] = {}
    for identity, runs in dataset.series.items():
        digest = digests[identity]
        for start_ns, end_ns in stretches:
            for start, piece in cutting.cut(_within(runs, start_ns, end_ns)):
                pieces = windows.setdefault(start, {}).setdefault(digest, [])
                pieces.append(_stored(piece, places))
    return [Window(*_bounds(cutting, start), list(pieces.items()))
            for start, pieces in windows.items()]


def _within(runs: Runs, start_ns: int, end_ns: int) -> Runs:
    if start_ns <= runs[0].first_ns and runs[-1].last_ns <= end_ns:
        return runs
    cropped = (run.cropped(start_ns, end_ns) for run in runs)
    return tuple(run for run in cropped if run is not None)


def _groups(digests: Mapping[bytes, bytes]) -> list[list[bytes]]:
    """:return: the identities in some hundred groups, whose ends are the same while series come."""
    within = (1 << max(8, (len(digests) >> 8).bit_length())) - 1
    groups: list[list[bytes]] = [[]]
    for identity, digest in digests.items():
        groups[-1].append(identity)
        if not int.from_bytes(digest[:4], "big") & within:
            groups.append([])
    return [group for group in groups if group]


def _stored(run: Rows, places: dict[RowFormat, int]) -> Piece:
    if isinstance(run, TextRows):
        return Text(places.setdefault(run.format, len(places)), memoryview(run.encoded()))
    return Indexed(run.separator, list(run.rows()))
