"""The text of a scrape of several workers, made off the reactor and at most once a second."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any

from attrs import define, field, frozen
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from trickster.observability.exposition import Exposition, Page, Shared
from trickster.observability.merging.families import families_of, parsed
from trickster.observability.merging.last_seen import LastSeen
from trickster.observability.merging.merged import merged

# How families begin that only the process that asks has to tell: a worker has its configuration from
# the start.
_OWN = "trickster_config_"
# The texts of those workers that have answered in time, by worker.
Ask = Callable[[], Awaitable[Mapping[Hashable, bytes]]]
InThread = Callable[[Callable[[], Any]], Deferred[Any]]


@frozen(eq=False)
class _Collected(Collector):
    """Families that were collected, as a registry."""

    families: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        """:return: them."""
        return self.families


@define(eq=False)
class MergedExposition:
    """
    Makes one text of the metrics of all workers, and of the process that asks them.

    What L{Exposition} says of scrapes at the same time holds here as well: all of them ask the
    workers once.

    :ivar ask: asks all workers for their metrics in the Prometheus text format; has a limit of
        its own on the time that takes.
    :ivar own: the registry of this process.
    :ivar last: what workers have told last; is to be told when one is gone.
    :ivar in_thread: runs a function in a thread.
    """

    ask: Ask
    own: Collector
    last: LastSeen
    clock: IReactorTime
    in_thread: InThread
    _shared: Shared[Exposition] = field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._shared = Shared(self.clock)

    async def page(self, accept: str) -> Page:
        """
        :param accept: as for L{Exposition.page}.
        :return: all metrics as they are now, or were within the last second; of workers that do
            not answer, as they were when they did.
        :raises Exception: the text cannot be made.
        """
        exposition = await self._shared.of("", self._asked)
        return await exposition.page(accept)

    async def _asked(self) -> Exposition:
        texts = await self.ask()
        families = await self.in_thread(partial(self._merged, texts))
        return Exposition(_Collected(families), self.clock, self.in_thread)

    def _merged(self, texts: Mapping[Hashable, bytes]) -> list[Metric]:
        answered = sum([self._seen(worker, text) for worker, text in texts.items()])
        told = GaugeMetricFamily(
            "trickster_workers_scraped", "Workers that have told their metrics for this answer; "
            "of others it has what they told last.", answered)
        return merged([families_of([*self.own.collect(), told]), *self.last.told()])

    def _seen(self, worker: Hashable, text: bytes) -> bool:
        try:
            self.last.seen(worker, {name: family for name, family in parsed(text).items()
                                    if not name.startswith(_OWN)})
        except ValueError as error:
            self._log.warn("The metrics of worker {worker} cannot be read: {problem}",
                           worker=worker, problem=str(error))
            return False
        return True
