"""Runs all cases and tells of those that do not pass: C{python -m tests.conformance}."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.conformance.model import Weight
from tests.conformance.program import GROUPS, started
from tests.conformance.running import Runner, summary
from tests.end_to_end.servers import free_port


def main() -> int:
    """:return: 1 where a required case does not pass."""
    origin_port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        program = started(Path(directory), origin_port)
        began = time.monotonic()
        try:
            results = asyncio.run(Runner(program.port).run(GROUPS, origin_port))
        finally:
            program.stop()
    for result in results:
        if result.complaints:
            print(f"[{result.case.weight.value}] {result}")
    print(f"{summary(results)} in {time.monotonic() - began:.1f} s")
    return any(one.complaints and one.case.weight is Weight.REQUIRED for one in results)


if __name__ == "__main__":
    sys.exit(main())
