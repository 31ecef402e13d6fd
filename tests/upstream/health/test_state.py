"""Tests of C{trickster.upstream.health.state}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.upstream.health.state import Health, State, Thresholds, Verdict

GOOD = Verdict()
BAD = Verdict("status 500, not 200")


def after(state: State, verdicts: str, thresholds: Thresholds | None = None) -> Health:
    """:return: what is thought at last; C{+} is a good probe, C{-} a bad one."""
    health = Health(state)
    for now, sign in enumerate(verdicts, 1):
        verdict = GOOD if sign == "+" else BAD
        health = health.after(verdict, float(now), thresholds or Thresholds())
    return health


class HealthTests(SynchronousTestCase):
    """The thresholds between healthy and failing."""

    def test_numbers(self) -> None:
        """The states have the numbers that Trickster's metrics use."""
        self.assertEqual([state.value for state in State], [-2, -1, 0, 1])

    def test_first_success(self) -> None:
        """An origin that was not known yet passes with its first good probe."""
        self.assertEqual(after(State.INITIALIZING, "+"), Health(State.PASSING, 1.0))

    def test_first_failures(self) -> None:
        """The first failed checks make a backend failing only when they reach the threshold."""
        self.assertIs(after(State.INITIALIZING, "--").state, State.INITIALIZING)
        self.assertEqual(after(State.INITIALIZING, "---"),
                         Health(State.FAILING, 3.0, BAD.fault))

    def test_in_a_row(self) -> None:
        """Only consecutive failures count towards failing."""
        self.assertIs(after(State.PASSING, "--+--").state, State.PASSING)
        self.assertIs(after(State.PASSING, "--+---").state, State.FAILING)

    def test_recovery(self) -> None:
        """Only consecutive successes bring an origin back."""
        self.assertIs(after(State.FAILING, "++-++").state, State.FAILING)
        self.assertEqual(after(State.FAILING, "++-+++"), Health(State.PASSING, 6.0))

    def test_down_since(self) -> None:
        """A failing origin is down since it began to count as failing."""
        self.assertEqual(after(State.PASSING, "-----").since, 3.0)

    def test_detail(self) -> None:
        """The fault of the last probe is known even before the origin counts as failing."""
        self.assertEqual(after(State.PASSING, "-").detail, BAD.fault)
        self.assertEqual(after(State.PASSING, "-+").detail, "")

    @given(st.sampled_from([State.INITIALIZING, State.FAILING, State.PASSING]),
           st.text("+-", max_size=12), st.integers(1, 4), st.integers(1, 4))
    def test_naive(self, state: State, signs: str, failure: int, recovery: int) -> None:
        """The state is that of the last run of equal probes that reached its threshold."""
        expected = state
        for end in range(1, len(signs) + 1):
            seen = signs[:end]
            if seen.endswith("-" * failure):
                expected = State.FAILING
            elif seen.endswith("+" * recovery) or (
                    expected is State.INITIALIZING and seen.endswith("+")):
                expected = State.PASSING
        self.assertIs(after(state, signs, Thresholds(failure, recovery)).state, expected)
