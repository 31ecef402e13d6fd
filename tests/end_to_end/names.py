"""Names that a test can move, for a program that runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# What Python runs at its start: a name of the file is looked up as what stands behind it.
_CUSTOMISED = """\
import os, socket
_looked_up = socket.getaddrinfo
def getaddrinfo(host, *args, **named):
    name = host.decode() if isinstance(host, bytes) else host
    with open(os.environ["NAMES"]) as file:
        known = dict(line.split() for line in file)
    return _looked_up(known.get(name, host), *args, **named)
socket.getaddrinfo = getaddrinfo
"""


class Names:
    """
    Says where names are, to a process that looks them up in the usual way.

    :ivar environment: for that process.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = directory / "names"
        self.move()
        (directory / "sitecustomize.py").write_text(_CUSTOMISED)
        path = os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))
        self.environment: Mapping[str, str] = {"NAMES": str(self._file), "PYTHONPATH": path}

    def move(self, **addresses: str) -> None:
        """
        :param addresses: of each name there is.
        """
        new = self._file.with_suffix(".new")
        new.write_text("".join(f"{name} {at}\n" for name, at in addresses.items()))
        new.replace(self._file)  # whole at any time
