"""The text of a scrape, made off the reactor and at most once a second."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen
from prometheus_client import exposition as plain
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from trickster.net.waiters import Waiters

T = TypeVar("T")
InThread = Callable[[Callable[[], bytes]], Deferred[bytes]]

_FRESH = 1.0


@frozen
class Page:
    """A scrape's answer."""

    content_type: str
    octets: bytes


def _encoding(accept: str) -> tuple[str, Callable[[Collector], bytes]]:
    # The library's own chooser repeats any version that a client names.
    if "application/openmetrics-text" in accept:
        return openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest
    return plain.CONTENT_TYPE_PLAIN_0_0_4, plain.generate_latest


@define(eq=False)
class Shared(Generic[T]):
    """
    What is made for all who want it at the same time, and for those who do within a second.

    It goes on being made when those who have asked for it are gone.
    """

    clock: IReactorTime
    _made: dict[str, tuple[T, float]] = field(factory=dict, init=False)
    _waiting: dict[str, Waiters[T]] = field(factory=dict, init=False)

    async def of(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """
        :param name: of what is wanted, one of a few.
        :param make: makes it.
        :return: what was made of this name, within the last second or now.
        :raises Exception: it cannot be made; all that have waited for it see the same error.
        """
        made = self._made.get(name)
        if made is not None and 0 <= self.clock.seconds() - made[1] < _FRESH:
            return made[0]
        return await self._waited(name, make)

    def _waited(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        waiters = self._waiting.get(name)
        if waiters is not None:
            return waiters.wait(_harmless)
        waiters = self._waiting[name] = Waiters()
        mine = waiters.wait(_harmless)
        making = Deferred.fromCoroutine(make())
        making.addCallback(self._keep, name).addBoth(self._tell, name)
        return mine

    def _keep(self, made: T, name: str) -> T:
        self._made[name] = (made, self.clock.seconds())
        return made

    def _tell(self, result: T | Failure, name: str) -> None:
        self._waiting.pop(name).tell_all(result)


def _harmless() -> None:
    """One who has waited is gone."""


@define(eq=False)
class Exposition:
    """
    Makes the text of all metrics, for scrapers.

    Scrapes at the same time share one text, and so do those within a second, so that a
    scraper without manners costs no more than one with.

    :ivar registry: of what is exposed; collected in a thread.
    :ivar in_thread: runs a function in a thread, as C{partial(deferToThread)} would.
    """

    registry: Collector
    clock: IReactorTime
    in_thread: InThread
    _shared: Shared[Page] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._shared = Shared(self.clock)

    async def page(self, accept: str) -> Page:
        """
        :param accept: the C{Accept} field of the request: it may ask for OpenMetrics.
        :return: all metrics as they are now, or were within the last second.
        :raises Exception: the text cannot be made; all that have waited for it see the same
            error.
        """
        content_type, encode = _encoding(accept)
        return await self._shared.of(content_type, partial(self._page, content_type, encode))

    async def _page(self, content_type: str, encode: Callable[[Collector], bytes]) -> Page:
        octets = await self.in_thread(partial(encode, self.registry))
        return Page(content_type, octets)
