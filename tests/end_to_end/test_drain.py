"""Slow answers: they flow as they come, outlive the order to stop, and end with their client."""

from __future__ import annotations

import http.client
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import Trickster, fetch, heeding_interrupts
from tests.end_to_end.waiting import PATIENCE

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n"
_LONG = f"{10 * PATIENCE:g}s"  # to drain: a test that waits for its end fails
_NOW = int(time.time()) // 60 * 60
SHARED = (
    f"/api/v1/query_range?query=up&start={_NOW - 600}&end={_NOW}&step=60",
    "/api/v1/query?query=up&time=60")
PLAIN = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
_LENGTH = b"Content-Length: %d\r\n" % len(PLAIN)


class SlowOrigin:
    """
    An origin whose answers come piece by piece, when the test lets them.

    :ivar asked: is set once a request has come.
    :ivar go_on: the test sets it for the rest of an answer to be sent.
    :ivar is_left: is set once the connection of a request is closed from the other side.
    """

    def __init__(self, framing: bytes, kind: bytes = b"application/json",
                 first: bytes = b"", rest: bytes | None = None) -> None:
        self.asked, self.go_on, self.is_left = (threading.Event() for _ in range(3))
        self.first = first
        self.rest = PLAIN[len(first):] if rest is None else rest
        self.head = _HEAD % (kind, framing)
        self.requests: list[bytes] = []
        self._origin = ScriptedOrigin(self._serve)
        self.url = self._origin.url
        self.stop = self._origin.stop

    def _serve(self, peer: socket.socket, head: bytes) -> None:
        self.requests.append(head)
        if self.first:
            peer.sendall(self.head + self.first)
        self.asked.set()
        threading.Thread(target=self._watch, args=(peer,), daemon=True).start()
        if not self.go_on.wait(3 * PATIENCE):
            return
        peer.sendall(self.rest if self.first else self.head + self.rest)

    def _watch(self, peer: socket.socket) -> None:
        try:
            if not peer.recv(1):
                self.is_left.set()
        except OSError:
            self.is_left.set()


class _SlowTests(SynchronousTestCase):
    """A Trickster of its own for each test, since most tests end it."""

    def start(self, *origins: SlowOrigin, drain: str = _LONG) -> Trickster:
        """:return: Trickster, with backends named b0, b1 and so on."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        for origin in origins:
            self.addCleanup(origin.stop)
        trickster = Trickster(Path(directory.name), {
            f"b{i}": {"provider": "prometheus", "origin_url": origin.url}
            for i, origin in enumerate(origins)}, listener={"drain_timeout": drain})
        self.addCleanup(trickster.stop)
        return trickster

    def fetching(self, trickster: Trickster,
                 target: str) -> tuple[threading.Thread, list[Any]]:
        """:return: what waits for an answer, and where the answer will be."""
        results: list[Any] = []

        def run() -> None:
            try:
                results.append(fetch(trickster.url + target))
            except (OSError, http.client.HTTPException) as error:
                results.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread, results

    def connect(self, trickster: Trickster, target: str) -> socket.socket:
        """:return: a connection on which a GET has been sent."""
        client = socket.create_connection(("127.0.0.1", trickster.port), PATIENCE)
        self.addCleanup(client.close)
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return client

    def await_refusal(self, trickster: Trickster) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not trickster.listens_on(trickster.port):
                return
            time.sleep(0.02)
        raise AssertionError("new connections are taken")


class FlowTests(_SlowTests):
    """Endless responses, which reach clients as they come."""

    def test_notifications(self) -> None:
        """Each event of a stream reaches the client when it happens."""
        origin = SlowOrigin(
            b"Transfer-Encoding: chunked\r\n", b"text/event-stream",
            b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
        trickster = self.start(origin)
        client = self.connect(trickster, "/api/v1/notifications/live")
        got = b""
        while b"data: 1\n\n" not in got:
            got += client.recv(65536)
        self.assertFalse(origin.go_on.is_set())
        self.assertIn(b"text/event-stream", got)
        origin.go_on.set()
        while b"0\r\n\r\n" not in got:
            got += client.recv(65536)
        self.assertIn(b"data: 2\n\n", got)
        # The connection is as good as new.
        self.assertEqual(fetch(f"{trickster.url}/trickster/ping").body, b"pong")

    def test_large_answers_flow(self) -> None:
        """A proxied response is streamed: its header comes before the body's end."""
        origin = SlowOrigin(b"Content-Length: 6\r\n", b"text/plain", b"abc", b"def")
        client = self.connect(self.start(origin), "/federate")
        got = b""
        while not got.endswith(b"abc"):
            got += client.recv(65536)
        self.assertIn(b"Content-Length: 6", got)
        origin.go_on.set()
        while not got.endswith(b"abcdef"):
            got += client.recv(65536)


