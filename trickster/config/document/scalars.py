"""Reads single values: texts, numbers, durations and sizes, within their bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from trickster.config.document.problems import Text, meant, one_of, shown
from trickster.config.document.settings import Facts
from trickster.config.document.tree import Listing, Scalar, Tree
from trickster.units import UnitError, format_duration, format_size, parse_duration, parse_size

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class WrongValue(Exception):
    """
    A value cannot be used.

    :ivar text: why, and what could be, without a full stop.
    """

    def __init__(self, text: Text) -> None:
        super().__init__()
        self.text = text


def kind_given(tree: Tree) -> str:
    """:return: a clause that says whether a value, a list or a mapping is given."""
    # Which one is not shown: where a mapping of passwords should be, it may be a password.
    if isinstance(tree, Scalar):
        return "a single value is given"
    return "a list is given" if isinstance(tree, Listing) else "a mapping is given"


def _scalar(tree: Tree, expected: str) -> Scalar:
    if not isinstance(tree, Scalar):
        raise WrongValue(f"{kind_given(tree)}; expected {expected}")
    if tree.kind == "null":
        raise WrongValue(f"no value is given; expected {expected}")
    return tree


def _quoted(scalar: Scalar, facts: Facts) -> str:
    return "the value" if facts.secret else shown(scalar.text)


def text_of(tree: Tree, facts: Facts) -> str:
    """
    :param facts: of the key; where it has choices, they are compared without case.
    :return: the text as it is written, or the choice that it is.
    :raises WrongValue: it is no single value, or none of the choices.
    """
    # Where a text is expected, YAML's guesses (8.0, off, 2024-01-01) are only that.
    scalar = _scalar(tree, "a text")
    if not facts.choices:
        return scalar.text
    for choice in facts.choices:
        if scalar.text.lower() == choice.lower():
            return choice
    raise WrongValue(lambda: f"{_quoted(scalar, facts)} is not possible; expected one of "
                     f"{one_of(facts.choices)}{meant(scalar.text, facts.choices)}")


def _flag(tree: Tree, facts: Facts) -> bool:
    scalar = _scalar(tree, "true or false")
    value = _FLAGS.get(scalar.text.lower()) if scalar.kind == "bool" else None
    if value is None:
        hint = " (without quotes)" if scalar.text.lower() in _FLAGS else ""
        raise WrongValue(f"{_quoted(scalar, facts)} is not true or false; "
                         f"expected true or false{hint}")
    return value


def _integer(tree: Tree, facts: Facts) -> int:
    if facts.unit == "size":
        return int(_bounded(_sized(tree, facts), facts, format_size))
    scalar = _scalar(tree, "a whole number")
    text = scalar.text
    if scalar.kind != "int" or not _INTEGER.fullmatch(text) or len(text) > 20:
        quoted = scalar.kind == "str" and _INTEGER.fullmatch(text)
        hint = f"; write {text} without quotes" if quoted else ""
        raise WrongValue(f"{_quoted(scalar, facts)} is not a whole number; "
                         f"expected a whole number{_range(facts, str)}{hint}")
    return int(_bounded(int(text.replace("_", "")), facts, str))


def _sized(tree: Tree, facts: Facts) -> int:
    scalar = _scalar(tree, "a size such as 512MiB, or octets")
    try:
        return parse_size(scalar.text)
    except UnitError as error:
        raise WrongValue(str(error)) from error


def _number(tree: Tree, facts: Facts) -> float:
    if facts.unit == "duration":
        return _bounded(_timed(tree, facts), facts, format_duration)
    scalar = _scalar(tree, "a number")
    try:
        value = float(scalar.text) if scalar.kind in ("int", "float") else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise WrongValue(f"{_quoted(scalar, facts)} is not a number; "
                         f"expected a number{_range(facts, _short)}")
    return _bounded(value, facts, _short)


def _timed(tree: Tree, facts: Facts) -> float:
    scalar = _scalar(tree, "a duration such as 90s, 1h30m or 14d")
    try:
        return parse_duration(scalar.text)
    except UnitError as error:
        raise WrongValue(str(error)) from error


def _short(number: float) -> str:
    return f"{number:g}"


def _bounds(facts: Facts) -> tuple[float | None, float | None]:
    least = facts.minimum if facts.minimum is not None or not facts.unit else 0
    return least, facts.maximum


def _bounded(value: float, facts: Facts, spelled: Callable[[Any], str]) -> float:
    least, most = _bounds(facts)
    if (least is not None and value < least) or (most is not None and value > most):
        raise WrongValue(f"{spelled(value)} is out of range; expected"
                         f"{_range(facts, spelled)}")
    return value


def _range(facts: Facts, spelled: Callable[[Any], str]) -> str:
    least, most = _bounds(facts)
    if least is not None and most is not None:
        return f" from {spelled(least)} to {spelled(most)}"
    if least is not None:
        return f" at least {spelled(least)}"
    return f" at most {spelled(most)}" if most is not None else ""


def guessed(scalar: Scalar) -> Any:
    """:return: a value, where any type will do, of the type that YAML takes it for."""
    if scalar.kind == "bool":
        return _FLAGS.get(scalar.text.lower(), scalar.text)
    if scalar.kind == "int" and _INTEGER.fullmatch(scalar.text):
        return int(scalar.text)
    try:
        return float(scalar.text) if scalar.kind == "float" else scalar.text
    except ValueError:
        return scalar.text


# How values of each type are read; they raise L{WrongValue}.
READERS: dict[Any, Callable[[Tree, Facts], Any]] = {
    bool: _flag, int: _integer, float: _number,
}
