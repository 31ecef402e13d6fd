"""Tests of L{trickster.purging.selection}."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.promql.tokens import Unreadable
from trickster.purging.selection import may_select, selection

# Of a wanted selector and a query: whether a series may be selected by both.
CASES = (
    ("up", "up", True),
    ("up", "down", False),
    ("up", 'sum(rate(up{job="a"}[5m])) by (job)', True),
    ("up", "sum(rate(down[5m])) / on (job) up offset 5m", True),
    ("up", "sum(rate(down[5m])) / on (job) (down @ 17)", False),
    ('up{job="a"}', 'up{job="b"}', False),
    ('up{job="a"}', 'up{job!="a"}', False),
    ('up{job="a"}', 'up{job!="b"}', True),
    ('up{job="a"}', 'up{job=~"a|b"}', True),
    ('up{job="a"}', 'up{job=~"b|c"}', False),
    ('up{job="a"}', 'up{job!~"a|b"}', False),
    ('up{job="a"}', 'up{job!~"b.*"}', True),
    ('up{job="a"}', 'up{instance="x"}', True),
    ('up{job=~"a.*"}', 'up{job="abc"}', True),
    ('up{job=~"a.*"}', 'up{job="xabc"}', False),
    ('up{job=~"a.*"}', 'up{job=~"b.*"}', True),
    ('up{job!="a"}', 'up{job="a"}', False),
    ('{job="a"}', 'up', True),
    ('{job="a"}', '{__name__=~"u.",job="a"}', True),
    ('up', '{__name__=~"u.",job="a"}', True),
    ('up', '{__name__="down",job="a"}', False),
    ('{__name__="up"}', 'up', True),
    ('up', '{"up",job="a"}', True),
    ('up{job=""}', 'up{job="a"}', False),
    ("up", "vector(1)", False),
    ("up", "time() - 7", False),
    ("up", "max_over_time(sum(down)[1h:5m])", False),
    ("up", "max_over_time(sum(up)[1h:5m])", True),
    ("up", "topk(5, -up)", True),
    ("up", 'label_replace(down, "a", "$1", "b", "up")', False),
    # What selects series that no selector names, and what cannot be read.
    ("up", "info(down)", True),
    ("up", "down{", True),
    ("up", "SELECT * FROM down", True),
    ('up{job="a"}', 'up{job=~"("}', True),
    ("up", "", True),
)


class SelectionTests(SynchronousTestCase):
    """Which queries may select the series of a vector selector."""

    def test_cases(self) -> None:
        """A query is taken to select such series unless it is certain that it does not."""
        for wanted, query, expected in CASES:
            self.assertIs(may_select(wanted, query), expected, (wanted, query))

    def test_no_selector(self) -> None:
        """What is no vector selector, or has no pattern that the databases know, is refused."""
        for text in ("", "up[5m]", "sum(up)", "up + 1", "1", '"up"', "up{", 'up{job=~"("}', "(up)"):
            with self.assertRaises(Unreadable, msg=text):
                selection(text)

    @given(st.data())
    def test_series(self, data: st.DataObject) -> None:
        """Where a series meets all matchers of both, the query is never spared."""
        series = {"__name__": data.draw(st.sampled_from("ab")),
                  "x": data.draw(st.sampled_from(["", "1", "2", "12"])),
                  "y": data.draw(st.sampled_from(["", "1", "2"]))}
        matcher = st.tuples(st.sampled_from(list(series)), st.sampled_from(["=", "!=", "=~", "!~"]),
                            st.sampled_from(["", "1", "2", "a", "b", "1.*", "1|2", ".+"]))
        one, other = (data.draw(st.lists(matcher, max_size=3)) for _ in range(2))
        if all(_meets(series, each) for each in (*one, *other)):
            self.assertTrue(may_select(_text(one), f"rate({_text(other)}[5m])"))


def _text(matchers: list[tuple[str, str, str]]) -> str:
    inner = ",".join(f'{name}{operator}"{value}"' for name, operator, value in matchers)
    return "{" + inner + "}"


def _meets(series: dict[str, str], matcher: tuple[str, str, str]) -> bool:
    name, operator, wanted = matcher
    if operator in ("=", "!="):
        return (series[name] == wanted) is (operator == "=")
    return (re.fullmatch(wanted, series[name]) is not None) is (operator == "=~")
