"""Trying again what failed, where the options say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.stores.redis.errors import ErrorReply, NoAnswer, NotConnected
from trickster.stores.redis.options import RedisOptions

T = TypeVar("T")

# What a server may do a moment later: it loads, has just become a replica, or a cluster changes.
_PASSING = frozenset(("LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"))


@frozen
class Retries:
    """
    How often, and after which pauses.

    :ivar most: tries after the first.
    :ivar shortest: seconds of the first pause; each is up to twice as long as the one before.
    :ivar longest: seconds of the longest.
    """

    most: int
    shortest: float
    longest: float
    _clock: IReactorTime = field(repr=False)
    _random: Callable[[], float] = field(repr=False)

    @classmethod
    def of(cls, options: RedisOptions, runtime: IRuntime) -> Retries:
        """:return: as the options say."""
        return cls(max(0, options.max_retries), options.min_retry_backoff,
                   options.max_retry_backoff, runtime.clock, runtime.random)

    def timeout(self, once: float) -> float:
        """
        :param once: seconds that a try takes at most.
        :return: seconds that all take at most.
        """
        return once + self.most * (once + self.longest)

    async def tried(self, ask: Callable[[], Awaitable[T]], is_repeatable: bool = True) -> T:
        """
        :param ask: called for each try.
        :param is_repeatable: whether it does no harm to do it twice, where it is not known
            whether the first time it was done.
        :return: what the first try gives that succeeds.
        :raises StoreError: what the last one raises.
        """
        for attempt in range(self.most):
            try:
                return await ask()
            except StoreError as error:
                if not _may_pass(error, is_repeatable):
                    raise
            await deferLater(self._clock, self._pause(attempt))
        return await ask()

    def _pause(self, attempt: int) -> float:
        longest = min(self.longest, self.shortest * 2 ** min(attempt, 30))
        return longest * (0.5 + self._random() / 2)


def _may_pass(error: StoreError, is_repeatable: bool) -> bool:
    if isinstance(error, ErrorReply):
        return error.code in _PASSING
    return isinstance(error, NotConnected) or (is_repeatable and isinstance(error, NoAnswer))
