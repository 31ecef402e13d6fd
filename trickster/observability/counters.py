"""
Counts kept as plain Python numbers, so that counting costs next to nothing.

The reactor's thread adds, save where it is said otherwise; a scrape reads, maybe from another thread, and sees each number
as it was at some instant of the scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable
from http import HTTPStatus
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from attrs import Factory, define, field, frozen

from trickster.messages import Outcome

REQUEST_BUCKETS = (0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 20.0)
PROBE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)

CLIENT_GONE = 499
# No class has a registered status code that ends so.
_UNREGISTERED = 98

_METHODS = {
    name.encode(): name
    for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT",
                 "TRACE", "PURGE")
}
_CODES = {code.value: str(code.value) for code in HTTPStatus} | {CLIENT_GONE: "499"}


def method_label(method: bytes) -> str:
    """:return: the method, or C{"other"}: clients may invent as many as they like."""
    return _METHODS.get(method, "other")


def status_label(status: int) -> str:
    """:return: a registered status code as it is, another one by its class, as C{"5xx"}."""
    return _CODES.get(status) or class_label(status)


def class_label(status: int) -> str:
    """:return: the class of a status code, as C{"2xx"}."""
    return f"{status // 100}xx" if 100 <= status <= 599 else "other"


def folded_status(status: int) -> int:
    """
    :return: the status code itself where it is registered, else one that stands for all others
        of its class: origins may invent as many as they like.
    """
    if status in _CODES:
        return status
    return status // 100 * 100 + _UNREGISTERED if 100 <= status <= 599 else 0


@define(slots=True, eq=False)
class Histogram:
    """
    Observations counted by size.

    :ivar bounds: inclusive upper bounds, ascending; one more bucket is above them all.
    :ivar counts: observations in each bucket, not cumulative.
    :ivar total: the sum of all observations.
    """

    bounds: tuple[float, ...] = REQUEST_BUCKETS
    counts: list[int] = Factory(lambda self: [0] * (len(self.bounds) + 1), takes_self=True)
    total: float = 0.0

    def observe(self, value: float) -> None:
        """:param value: in the unit of the bounds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, other: Histogram) -> None:
        """
        Take in what another histogram has counted.

        :param other: of the same bounds; it stays as it is.
        """
        for index, count in enumerate(other.counts):
            self.counts[index] += count
        self.total += other.total


@frozen(slots=True)
class RouteLabels:
    """
    Where in the configuration an answer was made.

    :ivar backend: the backend's name.
    :ivar provider: its provider.
    :ivar path: the configured path pattern, never a client's path.
    :ivar in_frontend: whether it is among the metrics of the frontend.
    """

    backend: str = ""
    provider: str = ""
    path: str = ""
    in_frontend: bool = True


@define(slots=True, eq=False)
class Cell:
    """What was counted for answers that are alike in every label."""

    to_headers: Histogram = Factory(Histogram)
    to_end: Histogram = Factory(Histogram)
    octets: int = 0


K = TypeVar("K", bound=Hashable)
C = TypeVar("C")


@define(eq=False)
class Children(Generic[K, C]):
    """
    The counters of one kind, by their labels.

    Equal labels have the same counters for as long as these are used.  Those that have been
    exposed once go on for as long as the process; the others leave nothing.
    """

    _make: Callable[[], C]
    _used: WeakValueDictionary[K, C] = field(factory=WeakValueDictionary, init=False)
    _exposed: dict[K, C] = field(factory=dict, init=False)

    def of(self, labels: K) -> C:
        """:return: the counters with these labels, which are exposed or not, as before."""
        counters = self._used.get(labels)
        if counters is None:
            counters = self._used[labels] = self._make()
        return counters

    def expose(self, labels: K) -> None:
        """Show the counters with these labels from now on, also while they are 0."""
        self._exposed[labels] = self.of(labels)

    def exposed(self) -> list[tuple[K, C]]:
        """:return: what is shown, safe to walk while more is."""
        return list(self._exposed.items())


# method, HTTP status, cache status, reason
CellKey = tuple[str, int, str, str | None]


