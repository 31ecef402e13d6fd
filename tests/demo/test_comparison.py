"""Tests of the comparison of two answers."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from demo.comparison import difference
from demo.dashboard import PanelAnswer
from demo.panels import Window
from demo.spelling import success, write_json

WINDOW = Window(100, 130, 10)
FULL = [[100, "1"], [110, "2"], [120, "3"], [130, "4"]]


def answer(*series: tuple[dict[str, str], list[Any]]) -> PanelAnswer:
    """:return: an answer with these series."""
    rows = [{"metric": labels, "values": values} for labels, values in series]
    return PanelAnswer(200, success(write_json({"resultType": "matrix", "result": rows})))


def with_values(values: list[Any]) -> PanelAnswer:
    """:return: an answer with one series of these samples."""
    return answer(({"a": "1"}, values))


class EqualTests(SynchronousTestCase):
    """Answers that say the same."""

    def equal(self, direct: PanelAnswer, through: PanelAnswer) -> None:
        """Assert that they are."""
        self.assertEqual(difference(direct, through, WINDOW), "")

    def test_same(self) -> None:
        """The same answers are equal."""
        self.equal(with_values(FULL), with_values(FULL))

    def test_order_of_series(self) -> None:
        """The order of the series does not matter."""
        one, other = ({"a": "1", "b": "2"}, FULL), ({"a": "2"}, FULL)
        self.equal(answer(one, other), answer(other, one))

    def test_off_the_grid(self) -> None:
        """A sample that lies on no grid, or out of the window, is not compared."""
        self.equal(with_values(FULL), with_values([[90, "0"], *FULL, [131.5, "5"], [140, "9"]]))

    def test_series_off_the_grid(self) -> None:
        """Neither is a series that has only such samples."""
        self.equal(with_values(FULL), answer(({"a": "1"}, FULL), ({"b": "1"}, [[131, "5"]])))

    def test_spelling_of_times(self) -> None:
        """Times are compared as numbers."""
        self.equal(with_values([[100, "1"]]), with_values([[100.000, "1"]]))


class DifferentTests(SynchronousTestCase):
    """Answers that do not."""

    def different(self, said: str, direct: PanelAnswer, through: PanelAnswer) -> None:
        """Assert that they are, and what is said."""
        self.assertIn(said, difference(direct, through, WINDOW))

    def test_values(self) -> None:
        """Values are compared as they are spelled."""
        self.different("at 110: 2 direct, 2.0 through Trickster", with_values(FULL),
                       with_values([[100, "1"], [110, "2.0"], *FULL[2:]]))

    def test_missing_sample(self) -> None:
        """A sample that one of them lacks is a difference."""
        self.different("at 120: 3 direct, None through", with_values(FULL),
                       with_values([*FULL[:2], FULL[3]]))
        self.different("at 130: None direct", with_values(FULL[:3]), with_values(FULL))

    def test_missing_series(self) -> None:
        """So is a series."""
        self.different("1 series direct, 2 through", with_values(FULL),
                       answer(({"a": "1"}, FULL), ({"a": "2"}, FULL)))

    def test_nothing(self) -> None:
        """Where nothing is compared, nothing is proved."""
        self.different("nothing to compare", answer(), answer())
        self.different("nothing to compare", with_values([[101, "1"]]), with_values(FULL))

    def test_errors(self) -> None:
        """Two errors are not equal answers."""
        self.different("status 400: why", PanelAnswer(400, b"why"), PanelAnswer(400, b"why"))
        self.different("status 0: gone", with_values(FULL), PanelAnswer(0, failure="gone"))

    def test_something_else(self) -> None:
        """Neither is anything that is no matrix."""
        bodies = (b"", b"[]", b"{}", b'{"data":null}', b'{"data":{"resultType":"matrix"}}',
                  b'{"data":{"resultType":"matrix","result":[{"metric":[],"values":[]}]}}',
                  b'{"data":{"resultType":"matrix","result":[{"metric":{},"values":[1]}]}}')
        for body in bodies:
            self.different("not an answer", with_values(FULL), PanelAnswer(200, body))

    def test_vector(self) -> None:
        """A vector is no matrix."""
        body = success('{"resultType":"vector","result":[]}')
        self.different("a vector", with_values(FULL), PanelAnswer(200, body))

    def test_series_twice(self) -> None:
        """A series may come once."""
        self.different("twice", with_values(FULL),
                       answer(({"a": "1"}, FULL[:2]), ({"a": "1"}, FULL[2:])))

    @settings(max_examples=50)
    @given(st.sets(st.sampled_from(range(100, 131, 10))),
           st.sets(st.sampled_from(range(100, 131, 10)), min_size=1))
    def test_any_difference(self, ours: set[int], theirs: set[int]) -> None:
        """Answers are equal just when they have the same samples."""
        direct, through = (with_values([[at, "1"] for at in sorted(some)])
                           for some in (theirs, ours))
        self.assertEqual(not difference(direct, through, WINDOW), ours == theirs)
