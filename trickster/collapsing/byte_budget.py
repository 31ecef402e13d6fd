"""A bound on the octets that are held while answers are fetched and sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Self
from weakref import finalize

from attrs import define, field

from trickster.errors import (
    Overloaded,
    Reason,
    RequestError,
    RequestTooLarge,
    TricksterError,
    UpstreamError,
)
from trickster.interfaces import IBody
from trickster.messages import Octets, octets_of

# Bodies of fewer octets do not count: they are part of what each connection may take.
SMALL = 128 << 10


class OverBudget(TricksterError):
    """
    An answer is larger than may be held; it can only be streamed.

    :ivar reason: whether it is too large by itself, or too much is in flight already.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason

    def refusal(self, too_large: RequestError) -> RequestError:
        """
        :param too_large: what is told where it is the body that is too large.
        :return: what a client is told where nothing can be passed on instead.
        """
        if self.reason is Reason.TOO_LARGE:
            return too_large
        return Overloaded("too many octets of requests and answers are in flight", self.reason)


@define(eq=False)
class _Lent:
    """
    Something that bodies consist of.

    :ivar thing: held on to, so that no other has its number.
    :ivar octets: that count for it, however many bodies there are.
    """

    thing: object
    octets: int
    bodies: int = 0


@define(eq=False)
class InFlight:
    """
    How many octets are held for all answers that are fetched or sent, and for the request
    bodies that are read before them.

    :ivar limit: octets in all.
    """

    limit: int
    held: int = field(default=0, init=False)
    _lent: dict[int, _Lent] = field(factory=dict, init=False)

    def loan(self) -> Loan:
        """:return: a part of it, of no octets yet, to be given back."""
        return Loan(self)

    async def collected(self, body: IBody, most: int) -> bytes | bytearray:
        """
        Read a body to its end.  What it takes counts until then.

        :param most: octets that this one body may have.
        :raises OverBudget: there is no room for it; the body is closed.
        """
        with self.loan() as loan:
            return await loan.collected(body, most)

    async def request_body(self, body: IBody, most: int) -> Octets:
        """
        Read the body of a request to its end.  What it takes counts as long as what is
        returned exists.

        :param most: octets that it may have.
        :raises RequestTooLarge: it has more.
        :raises Overloaded: too much is in flight already.
        """
        try:
            whole = Octets(bytes(await self.collected(body, most)))
            self.count(whole)
        except OverBudget as error:
            raise error.refusal(
                RequestTooLarge(f"a request body of more than {most} octets")) from error
        return whole

    async def changed(self, body: IBody, most: int,
                      change: Callable[[bytes], Awaitable[bytes]]) -> Octets:
        """
        Read an answer's body to its end, and make another one of its octets.  What they take
        counts, that of the new one as long as it exists.

        :param most: octets that the body may have.
        :raises UpstreamError: it has more.
        :raises Overloaded: too much is in flight already.
        """
        try:
            with self.loan() as loan:
                changed = Octets(await change(bytes(await loan.collected(body, most))))
            self.count(changed)
        except OverBudget as error:
            raise error.refusal(
                UpstreamError("too much to be changed", Reason.TOO_LARGE)) from error
        return changed

    def count(self, body: IBody, of: object = None, octets: int | None = None) -> None:
        """
        Count what a body consists of for as long as the body exists: slow readers hold on to
        it, also after a store has forgotten it.  Code that takes the body's place, or does
        not close it, so need not know of this.

        :param of: what it is made from, which counts once for all bodies of it; None for itself.
        :param octets: that this takes; None for as many as the body has.
        :raises OverBudget: there is no room for it beside what is held.
        """
        size = (body.length or 0) if octets is None else octets
        if size <= SMALL:
            return
        lent = None if of is None else self._lent.get(id(of))
        if lent is None:
            # One alone always has room: it would else never be answered from a cache.
            if self.held and self.held + size > self.limit:
                raise OverBudget(Reason.IN_FLIGHT_BUDGET)
            lent = self._new(of, size)
        lent.bodies += 1
        finalize(body, self._gone, lent).atexit = False

    def _new(self, thing: object, octets: int) -> _Lent:
        lent = _Lent(thing, octets)
        self.held += octets
        if thing is not None:
            self._lent[id(thing)] = lent
        return lent

    def _gone(self, lent: _Lent) -> None:
        lent.bodies -= 1
        if not lent.bodies:
            self.held -= lent.octets
            if lent.thing is not None:
                del self._lent[id(lent.thing)]


@define(eq=False)
class Loan:
    """
    Octets that count until they are given back, at the end of a C{with}.

    :ivar octets: how many.
    """

    _budget: InFlight
    octets: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def take(self, octets: int) -> bool:
        """:return: whether there was room for so many more, which are counted now."""
        budget = self._budget
        if budget.held + octets > budget.limit:
            return False
        budget.held += octets
        self.octets += octets
        return True

    def give_back(self) -> None:
        """Count none of them any more."""
        self._budget.held -= self.octets
        self.octets = 0

    async def collected(self, body: IBody, most: int) -> bytes | bytearray:
        """
        Read a body to its end.

        :param most: octets that this one body may have.
        :raises OverBudget: there is no room for it; the body is closed.
        """
        here = octets_of(body)
        if here is not None and len(here) <= most:
            return here
        try:
            if body.length is not None and body.length > most:
                raise OverBudget(Reason.TOO_LARGE)
            return await self._read(body, most)
        finally:
            body.close()

    async def _read(self, body: IBody, most: int) -> bytearray:
        kept = bytearray()
        while True:
            octets = await body.read()
            if not octets:
                return kept
            if len(kept) + len(octets) > most:
                raise OverBudget(Reason.TOO_LARGE)
            if not self.take(len(octets)):
                raise OverBudget(Reason.IN_FLIGHT_BUDGET)
            kept += octets
