"""Collapsed forwarding to the home of a key: one answer of it for all who ask the same here."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from trickster.collapsing.home import Home
from trickster.collapsing.progressive_proxy import STORED, SharedAnswers
from trickster.messages import Request, Response
from trickster.net.callbacks import ignore


class _Away(Exception):
    """The home of a key cannot be reached."""


@define(eq=False)
class CollapsedHome:
    """
    A home that is asked once for what several clients of this process ask at the same time; each
    of them follows the answer as it comes.  Provides L{Home}.

    :ivar inner: asks the home.
    :ivar shared: its answers on their way.
    :ivar counted: told the key of what the home had stored, for each who follows an answer: the
        home itself has counted a hit for the one who asked.
    """

    inner: Home
    shared: SharedAnswers
    counted: Callable[[str], None] = ignore

    def is_elsewhere(self, key: str) -> bool:
        """See L{Home.is_elsewhere}."""
        return self.inner.is_elsewhere(key)

    async def asked(self, key: str, request: Request) -> Response | None:
        """See L{Home.asked}."""
        slot = self.shared.slot(request)
        if slot is None:
            return await self.inner.asked(key, request)
        is_follower = True

        async def ask(request: Request) -> Response:
            nonlocal is_follower
            is_follower = False
            response = await self.inner.asked(key, request)
            if response is None:
                raise _Away
            return response

        try:
            response = await self.shared.response(request, slot, ask)
        except _Away:
            return None
        if is_follower and response.outcome.status in STORED and response.outcome.cause is None:
            self.counted(key)
        return response
