"""
Windows of time that datasets are written in, so that a refresh writes little anew.

The newest rows are in narrow windows.  As time goes on some of these become a wider one, and
some of those a wide one: so a row is written about three times in its life, and the windows of
a dataset stay few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import BEFORE_ALL, Extent
from trickster.timeseries.rows import Rows

# Octets that windows of each width hold about, or more, of all series together and of each: the
# widest first.  To cut a series into pieces of a row or two would take longer than to write it.
_OCTETS = ((1 << 21, 1 << 10), (1 << 18, 1 << 8), (1 << 15, 1 << 6))
# Windows of one width: where there would be more, since what is held has many holes, they are
# wider.  Each is a read when the dataset is read.
_MOST = 128
_UNBOUNDED = 1 << 200  # wider than any window


@frozen
class Windows:
    """
    Windows side by side, at multiples of their widths.

    :ivar widths: in nanoseconds, the widest first, each a multiple of the next.
    :ivar last_ns: an instant.  Windows that end later are of a narrower width where there
        is one.
    """

    widths: tuple[int, ...]
    last_ns: int

    @classmethod
    def of(cls, dataset: Dataset, most: int = 0) -> Windows:
        """
        :param most: timestamps of the step in a window, at least one; 0 for as many as suit.
        :return: those of a dataset, a few hundred at most where the timestamps are not limited.
            The widths are its step times powers of two, so that while it grows they are mostly
            what they were.
        """
        extents = dataset.extents
        if not extents:
            return cls((extents.step_ns,), 0)
        octets = sum(len(run.encoded()) for runs in dataset.series.values() for run in runs)
        at_an_instant = octets // extents.count() + 1
        widest_ns = extents.step_ns << most.bit_length() - 1 if most else _UNBOUNDED
        widths, since_ns, last_ns = [], BEFORE_ALL, extents.spans[-1].end_ns
        for least, each in _OCTETS:
            instants = max(least, each * len(dataset.series)) // at_an_instant
            width = min(extents.step_ns << instants.bit_length(), widest_ns)
            while width < widest_ns and not _are_few(extents.spans, width, since_ns):
                width <<= 1
            widths.append(width)
            since_ns = last_ns - last_ns % width
        return cls(tuple(widths), last_ns)

    def around(self, instant_ns: int) -> tuple[int, int]:
        """:return: where the window begins that an instant is in, and where the next does."""
        start = end = instant_ns
        for width in self.widths:
            start = instant_ns - instant_ns % width
            end = start + width
            if end <= self.last_ns:
                break
        return start, end

    def cut(self, runs: Runs) -> Iterator[tuple[int, Rows]]:
        """
        :param runs: of one series.
        :return: the runs again, cut where windows meet, and where the window of each piece
            begins: that never falls, even where rows are out of order.
        """
        start = end = BEFORE_ALL
        for run in runs:
            rest = run
            while True:
                if rest.first_ns >= end:
                    start, end = self.around(rest.first_ns)
                if rest.last_ns < end:
                    yield start, rest
                    break
                piece, rest = rest.split(end)
                yield start, piece


def _are_few(spans: Sequence[Extent], width: int, since_ns: int) -> bool:
    """
    :param since_ns: where those before are wider.
    :return: whether a few windows of a width hold all instants.
    """
    count, last = 0, since_ns // width - 1
    for start, end in spans:
        first = max(start // width, last + 1)
        last = max(end // width, last)
        count += last - first + 1 if last >= first else 0
        if count > _MOST:
            return False
    return True
