"""Remembering, within a bound on the octets held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from sys import getsizeof
from typing import Any, Generic, TypeVar, cast

from attrs import define, field

F = TypeVar("F", bound=Callable[..., object])
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# What an entry takes beside its key and its value: its place in the table and in the order.
OVERHEAD = 256
# No call takes more than this share, so that no client can have all others forgotten at once.
_LARGEST_SHARE = 32
_COLLECTIONS = frozenset((tuple, list, frozenset, set))
_PLAIN = frozenset((str, bytes, int, float, bool, type(None)))
_NO_VALUE = object()


def octets_held(value: Any) -> int:
    """
    :param value: made of texts, numbers, collections and values of attrs classes.
    :return: about how many octets of memory it takes, what is in it included; what is shared
        with others counts as if it were not.
    """
    kind = type(value)
    if kind in _PLAIN:
        return getsizeof(value)
    if kind in _COLLECTIONS:
        return getsizeof(value) + sum([octets_held(one) for one in value])
    # Not fields(), which costs more than all the rest.
    attributes = getattr(kind, "__attrs_attrs__", ())
    return getsizeof(value) + sum([octets_held(getattr(value, a.name)) for a in attributes])


@define(eq=False)
class SizedLRU(Generic[K, V]):
    """
    Values by key, of which the least recently used are forgotten first.

    :ivar limit: the most octets held; 0 to hold nothing.
    :ivar octets: held now, L{OVERHEAD} for each entry included.
    """

    limit: int
    octets: int = field(default=0, init=False)
    _entries: OrderedDict[K, tuple[V, int]] = field(factory=OrderedDict, init=False)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        """:return: the value, used last of all now; None where there is none."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, octets: int) -> bool:
        """
        :param octets: that key and value take, as far as others do not hold them anyway.
        :return: whether it is held; one larger than the limit is not.
        """
        self.pop(key)
        octets += OVERHEAD
        if octets > self.limit:
            return False
        self._entries[key] = value, octets
        self.octets += octets
        while self.octets > self.limit:
            self.octets -= self._entries.popitem(last=False)[1][1]
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.octets = 0

    def drop(self, gone: Callable[[K], bool]) -> int:
        """
        :param gone: tells of a key whether it is to be forgotten.
        :return: how many were.
        """
        keys = [key for key in self._entries if gone(key)]
        for key in keys:
            self.pop(key)
        return len(keys)

    def pop(self, key: K) -> V | None:
        """:return: the value, forgotten now; None where there is none."""
        found = self._entries.pop(key, None)
        if found is None:
            return None
        self.octets -= found[1]
        return found[0]


def remembered(octets: int) -> Callable[[F], F]:
    """
    Like C{functools.lru_cache}, for pure functions of what strangers send: what is remembered
    is bounded by its size and not by its number, so that no client can fill the memory.

    What has not been asked for since as much else was, about half of the limit, is forgotten.
    A look costs no more than one into a dictionary.

    :param octets: of memory that arguments and results take at most.
    :return: a decorator; arguments are hashable and given by position.  What is raised is
        not remembered.
    """
    def decorate(function: F) -> F:
        young: dict[Any, Any] = {}
        old: dict[Any, Any] = {}
        held = 0

        def keep(arguments: Any, result: Any) -> None:
            nonlocal young, old, held
            size = OVERHEAD + octets_held(arguments) + octets_held(result)
            if size > octets // _LARGEST_SHARE:
                return
            if held + size > octets // 2:
                young, old, held = {}, young, 0
            young[arguments] = result
            held += size

        @wraps(function)
        def call(*arguments: Any) -> object:
            try:
                return young[arguments]
            except KeyError:
                result = old.get(arguments, _NO_VALUE)
                if result is _NO_VALUE:
                    result = function(*arguments)
            keep(arguments, result)
            return result

        return cast("F", call)

    return decorate
