"""Reads a tree into options classes, going on after each mistake so that all are found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
from attrs import Factory, define, evolve

from trickster.config.document.masking import is_masked
from trickster.config.document.parsing import Listing, Scalar, Table, Tree
from trickster.config.document.problems import Problems, Text, meant, one_of, shown
from trickster.config.document.settings import Facts, Key, keys_of
from trickster.config.document.variables import has_variable, substituted, unset
from trickster.config.leftovers import Leftover
from trickster.units import UnitError, format_duration, format_size, parse_duration, parse_size

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
# The original's first generation has the unit of a number in the key.
_NUMBERED = re.compile(r"(\w+)_(secs|ms)")
_UNITS = {"secs": "60s", "ms": "250ms"}
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class _Wrong(Exception):
    """A value cannot be used; C{text} says why and what could."""

    def __init__(self, text: Text) -> None:
        super().__init__()
        self.text = text


def joined(path: str, name: str) -> str:
    """:return: the dotted path of a key within another."""
    return f"{path}.{name}" if path else name


@define
class Reader:
    """
    Reads blocks by what their options classes say of their keys.

    :ivar problems: is told of all mistakes, and of the place of every key.
    :ivar environ: environment variables, for values that may refer to them.
    :ivar leftovers: keys that are no keys and not refused, by options class.
    """

    problems: Problems
    environ: Mapping[str, str] = Factory(dict)
    leftovers: Mapping[type, Mapping[str, Leftover]] = Factory(dict)

    def block(self, options: type, tree: Tree, path: str) -> Any:
        """
        :param options: an attrs class in which every field has a default.
        :return: an instance; where a value is wrong, with the default in its place.
        """
        table = self.table(tree, path)
        keys = {key.name: key for key in keys_of(options) if not key.facts.hidden}
        given: dict[str, Any] = {}
        for name, entry in table.entries.items():
            within = joined(path, name)
            self.problems.places[within] = entry.place
            if name in keys:
                self._read_key(given, keys[name], entry.value, within)
                continue
            leftover = self.leftovers.get(options, {}).get(name)
            if leftover is None:
                self._refuse_key(name, within, keys)
            elif self._is_meant(leftover, within, table, path):
                self._read_key(given, keys[leftover.meant], entry.value,
                               joined(path, leftover.meant))
        return self._made(options, given, path)

    def _read_key(self, given: dict[str, Any], key: Key, value: Tree, path: str) -> None:
        if not _says_nothing(key, value):
            self._keep(given, key, value, path)
            self._note_without_effect(key, given.get(key.name), path)

    def _is_meant(self, leftover: Leftover, within: str, table: Table, path: str) -> bool:
        """Say what becomes of a leftover; and whether it is read as another key."""
        new = joined(path, leftover.meant)
        if not leftover.meant:
            self.problems.remark(within, leftover.text)
        elif leftover.meant in table.entries:
            self.problems.remark(within, f"is ignored: {leftover.meant} is given too")
        else:
            self.problems.remark(within, f"is read as {leftover.meant}; write that")
            self.problems.spellings[new] = within
            self.problems.places[new] = self.problems.places[within]
            return True
        return False

    def table(self, tree: Tree, path: str, expected: str = "a mapping of keys") -> Table:
        """:return: the tree, if it is a mapping; else an empty one, with a problem told."""
        if isinstance(tree, Table):
            return tree
        if not _is_null(tree):
            self.problems.unread(tree.place, path, f"{_kind(tree)}; expected {expected}")
        return Table({}, tree.place)

    def _refuse_key(self, name: str, path: str, keys: Mapping[str, Key]) -> None:
        older = _NUMBERED.fullmatch(name)
        if older and older[1] in keys:
            text = f"; write {older[1]}, with the unit in the value, such as {_UNITS[older[2]]}"
            self.problems.at(path, f"unknown key{text}")
        else:
            self.problems.at(path, lambda: "unknown key" + (
                meant(name, keys) or f"; expected one of {one_of(sorted(keys))}"))

    def _note_without_effect(self, key: Key, value: Any, path: str) -> None:
        if key.facts.effective:
            return
        self.problems.forget_unused(path)
        if value is None or _asks_nothing(value, key.default):
            return
        exposed = key.facts.exposes(value) if key.facts.exposes else ""
        if exposed:
            self.problems.exposed[path] = exposed
        elif exposed is not None:
            self.problems.unused.append(path)

    def _keep(self, given: dict[str, Any], key: Key, value: Tree, path: str) -> None:
        try:
            given[key.name] = self._value(key.hint, key.facts, value, path)
        except _Wrong as wrong:
            self.problems.unread(value.place, path, wrong.text)

    def _made(self, options: type, given: dict[str, Any], path: str) -> Any:
        try:
            return options(**given)
        except Exception as error:  # noqa: BLE001 - a stranger's validator or converter
            self.problems.at(path, " ".join(str(error).split()) or type(error).__name__)
            return options()

    def _value(self, hint: Any, facts: Facts, tree: Tree, path: str) -> Any:
        hint = _without_none(hint)
        origin = get_origin(hint) or hint
        if origin is Literal:
            return _text(tree, evolve(facts, choices=get_args(hint)))
        if isinstance(origin, type) and attrs.has(origin):
            return self.block(origin, tree, path)
        if origin is str:
            return self._text(tree, facts, path)
        read = _SIMPLE.get(origin)
        if read is not None:
            return read(tree, facts)
        return self._many(hint, facts, tree, path)

    def _text(self, tree: Tree, facts: Facts, path: str) -> str:
        text = _text(tree, facts)
        if is_masked(text):
            self.problems.masked.append((tree.place, path))
        if not facts.variables:
            if has_variable(text):
                self.problems.remark(path, "has a ${NAME} that is taken as it is: variables are "
                                     "put into headers, parameters and passwords only")
            return text
        name = unset(text, self.environ)
        if name:
            raise _Wrong(f"the environment variable {name} is not set")
        return substituted(text, self.environ)

    def _many(self, hint: Any, facts: Facts, tree: Tree, path: str) -> Any:
        origin, inner = get_origin(hint) or hint, get_args(hint) or (Any,)
        if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
            return self._mapping(inner[-1], facts, tree, path)
        if origin in (tuple, list, frozenset, set, Sequence):
            made = list if origin is Sequence else origin
            return made(self._items(inner[0], facts, tree, path))
        return _plain(tree)

    def _mapping(self, inner: Any, facts: Facts, tree: Tree, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, entry in self.table(tree, path).entries.items():
            within = joined(path, name)
            self.problems.places[within] = entry.place
            if _is_null(entry.value) and _without_none(inner) in (str, *_SIMPLE):
                self.problems.unread(entry.place, within, "no value is given")
                continue
            self._keep(found, Key(name, inner, None, facts), entry.value, within)
        return found

    def _items(self, inner: Any, facts: Facts, tree: Tree, path: str) -> list[Any]:
        if facts.named and isinstance(tree, Table):
            return self._named(inner, tree, path)
        if not isinstance(tree, Listing):
            raise _Wrong(f"{_kind(tree)}; expected a list, such as [a, b]")
        found: dict[str, Any] = {}
        for number, item in enumerate(tree.items):
            within = f"{path}[{number}]"
            self.problems.places[within] = item.place
            self._keep(found, Key(within, inner, None, facts), item, within)
        return list(found.values())

    def _named(self, inner: Any, table: Table, path: str) -> list[Any]:
        found = []
        for name, entry in table.entries.items():
            within = joined(path, name)
            self.problems.places[within] = entry.place
            found.append(evolve(self.block(inner, entry.value, within), name=name))
        return found


def _says_nothing(key: Key, tree: Tree) -> bool:
    """Whether what is given is what files say that spell everything out, the unsaid too."""
    if _is_null(tree):
        return True
    is_unsaid = key.default is None and not key.facts.blank
    if isinstance(tree, Listing):
        return is_unsaid and not tree.items
    if not isinstance(tree, Scalar) or tree.text or tree.kind != "str":
        return False
    choices = key.facts.choices
    # An empty name of something is not the name of anything.
    is_unsaid = is_unsaid or (key.name.endswith("_name") and bool(key.default))
    return "" not in choices if choices else is_unsaid


def _asks_nothing(value: Any, default: Any) -> bool:
    """Whether a value, as the original writes it where nothing was said, is the default."""
    if isinstance(value, Mapping) and value and value != default:
        return all(attrs.has(type(each)) and each == type(each)() for each in value.values())
    return bool(value == default)


def _is_null(tree: Tree) -> bool:
    return isinstance(tree, Scalar) and tree.kind == "null"


def _kind(tree: Tree) -> str:
    # Which one is not shown: where a mapping of passwords should be, it may be a password.
    if isinstance(tree, Scalar):
        return "a single value is given"
    return "a list is given" if isinstance(tree, Listing) else "a mapping is given"


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    some = [each for each in get_args(hint) if each is not NoneType]
    return some[0] if len(some) == 1 else Any


def _scalar(tree: Tree, expected: str) -> Scalar:
    if not isinstance(tree, Scalar):
        raise _Wrong(f"{_kind(tree)}; expected {expected}")
    if tree.kind == "null":
        raise _Wrong(f"no value is given; expected {expected}")
    return tree


def _quoted(scalar: Scalar, facts: Facts) -> str:
    return "the value" if facts.secret else shown(scalar.text)


def _text(tree: Tree, facts: Facts) -> str:
    # Where a text is expected, YAML's guesses (8.0, off, 2024-01-01) are only that.
    scalar = _scalar(tree, "a text")
    if not facts.choices:
        return scalar.text
    for choice in facts.choices:
        if scalar.text.lower() == choice.lower():
            return choice
    raise _Wrong(lambda: f"{_quoted(scalar, facts)} is not possible; expected one of "
                 f"{one_of(facts.choices)}{meant(scalar.text, facts.choices)}")


def _flag(tree: Tree, facts: Facts) -> bool:
    scalar = _scalar(tree, "true or false")
    value = _FLAGS.get(scalar.text.lower()) if scalar.kind == "bool" else None
    if value is None:
        hint = " (without quotes)" if scalar.text.lower() in _FLAGS else ""
        raise _Wrong(f"{_quoted(scalar, facts)} is not true or false; "
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
        raise _Wrong(f"{_quoted(scalar, facts)} is not a whole number; "
                     f"expected a whole number{_range(facts, str)}{hint}")
    return int(_bounded(int(text.replace("_", "")), facts, str))


def _sized(tree: Tree, facts: Facts) -> int:
    scalar = _scalar(tree, "a size such as 512MiB, or octets")
    try:
        return parse_size(scalar.text)
    except UnitError as error:
        raise _Wrong(str(error)) from error


def _number(tree: Tree, facts: Facts) -> float:
    if facts.unit == "duration":
        return _bounded(_timed(tree, facts), facts, format_duration)
    scalar = _scalar(tree, "a number")
    try:
        value = float(scalar.text) if scalar.kind in ("int", "float") else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _Wrong(f"{_quoted(scalar, facts)} is not a number; "
                     f"expected a number{_range(facts, _short)}")
    return _bounded(value, facts, _short)


def _timed(tree: Tree, facts: Facts) -> float:
    scalar = _scalar(tree, "a duration such as 90s, 1h30m or 14d")
    try:
        return parse_duration(scalar.text)
    except UnitError as error:
        raise _Wrong(str(error)) from error


def _short(number: float) -> str:
    return f"{number:g}"


def _bounds(facts: Facts) -> tuple[float | None, float | None]:
    least = facts.minimum if facts.minimum is not None or not facts.unit else 0
    return least, facts.maximum


def _bounded(value: float, facts: Facts, spelled: Callable[[Any], str]) -> float:
    least, most = _bounds(facts)
    if (least is not None and value < least) or (most is not None and value > most):
        raise _Wrong(f"{spelled(value)} is out of range; expected"
                     f"{_range(facts, spelled)}")
    return value


def _range(facts: Facts, spelled: Callable[[Any], str]) -> str:
    least, most = _bounds(facts)
    if least is not None and most is not None:
        return f" from {spelled(least)} to {spelled(most)}"
    if least is not None:
        return f" at least {spelled(least)}"
    return f" at most {spelled(most)}" if most is not None else ""


def _plain(tree: Tree) -> Any:
    if isinstance(tree, Table):
        return {name: _plain(entry.value) for name, entry in tree.entries.items()}
    if isinstance(tree, Listing):
        return [_plain(item) for item in tree.items]
    return None if tree.kind == "null" else _guessed(tree)


def _guessed(scalar: Scalar) -> Any:
    if scalar.kind == "bool":
        return _FLAGS.get(scalar.text.lower(), scalar.text)
    if scalar.kind == "int" and _INTEGER.fullmatch(scalar.text):
        return int(scalar.text)
    try:
        return float(scalar.text) if scalar.kind == "float" else scalar.text
    except ValueError:
        return scalar.text


_SIMPLE: dict[Any, Callable[[Tree, Facts], Any]] = {
    bool: _flag, int: _integer, float: _number,
}
