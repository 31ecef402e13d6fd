"""What two datasets have in common, without going through their rows."""

from __future__ import annotations

from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import AFTER_ALL, BEFORE_ALL


def common_span(old: Dataset, new: Dataset) -> tuple[int, int] | None:
    """
    Find a span of time in which both have the same rows, to the octet, of every series.

    Only runs are compared: those that one dataset has of the other share their octets, and those
    that were put together anew are short.  So there may be more in common than is found.

    :param new: most often the old one, with newer rows and without the oldest ones.
    :return: its first and its last instant, in nanoseconds; None where none is found.
    """
    since, until = BEFORE_ALL, AFTER_ALL
    for identity, runs in new.series.items():
        before = old.series.get(identity)
        if before is runs:
            continue
        # A series that is new has no rows before its first one, as it had none.
        first, last = _common(before, runs) if before else (since, runs[0].first_ns - 1)
        since, until = max(since, first), min(until, last)
        if since > until:
            return None
    for identity, runs in old.series.items():
        if identity not in new.series:
            since = max(since, runs[-1].last_ns + 1)
    return (since, until) if since <= until else None


def _common(old: Runs, new: Runs) -> tuple[int, int]:
    """:return: the same of one series; the first instant is after the last one where there is none."""
    i, j = _first_pair(old, new)
    if i == len(old) or j == len(new):
        return min(old[-1].last_ns, new[-1].last_ns) + 1, max(old[0].first_ns, new[0].first_ns) - 1
    since = max(old[i].first_ns, new[j].first_ns)
    if i == j == 0 and old[0].first_ns == new[0].first_ns:
        since = BEFORE_ALL
    for number, (one, other) in enumerate(zip(old[i:], new[j:], strict=False)):
        until = None
        if number == 0 or one.first_ns == other.first_ns:
            until = one.shared_until(other)
        if until is None:
            return since, min(one.first_ns, other.first_ns) - 1
        if one.last_ns != other.last_ns:
            return since, until
    pairs = min(len(old) - i, len(new) - j)
    left = old[i + pairs:] or new[j + pairs:]
    return since, left[0].first_ns - 1 if left else AFTER_ALL


def _first_pair(old: Runs, new: Runs) -> tuple[int, int]:
    """:return: the first run of each that share some time: those before were left out, or added."""
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i].last_ns < new[j].first_ns:
            i += 1
        elif new[j].last_ns < old[i].first_ns:
            j += 1
        else:
            break
    return i, j
