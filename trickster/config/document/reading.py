"""Reads a tree into options classes, going on after each mistake so that all are found."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
from attrs import Factory, define, evolve, frozen

from trickster.config.document.masking import is_masked
from trickster.config.document.problems import Problems, meant, one_of
from trickster.config.document.scalars import READERS, WrongValue, guessed, kind_given, text_of
from trickster.config.document.settings import Facts, Key, keys_of
from trickster.config.document.tree import Listing, Scalar, Table, Tree, is_null
from trickster.config.document.variables import has_variable, substituted, unset

_Item = TypeVar("_Item")

# The original's first generation has the unit of a number in the key.
_NUMBERED = re.compile(r"(\w+)_(secs|ms)")
_UNITS = {"secs": "60s", "ms": "250ms"}


@frozen
class Leftover:
    """
    A key that is not refused, though there is none of that name.

    :ivar meant: the key that it is read as; empty for none.
    :ivar text: what is said of it where it is read as none.
    """

    meant: str = ""
    text: str = ""


def joined(path: str, name: str) -> str:
    """:return: the dotted path of a key within another."""
    return f"{path}.{name}" if path else name


def items_at(path: str, items: Iterable[_Item]) -> Iterator[tuple[str, _Item]]:
    """
    :param path: of a list in the configuration.
    :param items: of that list, which may have a C{name} (L{Facts.named}).
    :return: each item with its own path, as L{Reader} has it.
    """
    for number, each in enumerate(items):
        name = getattr(each, "name", "")
        yield joined(path, name) if name else f"{path}[{number}]", each


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

    def block(self, options: type, tree: Tree, path: str, beside: str = "") -> Any:
        """
        :param options: an attrs class in which every field has a default.
        :param tree: what is given; anything but a mapping is told as a problem.
        :param path: of the block, dotted; empty for the whole file.
        :param beside: a key of the block that is read apart from it, such as a plugin's; to be
            told where keys are unknown.
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
                self._refuse_key(name, within, {*keys, beside} - {""})
            elif self._is_meant(leftover, within, table, path):
                self._read_key(given, keys[leftover.meant], entry.value,
                               joined(path, leftover.meant))
        return self._made(options, given, path)

    def _read_key(self, given: dict[str, Any], key: Key, value: Tree, path: str) -> None:
        if not _says_nothing(key, value):
            self._keep(given, key, value, path)
            self._note_without_effect(key, given.get(key.name), path)

    def _is_meant(self, leftover: Leftover, within: str, table: Table, path: str) -> bool:
        """
        Say what becomes of a leftover.

        :param within: its own path.
        :param table: in which it stands.
        :param path: of that table.
        :return: whether it is read as another key.
        """
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
        """
        :param tree: what is given; nothing is an empty mapping.
        :param path: at which it stands, dotted.
        :param expected: ends the problem where it is something else.
        :return: the tree, if it is a mapping; else an empty one, with a problem told.
        """
        if isinstance(tree, Table):
            return tree
        if not is_null(tree):
            self.problems.unread(tree.place, path, f"{kind_given(tree)}; expected {expected}")
        return Table({}, tree.place)

    def _refuse_key(self, name: str, path: str, keys: Collection[str]) -> None:
        older = _NUMBERED.fullmatch(name)
        if older and older[1] in keys:
            text = f"; write {older[1]}, with the unit in the value, such as {_UNITS[older[2]]}"
            self.problems.at(path, f"unknown key{text}")
        else:
            self.problems.at(path, lambda: "unknown key" + (
                meant(name, sorted(keys)) or f"; expected one of {one_of(sorted(keys))}"))

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
        except WrongValue as wrong:
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
            return text_of(tree, evolve(facts, choices=get_args(hint)))
        if isinstance(origin, type) and attrs.has(origin):
            return self.block(origin, tree, path)
        if origin is str:
            return self._text(tree, facts, path)
        read = READERS.get(origin)
        if read is not None:
            return read(tree, facts)
        return self._many(hint, facts, tree, path)

    def _text(self, tree: Tree, facts: Facts, path: str) -> str:
        text = text_of(tree, facts)
        if is_masked(text):
            self.problems.masked.append((tree.place, path))
        if not facts.variables:
            if has_variable(text):
                self.problems.remark(path, "has a ${NAME} that is taken as it is: variables are "
                                     "put into headers, parameters and passwords only")
            return text
        name = unset(text, self.environ)
        if name:
            raise WrongValue(f"the environment variable {name} is not set")
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
            if is_null(entry.value) and _without_none(inner) in (str, *READERS):
                self.problems.unread(entry.place, within, "no value is given")
                continue
            self._keep(found, Key(name, inner, None, facts), entry.value, within)
        return found

    def _items(self, inner: Any, facts: Facts, tree: Tree, path: str) -> list[Any]:
        if facts.named and isinstance(tree, Table):
            return self._named(inner, tree, path)
        if not isinstance(tree, Listing):
            raise WrongValue(f"{kind_given(tree)}; expected a list, such as [a, b]")
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
    """
    :return: whether what is given is what files say that spell everything out, the unsaid too:
        the key then keeps its default.
    """
    if is_null(tree):
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
    """
    :param value: of a key that is not yet effective.
    :return: whether it is the default, or what the original writes where nothing was said: then
        the operator is not told of it.
    """
    if isinstance(value, Mapping) and value and value != default:
        return all(attrs.has(type(each)) and each == type(each)() for each in value.values())
    return bool(value == default)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    some = [each for each in get_args(hint) if each is not NoneType]
    return some[0] if len(some) == 1 else Any


def _plain(tree: Tree) -> Any:
    if isinstance(tree, Table):
        return {name: _plain(entry.value) for name, entry in tree.entries.items()}
    if isinstance(tree, Listing):
        return [_plain(item) for item in tree.items]
    return None if tree.kind == "null" else guessed(tree)
