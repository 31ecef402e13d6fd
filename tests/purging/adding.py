"""Purges that are waited for."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from trickster.purging.purges import Purges
from trickster.purging.table import Purge
from trickster.testing.doubles import at_once

# Seconds until every process has looked at the table where stores tell at once what they have.
EVERYWHERE = 0.02


def waited_for(adding: Awaitable[Any], clock: Clock, seconds: float = EVERYWHERE) -> Any:
    """:return: what becomes of a purge, once it is effective everywhere."""
    async def wait() -> Any:
        return await adding

    added = Deferred.fromCoroutine(wait())
    if not added.called:
        clock.advance(seconds)
    return at_once(added)


def add(purges: Purges, purge: Purge, clock: Clock) -> int:
    """:return: the number of a purge, once it is effective everywhere."""
    number: int = waited_for(purges.add(purge), clock)
    return number
