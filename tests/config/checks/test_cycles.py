"""Tests of L{trickster.config.checks.cycles}."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, problems_of
from trickster.config.checks.cycles import cycles

_NODES = st.sampled_from("abcde")


def _reached(graph: dict[str, list[str]], start: str) -> set[str]:
    reached: set[str] = set()
    for _ in graph:
        reached |= {step for name in {start, *reached} for step in graph.get(name, ())} \
            if reached else set(graph.get(start, ()))
    return reached


class CycleTests(SynchronousTestCase):
    """Cycles in graphs."""

    @given(st.dictionaries(_NODES, st.lists(_NODES, max_size=3), max_size=5))
    def test_as_reachability(self, graph: dict[str, list[str]]) -> None:
        """A graph has a cycle exactly where some name can be reached from itself."""
        found = cycles(graph)
        self.assertEqual(bool(found), any(name in _reached(graph, name) for name in graph))
        for cycle in found:
            self.assertEqual(cycle[0], cycle[-1])
            for name, step in itertools.pairwise(cycle):
                self.assertIn(step, graph[name])

    def test_long(self) -> None:
        """A long path is no cycle, and takes no recursion."""
        graph = {str(n): [str(n + 1)] for n in range(5000)}
        self.assertEqual(cycles(graph), [])


class CheckTests(SynchronousTestCase):
    """Cycles in configurations."""

    def test_pools_and_rules(self) -> None:
        """A pool that contains itself, also through others, is refused."""
        problems = problems_of(
            "backends: {p: {provider: alb, alb: {pool: [r]}}, r: {provider: rule, rule_name: u}}"
            "\nrules: {u: {next_route: frontend, cases: [{next_route: p}]}}")
        self.assertEqual(problems, (
            "t.yaml:1:12: backends.p: leads back to itself (p -> r -> p); expected an end",))

    def test_rewriters(self) -> None:
        """A rewriter that runs itself is refused."""
        (problem,) = problems_of(
            ONE + "request_rewriters: {a: {instructions: [[chain, exec, a], [chain, exec]]}}")
        self.assertIn("request_rewriters.a: leads back to itself (a -> a)", problem)