@define(slots=True, eq=False)
class RouteCounters:
    """Everything counted about the requests of one route."""

    labels: RouteLabels
    points_cached: int = 0
    points_fetched: int = 0
    _cells: dict[CellKey, Cell] = field(factory=dict, init=False)

    def count(self, method: bytes, status: int, outcome: Outcome,
              to_headers: float, to_end: float, octets: int) -> None:
        """
        Count one answer.

        :param status: that the client saw, or L{CLIENT_GONE}.
        :param to_headers: seconds until there was an answer.
        :param to_end: seconds until its body was handed over.
        :param octets: of the body that were handed over.
        """
        reason = outcome.reason
        # _value_ is the plain attribute behind value: this runs for every answer.
        key = (method_label(method), status, outcome.status._value_,
               None if reason is None else reason._value_)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells.setdefault((key[0], folded_status(status), *key[2:]), Cell())
        cell.to_headers.observe(to_headers)
        cell.to_end.observe(to_end)
        cell.octets += octets
        self.points_cached += outcome.points_cached
        self.points_fetched += outcome.points_fetched

    def cells(self) -> list[tuple[CellKey, Cell]]:
        """:return: what there is, safe to walk while counting goes on."""
        return list(self._cells.items())


@define(slots=True, eq=False)
class ConnectionCounters:
    """
    Client connections of all listeners.

    :ivar limit: most connections at once, 0 where there is no limit.
    """

    limit: int = 0
    active: int = 0
    requested: int = 0
    accepted: int = 0
    closed: int = 0
    failed: int = 0

    def opened(self) -> None:
        """A connection was asked for, and taken."""
        self.requested += 1
        self.accepted += 1
        self.active += 1

    def ended(self) -> None:
        """A connection that was taken is over."""
        self.closed += 1
        self.active -= 1

    def refused(self) -> None:
        """A connection was asked for, and could not be taken: no descriptor was free."""
        self.requested += 1
        self.failed += 1


@define(slots=True, eq=False)
class OriginCounters:
    """What went to, and came from, the origin of one backend."""

    requests: int = 0
    failures: int = 0
    sent_octets: int = 0
    received_octets: int = 0
    leniencies: Counter[str] = field(factory=Counter)

    def lenient(self, kind: str) -> None:
        """
        An answer was taken that is not quite HTTP.

        :param kind: a value of L{trickster.http.h1.leniency.Leniency}.
        """
        self.leniencies[kind] += 1


@frozen(slots=True)
class MemoUsage:
    """
    How full a memo is, and of how much use.

    :ivar objects: held now.
    :ivar octets: held now, overhead included.
    :ivar max_octets: the most octets that it may hold.
    :ivar hits: look-ups that found what they looked for; None where that is not counted.
    :ivar misses: those that did not.
    """

    objects: int
    octets: int
    max_octets: int
    hits: int | None = None
    misses: int | None = None


_EVENTS = ("eviction", "refusal")
_REASONS = ("ttl", "size_bytes", "size_objects")
_OTHER = "other"


@define(slots=True, eq=False)
class StoreCounters:
    """What happened at one cache store."""

    operations: dict[tuple[str, str], list[int]] = Factory(dict)
    events: dict[tuple[str, str], int] = Factory(dict)
    leases: dict[str, int] = Factory(dict)
    _lock: Lock = Factory(Lock)

    def operation(self, operation: str, status: str, octets: int = 0) -> None:
        """
        :param operation: C{get}, C{set}, C{del} or C{keys}.
        :param status: C{hit}, C{miss}, C{none}, C{error} or C{skipped}.
        """
        counts = self.operations.get((operation, status))
        if counts is None:
            counts = self.operations[operation, status] = [0, 0]
        counts[0] += 1
        counts[1] += octets

    def event(self, event: str, reason: str) -> None:
        """
        Count what a store did by itself; called from any thread.

        :param event: C{eviction} or C{refusal}.
        :param reason: C{ttl}, C{size_bytes} or C{size_objects}; what else a store may say is
            C{other}, since each is a series of its own.
        """
        what = (event if event in _EVENTS else _OTHER, reason if reason in _REASONS else _OTHER)
        with self._lock:
            self.events[what] = self.events.get(what, 0) + 1


    def lease(self, event: str) -> None:
        """
        Count what became of a fetch for which there are leases.

        :param event: C{taken}, C{waited}, C{taken-over}, C{lost} or C{failed}.
        """
        self.leases[event] = self.leases.get(event, 0) + 1


@define(slots=True, eq=False)
class ReloadCounters:
    """Attempts to load a configuration while running, and how they went."""

    attempts: int = 0
    successes: int = 0
    failures: int = 0
    last_successful: bool = True
    last_success_time: float = 0.0
    durations: Histogram = Factory(Histogram)

    def succeeded(self, now: float, seconds: float) -> None:
        """
        :param now: seconds since the epoch.
        :param seconds: that it took.
        """
        self.successes += 1
        self.last_success_time = now
        self._attempted(True, seconds)

    def failed(self, seconds: float) -> None:
        """:param seconds: that it took."""
        self.failures += 1
        self._attempted(False, seconds)

    def _attempted(self, successful: bool, seconds: float) -> None:
        self.attempts += 1
        self.last_successful = successful
        self.durations.observe(seconds)
