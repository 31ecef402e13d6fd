"""Tests for L{trickster.upstream.retries}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.upstream.retries import RetryBudget


class RetryTests(SynchronousTestCase):
    def test_long_run(self) -> None:
        """Of many requests that all fail, only the configured ratio is retried."""
        budget = RetryBudget()
        retried = 0
        for _ in range(1000):
            budget.pay_in()
            retried += budget.take()
        self.assertTrue(200 <= retried <= 211, retried)

    def test_start(self) -> None:
        """A few failures at the start are retried."""
        budget = RetryBudget()
        self.assertEqual([budget.take() for _ in range(12)], [True] * 10 + [False] * 2)

    def test_saving(self) -> None:
        """A long time without failures does not save up for a storm of retries."""
        budget = RetryBudget()
        for _ in range(10_000):
            budget.pay_in()
        self.assertEqual(sum(budget.take() for _ in range(100)), 10)
