"""The running program passes every required case, and those optional ones that it always did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance.known import KNOWN_OPTIONAL_FAILURES
from tests.conformance.model import Weight
from tests.conformance.program import GROUPS, started
from tests.conformance.running import Result, Runner, summary
from tests.end_to_end.servers import free_port


class ConformanceTests(SynchronousTestCase):
    """All cases are run at once, before the first test."""

    results: ClassVar[Sequence[Result]] = ()

    @classmethod
    def setUpClass(cls) -> None:
        """Run all cases against C{twistd trickster}."""
        origin_port = free_port()
        program = started(Path(cls(methodName="mktemp").mktemp()), origin_port)
        try:
            cls.results = asyncio.run(Runner(program.port).run(GROUPS, origin_port))
        finally:
            program.stop()
        print(f"\n{summary(cls.results)}")

    def failing(self, weight: Weight) -> dict[str, Result]:
        """:return: the cases of a weight that do not pass, by name."""
        return {result.name: result for result in self.results
                if result.complaints and result.case.weight is weight}

    def test_required(self) -> None:
        """Every required case passes."""
        failing = self.failing(Weight.REQUIRED)
        if failing:
            self.fail("\n".join(map(str, failing.values())))

    def test_optional(self) -> None:
        """Every optional case passes except for exactly those that are known to fail."""
        failing = self.failing(Weight.OPTIONAL)
        self.assertEqual(failing.keys(), KNOWN_OPTIONAL_FAILURES.keys(),
                         "\n".join(map(str, failing.values())))

    def test_names(self) -> None:
        """Each case has a name of its own, so that none hides another one."""
        names = [result.name for result in self.results]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_enough(self) -> None:
        """All cases were run, and there are many."""
        self.assertEqual(len(self.results), sum(len(group.cases) for group in GROUPS))
        self.assertGreater(len(self.results), 800)
