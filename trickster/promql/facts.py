"""
What a cache must know about a PromQL expression, without evaluating it.

An answer can be kept by range only when each of its samples depends on the sample's own
instant alone, and not on the range that was asked for.  Whatever is not known to be so is
reported, not guessed (https://prometheus.io/docs/prometheus/latest/querying/basics/).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from attrs import frozen

from trickster.errors import Reason

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000

FUNCTIONS = frozenset(["abs", "absent", "absent_over_time", "acos", "acosh", "asin", "asinh", "atan", "atanh", "avg_over_time", "ceil", "changes", "clamp", "clamp_max", "clamp_min", "cos", "cosh", "count_over_time", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "deg", "delta", "deriv", "double_exponential_smoothing", "exp", "first_over_time", "floor", "histogram_avg", "histogram_count", "histogram_fraction", "histogram_quantile", "histogram_stddev", "histogram_stdvar", "histogram_sum", "holt_winters", "hour", "idelta", "increase", "irate", "label_join", "label_replace", "last_over_time", "ln", "log10", "log2", "mad_over_time", "max_over_time", "min_over_time", "minute", "month", "pi", "predict_linear", "present_over_time", "quantile_over_time", "rad", "rate", "resets", "round", "scalar", "sgn", "sin", "sinh", "sort", "sort_by_label", "sort_by_label_desc", "sort_desc", "sqrt", "stddev_over_time", "stdvar_over_time", "sum_over_time", "tan", "tanh", "time", "timestamp", "ts_of_first_over_time", "ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "vector", "year"])
WORDS = frozenset(["and", "atan2", "avg", "bool", "bottomk", "by", "count", "count_values", "group", "group_left", "group_right", "ignoring", "inf", "limit_ratio", "limitk", "max", "min", "nan", "offset", "on", "or", "quantile", "stddev", "stdvar", "sum", "topk", "unless", "without"])
# Words of extensions that make a sample depend on the range, or on later samples.
_FOREIGN = frozenset({"smoothed", "anchored"})

_TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<comment>\#[^\n]*)
  | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![A-Za-z0-9_]))
  | (?P<number>(?:0[xX][0-9a-fA-F]+ | (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z0-9_]))
  | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<mark>==|!=|<=|>=|=~|!~|[-+*/%^(){}\[\],=<>@:.])
""", re.VERBOSE)
_DURATION_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_UNIT_NS = {"ms": MILLISECOND_NS, "s": SECOND_NS, "m": 60 * SECOND_NS, "h": 3600 * SECOND_NS,
            "d": 86400 * SECOND_NS, "w": 7 * 86400 * SECOND_NS, "y": 365 * 86400 * SECOND_NS}
_PAIRS = {")": "(", "]": "[", "}": "{"}
_DIRECTIVE = re.compile(r"trickster-(fast-forward|backfill-tolerance)\s*:\s*(\w+)")


class Token(NamedTuple):
    """A word of an expression: its kind, and its text."""

    kind: str
    text: str


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


@lru_cache(maxsize=4096)
def facts(expression: str) -> Facts:
    """
    :param expression: PromQL, possibly with Trickster's directives in comments.
    """
    fast_forward, tolerance_ns = _directives(expression)
    try:
        tokens = _tokens(expression)
        ahead_ns, fixed_ns = _reach(tokens)
    except _Refused as refused:
        reason, detail = refused.args
        return Facts(reason, detail, fast_forward=fast_forward, tolerance_ns=tolerance_ns)
    return Facts(None, "", ahead_ns, fixed_ns, fast_forward, tolerance_ns)


def duration_ns(text: str) -> int | None:
    """:return: the nanoseconds of a Prometheus duration (C{1h30m}), or None if it is none."""
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        return None
    units = list(_UNIT_NS)[::-1]  # the largest first, each at most once
    order = [units.index(u) for _, u in parts]
    if order != sorted(set(order)):
        return None
    return sum(int(n) * _UNIT_NS[u] for n, u in parts)


