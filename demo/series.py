"""The demo origin's series: pure functions of labels and time."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import product
from math import cos, pi, sin
from zlib import crc32

from attrs import frozen

Labels = tuple[tuple[str, str], ...]

#: Seconds from one sample of a series to the next.
SCRAPE = 15
_DAY = 86_400


class Kind(Enum):
    """What the metadata endpoint says of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"


@frozen(slots=True)
class Wave:
    """
    A level with a daily shape and two quicker ones on top, never below 0.

    :ivar base: the mean level, in the metric's unit (a second, for counters).
    :ivar swings: amplitude as a part of the base, angular frequency in radians a second,
        and phase in radians; the amplitudes together stay below 1.
    """

    base: float
    swings: tuple[tuple[float, float, float], ...]

    @classmethod
    def seeded(cls, base: float, seed: int) -> Wave:
        """
        :param seed: 32 bits; what makes one series differ from another.
        """
        day = 2 * pi / _DAY
        # Evening is busy everywhere: the daily phases differ by no more than two hours.
        daily = (0.45, day, pi + (seed & 0xFF) / 0xFF * day * 7200)
        hourly = (0.2, 2 * pi / (2400 + (seed >> 8 & 0xFFF)), (seed >> 4 & 0xFF) / 40)
        quick = (0.1, 2 * pi / (170 + (seed >> 20 & 0xFF)), (seed >> 12 & 0xFF) / 40)
        return cls(base * (0.6 + (seed >> 16 & 0xFF) / 0xFF * 0.8), (daily, hourly, quick))

    def level(self, at: float) -> float:
        """
        :param at: seconds since the epoch.
        """
        return self.base * (1 + sum(a * sin(w * at + p) for a, w, p in self.swings))

    def total(self, at: float) -> float:
        """
        The integral of the level: what a counter that grows by it stands at.

        :param at: seconds since the epoch.
        """
        return self.base * (at - sum(a / w * cos(w * at + p) for a, w, p in self.swings))


@frozen(slots=True)
class Series:
    """
    One series, sampled every L{SCRAPE} seconds.

    :ivar labels: by name, the metric's name (C{__name__}) among them.
    :ivar parts: values are rounded to one of so many equal parts of the unit.
    :ivar since: seconds since the epoch at which a counter stood at 0.
    """

    labels: Labels
    kind: Kind
    wave: Wave
    parts: int
    since: int = 0

    def sample(self, index: int) -> float:
        """
        :param index: of the sample; it was taken C{index * SCRAPE} seconds after the epoch.
        """
        at = index * SCRAPE
        if self.kind is Kind.COUNTER:
            value = self.wave.total(at) - self.wave.total(self.since)
        else:
            value = self.wave.level(at)
        return round(value * self.parts) / self.parts


@frozen(slots=True)
class Metric:
    """
    A name and what is told of it.

    :ivar base: the mean level, roughly; every series has one of its own.
    :ivar parts: see L{Series}.
    :ivar axes: label names and the values that each takes; there is a series for every
        combination.
    :ivar is_steady: whether all its series stay at the base.
    """

    name: str
    kind: Kind
    help: str
    base: float
    parts: int
    axes: tuple[tuple[str, tuple[str, ...]], ...]
    is_steady: bool = False

    def series(self) -> list[Series]:
        """:return: every series of this metric, by labels."""
        names = [name for name, _ in self.axes]
        combinations = product(*(values for _, values in self.axes))
        return sorted((self._one(dict(zip(names, values, strict=True)))
                       for values in combinations), key=lambda one: one.labels)

    def _one(self, labels: dict[str, str]) -> Series:
        labels["__name__"] = self.name
        ordered = tuple(sorted(labels.items()))
        seed = crc32(repr(ordered).encode())
        # Counters began a few days before a fixed instant, each at its own.
        since = 1_700_000_000 - seed % (5 * _DAY)
        wave = Wave(self.base, ()) if self.is_steady else Wave.seeded(self.base, seed)
        return Series(ordered, self.kind, wave, self.parts, since)


@frozen
class Catalogue:
    """All that the demo origin knows."""

    metrics: tuple[Metric, ...]
    series: tuple[Series, ...]

    @classmethod
    def of(cls, metrics: Iterable[Metric]) -> Catalogue:
        """
        :param metrics: with different names.
        """
        kept = tuple(sorted(metrics, key=lambda metric: metric.name))
        every = [one for metric in kept for one in metric.series()]
        return cls(kept, tuple(sorted(every, key=lambda one: one.labels)))


_NODES = ("job", ("node",)), ("instance", tuple(f"node-{n}:9100" for n in range(1, 5)))
_SHOP = ("job", ("shop",)), ("instance", tuple(f"shop-{n}:8080" for n in range(1, 5)))
_HANDLER = ("handler", ("/cart", "/checkout", "/search"))
_GIB = 2.0 ** 30


def standard_catalogue() -> Catalogue:
    """:return: four machines and four instances of a web shop, about 120 series."""
    return Catalogue.of((
        Metric("up", Kind.GAUGE, "Whether the last scrape worked.", 1.0, 1,
               (("job", ("node", "shop")),), is_steady=True),
        Metric("node_cpu_seconds_total", Kind.COUNTER, "Seconds the CPUs spent in each mode.",
               0.22, 100, (*_NODES, ("cpu", ("0", "1")),
                           ("mode", ("idle", "iowait", "system", "user")))),
        Metric("node_load1", Kind.GAUGE, "1m load average.", 1.3, 100, _NODES),
        Metric("node_memory_MemAvailable_bytes", Kind.GAUGE, "Memory that is available.",
               6 * _GIB, 1, _NODES),
        Metric("node_memory_MemTotal_bytes", Kind.GAUGE, "Memory in all.",
               16 * _GIB, 1, _NODES, is_steady=True),
        Metric("node_network_receive_bytes_total", Kind.COUNTER, "Octets received.",
               4.0e6, 1, (*_NODES, ("device", ("eth0", "eth1")))),
        Metric("node_network_transmit_bytes_total", Kind.COUNTER, "Octets sent.",
               9.0e6, 1, (*_NODES, ("device", ("eth0", "eth1")))),
        Metric("http_requests_total", Kind.COUNTER, "Requests answered.",
               31.0, 1, (*_SHOP, _HANDLER, ("code", ("200", "404", "500")))),
        Metric("http_request_latency_seconds", Kind.GAUGE, "Time to answer a request.",
               0.12, 10_000, (*_SHOP, _HANDLER, ("quantile", ("0.5", "0.99")))),
        Metric("process_resident_memory_bytes", Kind.GAUGE, "Resident memory.",
               0.4 * _GIB, 1, _SHOP),
    ))
