"""All values in the objects that a program is made of, the configuration itself excepted."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import attrs

_LEAVES = (str, bytes, int, float, bool, type(None), enum.Enum)
# What is said of the configuration, and is none of its effects.
_SAID = frozenset(("notices", "unprotected", "source"))


def fingerprint(root: object, ignored: tuple[type, ...]) -> list[str]:
    """
    :param ignored: classes whose instances are not looked into: what hangs from them alone has
        no reader.
    :return: everything that is found from an object, in an order that depends on it alone.
    """
    return list(_found(root, ignored))


def _found(root: object, ignored: tuple[type, ...]) -> Iterator[str]:
    seen: dict[int, tuple[int, object]] = {}
    left: list[tuple[str, object]] = [("", root)]
    while left:
        name, each = left.pop()
        if isinstance(each, _LEAVES):
            yield f"{name}={each!r}"
        elif id(each) in seen:
            yield f"{name}=the one numbered {seen[id(each)][0]}"
        elif not isinstance(each, (*ignored, type, ModuleType, BuiltinFunctionType)):
            seen[id(each)] = len(seen), each  # kept, so that no other object gets its id
            yield f"{name}:{type(each).__qualname__}"
            left.extend(list(_parts(each))[::-1])


def _parts(each: Any) -> Iterator[tuple[str, object]]:
    if isinstance(each, Mapping):
        for key, value in each.items():
            yield "key", key
            yield str(key), value
    elif isinstance(each, set | frozenset):
        yield from (("item", item) for item in sorted(each, key=repr))
    elif isinstance(each, list | tuple):
        yield from (("item", item) for item in each)
    elif isinstance(each, MethodType):
        yield from (("self", each.__self__), ("name", each.__name__))
    elif isinstance(each, partial):
        yield from (("func", each.func), ("args", each.args), ("keywords", each.keywords))
    elif isinstance(each, FunctionType):
        yield "name", each.__qualname__
        for cell in each.__closure__ or ():
            yield "cell", cell.cell_contents
    else:
        yield from _attributes(each)


def _attributes(each: Any) -> Iterator[tuple[str, object]]:
    names = dict.fromkeys(getattr(each, "__dict__", {}))
    if attrs.has(type(each)):
        names |= dict.fromkeys(field.name for field in attrs.fields(type(each)))
    for name in names:
        if name not in _SAID and hasattr(each, name):
            yield name, getattr(each, name)
