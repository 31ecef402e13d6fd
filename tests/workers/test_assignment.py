"""Tests of L{trickster.workers.assignment}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.config.load import Sources
from trickster.workers.assignment import Assignment

# Names of files that are not UTF-8 have lone surrogates in Python.
TEXTS = st.text(st.characters())
ASSIGNMENTS = st.builds(
    Assignment, st.integers(1, 256), st.integers(1, 256), st.none() | TEXTS,
    st.dictionaries(TEXTS, TEXTS), st.booleans(), st.dictionaries(TEXTS, st.none() | st.binary()),
    st.dictionaries(TEXTS, st.integers(0, 1000)), st.dictionaries(TEXTS, TEXTS),
    TEXTS, st.lists(TEXTS).map(tuple), st.dictionaries(TEXTS, TEXTS), TEXTS)


class AssignmentTests(SynchronousTestCase):
    """What a worker is told."""

    @given(ASSIGNMENTS)
    def test_round_trip(self, assignment: Assignment) -> None:
        """An assignment is one line, of which the worker makes an equal one, whatever is in it."""
        line = assignment.encoded()
        self.assertEqual((line.count(b"\n"), line[-1:]), (1, b"\n"))
        self.assertEqual(Assignment.decode(line), assignment)

    def test_none(self) -> None:
        """What is no assignment is a L{ValueError}."""
        for line in (b"", b"\n", b"{}\n", b"[1, 2]\n", b"\xff\n", b'{"number": "1"}\n',
                     b'{"number": 1, "workers": 2, "files": {"x": "!"}}\n'):
            self.assertRaises(ValueError, Assignment.decode, line)

    def test_sources(self) -> None:
        """The configuration comes from where the supervisor has it."""
        assignment = Assignment(1, 2, "t.yaml", {"provider": "prometheus"}, True)
        self.assertEqual(assignment.sources({"A": "b"}),
                         Sources("t.yaml", {"A": "b"}, {"provider": "prometheus"}, True))
