"""Tests of C{trickster.observability.merging.exposition}."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.merging.telling import numbers, process
from trickster.observability.exposition import Page
from trickster.observability.merging.exposition import MergedExposition
from trickster.observability.merging.families import parsed
from trickster.observability.merging.last_seen import LastSeen
from trickster.observability.merging.merged import merged

Texts = Mapping[Hashable, bytes]


class MergedExpositionTests(SynchronousTestCase):
    """The text of a scrape of several workers."""

    def setUp(self) -> None:
        """Two workers will be asked, in no thread."""
        self.clock = Clock()
        self.asked: list[Deferred[Texts]] = []
        self.threads = 0
        registry = CollectorRegistry()
        Gauge("trickster_workers", "Workers.", registry=registry).set(2)
        self.last = LastSeen()
        self.exposition = MergedExposition(
            self.ask, registry, self.last, self.clock, self.in_thread)

    async def ask(self) -> Texts:
        """:return: what the test gives."""
        answer: Deferred[Texts] = Deferred()
        self.asked.append(answer)
        return await answer

    def in_thread(self, make: Callable[[], Any]) -> Deferred[Any]:
        """Run it at once."""
        self.threads += 1
        return maybeDeferred(make)

    def scrape(self, accept: str = "") -> Deferred[Page]:
        """:return: a page to come."""
        return Deferred.fromCoroutine(self.exposition.page(accept))

    def told(self, **texts: bytes) -> dict[str, float]:
        """:return: the numbers of a scrape that these workers answer."""
        self.clock.advance(1.0)
        scraping = self.scrape()
        self.asked.pop().callback(texts)
        page = self.successResultOf(scraping)
        return dict(numbers(merged([parsed(page.octets)])))

    def test_all(self) -> None:
        """A page has what all workers tell together, and what the process tells that asks."""
        told = self.told(a=process(["one"], 2), b=process(["one"], 3))
        self.assertEqual(sum(value for name, value in told.items()
                             if name.startswith("trickster_frontend_requests_total")), 5)
        self.assertEqual(told["trickster_workers"], 2)
        self.assertEqual(told["trickster_workers_scraped"], 2)

    def test_silent(self) -> None:
        """A worker that does not answer stands as it was, and the page says that."""
        self.told(a=process(["one"], 2), b=process(["one"], 3))
        told = self.told(a=process(["one"], 4))
        self.assertEqual(sum(value for name, value in told.items()
                             if name.startswith("trickster_frontend_requests_total")), 7)
        self.assertEqual(told["trickster_workers_scraped"], 1)

    def test_unreadable(self) -> None:
        """An answer that cannot be read is none, and the log says so."""
        with capturedLogs() as events:
            told = self.told(a=process(["one"], 2), b=b"\xff nothing")
        self.assertEqual(told["trickster_workers_scraped"], 1)
        self.assertEqual([event["worker"] for event in events], ["b"])

    def test_shared(self) -> None:
        """Scrapes at the same time, and within a second, ask the workers once, in any form."""
        scrapes = [self.scrape(), self.scrape("application/openmetrics-text"), self.scrape()]
        self.assertEqual(len(self.asked), 1)
        self.asked[0].callback({})
        self.clock.advance(0.9)
        scrapes.append(self.scrape())
        pages = [self.successResultOf(one) for one in scrapes]
        self.assertEqual(len(self.asked), 1)
        self.assertEqual([page is pages[0] for page in pages], [True, False, True, True])
        self.assertTrue(pages[1].octets.endswith(b"# EOF\n"))
        self.assertEqual(self.threads, 3)

    def test_never_older(self) -> None:
        """No page is older than a second, in whichever form it was asked for before."""
        self.scrape()
        self.asked[0].callback({})
        self.clock.advance(0.9)
        self.scrape("application/openmetrics-text")
        self.clock.advance(0.2)
        self.scrape("application/openmetrics-text")
        self.assertEqual(len(self.asked), 2)

    def test_failure(self) -> None:
        """Workers that cannot be asked fail all waiting scrapes; the next one asks again."""
        waiting = [self.scrape(), self.scrape()]
        self.asked.pop().errback(ZeroDivisionError())
        for one in waiting:
            self.failureResultOf(one, ZeroDivisionError)
        self.scrape()
        self.assertEqual(len(self.asked), 1)

    def test_scraper_gone(self) -> None:
        """A scraper that hangs up leaves the workers' answers to the others."""
        first, second = self.scrape(), self.scrape()
        first.addErrback(lambda _: None)
        first.cancel()
        self.asked.pop().callback({"a": process()})
        self.assertTrue(self.successResultOf(second).octets)
