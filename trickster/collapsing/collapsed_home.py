"""Collapsed forwarding to the home of a key: one answer of it for all who ask the same here."""

from __future__ import annotations

from functools import partial

from attrs import define

from trickster.collapsing.home import Home
from trickster.collapsing.progressive_proxy import SharedAnswers
from trickster.messages import Request, Response


class _Away(Exception):
    """The home of a key cannot be reached."""


@define(eq=False)
class CollapsedHome:
    """
    A home that is asked once for what several clients of this process ask at the same time; each
    of them follows the answer as it comes.  Provides L{Home}.

    :ivar inner: asks the home.
    :ivar shared: its answers on their way.
    """

    inner: Home
    shared: SharedAnswers

    def is_elsewhere(self, key: str) -> bool:
        """See L{Home.is_elsewhere}."""
        return self.inner.is_elsewhere(key)

    async def asked(self, key: str, request: Request) -> Response | None:
        """See L{Home.asked}."""
        slot = self.shared.slot(request)
        if slot is None:
            return await self.inner.asked(key, request)
        try:
            return await self.shared.response(request, slot, partial(self._asked, key))
        except _Away:
            return None

    async def _asked(self, key: str, request: Request) -> Response:
        response = await self.inner.asked(key, request)
        if response is None:
            raise _Away
        return response
