"""Tests of C{trickster.observability.merging.last_seen}."""

from __future__ import annotations

from math import isnan

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.merging.telling import numbers, telling
from trickster.observability.merging.families import Families
from trickster.observability.merging.last_seen import LastSeen
from trickster.observability.merging.merged import merged

# What happens to one of three workers: it counts, it dies, it is asked or does not answer.
_HAPPENS = st.tuples(st.integers(0, 2), st.one_of(
    st.floats(0, 1e6), st.sampled_from(["dies", "is asked", "does not know"])))


def _counted(number: float, gauge: float = 0) -> Families:
    return telling(f"# TYPE c_total counter\nc_total {number!r}\n# TYPE g gauge\ng {gauge}\n")


class LastSeenTests(SynchronousTestCase):
    """Workers that come and go."""

    def setUp(self) -> None:
        """No worker has told anything."""
        self.last = LastSeen()

    def told(self) -> dict[str, float]:
        """:return: what they have told together."""
        return dict(numbers(merged(self.last.told())))

    def test_latest(self) -> None:
        """A worker stands as it was when it answered last."""
        self.last.seen(1, _counted(5, 1))
        self.last.seen(2, _counted(7, 1))
        self.last.seen(1, _counted(6, 3))
        self.assertEqual(self.told(), {"c_total": 13, "g": 4})

    def test_gone(self) -> None:
        """Of one that is gone there are the counters; another in its place begins at 0."""
        self.last.seen(1, _counted(5, 1))
        self.last.gone(1)
        self.assertEqual(self.told(), {"c_total": 5})
        self.last.seen(2, _counted(1, 1))
        self.last.gone(3)
        self.assertEqual(self.told(), {"c_total": 6, "g": 1})

    def test_late(self) -> None:
        """What is read of a worker after it is gone does not count."""
        self.last.seen(1, _counted(5))
        self.last.gone(1)
        self.last.seen(1, _counted(6))
        self.assertEqual(self.told(), {"c_total": 5})

    def test_left_out(self) -> None:
        """A counter that a worker leaves out, or does not know, stands as it was."""
        self.last.seen(1, telling("# TYPE c_total counter\nc_total{a=\"1\"} 3\nc_total 4\n"))
        self.last.seen(1, telling("# TYPE c_total counter\nc_total NaN\n"))
        self.assertEqual(self.told(), {'c_total{a="1"}': 3, "c_total": 4})
        self.last.seen(1, telling("# TYPE g gauge\ng 1\n"))
        self.assertEqual(self.told(), {'c_total{a="1"}': 3, "c_total": 4, "g": 1})

    def test_gauges_left_out(self) -> None:
        """A gauge that a worker does not tell any more is gone."""
        self.last.seen(1, _counted(1, 1))
        self.last.seen(1, telling("# TYPE c_total counter\nc_total 2\n"))
        self.assertEqual(self.told(), {"c_total": 2})

    @given(st.lists(_HAPPENS, max_size=40))
    def test_never_less(self, happens: list[tuple[int, object]]) -> None:
        """No counter ever goes down, whichever worker dies, or is silent, at any moment."""
        last, before = LastSeen(), 0.0
        counts, names, asked = [0.0] * 3, [0, 1, 2], 0.0
        for worker, what in happens:
            if isinstance(what, float):
                counts[worker] += what
            elif what == "dies":
                last.gone(names[worker])
                names[worker], counts[worker] = max(names) + 1, 0.0
            else:
                told = counts[worker] if what == "is asked" else float("nan")
                last.seen(names[worker], _counted(told))
            asked = numbers(merged(last.told())).get("c_total", 0.0)
            if not isnan(asked):
                self.assertGreaterEqual(asked, before)
                before = asked

    def test_bounded(self) -> None:
        """Of those that are gone no more is kept than so many samples, and what others have."""
        last = LastSeen(most=10)
        last.seen("lives", telling("# TYPE c_total counter\nc_total{a=\"5\"} 1\n"))
        for worker in range(30):
            last.seen(worker, telling(
                f"# TYPE c_total counter\nc_total{{a=\"w{worker}\"}} 1\nc_total{{a=\"5\"}} 2\n"))
            last.gone(worker)
            kept = numbers(merged(last.told()))
            self.assertLessEqual(len(kept), 11)
            self.assertEqual(kept['c_total{a="5"}'], 1 + 2 * (worker + 1))
