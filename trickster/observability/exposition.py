"""The text of a scrape, made off the reactor and at most once a second."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen
from prometheus_client import CollectorRegistry
from prometheus_client import exposition as plain
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

InThread = Callable[[Callable[[], bytes]], Deferred[bytes]]

_FRESH = 1.0


@frozen
class Page:
    """
    A scrape's answer.

    :ivar made: when, in the clock's seconds.
    """

    content_type: str
    octets: bytes
    made: float


def _encoding(accept: str) -> tuple[str, Callable[[Collector], bytes]]:
    # The library's own chooser repeats any version that a client names.
    if "application/openmetrics-text" in accept:
        return openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest
    return plain.CONTENT_TYPE_PLAIN_0_0_4, plain.generate_latest


@define(eq=False)
class Exposition:
    """
    Makes the text of all metrics, for scrapers.

    Scrapes at the same time share one text, and so do those within a second, so that a
    scraper without manners costs no more than one with.

    :ivar in_thread: runs a function in a thread, as C{partial(deferToThread)} would.
    """

    registry: CollectorRegistry
    clock: IReactorTime
    in_thread: InThread
    _pages: dict[str, Page] = field(factory=dict, init=False)
    _waiting: dict[str, list[Deferred[Page]]] = field(factory=dict, init=False)

    async def page(self, accept: str) -> Page:
        """
        :param accept: the C{Accept} field of the request: it may ask for OpenMetrics.
        :return: all metrics as they are now, or were within the last second.
        :raises Exception: the text cannot be made; all that have waited for it see the same
            error.
        """
        content_type, encode = _encoding(accept)
        page = self._pages.get(content_type)
        if page is not None and 0 <= self.clock.seconds() - page.made < _FRESH:
            return page
        return await self._shared(content_type, lambda: encode(self.registry))

    def _shared(self, content_type: str, make: Callable[[], bytes]) -> Deferred[Page]:
        waiting = self._waiting.setdefault(content_type, [])
        mine: Deferred[Page] = Deferred()
        waiting.append(mine)
        if len(waiting) == 1:
            made = maybeDeferred(self.in_thread, make)
            made.addCallback(self._made, content_type)
            made.addErrback(self._failed, content_type)
        return mine

    def _made(self, octets: bytes, content_type: str) -> None:
        page = Page(content_type, octets, self.clock.seconds())
        self._pages[content_type] = page
        for waiter in self._waiting.pop(content_type):
            if not waiter.called:
                waiter.callback(page)

    def _failed(self, failure: Failure, content_type: str) -> None:
        for waiter in self._waiting.pop(content_type, ()):
            if not waiter.called:
                waiter.errback(failure)
