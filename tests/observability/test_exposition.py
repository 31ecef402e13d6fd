"""Tests of C{trickster.observability.exposition}."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.observability.exposition import Exposition, Page
from trickster.observability.metrics import Metrics


class ExpositionTests(SynchronousTestCase):
    """The text of a scrape."""

    def setUp(self) -> None:
        """Make one whose threads the test runs."""
        self.clock = Clock()
        self.threads: list[tuple[Callable[[], bytes], Deferred[bytes]]] = []
        registry = CollectorRegistry()
        Metrics(registry)
        self.exposition = Exposition(registry, self.clock, self.in_thread)

    def in_thread(self, make: Callable[[], bytes]) -> Deferred[bytes]:
        """Keep what is to be run."""
        done: Deferred[bytes] = Deferred()
        self.threads.append((make, done))
        return done

    def run_threads(self) -> None:
        """Run all that is to be run."""
        threads, self.threads = self.threads, []
        for make, done in threads:
            done.callback(make())

    def scrape(self, accept: str = "") -> Deferred[Page]:
        """:return: a page to come."""
        return Deferred.fromCoroutine(self.exposition.page(accept))

    def test_in_thread(self) -> None:
        """The text is made in a thread."""
        scraping = self.scrape()
        self.assertNoResult(scraping)
        self.run_threads()
        self.assertIn(b"trickster_build_info", self.successResultOf(scraping).octets)

    def test_shared(self) -> None:
        """Scrapes at the same time, and within a second, cost one text."""
        first, second = self.scrape(), self.scrape()
        self.assertEqual(len(self.threads), 1)
        self.run_threads()
        self.clock.advance(0.9)
        pages = [self.successResultOf(one) for one in (first, second, self.scrape())]
        self.assertEqual([page is pages[0] for page in pages], [True] * 3)

    def test_made_again(self) -> None:
        """The text of a scrape is made again after a second."""
        self.scrape()
        self.run_threads()
        self.clock.advance(1.0)
        self.scrape()
        self.assertEqual(len(self.threads), 1)

    def test_forms(self) -> None:
        """OpenMetrics is for clients that ask for it; no other header field matters."""
        openmetrics = "application/openmetrics-text;version=%d.0.0;q=0.5,text/plain;q=0.1"
        scrapes = [self.scrape(accept) for accept in (
            "", "text/plain;version=9", openmetrics % 1, openmetrics % 99)]
        self.assertEqual(len(self.threads), 2)
        self.run_threads()
        pages = [self.successResultOf(one) for one in scrapes]
        self.assertEqual([page.content_type.split(";")[0] for page in pages],
                         ["text/plain"] * 2 + ["application/openmetrics-text"] * 2)
        self.assertTrue(pages[2].octets.endswith(b"# EOF\n"))

    def test_client_gone(self) -> None:
        """A scraper that hangs up does no harm to the others."""
        first, second = self.scrape(), self.scrape()
        first.addErrback(lambda _: None)
        first.cancel()
        self.run_threads()
        self.assertTrue(self.successResultOf(second).octets)

    def test_failure(self) -> None:
        """A text that cannot be made fails all waiting scrapes, and the next one tries again."""
        waiting = [self.scrape(), self.scrape()]
        self.threads.pop()[1].errback(ZeroDivisionError())
        for one in waiting:
            self.failureResultOf(one, ZeroDivisionError)
        scraping = self.scrape()
        self.run_threads()
        self.successResultOf(scraping)
