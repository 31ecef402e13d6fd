"""How many processes can run at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path

# What control groups grant of processor time in a period, both in microseconds: version 2
# (https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files), and version 1.
_GRANTED = ("/sys/fs/cgroup/cpu.max",)
_GRANTED_BEFORE = ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def usable_cores(read: Callable[[str], str] = lambda path: Path(path).read_text()) -> int:
    """
    :param read: from a path to the text of a file; raises L{OSError}.
    :return: the cores on which this process may run, and no more than its control group has
        time for: a container of a large machine is often granted one or two.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    granted = [ceil(share) for files in (_GRANTED, _GRANTED_BEFORE)
               if (share := _share(files, read)) is not None]
    return max(1, min([cores or 1, *granted]))


def _share(files: Sequence[str], read: Callable[[str], str]) -> float | None:
    """:return: how many cores' time there is; None where that is not limited, or not known."""
    with suppress(OSError, ValueError):
        quota, period = " ".join(read(each) for each in files).split()
        if int(quota) > 0 and int(period) > 0:
            return int(quota) / int(period)
    return None
