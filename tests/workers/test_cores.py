"""Tests of L{trickster.workers.cores}."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from trickster.workers.cores import usable_cores

V2 = "/sys/fs/cgroup/cpu.max"
QUOTA, PERIOD = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"


def reading(files: dict[str, str]) -> Callable[[str], str]:
    """:return: a reader to which these files are all there are."""
    def read(path: str) -> str:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]
    return read


class CoresTests(SynchronousTestCase):
    """How many processes can run at the same time, on a machine of eight cores."""

    def setUp(self) -> None:
        """Have eight cores."""
        self.patch(os, "sched_getaffinity", lambda process: set(range(8)))

    def cores(self, **files: str) -> int:
        """:return: of a control group."""
        return usable_cores(reading(files))

    def test_affinity(self) -> None:
        """Without a limit, the cores count on which the process may run."""
        for files in ({}, {V2: "max 100000\n"}, {QUOTA: "-1\n", PERIOD: "100000\n"},
                      {V2: "0 100000"}, {QUOTA: "100000"}):
            self.assertEqual(self.cores(**files), 8, files)

    def test_granted(self) -> None:
        """A control group grants no more than its part of processor time, rounded up."""
        for granted, cores in (("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1),
                               ("1600000 100000", 8)):
            self.assertEqual(self.cores(**{V2: f"{granted}\n"}), cores, granted)
            quota, period = granted.split()
            self.assertEqual(self.cores(**{QUOTA: quota, PERIOD: f"{period}\n"}), cores, granted)

    def test_unreadable(self) -> None:
        """What is in no form that is known says nothing."""
        for text in ("", "many", "1 2 3", "x 100000", "100000 0", "100000 -1"):
            self.assertEqual(self.cores(**{V2: text}), 8, text)

    def test_elsewhere(self) -> None:
        """Where the system knows of no affinity, all cores of the machine count; at least one."""
        self.patch(os, "cpu_count", lambda: None)
        affinity = os.sched_getaffinity
        del os.sched_getaffinity  # the patch puts the real one back
        self.addCleanup(setattr, os, "sched_getaffinity", affinity)
        self.assertEqual(self.cores(), 1)
