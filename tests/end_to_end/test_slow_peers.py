"""Clients that are slow, on purpose or not: they cost little, and not for ever."""

from __future__ import annotations

import contextlib
import http.client
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.answering import AnsweringOrigin
from tests.end_to_end.pacing import PacedOrigin, Script
from tests.end_to_end.servers import Trickster
from tests.end_to_end.talking import (
    PATIENCE,
    Growth,
    Talk,
    eventually,
    gauges,
    request,
    sent_until_full,
)

MIB = 1 << 20
BODY = random.Random(3).randbytes(24 * MIB)
UPLOAD = b"PUT /plain/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"


class _SlowCase(SynchronousTestCase):
    """One Trickster for all tests of a class."""

    listener: ClassVar[Mapping[str, Any]] = {}
    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    origin: ClassVar[AnsweringOrigin]
    large: ClassVar[PacedOrigin]
    trickster: ClassVar[Trickster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        cls.origin, cls.large = AnsweringOrigin(), PacedOrigin(Script(BODY))
        cls.trickster = Trickster(Path(cls.directory.name), {
            "plain": {"provider": "rp", "origin_url": cls.origin.url},
            "large": {"provider": "rp", "origin_url": cls.large.url},
            "stored": {"provider": "rpc", "origin_url": cls.large.url,
                       "max_object_size_bytes": len(BODY)},
        }, listener={"drain_timeout": "1s", **cls.listener})

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.origin.stop()
        cls.large.stop()
        cls.directory.cleanup()

    def setUp(self) -> None:
        self.origin.renew()
        self.large.follow(Script(BODY))

    def talk(self, receive_buffer: int | None = None) -> Talk:
        """:return: a connection to Trickster."""
        talk = Talk(self.trickster.port, receive_buffer)
        self.addCleanup(talk.close)
        return talk

    def dripped(self, talk: Talk, octets: Callable[[int], bytes]) -> bytes:
        """:return: what is answered to one who sends on and on, a little at a time."""
        deadline, number = time.monotonic() + PATIENCE, 0
        talk.socket.settimeout(0.02)
        got = b""
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                got = talk.socket.recv(65536)
                break
            number += 1
            talk.send(octets(number))
        talk.socket.settimeout(PATIENCE)
        return got + talk.rest()


class WritingTests(_SlowCase):
    """Clients that are slow to send their requests."""

    listener: ClassVar = {"read_header_timeout": "500ms", "idle_timeout": "700ms",
                          "body_timeout": "500ms", "min_body_rate": 10_000}

    def test_dripping_head(self) -> None:
        """The timeout of a header is absolute, whatever is sent now and then."""
        start = b"GET /plain/said HTTP/1.1\r\nHost: a\r\nX: "
        for first in (b"", start):
            for later in (False, True):
                talk = self.talk()
                if later:  # on a connection that has been of use
                    self.assertEqual(talk.asked("/plain/said").status, 200)
                talk.send(first or b"G")
                answer = self.dripped(talk, lambda _: b"E")
                self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)
                self.assertIn(b"Connection: close", answer)

    def test_endless_fields(self) -> None:
        """The timeout of a header is not extended by whole lines."""
        talk = self.talk()
        talk.send(b"GET /plain/said HTTP/1.1\r\n")
        answer = self.dripped(talk, lambda number: b"X-%d: y\r\n" % number)
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)
        self.assertEqual(self.origin.heads, [])

    def test_silence(self) -> None:
        """A silent connection is closed without a response."""
        talk = self.talk()
        self.assertEqual(talk.asked("/plain/said").status, 200)
        self.assertEqual(talk.rest(), b"")
        self.assertNotIn(b"200", self.talk().rest())

    def test_stalled_body(self) -> None:
        """A body that stalls gives the client an error and cancels the request to the origin."""
        talk = self.talk()
        talk.send(UPLOAD + b"some")
        self.assertTrue(talk.rest().startswith(b"HTTP/1.1 408 "))
        talk = self.talk()
        talk.send(UPLOAD.replace(b"upload", b"listen") + b"some")
        self.assertTrue(talk.rest().startswith(b"HTTP/1.1 408 "))
        self.assertTrue(self.origin.is_left.wait(PATIENCE))

    def test_dripping_body(self) -> None:
        """A body below the minimum rate is given up."""
        talk = self.talk()
        talk.send(UPLOAD)
        answer = self.dripped(talk, lambda _: b"x")
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer)

    def test_slow_origin(self) -> None:
        """A client is not blamed while the origin does not read its body."""
        talk = self.talk()
        talk.send(b"PUT /plain/later HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
        talk.send(bytes(1_000_000))
        time.sleep(0.2)
        self.origin.go_on.set()
        talk.send(bytes(7_000_000))
        self.assertTrue(talk.answer().body.startswith(b"8000000 "))


class PatienceTests(_SlowCase):
    """Clients that are slow, but within the limits."""

    listener: ClassVar = {"body_timeout": "2s", "read_header_timeout": "2s"}

    def test_slow_body(self) -> None:
        """A body may take longer than the timeout between any two of its pieces."""
        talk = self.talk()
        talk.send(UPLOAD)
        for _ in range(25):
            time.sleep(0.1)
            talk.send(bytes(40))
        self.assertTrue(talk.answer().body.startswith(b"1000 "))


class ReadingTests(_SlowCase):
    """Clients that are slow to read their responses."""

    def test_memory(self) -> None:
        """Octets that a client does not read stay at the origin, and not in memory."""
        growth = Growth(self.trickster)
        slow = [self.talk(4096) for _ in range(8)]
        for talk in slow:
            talk.ask("/large/x")
            self.assertEqual(talk.response().status, 200)
        self.assertLess(self.settled(), 8 * 16 * MIB)
        self.assertLess(growth.peak, 24 * MIB)
        self.assertEqual(request(f"{self.trickster.url}/plain/said").status, 200)

    def settled(self) -> int:
        """:return: how much the origin could send until it had to wait."""
        def is_settled() -> bool:
            before = self.large.run.sent
            time.sleep(0.3)
            return self.large.run.sent == before

        self.assertTrue(eventually(is_settled))
        return self.large.run.sent

    def test_whole_in_the_end(self) -> None:
        """A slow client gets the whole response."""
        talk = self.talk(4096)
        talk.ask("/large/x")
        response = talk.response()
        self.settled()
        self.assertTrue(response.read() == BODY)

    def test_stored(self) -> None:
        """Many slow readers of one stored object share its octets."""
        self.assertTrue(request(f"{self.trickster.url}/stored/x").body == BODY)
        growth = Growth(self.trickster)
        slow = [self.talk(4096) for _ in range(30)]
        for talk in slow:
            talk.ask("/stored/x")
            self.assertIn("hit", talk.response().headers["X-Trickster-Result"])
        self.assertEqual(request(f"{self.trickster.url}/plain/said").status, 200)
        self.assertLess(growth.peak, 8 * MIB)

    def test_pipelining(self) -> None:
        """Pipelined requests are not read while their client reads no responses."""
        request(f"{self.trickster.url}/stored/y")
        growth = Growth(self.trickster)
        talk = self.talk(4096)
        piece = b"GET /stored/y HTTP/1.1\r\nHost: a.test\r\n\r\n" * 1000
        self.assertLess(sent_until_full(talk, piece), 32 * MIB)
        self.assertLess(growth.peak, 8 * MIB)


class WriteTimeoutTests(_SlowCase):
    """Clients that read nothing at all."""

    listener: ClassVar = {"write_timeout": "1s"}

    def test_given_up(self) -> None:
        """
        A client that reads nothing is cut off after the timeout, and its request is cancelled.
        """
        for path in ("/large/x", "/stored/x"):
            talk = self.talk(4096)
            talk.ask(path)
            response = talk.response()
            time.sleep(1.1)  # what is scraped may be a second old
            self.assertTrue(eventually(lambda: self.connections() == [0, 0]))
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                response.read()

    def connections(self) -> list[float]:
        """:return: how many there are with clients and with origins."""
        return list(gauges(self.trickster.metrics_url, "proxy_active_connections",
                           "origin_active_connections").values())

    def test_slow_but_steady(self) -> None:
        """A client that reads a little now and then is served, however long that takes."""
        talk = self.talk(4096)
        talk.ask("/large/x")
        response = talk.response()
        for _ in range(15):
            time.sleep(0.1)
            response.read(MIB)
        self.assertEqual(len(response.read()), len(BODY) - 15 * MIB)


class ConnectionLimitTests(_SlowCase):
    """More clients than the listener's limit."""

    listener: ClassVar = {"connections_limit": 3}

    def test_wait(self) -> None:
        """
        A client above the connection limit waits until another one leaves, and is not refused.
        """
        talks = [self.talk() for _ in range(3)]
        for talk in talks:
            talk.send(b"GET /plain/said HTTP/1.1\r\n")  # not idle, and not yet a request
        time.sleep(0.1)
        waiting = [self.talk() for _ in range(20)]
        for talk in waiting:
            talk.ask("/plain/said", [("Connection", "close")])
        time.sleep(0.5)
        self.assertEqual(len(self.origin.heads), 0)
        for talk in talks:
            talk.send(b"Host: a\r\nConnection: close\r\n\r\n")
        for talk in (*talks, *waiting):
            self.assertEqual(talk.answer().status, 200)
        seen = gauges(self.trickster.metrics_url, "proxy_failed_connections_total")
        self.assertEqual(seen["proxy_failed_connections_total"], 0)

    def test_idle(self) -> None:
        """Idle connections are closed for waiting clients."""
        talks = [self.talk() for _ in range(3)]
        for talk in talks:
            self.assertEqual(talk.asked("/plain/said").status, 200)
        self.assertEqual(self.talk().asked("/plain/said").status, 200)
        self.assertEqual(talks[0].rest(), b"")

    def test_kept(self) -> None:
        """Idle connections are kept at the limit where no client waits."""
        talks = [self.talk() for _ in range(3)]
        for _ in range(3):
            for talk in talks:
                self.assertEqual(talk.asked("/plain/said").status, 200)
            time.sleep(0.2)
