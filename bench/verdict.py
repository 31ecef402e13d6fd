"""What a long run shows: whether memory and descriptors stay where they settle."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from attrs import field, frozen

_MIB = 1 << 20
# Parts of the run: it settles in the first, what it settles at is the most in the second, and
# the last is held against that.
_SETTLING, _SETTLED, _LAST = 0.2, 0.4, 0.8
# What the allocator and the collector leave to chance.
_ALLOWED_SHARE, _ALLOWED_BYTES = 0.10, 8 * _MIB
_ALLOWED_FILES = 8


@frozen
class Reading:
    """
    What stands in /proc at one moment under load.

    :ivar at: seconds since the beginning.
    :ivar rss: resident memory, in octets.
    :ivar files: open descriptors.
    :ivar requests: answered so far.
    """

    at: float
    rss: int
    files: int
    requests: int


@frozen
class Tally:
    """
    What clients saw.

    :ivar compared: answers that were held against the origin's own.
    :ivar wrong: those that differ from it, each in a few words.
    :ivar failed: answers that are errors, or that did not come, each in a few words.
    :ivar lost: answers that ended with a worker that was killed.
    """

    requests: int = 0
    compared: int = 0
    wrong: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    lost: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.requests + other.requests, self.compared + other.compared,
                     self.wrong + other.wrong, self.failed + other.failed,
                     self.lost + other.lost)


@frozen
class Run:
    """
    A whole run.

    :ivar readings: in order.
    :ivar idle_files: descriptors without clients: after the first load, and in the end.
    """

    tally: Tally
    readings: Sequence[Reading] = field(repr=False)
    idle_files: tuple[int, int]


def settled_bytes(readings: Sequence[Reading]) -> float:
    """:return: the most memory that is in use once the first part of the run is over."""
    span = readings[-1].at
    found = [r.rss for r in readings if _SETTLING * span <= r.at <= _SETTLED * span]
    return float(max(found or [readings[0].rss]))


def last_bytes(readings: Sequence[Reading]) -> float:
    """:return: the median of memory over the last part of the run."""
    span = readings[-1].at
    return float(statistics.median(r.rss for r in readings if r.at >= _LAST * span))


def faults(run: Run) -> list[str]:
    """:return: all that is wrong with a run, a line each; none where it is as it should be."""
    found = []
    tally = run.tally
    if tally.wrong:
        found.append(f"{len(tally.wrong)} wrong answers, such as {tally.wrong[0]}")
    if tally.failed:
        found.append(f"{len(tally.failed)} failed requests, such as {tally.failed[0]}")
    if not tally.compared:
        found.append("no answer was compared with the origin's")
    settled, last = settled_bytes(run.readings), last_bytes(run.readings)
    if last > settled * (1 + _ALLOWED_SHARE) + _ALLOWED_BYTES:
        found.append(f"memory grew from {settled / _MIB:.0f} MiB, where it had settled, "
                     f"to {last / _MIB:.0f} MiB")
    before, after = run.idle_files
    if after > before + _ALLOWED_FILES:
        found.append(f"descriptors grew from {before} to {after} with no client left")
    return found
