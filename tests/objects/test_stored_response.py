"""Tests for L{trickster.objects.stored_response}: the bodies that stored responses have."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import Pieces, read_all
from trickster.http.freshness import Policy
from trickster.http.partial_content import Part
from trickster.messages import NO_HEADERS, Octets
from trickster.objects.stored_response import StoredResponse, whole_part


def stored_response(parts: tuple[Part, ...]) -> StoredResponse:
    return StoredResponse(200, NO_HEADERS, parts, sum(p.length for p in parts), Policy(), 0.0, 0.0)


class WholePartTests(SynchronousTestCase):
    """Bodies that are here from their first octet on."""

    def test_small(self) -> None:
        """A small body is one buffer, and is sent as such each time."""
        stored = stored_response(whole_part([b"a" * 65536, b"b" * 40000]))
        first, second = stored.body(), stored.body()
        assert isinstance(first, Octets) and isinstance(second, Octets)
        self.assertEqual(first.octets, b"a" * 65536 + b"b" * 40000)
        self.assertIs(first.octets, second.octets)

    def test_one_buffer(self) -> None:
        """What is one buffer already is kept as it is, however large."""
        for size in (1, 300 * 1024):
            octets = b"x" * size
            body = stored_response(whole_part([octets])).body()
            assert isinstance(body, Octets)
            self.assertIs(body.octets, octets)

    def test_large(self) -> None:
        """The buffers of a large one stay apart: joining would hold it twice."""
        buffers = [b"a" * 200_000, b"b" * 200_000]
        part, = whole_part(buffers)
        self.assertTrue(all(kept is came for kept, came in zip(part.buffers, buffers,
                                                                strict=True)))
        body = stored_response((part,)).body()
        self.assertIsInstance(body, Pieces)
        octets = self.successResultOf(read_all(body, 500_000))
        self.assertEqual(octets, b"".join(buffers))

    def test_empty(self) -> None:
        """No octets are no part, and an empty body."""
        self.assertEqual(whole_part([]), ())
        self.assertEqual(stored_response(()).body().length, 0)
