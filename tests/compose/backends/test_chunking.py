"""Answers do not depend on how a cache is chunked; the pieces in its store do."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compose.backendcase import BackendCase
from tests.ranges.deltarig import NOW, inline, range_request
from trickster.bodies import read_all
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.caches import CacheOptions
from trickster.messages import Headers, Octets, Request, Response, Status
from trickster.purging.purges import TABLE_KEY
from trickster.stores.sealed import is_chunk_key, unsealed
from trickster.testing.doubles import DictStore, at_once

RANGE = "/api/v1/query_range"
BODY = bytes(range(256)) * 300


def fresh(request: Request) -> Response:
    """:return: an answer that is fresh for ten minutes."""
    return Response(200, Headers(((b"Cache-Control", b"max-age=600"),)), Octets(BODY))


class ChunkingTests(BackendCase):
    """A backend whose cache is a store of octets."""

    def around(self) -> Surroundings:
        """:return: what the backend shares with others; threads do their work at once."""
        return evolve(super().around(), offload=inline)

    def chunked(self, **said: Any) -> DictStore:
        """:return: the store of the backends that are made from now on; they are chunked so."""
        store = DictStore(self.clock)
        self.store, self.cache = lambda clock: store, CacheOptions(use_cache_chunking=True, **said)
        return store

    def asked(self, backend: Any, path: str, request: Request) -> tuple[Status, bytes]:
        """:return: how an answer came about, and its body."""
        async def whole() -> tuple[Status, bytes]:
            response = await self.entry(backend, path).responder.respond(request)
            return response.outcome.status, bytes(await read_all(response.body, 1 << 20))

        found: tuple[Status, bytes] = at_once(whole())
        return found

    @given(st.integers(1, 100_000))
    @settings(max_examples=20)
    def test_objects(self, size: int) -> None:
        """Of a body no piece is larger than it may be, and a hit gives the body that was stored."""
        store = self.chunked(byterange_chunk_size=size)
        request = Request(b"GET", b"/a", authority=b"h")
        self.web.script[:] = [fresh]
        for status in (Status.KEY_MISS, Status.HIT):
            backend = self.backend("reverseproxycache")
            self.assertEqual(self.asked(backend, "/", request), (status, BODY))
        (value,) = (octets for key, (octets, _) in store.entries.items()
                    if key != TABLE_KEY and not is_chunk_key(key))
        lengths = [chunk.length for chunk in unsealed(value).chunks]
        self.assertEqual((sum(lengths), max(lengths)), (len(BODY), min(size, len(BODY))))

    @given(st.integers(1, 500))
    @settings(max_examples=20)
    def test_ranges(self, most: int) -> None:
        """However few timestamps a piece has, a hit gives what the origin did."""
        store = self.chunked(timeseries_chunk_factor=most)
        said = {"fast_forward_disable": True}
        asked = [range_request(NOW - minutes * 60, NOW - 60) for minutes in (100, 100, 60)]
        bodies = []
        for request, status in zip(asked, (Status.KEY_MISS, Status.HIT, Status.HIT), strict=True):
            found = self.asked(self.backend("prometheus", **said), RANGE, request)
            self.assertEqual(found[0], status)
            bodies.append(found[1])
        self.assertEqual(bodies[0], bodies[1])
        self.store = DictStore
        direct = self.asked(self.backend("prometheus", **said), RANGE, asked[2])
        self.assertEqual(direct, (Status.KEY_MISS, bodies[2]))
        (value,) = (octets for key, (octets, _) in store.entries.items()
                    if key != TABLE_KEY and not is_chunk_key(key))
        pieces = len(unsealed(value).parts) - 2  # but for the head, and the identities
        self.assertGreaterEqual(pieces, 100 // most)
