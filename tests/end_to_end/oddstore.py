"""A stranger's cache store: slow, often failing, and now and then giving back rubbish."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from trickster.errors import StoreError
from trickster.interfaces import ICacheStore, IStoreType

# Raised time and again, as by a store that makes its errors once.
_ERRORS = (StoreError("out of order"), ValueError("a bug"), OSError("disk full"), KeyError("x"))


@frozen
class OddOptions:
    """
    What goes wrong; shares of all operations.

    :ivar failing: those that raise.
    :ivar spoiling: reads that give back something else than was written.
    """

    failing: float = 0.0
    spoiling: float = 0.0


@implementer(ICacheStore)
@define
class OddStore:
    """Keeps octets in a table, in its own time."""

    _options: OddOptions
    _clock: IReactorTime
    _kept: dict[str, tuple[bytes, float]] = field(factory=dict)
    _source: random.Random = field(factory=lambda: random.Random(1))

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        await self._turn()
        value, until = self._kept.get(key, (b"", 0.0))
        if until <= self._clock.seconds():
            return None
        if self._source.random() < self._options.spoiling:
            place = self._source.randrange(len(value))
            return self._source.choice((
                value[:place], value + b"x", b"",
                value[:place] + bytes([value[place] ^ 1]) + value[place + 1:]))
        return value

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        await self._turn()
        self._kept[key] = (value, self._clock.seconds() + ttl)
        await self._turn()

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        await self._turn()
        return sum(self._kept.pop(key, None) is not None for key in keys)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        return [key for key in self._kept if key.startswith(prefix)]

    async def _turn(self) -> None:
        await deferLater(self._clock, self._source.choice((0, 0, 0.001, 0.01)))
        if self._source.random() < self._options.failing:
            raise self._source.choice(_ERRORS)


@implementer(IStoreType)
@frozen
class OddType:
    """The store type C{odd}."""

    name: str = "odd"
    options: type = OddOptions

    def store(self, name: str, options: Any, limits: Any, runtime: Any) -> OddStore:
        """See L{IStoreType.store}."""
        return OddStore(options, runtime.clock)


odd = OddType()
