"""C{python -m bench}: run the benchmarks and print a table of ratios."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import objects, overload, progressive, purging, stores, timeseries, workers
from bench.measuring import Row

GROUPS = {"timeseries": timeseries.rows, "objects": objects.rows,
          "progressive": progressive.rows, "overload": overload.rows,
          "stores": stores.rows, "workers": workers.rows, "purging": purging.rows}


def main(wanted: Sequence[str]) -> int:
    """
    :param wanted: names of groups; all where empty.
    :return: an exit code.
    """
    unknown = [name for name in wanted if name not in GROUPS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    print("| what | ours | theirs | ratio | aim | |")
    print("|---|---:|---:|---:|---:|---|", flush=True)
    for name in wanted or GROUPS:
        with tempfile.TemporaryDirectory() as directory:
            for row in GROUPS[name](Path(directory)):
                print(_line(row), flush=True)
    return 0


def _line(row: Row) -> str:
    return (f"| {row.name} | {row.ours:.3g} | {row.theirs:.3g} | {row.ratio:.3f} "
            f"| {row.limit:g} | {row.note} |")


def _asked_to_stop(*_: object) -> None:
    # Left to itself, it would end at once, and leave all servers running.
    sys.exit("stopped")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _asked_to_stop)
    sys.exit(main(sys.argv[1:]))
