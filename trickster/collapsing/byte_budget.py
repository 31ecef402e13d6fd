"""A bound on the octets that are held while answers are fetched and sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Self
from weakref import finalize

from attrs import define, field

from trickster.bodies import BodyTooLarge, read_all
from trickster.errors import Reason, RequestTooLarge, UpstreamError
from trickster.interfaces import IBody
from trickster.messages import Octets

# Bodies of fewer octets do not count: they are part of what each connection may take.
SMALL = 128 << 10


@define(eq=False)
class _Source:
    """
    Something that bodies consist of.

    :ivar thing: held on to, so that no other has its number.
    :ivar octets: that count for it, however many bodies there are.
    """

    thing: object
    octets: int
    bodies: int = 0


@define(eq=False)
class ByteBudget:
    """
    How many octets are held for all answers that are fetched or sent, and for the request
    bodies that are read before them.  It alone counts them: what is held is either reserved
    (L{Reservation}), or counts for as long as a body exists (L{count}).

    :ivar limit: octets in all.
    """

    limit: int
    _held: int = field(default=0, init=False)
    _reserved: dict[Reservation, int] = field(factory=dict, init=False)
    _sources: dict[int, _Source] = field(factory=dict, init=False)

    @property
    def held(self) -> int:
        """
        :return: octets held now, reserved or counted; more than the limit while one body that
            alone has more exists.
        """
        return self._held

    def reservation(self) -> Reservation:
        """:return: one of no octets yet, to be released."""
        return Reservation(self)

    def reserve(self, reservation: Reservation, octets: int) -> bool:
        """:return: whether there was room for so many more, which are reserved now."""
        if self._held + octets > self.limit:
            return False
        self._held += octets
        self._reserved[reservation] = self._reserved.get(reservation, 0) + octets
        return True

    def release(self, reservation: Reservation) -> None:
        """
        Have all octets of a reservation free again.

        :param reservation: may have none, or none any more.
        """
        self._held -= self._reserved.pop(reservation, 0)

    def release_with(self, reservation: Reservation, thing: object) -> None:
        """
        Have the octets of a reservation free again once a thing is gone that holds them.

        :param reservation: has none from now on, but may take others.
        :param thing: can be weakly referenced.
        """
        octets = self._reserved.pop(reservation, 0)
        if octets:
            finalize(thing, self._free, octets).atexit = False

    def _free(self, octets: int) -> None:
        self._held -= octets

    async def read_all(self, body: IBody, limit: int) -> bytes | bytearray:
        """
        Read a body to its end.  What it takes counts until then.

        :param limit: octets that this one body may have.
        :return: as L{trickster.bodies.read_all}; the body is closed in any case.
        :raises BodyTooLarge: it has more, or there is no room for it beside others.
        :raises trickster.errors.UpstreamBroke: it was cut short.
        """
        with self.reservation() as reservation:
            return await reservation.read_all(body, limit)

    async def request_body(self, body: IBody, limit: int) -> Octets:
        """
        Read the body of a request to its end.  What it takes counts as long as what is
        returned exists.

        :param limit: octets that it may have.
        :return: all of it, which can be sent more than once (L{Octets.octets}).
        :raises RequestTooLarge: it has more.
        :raises Overloaded: too much is in flight already.
        """
        try:
            whole = Octets(bytes(await self.read_all(body, limit)))
            self.count(whole)
        except BodyTooLarge as error:
            raise error.refusal(
                RequestTooLarge(f"a request body of more than {limit} octets")) from error
        return whole

    async def changed(self, body: IBody, limit: int,
                      change: Callable[[bytes], Awaitable[bytes]]) -> Octets:
        """
        Read an answer's body to its end, and make another one of its octets.  What they take
        counts, that of the new one as long as it exists.

        :param limit: octets that the body may have.
        :param change: awaited once; what it raises is raised.
        :return: the new body, all of which is here.
        :raises UpstreamError: the body has more, or was cut short.
        :raises Overloaded: too much is in flight already.
        """
        try:
            with self.reservation() as reservation:
                changed = Octets(await change(bytes(await reservation.read_all(body, limit))))
            self.count(changed)
        except BodyTooLarge as error:
            raise error.refusal(
                UpstreamError("too much to be changed", Reason.TOO_LARGE)) from error
        return changed

    def count(self, body: IBody, of: object = None, octets: int | None = None) -> None:
        """
        Count what a body consists of for as long as the body exists: slow readers hold on to
        it, also after a store has forgotten it.  Code that takes the body's place, or does
        not close it, so need not know of this.  A body of few octets of its own does not count.

        :param of: what it is made from, which counts once for all bodies of it; None for itself.
        :param octets: that this takes; None for as many as the body has.
        :raises BodyTooLarge: there is no room for it beside what is held.
        """
        if type(body) is Octets and len(body.octets) <= SMALL:
            return
        size = (body.length or 0) if octets is None else octets
        if size <= SMALL:
            return
        source = None if of is None else self._sources.get(id(of))
        if source is None:
            # One alone always has room: it would else never be answered from a cache.
            if self._held and self._held + size > self.limit:
                raise BodyTooLarge(self.limit, Reason.IN_FLIGHT_BUDGET)
            source = self._new(of, size)
        source.bodies += 1
        finalize(body, self._gone, source).atexit = False

    def _new(self, thing: object, octets: int) -> _Source:
        source = _Source(thing, octets)
        self._held += octets
        if thing is not None:
            self._sources[id(thing)] = source
        return source

    def _gone(self, source: _Source) -> None:
        source.bodies -= 1
        if not source.bodies:
            self._held -= source.octets
            if source.thing is not None:
                del self._sources[id(source.thing)]


@define(eq=False)
class Reservation:
    """
    Octets of a budget that one reader may hold, until they are released at the end of a C{with}.
    """

    _budget: ByteBudget

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self, octets: int) -> bool:
        """:return: whether there was room for so many more, which are reserved now."""
        return self._budget.reserve(self, octets)

    def release(self) -> None:
        """Hold none of them any more."""
        self._budget.release(self)

    def release_with(self, thing: object) -> None:
        """
        Have something else hold them, so that the end of the C{with} does not release them.

        :param thing: holds them for as long as it exists; can be weakly referenced.
        """
        self._budget.release_with(self, thing)

    async def read_all(self, body: IBody, limit: int) -> bytes | bytearray:
        """
        Read a body to its end.  What it takes counts until this is released.

        :param limit: octets that this one body may have.
        :return: as L{trickster.bodies.read_all}; the body is closed in any case.
        :raises BodyTooLarge: it has more, or there is no room for it beside others.
        :raises trickster.errors.UpstreamBroke: it was cut short.
        """
        return await read_all(body, limit, self.take)
