"""A bound on the octets that are held while answers are being fetched."""

from __future__ import annotations

from attrs import define, field

from trickster.errors import Reason, TricksterError
from trickster.interfaces import IBody
from trickster.messages import octets_of


class OverBudget(TricksterError):
    """
    An answer is larger than may be held; it can only be streamed.

    :ivar reason: whether it is too large by itself, or too much is in flight already.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@define
class InFlight:
    """
    How many octets are being held for all fetches together.

    :ivar limit: octets in all.
    """

    limit: int
    held: int = field(default=0, init=False)

    async def collected(self, body: IBody, most: int) -> bytes | bytearray:
        """
        Read a body to its end.  What it takes counts until then; afterwards it is the
        caller's, and soon the store's.

        :param most: octets that this one body may have.
        :raises OverBudget: there is no room for it; the body is closed.
        """
        here = octets_of(body)
        if here is not None and len(here) <= most:
            return here
        if body.length is not None and body.length > most:
            body.close()
            raise OverBudget(Reason.TOO_LARGE)
        kept = bytearray()
        try:
            await self._fill(kept, body, most)
        finally:
            self.held -= len(kept)
            body.close()
        return kept

    async def _fill(self, kept: bytearray, body: IBody, most: int) -> None:
        while True:
            octets = await body.read()
            if not octets:
                return
            if len(kept) + len(octets) > most:
                raise OverBudget(Reason.TOO_LARGE)
            if self.held + len(octets) > self.limit:
                raise OverBudget(Reason.IN_FLIGHT_BUDGET)
            self.held += len(octets)
            kept += octets