class LeavingTests(_SlowTests):
    """Clients that leave, and so cancel their requests to the origin."""

    def test_every_way_of_serving(self) -> None:
        """
        A client that leaves closes the origin's connection, for ranges, objects and proxied
        requests.
        """
        cases = [(target, first) for target in (*SHARED, "/api/v1/alerts", "/federate")
                 for first in (b"", PLAIN[:20])]
        origins = [SlowOrigin(_LENGTH, first=first) for _, first in cases]
        trickster = self.start(*origins)
        for i, (origin, case) in enumerate(zip(origins, cases, strict=True)):
            client = self.connect(trickster, f"/b{i}{case[0]}")
            self.assertTrue(origin.asked.wait(PATIENCE), case)
            self.assertFalse(origin.is_left.wait(0.05), case)
            client.close()
            self.assertTrue(origin.is_left.wait(PATIENCE), case)

    def test_others_still_wait(self) -> None:
        """A client that leaves does not cancel a request for which another one waits."""
        origins = [SlowOrigin(_LENGTH) for _ in SHARED]
        trickster = self.start(*origins)
        for i, (origin, target) in enumerate(zip(origins, SHARED, strict=True)):
            leaving = self.connect(trickster, f"/b{i}{target}")
            self.assertTrue(origin.asked.wait(PATIENCE))
            waiting, answers = self.fetching(trickster, f"/b{i}{target}")
            time.sleep(0.3)
            leaving.close()
            self.assertFalse(origin.is_left.wait(0.3), target)
            origin.go_on.set()
            waiting.join(PATIENCE)
            self.assertEqual((answers[0].status, answers[0].body), (200, PLAIN), target)
            self.assertEqual(len(origin.requests), 1, target)


class DrainTests(_SlowTests):
    """Responses on their way when Trickster is told to stop."""

    def test_answers_are_completed(self) -> None:
        """A stop completes responses on their way, admits no new client, and then ends."""
        targets = (*SHARED, "/api/v1/alerts", "/federate")
        origins = [SlowOrigin(_LENGTH, first=PLAIN[:20 * (i % 2)]) for i in range(len(targets))]
        trickster = self.start(*origins)
        clients = []
        for i, origin in enumerate(origins):
            clients.append(self.fetching(trickster, f"/b{i}{targets[i]}"))
            self.assertTrue(origin.asked.wait(PATIENCE))
        trickster.process.send_signal(signal.SIGTERM)
        self.await_refusal(trickster)
        self.assertIsNone(trickster.process.poll())
        for origin, (waiting, answers) in zip(origins, clients, strict=True):
            self.assertEqual(answers, [])
            origin.go_on.set()
            waiting.join(PATIENCE)
            self.assertEqual((answers[0].status, answers[0].body), (200, PLAIN))
        self.assertIn(trickster.process.wait(PATIENCE), (0, -signal.SIGTERM))
        self.assertNotIn("Traceback", trickster.log.read_text())

    def test_idle_connections_are_closed(self) -> None:
        """Idle connections do not delay a stop."""
        trickster = self.start(SlowOrigin(_LENGTH))
        idle = [socket.create_connection(("127.0.0.1", trickster.port), 5) for _ in range(3)]
        idle[1].sendall(b"GET /trickster/ping HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"pong", idle[1].recv(65536))
        idle[2].sendall(b"GET /trick")  # never more than that
        time.sleep(0.2)
        trickster.process.send_signal(signal.SIGTERM)
        trickster.process.wait(PATIENCE)
        for connection in idle:
            self.addCleanup(connection.close)

    def test_health_while_it_drains(self) -> None:
        """Metrics and health are served while draining, and the health says not ready."""
        origin = SlowOrigin(_LENGTH)
        trickster = self.start(origin)
        waiting, answers = self.fetching(trickster, "/api/v1/alerts")
        self.assertTrue(origin.asked.wait(PATIENCE))
        self.assertEqual(fetch(f"{trickster.metrics_url}/-/ready").status, 200)
        trickster.process.send_signal(signal.SIGTERM)
        self.await_refusal(trickster)
        self.assertEqual(fetch(f"{trickster.metrics_url}/-/ready").status, 503)
        self.assertIn(b"trickster_build_info", fetch(f"{trickster.metrics_url}/metrics").body)
        self.assertIn(b'"draining": true',
                      fetch(f"{trickster.metrics_url}/trickster/health?json").body)
        self.assertEqual(fetch(f"{trickster.mgmt_url}/trickster/config").status, 200)
        origin.go_on.set()
        waiting.join(PATIENCE)
        self.assertEqual(answers[0].body, PLAIN)
        trickster.process.wait(PATIENCE)

    def test_told_twice(self) -> None:
        """A second signal ends all exchanges at once, of whichever kind they are."""
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM),
                              (signal.SIGTERM, signal.SIGINT)):
            origin = SlowOrigin(_LENGTH)
            with heeding_interrupts():
                trickster = self.start(origin)
            self.fetching(trickster, "/api/v1/alerts")
            self.assertTrue(origin.asked.wait(PATIENCE))
            trickster.process.send_signal(first)
            self.await_refusal(trickster)
            self.assertIsNone(trickster.process.poll())
            trickster.process.send_signal(second)
            self.assertIn(trickster.process.wait(PATIENCE), (0, -first, -second))
            self.assertTrue(origin.is_left.wait(PATIENCE))
            self.assertNotIn("Traceback", trickster.log.read_text())

    def test_patience_ends(self) -> None:
        """A response that does not end within the drain timeout is cut off."""
        origin = SlowOrigin(_LENGTH)
        trickster = self.start(origin, drain="1s")
        self.fetching(trickster, "/api/v1/alerts")
        self.assertTrue(origin.asked.wait(PATIENCE))
        trickster.process.send_signal(signal.SIGTERM)
        trickster.process.wait(PATIENCE)
        self.assertTrue(origin.is_left.wait(PATIENCE))
