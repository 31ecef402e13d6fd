"""Several things at a time, which succeed together or fail."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

T = TypeVar("T")


async def all_of(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """
    Begin all, and wait for all.

    :return: what comes of each.
    :raises Exception: what the first raises that fails; the others are cancelled then, as all
        are where this is.
    """
    begun = [Deferred.fromCoroutine(work) for work in works]
    try:
        return await gatherResults(begun, consumeErrors=True)
    except FirstError as error:
        for one in begun:
            one.cancel()
        raise (error.subFailure.value or error) from None
