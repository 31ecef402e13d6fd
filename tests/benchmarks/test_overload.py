"""Tests of the pure parts of L{bench.overload}."""

from __future__ import annotations

import selectors
import socket

from twisted.trial.unittest import SynchronousTestCase

from bench.overload import Load, Seen, Visit, quantile

READ = selectors.EVENT_READ


class FiguresTests(SynchronousTestCase):
    def test_quantile(self) -> None:
        """
        A quantile is the value that the given share of values does not exceed; of no values it is
        0.
        """
        values = [float(n) for n in range(100, 0, -1)]
        self.assertEqual([quantile(values, share) for share in (0.0, 0.5, 0.99, 1.0)],
                         [1.0, 51.0, 100.0, 100.0])
        self.assertEqual(quantile([], 0.5), 0.0)

    def test_load(self) -> None:
        """
        Latencies are grouped by status; shares are of all requests, also those without a response.
        """
        load = Load([Seen(200, 0.5), Seen(503, 0.1), Seen(503, 0.2), Seen(0, 5.0)], 2.0)
        self.assertEqual(load.latencies(200), [500.0])
        self.assertEqual(load.latencies(503), [100.0, 200.0])
        self.assertEqual([load.share(status) for status in (200, 503, 0)], [0.25, 0.5, 0.25])
        self.assertEqual(load.rate, 0.5)
        self.assertEqual(Load([], 1.0).share(200), 0.0)


class VisitTests(SynchronousTestCase):
    """A client of the benchmark, over a pair of sockets."""

    def setUp(self) -> None:
        ours, self.server = socket.socketpair()
        self.visit = Visit(0.0, ours, b"GET / HTTP/1.1\r\n\r\n")
        for one in (ours, self.server):
            self.addCleanup(one.close)

    def test_whole(self) -> None:
        """A response counts once its body is complete, however its octets are split."""
        self.assertIsNone(self.visit.finished(selectors.EVENT_WRITE))
        self.assertEqual(self.server.recv(100), self.visit.request)
        for piece in (b"HTTP/1.1 503 Service", b" Unavailable\r\nContent-length:", b" 3\r\n\r\nab"):
            self.server.send(piece)
            self.assertIsNone(self.visit.finished(READ))
        self.server.send(b"c")
        self.assertEqual(self.visit.finished(READ), 503)

    def test_until_close(self) -> None:
        """A response without a length is complete when the connection ends."""
        self.server.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        self.assertIsNone(self.visit.finished(READ))
        self.server.close()
        self.assertEqual(self.visit.finished(READ), 200)

    def test_none(self) -> None:
        """A connection that ends without a response, or with nonsense, counts as no response."""
        self.server.close()
        self.assertEqual(self.visit.finished(READ), 0)
