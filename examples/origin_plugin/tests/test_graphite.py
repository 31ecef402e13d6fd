"""Tests of C{trickster_graphite}: the contract first, then what is Graphite's own."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from attrs import evolve
from trickster_graphite import Options, RenderDialect, graphite
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import NotATimeRange, Reason
from trickster.messages import Headers, Octets, Request, Response
from trickster.testing.dialects import Example, dialect_contract
from trickster.timeseries.extents import Extent

START = 1_700_000_040  # a whole minute
SECOND_NS = 1_000_000_000
NOW_NS = (START + 3600) * SECOND_NS
ASKED = {"target": "sumSeries(a.*.b)", "from": str(START - 60), "until": str(START + 330),
         "format": "json", "maxDataPoints": "800"}


def get(**more: str) -> Request:
    return Request(b"GET", b"/render?" + urlencode({**ASKED, **more}).encode())


def answer(step: int = 60, count: int = 6, **more: Any) -> bytes:
    points = [[t / 2 if t % 3 else None, START + step * t] for t in range(count)]
    return json.dumps([{"target": "a.1.b", "tags": {"name": "a.1.b"}, "datapoints": points},
                       {"target": "a.2.b", "datapoints": points, **more}]).encode()


EXAMPLE = Example(
    get(), answer(), NOW_NS,
    refused=(get(**{"from": "-1h"}), get(until="now"), get(format="png"), get(noCache="1"),
             get(target="derivative(a)"), get(target="scale(movingAverage(a,5),2)"),
             get(maxDataPoints="5"), get(**{"from": "100000000"}), get(until=str(START - 60)), get(**{"from": "20240101"})),
    undecodable=(answer(step=300), answer(step=30), answer(count=5), answer(more=1),
                 answer(target="a.1.b", tags={"name": "a.1.b"}),
                 b'[{"target":"a","datapoints":[]}]'))
FORM = evolve(EXAMPLE, refused=(), request=Request(
    b"POST", b"/render", Headers(((b"Content-Type", b"application/x-www-form-urlencoded"),)),
    Octets(urlencode(ASKED).encode())))


class GetTests(dialect_contract(graphite, EXAMPLE), SynchronousTestCase):
    """Asked by GET."""


class PostTests(dialect_contract(graphite, FORM), SynchronousTestCase):
    """Asked by POST."""


class RenderTests(SynchronousTestCase):
    """What is Graphite's own."""

    dialect = RenderDialect(60)

    def extent(self, since: int, until: int) -> tuple[int, int]:
        query = self.dialect.decode_request(
            get(**{"from": str(since), "until": str(until)}), NOW_NS)
        return query.extent.start_ns // SECOND_NS, query.extent.end_ns // SECOND_NS

    def test_ends(self) -> None:
        """The start is exclusive, the end is inclusive; points are at whole minutes."""
        self.assertEqual(self.extent(START, START + 60), (START + 60, START + 60))
        self.assertEqual(self.extent(START - 1, START + 59), (START, START))
        self.assertEqual(self.extent(START + 1, START + 121), (START + 60, START + 120))

    def test_no_point(self) -> None:
        """Without a point between them, a range is not known to answer as Graphite would."""
        with self.assertRaises(NotATimeRange) as caught:
            self.extent(START, START + 59)
        self.assertIs(caught.exception.reason, Reason.INVERTED_RANGE)

    def test_key(self) -> None:
        """Targets make the key, in their order; the width of the panel does not."""
        def key(**more: str) -> str:
            return self.dialect.decode_request(get(**more), NOW_NS).key

        self.assertEqual(key(), key(maxDataPoints="1000", until=str(START + 600)))
        self.assertNotEqual(key(), key(target="a.*.c"))

    def test_asked_for_more(self) -> None:
        """An origin is asked from the point before the first that is wanted."""
        query = evolve(self.dialect.decode_request(get(), NOW_NS), extent=Extent(
            (START + 120) * SECOND_NS, (START + 180) * SECOND_NS))
        params = self.dialect.encode_request(query).params
        self.assertEqual((params.get("from"), params.get("until")),
                         (str(START + 60), str(START + 180)))

    def test_missing_is_null(self) -> None:
        """Where a part of the answer did not have a series, the series is null."""
        query = self.dialect.decode_request(get(), NOW_NS)
        whole = self.dialect.decode_response(query, Response(200, body=Octets(answer())))
        end = query.extent.end_ns
        part = whole.window(Extent(end - 120 * SECOND_NS, end))
        found = json.loads(self.dialect.encode_response(query, part).body.octets)
        self.assertEqual([value for value, _ in found[0]["datapoints"]],
                         [None, None, None, None, 2.0, 2.5])

    def test_as_it_was(self) -> None:
        """Anything in an answer is answered as it was."""
        octets = b'[{"target":"\\u00e9","tags":{},"datapoints":[[1e+300,%d],[1.50,%d]]}]' % (
            START, START + 60)
        query = self.dialect.decode_request(get(until=str(START + 60)), NOW_NS)
        found = self.dialect.encode_response(query, self.dialect.decode_response(
            query, Response(200, body=Octets(octets))))
        self.assertEqual(found.body.octets, octets)

    def test_resolution(self) -> None:
        """Points are as far apart as is configured."""
        route = graphite.routes(Options(resolution=10.0))[0]
        self.assertEqual(route.dialect, RenderDialect(10))
