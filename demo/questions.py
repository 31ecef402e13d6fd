"""Reads the parameters of queries, and says what Prometheus says of wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from demo.evaluation import Grid
from demo.language import Node, NotUnderstood, Selector, parse, parse_selector
from demo.spelling import read_step, read_time
from trickster.messages import Params

_T = TypeVar("_T")

#: Steps that one range query may ask for, as in Prometheus.
MOST_STEPS = 11_000


class ApiError(Exception):
    """
    A request that is answered with an error.

    :ivar kind: Prometheus's word for it.
    :ivar status: the HTTP status code.
    """

    def __init__(self, detail: str, kind: str = "bad_data", status: int = 400) -> None:
        super().__init__(detail)
        self.detail = detail
        self.kind = kind
        self.status = status


@frozen
class Question:
    """
    An expression and where to evaluate it.

    :ivar is_range: whether a matrix is asked for, not a single instant.
    """

    node: Node
    grid: Grid
    is_range: bool


def range_question(params: Params) -> Question:
    """
    :param params: of C{/api/v1/query_range}.
    :raises ApiError: as Prometheus would refuse it.
    """
    start = _time(params, "start")
    end = _time(params, "end")
    if end < start:
        raise _invalid("end", "end timestamp must not be before start time")
    step = _duration(params, "step")
    if step <= 0:
        raise _invalid("step", "zero or negative query resolution step widths are not "
                               "accepted. Try a positive integer")
    if (end - start) // step > MOST_STEPS:
        raise ApiError("exceeded maximum resolution of 11,000 points per timeseries. "
                       "Try decreasing the query resolution (?step=XX)")
    _timeout(params)
    return Question(_query(params), Grid(start, end, step), is_range=True)


def instant_question(params: Params, now_ms: int) -> Question:
    """
    :param params: of C{/api/v1/query}.
    :param now_ms: the instant that is meant when they name none, in milliseconds.
    :raises ApiError: as Prometheus would refuse it.
    """
    at = _time(params, "time") if params.get("time") else now_ms
    _timeout(params)
    return Question(_query(params), Grid(at, at, 1), is_range=False)


def selectors(params: Params) -> list[Selector]:
    """
    :param params: with any number of C{match[]}, and a time range that is only checked:
        every series has always been there.
    :raises ApiError: as Prometheus would refuse it.
    """
    for name in ("start", "end"):
        if params.get(name):
            _time(params, name)
    return [_checked("match[]", parse_selector, text) for text in params.get_all("match[]")]


def count(params: Params, name: str) -> int | None:
    """
    :return: how many things that parameter asks for at most, or None for all.
    :raises ApiError: it is no whole number.
    """
    text = params.get(name)
    if not text:
        return None
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise ApiError(f"{name} must be a number")
    return int(text[:20])


def _invalid(name: str, detail: str) -> ApiError:
    return ApiError(f'invalid parameter "{name}": {detail}')


def _checked(name: str, read: Callable[[str], _T], text: str) -> _T:
    try:
        return read(text)
    except NotUnderstood as error:
        raise _invalid(name, str(error)) from error


def _query(params: Params) -> Node:
    return _checked("query", parse, params.get("query") or "")


def _time(params: Params, name: str) -> int:
    text = params.get(name) or ""
    try:
        return read_time(text)
    except ValueError as error:
        raise _invalid(name, f'cannot parse "{text}" to a valid timestamp') from error


def _duration(params: Params, name: str) -> int:
    text = params.get(name) or ""
    try:
        return read_step(text)
    except ValueError as error:
        raise _invalid(name, f'cannot parse "{text}" to a valid duration') from error


def _timeout(params: Params) -> None:
    if params.get("timeout"):
        _duration(params, "timeout")
