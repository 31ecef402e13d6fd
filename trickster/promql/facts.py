"""
What a cache must know about a PromQL expression, without evaluating it.

An answer can be kept by range only when each of its samples depends on the sample's own
instant alone, and not on the range that was asked for.  What is not known to be so is
reported, not guessed (https://prometheus.io/docs/prometheus/latest/querying/basics/).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from attrs import frozen

from trickster.errors import Reason
from trickster.promql.tokens import Token, Unreadable, tokens
from trickster.remembering import remembered

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000

FUNCTIONS = frozenset(["abs", "absent", "absent_over_time", "acos", "acosh", "asin", "asinh", "atan", "atanh", "avg_over_time", "ceil", "changes", "clamp", "clamp_max", "clamp_min", "cos", "cosh", "count_over_time", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "deg", "delta", "deriv", "double_exponential_smoothing", "exp", "first_over_time", "floor", "histogram_avg", "histogram_count", "histogram_fraction", "histogram_quantile", "histogram_stddev", "histogram_stdvar", "histogram_sum", "holt_winters", "hour", "idelta", "increase", "irate", "label_join", "label_replace", "last_over_time", "ln", "log10", "log2", "mad_over_time", "max_over_time", "min_over_time", "minute", "month", "pi", "predict_linear", "present_over_time", "quantile_over_time", "rad", "rate", "resets", "round", "scalar", "sgn", "sin", "sinh", "sort", "sort_by_label", "sort_by_label_desc", "sort_desc", "sqrt", "stddev_over_time", "stdvar_over_time", "sum_over_time", "tan", "tanh", "time", "timestamp", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "vector", "year"])
WORDS = frozenset(["and", "atan2", "avg", "bool", "bottomk", "by", "count", "count_values", "group", "group_left", "group_right", "ignoring", "inf", "limit_ratio", "max", "min", "nan", "offset", "on", "or", "quantile", "stddev", "stdvar", "sum", "topk", "unless", "without"])
# Words of extensions that make a sample depend on the range, or on later samples.
_FOREIGN = frozenset({"smoothed", "anchored"})
# Which series these pick may depend on what other series there are in the range.
_PICKING = frozenset({"limitk", "limit"})
# Aggregations whose parameter several versions of Prometheus evaluate once, where the range
# begins, and then use for all of it.
_PARAMETRIC = frozenset({"topk", "bottomk", "quantile", "limit_ratio"})
# Of a range of samples fixed with @, Prometheus gives these their other argument, or their own
# instant, for some instants of the range asked for only.
_UNFIXABLE = frozenset({
    "predict_linear", "quantile_over_time", "holt_winters", "double_exponential_smoothing"})
_LONGEST_DURATION = 64

_DURATION_PART = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)
_UNIT_NS = {"ms": MILLISECOND_NS, "s": SECOND_NS, "m": 60 * SECOND_NS, "h": 3600 * SECOND_NS,
            "d": 86400 * SECOND_NS, "w": 7 * 86400 * SECOND_NS, "y": 365 * 86400 * SECOND_NS}
_MOST_SECONDS = 1e15
_CALLS = ("(", "by", "without")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_DIRECTIVE = re.compile(
    r"trickster-(fast-forward|backfill-tolerance)\s*:\s*(\w{1,9})\b", re.ASCII)


_END = Token("end", "")


@frozen
class Facts:
    """
    :ivar reason: why the expression must not be served by range, or None.
    :ivar detail: what it stumbled over.
    :ivar ahead_ns: how far after a sample's instant its data may be (negative offsets).
    :ivar fixed_ns: the latest instant named with C{@}, or None.
    :ivar fast_forward: False where a comment switches it off.
    :ivar tolerance_ns: the backfill tolerance that a comment sets, or None.
    """

    reason: Reason | None = None
    detail: str = ""
    ahead_ns: int = 0
    fixed_ns: int | None = None
    fast_forward: bool = True
    tolerance_ns: int | None = None


class _Refused(Exception):
    """Carries reason and detail of why an expression is not for the cache."""


@remembered(4 << 20)
def facts(expression: str) -> Facts:
    """
    :param expression: PromQL, possibly with Trickster's directives in comments.
    :return: what is known of it.  One that cannot be read has a reason, and no error is raised.
    """
    try:
        words, comments = _words(expression)
        ahead_ns, fixed_ns = _reach(words)
    except _Refused as refused:
        reason, detail = refused.args
        return Facts(reason, detail)
    fast_forward, tolerance_ns = _directives(comments)
    return Facts(None, "", ahead_ns, fixed_ns, fast_forward, tolerance_ns)


def duration_ns(text: str) -> int | None:
    """:return: the nanoseconds of a Prometheus duration (C{1h30m}), or None if it is none."""
    parts = _DURATION_PART.findall(text) if len(text) <= _LONGEST_DURATION else ()
    if not parts or "".join(n + u for n, u in parts) != text:
        return None
    units = list(_UNIT_NS)[::-1]  # the largest first, each at most once
    order = [units.index(u) for _, u in parts]
    if order != sorted(set(order)):
        return None
    return sum(int(n) * _UNIT_NS[u] for n, u in parts)


def _directives(comments: Sequence[str]) -> tuple[bool, int | None]:
    fast_forward, tolerance_ns = True, None
    for comment in comments:
        for name, value in _DIRECTIVE.findall(comment):
            if name == "fast-forward":
                fast_forward = value.lower() != "off"
            elif value.isdigit() and int(value):
                tolerance_ns = int(value) * SECOND_NS
    return fast_forward, tolerance_ns


def _words(expression: str) -> tuple[list[Token], list[str]]:
    """:return: the words of the expression, and its comments."""
    try:
        found, comments = tokens(expression)
    except Unreadable as error:
        raise _Refused(Reason.UNPARSABLE_QUERY, str(error)) from error
    open_: list[str] = []
    for token in found:
        if token.kind != "mark":
            continue
        if token.text in "([{":
            open_.append(token.text)
        elif token.text in _PAIRS and (not open_ or open_.pop() != _PAIRS[token.text]):
            raise _Refused(Reason.UNPARSABLE_QUERY,
                           f"unmatched {token.text} at character {token.end}")
    if open_ or not found:
        raise _Refused(Reason.UNPARSABLE_QUERY, "it ends too early")
    return found, comments


def _reach(words: Sequence[Token]) -> tuple[int, int | None]:
    """:return: how far ahead samples look, and the latest fixed instant."""
    ahead_ns, fixed_ns, unfixable = 0, None, ""
    for i, token in enumerate(words):
        if token.text == "@":
            instant_ns = _fixed_instant(words[i + 1:i + 3])
            fixed_ns = instant_ns if fixed_ns is None else max(fixed_ns, instant_ns)
        elif token.kind == "word" and token.text.lower() == "offset":
            ahead_ns += _offset_ahead(words[i + 1:i + 4])
        elif token.kind == "word":
            _check_word(token.text, words[i + 1] if i + 1 < len(words) else _END)
            _check_parameter(words, i)
            if token.text in _UNFIXABLE:
                unfixable = token.text
    if unfixable and fixed_ns is not None:
        raise _Refused(Reason.RANGE_DEPENDENT, f"{unfixable} with @")
    return ahead_ns, fixed_ns


def _check_word(word: str, after: Token) -> None:
    lower = word.lower()
    if lower in _FOREIGN and after.text != "=":
        raise _Refused(Reason.UNKNOWN_FUNCTION, word)
    if lower in _PICKING and (after.text in _CALLS or after.kind == "number"):
        raise _Refused(Reason.RANGE_DEPENDENT, word)
    if after.text == "(" and word not in FUNCTIONS and lower not in WORDS:
        raise _Refused(Reason.UNKNOWN_FUNCTION, word)


def _check_parameter(words: Sequence[Token], at: int) -> None:
    """:raises _Refused: an aggregation's parameter is something else than a number."""
    if words[at].text.lower() not in _PARAMETRIC:
        return
    i = at + 1
    if words[i:i + 1] and words[i].text.lower() in ("by", "without"):
        while i < len(words) and words[i].text != ")":
            i += 1
        i += 1
    elif not words[i:i + 1] or words[i].text != "(":
        return  # a label or a metric of that name
    _, number, beyond = _signed(words[i + 1:i + 4])
    if number.kind not in ("number", "duration") or beyond.text != ",":
        raise _Refused(Reason.RANGE_DEPENDENT, f"the parameter of {words[at].text}")


