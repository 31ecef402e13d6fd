"""A wall clock that a test can set, for a program that runs."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

# What Python runs at its start: everything that asks for the time gets it off by so much.
_CUSTOMISED = """\
import mmap, os, struct, time
_file = os.open(os.environ["WALL_CLOCK"], os.O_RDONLY)
_off, _true = mmap.mmap(_file, 8, prot=mmap.PROT_READ), time.time
time.time = lambda: _true() + struct.unpack("d", _off)[0]
"""


class WallClock:
    """
    Sets the clock of a process by C{time.time}; C{CLOCK_MONOTONIC} goes on as ever.

    :ivar environment: for that process.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = directory / "off"
        self.set(0.0)
        (directory / "sitecustomize.py").write_text(_CUSTOMISED)
        path = os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))
        self.environment: Mapping[str, str] = {
            "WALL_CLOCK": str(self._file), "PYTHONPATH": path}

    def set(self, off: float) -> None:
        """
        :param off: seconds by which it is ahead of the true one.
        """
        # In one write of eight octets to the page that the process has mapped.
        mode = "r+b" if self._file.exists() else "wb"
        with self._file.open(mode, buffering=0) as file:
            file.write(struct.pack("d", off))
