"""Whether two answers to one question say the same."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from demo.dashboard import PanelAnswer
from demo.panels import Window

_Samples = dict[Decimal, str]
_Table = dict[frozenset[tuple[str, str]], _Samples]


class _Unreadable(ValueError):
    """An answer that is not a matrix."""


def difference(direct: PanelAnswer, through: PanelAnswer, window: Window) -> str:
    """
    :return: what is different, or an empty string.  Answers that say nothing at all are
        not the same, since nothing could be compared.
    """
    try:
        ours, theirs = _table(through, window), _table(direct, window)
    except _Unreadable as error:
        return str(error)
    if not theirs:
        return "there is nothing to compare"
    if ours.keys() != theirs.keys():
        return f"{len(theirs)} series direct, {len(ours)} through Trickster, not the same"
    for labels in theirs:
        if ours[labels] != theirs[labels]:
            return _first_difference(dict(labels), theirs[labels], ours[labels])
    return ""


def _first_difference(labels: dict[str, str], direct: _Samples, through: _Samples) -> str:
    at = min(at for at in direct.keys() | through.keys() if direct.get(at) != through.get(at))
    return f"{labels} at {at}: {direct.get(at)} direct, {through.get(at)} through Trickster"


def _table(answer: PanelAnswer, window: Window) -> _Table:
    if answer.status != 200:
        said = answer.failure or answer.body[:200].decode("utf-8", "replace")
        raise _Unreadable(f"status {answer.status}: {said}")
    try:
        data = json.loads(answer.body, parse_float=Decimal)["data"]
        if data["resultType"] != "matrix":
            raise _Unreadable(f"a {data['resultType']}, not a matrix")
        found = {frozenset(row["metric"].items()): _aligned(row["values"], window)
                 for row in data["result"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Unreadable(f"not an answer to a range query: {error!r}") from error
    if len(found) != len(data["result"]):
        raise _Unreadable("a series comes twice")
    return {labels: samples for labels, samples in found.items() if samples}


def _aligned(values: list[Any], window: Window) -> _Samples:
    return {Decimal(at): value for at, value in values
            if window.start <= at <= window.end and not at % window.step}
