"""
Numbers that a server itself spells differently from one answer to the next.

Additions of floats depend on their order, and some servers add in whichever order their
threads are done.  How far that goes is measured where it happens: by asking again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

Instant = tuple[Any, float]
Values = dict[Instant, float]
_ASKED_AGAIN = 20
# What the few samples of a question show of the noise is not all of it.
_MARGIN = 4.0


def difference(got: bytes, ask: Callable[[], bytes], most: int = _ASKED_AGAIN) -> str:
    """
    :param got: an answer to a range query.
    :param ask: asks the server directly.
    :param most: how often, where the first answer is another one.
    :return: in what the answer differs from all that the server itself might say; empty where
        it does not.
    """
    want = ask()
    if comparable(got) == comparable(want):
        return ""
    asked = [values_of(body) for body in (want, *(ask() for _ in range(most)))]
    given = values_of(got)
    if any(values.keys() != given.keys() for values in asked):
        return f"other series or instants: {sorted(given.keys() ^ asked[0].keys())[:5]}"
    return _first_outside(given, asked)


def comparable(body: bytes) -> Any:
    """:return: an answer, but for the order of its series, and for the words of an error."""
    answer = json.loads(body)
    if answer["status"] == "error":
        return answer["errorType"]
    return sorted((sorted(series["metric"].items()), series["values"])
                  for series in answer["data"]["result"])


def values_of(body: bytes) -> Values:
    """:return: each value of a matrix, by series and instant."""
    result = json.loads(body).get("data", {}).get("result", [])
    return {(tuple(sorted(series["metric"].items())), at): float(value)
            for series in result for at, value in series["values"]}


def apart(values: Sequence[float]) -> float:
    """:return: how far values of one instant lie apart, by the largest of them; 0: equal."""
    if all(math.isnan(value) for value in values) or len(set(values)) == 1:
        return 0.0
    if not all(map(math.isfinite, values)):
        return math.inf
    return (max(values) - min(values)) / max(map(abs, values))


def _first_outside(given: Values, asked: Sequence[Values]) -> str:
    noise = max(apart([values[key] for values in asked]) for key in given)
    for key, value in given.items():
        distance = min(apart([values[key], value]) for values in asked)
        if distance > _MARGIN * noise:
            return (f"{value!r} for {asked[0][key]!r} at {key}: {distance:.2g} apart, "
                    f"where the server's own answers are {noise:.2g}")
    return ""


def near(got: bytes, want: bytes, relative: float) -> bool:
    """
    Compare matrices of a server whose order of additions depends on the range that is asked
    for: rounding would tell values apart that lie on both sides of a border.

    :param relative: the most that values may differ by, relative to the larger.
    :return: whether the series, their order and the instants are equal, and the values near.
    """
    shapes = [[(series["metric"], [at for at, _ in series["values"]])
               for series in json.loads(body)["data"]["result"]] for body in (got, want)]
    if shapes[0] != shapes[1]:
        return False
    ours, theirs = values_of(got), values_of(want)
    return all(apart([value, theirs[key]]) <= relative for key, value in ours.items())