def _fixed_instant(after: Sequence[Token]) -> int:
    sign, number, _ = _signed(after)
    if number.text.lower() in ("start", "end"):
        raise _Refused(Reason.RANGE_DEPENDENT, f"@ {number.text}()")
    return sign * _milliseconds(number, "what follows @") * MILLISECOND_NS


def _offset_ahead(after: Sequence[Token]) -> int:
    sign, amount, beyond = _signed(after)
    if amount.text == "(" or amount.kind == "word" and beyond.text == "(":
        raise _Refused(Reason.UNPARSABLE_QUERY, "what follows offset")  # it is computed
    if amount.kind == "duration":
        length = duration_ns(amount.text)
        if length is None:
            raise _Refused(Reason.UNPARSABLE_QUERY, "what follows offset")
    elif amount.kind == "number":
        length = _milliseconds(amount, "what follows offset") * MILLISECOND_NS
    else:
        return 0  # a label or a metric of that name
    return length if sign < 0 else 0


def _milliseconds(number: Token, where: str) -> int:
    """:return: a number of seconds in whole milliseconds, rounded up."""
    seconds = float(number.text) if number.kind == "number" and "x" not in number.text.lower() \
        else math.inf
    if not seconds < _MOST_SECONDS:
        raise _Refused(Reason.UNPARSABLE_QUERY, where)
    return math.ceil(seconds * 1000)


def _signed(after: Sequence[Token]) -> tuple[int, Token, Token]:
    """:return: 1 or -1, the token that this is the sign of, and the token behind that."""
    sign = -1 if after and after[0].text == "-" else 1
    if after and after[0].text in ("-", "+"):
        after = after[1:]
    amount, beyond = [*after, _END, _END][:2]
    return sign, amount, beyond
