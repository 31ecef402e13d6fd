"""Which worker is the home of a key, and how it is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList

from trickster.collapsing.home import AtHome, Home
from trickster.messages import Request, Response
from trickster.peers.envelope import Asked, Forgotten, Order, encoded_order
from trickster.peers.neighbour import Connected, Neighbour, connected
from trickster.purging.purges import Purges

# Seconds in which other workers are to have forgotten what has become invalid.
_FORGETTING = 1.0

# Has the caches of a backend forget what there is for a target and an authority.
Forget = Callable[[bytes, bytes], Awaitable[None]]


@frozen
class Neighbours:
    """
    The workers that have the same configuration.

    :ivar number: of this one, from 1.
    :ivar total: of all.
    :ivar path: from the number of a worker to the path of its Unix socket.
    """

    number: int
    total: int
    path: Callable[[int], str]

    def home_of(self, key: str) -> int:
        """:return: the number of the worker that is the home of a key; all workers agree."""
        octets = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(octets, "big") % self.total + 1


@define(eq=False)
class Homes:
    """
    The caches of this process, and of the others that have the same.

    :ivar reactor: connects to Unix sockets.
    :ivar neighbours: the workers.
    :ivar connect: makes a client of a worker, of a reactor and the path of its socket.
    """

    reactor: Any
    neighbours: Neighbours
    connect: Callable[[Any, str], Connected] = connected
    _known: dict[int, Neighbour] = field(factory=dict, init=False)
    _caches: dict[str, AtHome] = field(factory=dict, init=False)
    _purges: dict[str, Purges] = field(factory=dict, init=False)
    _forgets: dict[str, Forget] = field(factory=dict, init=False)

    def join(self, cache: str, answer: AtHome, purges: Purges | None = None) -> Home:
        """
        :param cache: a name that the same cache has in all workers.
        :param answer: answers what other workers ask of it.
        :param purges: of its store.
        :return: the way to the others.
        """
        self._caches[cache] = answer
        if purges is not None:
            self._purges[cache] = purges
        return CacheHome(cache, self)

    def mark(self, cache: str) -> int:
        """:return: the number of the newest purge of a cache that is known here."""
        purges = self._purges.get(cache)
        return 0 if purges is None else purges.mark

    async def caught_up(self, cache: str, mark: int) -> bool:
        """
        Know of the purges of which another worker knows that asks: an answer that was asked for
        before them is none for its clients.

        :param mark: as L{mark} there.
        :return: whether they are known; not where the store does not work.
        """
        purges = self._purges.get(cache)
        if purges is None or purges.mark >= mark:
            return True
        await purges.caught_up(mark)
        return purges.mark >= mark

    def forget_with(self, backend: str, forget: Forget) -> Forget:
        """
        :param forget: has the caches of a backend forget something, in this process.
        :return: has those of all other workers do the same.
        """
        self._forgets[backend] = forget

        async def everywhere_else(target: bytes, authority: bytes) -> None:
            await self._told(Order(forgotten=Forgotten(backend, target, authority)))

        return everywhere_else

    def answering(self, cache: str) -> AtHome | None:
        """:return: what answers the requests of other workers for a cache; None where there is no
        such cache here."""
        return self._caches.get(cache)

    def forgetting(self, backend: str) -> Forget | None:
        """:return: what forgets for other workers what a backend has; None where there is none."""
        return self._forgets.get(backend)

    def neighbour(self, number: int) -> Neighbour:
        """:return: the way to a worker."""
        if number not in self._known:
            path = self.neighbours.path(number)
            self._known[number] = Neighbour(
                number, lambda: self.connect(self.reactor, path), self.reactor)
        return self._known[number]

    def stop(self) -> Deferred[Any]:
        """
        Ask no more, and close connections as they come free.

        :return: fires when there are none left.
        """
        return DeferredList([each.stop() for each in self._known.values()])

    async def _told(self, order: Order) -> None:
        others = [number + 1 for number in range(self.neighbours.total)
                  if number + 1 != self.neighbours.number]
        octets = encoded_order(order)
        neighbours = [self.neighbour(number) for number in others]
        telling = [(each, Deferred.fromCoroutine(each.told(octets)).addTimeout(
            _FORGETTING, self.reactor)) for each in neighbours]
        # One that cannot be reached fetches nothing, and so has nothing to forget.  One that
        # hangs reads this before the answer of an origin for which it waits.
        for _, told in telling:
            told.addErrback(_forget)
        await DeferredList([told for each, told in telling if not each.is_away])


def _forget(_: Any) -> None:
    """
    A worker was told, or cannot be.

    :param _: a failure.
    """


@frozen
class CacheHome:
    """The homes of the keys of one cache.  Provides L{Home}."""

    cache: str
    homes: Homes

    def is_elsewhere(self, key: str) -> bool:
        """See L{Home.is_elsewhere}."""
        neighbours = self.homes.neighbours
        return neighbours.home_of(key) != neighbours.number

    async def asked(self, key: str, request: Request) -> Response | None:
        """See L{Home.asked}."""
        try:
            order = encoded_order(Order(Asked.of(
                self.cache, request, self.homes.mark(self.cache))))
        except (ValueError, OverflowError):
            return None
        neighbour = self.homes.neighbour(self.homes.neighbours.home_of(key))
        return await neighbour.asked(order, request.interim)