def _directives(expression: str) -> tuple[bool, int | None]:
    fast_forward, tolerance_ns = True, None
    for comment in re.findall(r"#[^\n]*", expression) if "trickster-" in expression else ():
        for name, value in _DIRECTIVE.findall(comment):
            if name == "fast-forward":
                fast_forward = value.lower() != "off"
            elif value.isdigit() and int(value):
                tolerance_ns = int(value) * SECOND_NS
    return fast_forward, tolerance_ns


def _tokens(expression: str) -> list[Token]:
    tokens, position, open_ = [], 0, []
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise _Refused(Reason.UNPARSABLE_QUERY, f"at character {position + 1}")
        position = match.end()
        kind, text = str(match.lastgroup), match.group()
        if kind in ("space", "comment"):
            continue
        tokens.append(Token(kind, text))
        if text in "([{" and kind == "mark":
            open_.append(text)
        elif kind == "mark" and text in _PAIRS and (not open_ or open_.pop() != _PAIRS[text]):
            raise _Refused(Reason.UNPARSABLE_QUERY, f"unmatched {text} at character {position}")
    if open_ or not tokens:
        raise _Refused(Reason.UNPARSABLE_QUERY, "it ends too early")
    return tokens


def _reach(tokens: Sequence[Token]) -> tuple[int, int | None]:
    """:return: how far ahead samples look, and the latest fixed instant."""
    ahead_ns, fixed_ns = 0, None
    end = Token("end", "")
    for i, token in enumerate(tokens):
        after = tokens[i + 1] if i + 1 < len(tokens) else end
        if token.text == "@":
            instant_ns = _fixed_instant(tokens[i + 1:i + 3])
            fixed_ns = instant_ns if fixed_ns is None else max(fixed_ns, instant_ns)
        elif token.kind == "word" and token.text.lower() == "offset":
            ahead_ns += _offset_ahead(tokens[i + 1:i + 3])
        elif token.kind == "word":
            _check_word(token.text, after.text)
    return ahead_ns, fixed_ns


def _check_word(word: str, after: str) -> None:
    if word in _FOREIGN and after != "=":
        raise _Refused(Reason.UNKNOWN_FUNCTION, word)
    if after == "(" and word not in FUNCTIONS and word.lower() not in WORDS:
        raise _Refused(Reason.UNKNOWN_FUNCTION, word)


def _fixed_instant(after: Sequence[Token]) -> int:
    sign, number = _signed(after)
    if number is not None and number.text.lower() in ("start", "end"):
        raise _Refused(Reason.RANGE_DEPENDENT, f"@ {number.text}()")
    if number is None or number.kind != "number" or number.text[:2].lower() == "0x":
        raise _Refused(Reason.UNPARSABLE_QUERY, "what follows @")
    return sign * int(float(number.text) * 1000 + 1) * MILLISECOND_NS


def _offset_ahead(after: Sequence[Token]) -> int:
    sign, amount = _signed(after)
    if amount is None or amount.text in ("(", "{", "[") or amount.kind == "word":
        if amount is not None and amount.text == "(":
            raise _Refused(Reason.UNPARSABLE_QUERY, "what follows offset")
        return 0  # a label or a metric of that name
    if amount.kind == "duration":
        length = duration_ns(amount.text)
    elif amount.kind == "number":
        length = int(float(amount.text) * SECOND_NS) if "x" not in amount.text.lower() else None
    else:
        return 0
    if length is None:
        raise _Refused(Reason.UNPARSABLE_QUERY, "what follows offset")
    return length if sign < 0 else 0


def _signed(after: Sequence[Token]) -> tuple[int, Token | None]:
    if after and after[0].text in ("-", "+"):
        return (-1 if after[0].text == "-" else 1), (after[1] if len(after) > 1 else None)
    return 1, (after[0] if after else None)
