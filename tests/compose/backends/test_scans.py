"""Queries that are asked once push out nothing that is asked for again and again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.compose.backendcase import BackendCase
from tests.ranges.deltarig import NOW, range_request
from trickster.messages import Headers, Octets, Request, Response, Status
from trickster.stores.memory import MemoryStore

RANGE = "/api/v1/query_range"


def fresh(request: Request) -> Response:
    """:return: an answer that is fresh for ten minutes."""
    return Response(200, Headers(((b"Cache-Control", b"max-age=600"),)), Octets(request.target))


class ScanTests(BackendCase):
    """A backend with a store in memory that has room for twenty entries."""

    def setUp(self) -> None:
        """Make the store small."""
        super().setUp()
        self.store = partial(MemoryStore, max_octets=0, max_objects=20)

    def scanned(self, responder: Any, asked: Sequence[Request], once: Sequence[Request],
                ) -> list[Status]:
        """
        :param asked: twice, before the others, and once after them.
        :return: how these were answered at last.
        """
        for request in (*asked, *asked, *once):
            self.ask(responder, request)
        return [self.ask(responder, request).outcome.status for request in asked]

    def test_ranges(self) -> None:
        """A panel that was asked for twice is a hit after any number of queries that are not."""
        for keys in ({}, {"fast_forward_disable": True}):
            ranges = self.entry(self.backend("prometheus", **keys), RANGE).responder
            panels = [range_request(NOW - 600, NOW - 60, query=f"panel{n}") for n in range(10)]
            once = [range_request(NOW - 600, NOW - 60, query=f"once{n}") for n in range(200)]
            self.assertEqual(self.scanned(ranges, panels, once), [Status.HIT] * 10)

    def test_objects(self) -> None:
        """A page that was asked for twice is a hit after any number of pages that are not."""
        objects = self.entry(self.backend("reverseproxycache"), "/").responder
        pages = [Request(b"GET", b"/page%d" % n, authority=b"h") for n in range(10)]
        once = [Request(b"GET", b"/once%d" % n, authority=b"h") for n in range(200)]
        self.web.script[:] = [fresh] * 210
        self.assertEqual(self.scanned(objects, pages, once), [Status.HIT] * 10)
