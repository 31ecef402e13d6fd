"""More than there is room for: clients, descriptors, work."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from attrs import define

from tests.end_to_end.answering import AnsweringOrigin
from tests.end_to_end.servers import Trickster, fetch
from tests.end_to_end.standing import Standing
from tests.end_to_end.talking import Talk, eventually, gauges, request

DESCRIPTORS = 64
CLIENTS = 120


def lines_with(trickster: Trickster, *words: str) -> int:
    """:return: how many lines of the log have one of some words, once there is one."""
    def found() -> int:
        lines = trickster.log.read_text().splitlines()
        return sum(any(word in line for word in words) for line in lines)

    eventually(lambda: bool(found()))  # they are written about once a second
    return found()


class DescriptorTests(Standing):
    """A process with few descriptors, and more clients than that."""

    origin: ClassVar[AnsweringOrigin]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        """Start the origin and Trickster."""
        cls.origin = cls.kept(AnsweringOrigin())
        cls.trickster = cls.kept(Trickster(
            root / "trickster", {"web": {
                "provider": "rp", "origin_url": cls.origin.url, "max_concurrent_conns": 8}},
            prefix=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")))

    def test_wait(self) -> None:
        """
        Without free descriptors clients wait, origins and metrics are still reached, and all are
        served.
        """
        talks = []
        for _ in range(CLIENTS):
            talks.append(Talk(self.trickster.port))
            self.addCleanup(talks[-1].close)
        for talk in talks:
            talk.send(b"GET /said HTTP/1.1\r\nHost: a\r\n")
        self.assertTrue(eventually(lambda: gauges(
            self.trickster.metrics_url, "proxy_active_connections")[
                "proxy_active_connections"] > DESCRIPTORS // 4))
        time.sleep(1.5)
        active = gauges(self.trickster.metrics_url, "proxy_active_connections")
        self.assertLess(active["proxy_active_connections"], DESCRIPTORS - 8)
        for talk in talks:
            talk.send(b"Connection: close\r\n\r\n")
        for talk in talks:
            self.assertEqual(talk.answer().status, 200)
        self.assertEqual(lines_with(self.trickster, "descriptors", "EMFILE"), 1)

    def test_idle(self) -> None:
        """Idle connections are closed for waiting clients."""
        for _ in range(CLIENTS):
            talk = Talk(self.trickster.port)
            self.addCleanup(talk.close)
            self.assertEqual(talk.asked("/said").status, 200)


class Crowd:
    """
    Clients that ask again as soon as they are answered, each on a connection of its own.

    :ivar answers: status, and seconds until it came, of each answer.
    """

    def __init__(self, port: int, target: str, number: int) -> None:
        self._asked = f"GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode()
        self._port, self._number = port, number
        self.answers: list[tuple[int, float]] = []

    def run(self, seconds: float) -> None:
        """Ask for so long."""
        with contextlib.ExitStack() as open_sockets, selectors.DefaultSelector() as selector:
            for _ in range(self._number):
                client = open_sockets.enter_context(
                    socket.create_connection(("127.0.0.1", self._port)))
                client.sendall(self._asked)
                selector.register(client, selectors.EVENT_READ, _Answer(time.monotonic()))
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for key, _ in selector.select(0.1):
                    self._take(key.fileobj, key.data)

    def _take(self, client: socket.socket, answer: _Answer) -> None:
        received = client.recv(65536)
        assert received, "a connection was closed"
        answer.octets += received
        if answer.is_whole:
            now = time.monotonic()
            self.answers.append((int(answer.octets[9:12]), now - answer.asked_at))
            answer.octets, answer.asked_at = b"", now
            client.sendall(self._asked)


@define
class _Answer:
    """
    What has come of an answer; it has a length, or is chunked.

    :ivar asked_at: when it was asked for.
    """

    asked_at: float
    octets: bytes = b""

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        head, found, body = self.octets.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if length is None:
            return bool(found) and body.endswith(b"0\r\n\r\n")
        return bool(found) and len(body) == int(length[1])


HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n"
NEXT = b"GET /said HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"


def uploads(*fields: bytes) -> bytes:
    """:return: the head of a request that has a body."""
    return b"\r\n".join([b"POST /upload HTTP/1.1", b"Host: a.test", *fields, b"", b""])


def chunk(octets: bytes) -> bytes:
    """:return: the octets as a chunk."""
    return b"%x\r\n%b\r\n" % (len(octets), octets)


# What odd clients send, with a pause in the middle, and the statuses that they may get.
ODD: tuple[tuple[bytes, bytes, set[bytes]], ...] = (
    (uploads(b"Content-Length: %d" % (3 * len(HIDDEN))) + HIDDEN, HIDDEN * 2 + NEXT,
     {b"200", b"503"}),
    (uploads(b"Transfer-Encoding: chunked") + chunk(HIDDEN)[:9],
     chunk(HIDDEN)[9:] + chunk(HIDDEN) + b"0\r\n\r\n" + NEXT, {b"200", b"503"}),
    (uploads(b"Transfer-Encoding: chunked") + chunk(b"a"), b"no size\r\n" + HIDDEN,
     {b"400", b"503"}),
    (uploads(b"Transfer-Encoding: chunked") + b"800\r\n",
     (HIDDEN * 2048)[:2048] + b"\r\n0\r\n\r\n" + NEXT, {b"413", b"503"}),
    (uploads(b"Content-Length: 2048"), HIDDEN * 99, {b"413"}),
    (uploads(b"Expect: 100-continue", b"Content-Length: 9"), b"",
     {b"100", b"408", b"502", b"503"}),
    (b"HEAD /said HTTP/1.1\r\nHost: a.test\r\n\r\n", NEXT, {b"200", b"503"}),
    (b"GET /said HTTP/1.0\r\n\r\n", b"", {b"200", b"503"}),
    (NEXT, HIDDEN, {b"200", b"503"}),
    (uploads(b"Content-Length: 4") + b"body", b"no head\r\n\r\n" + HIDDEN,
     {b"200", b"400", b"503"}),
)


class WorkTests(Standing):
    """More requests than one process can answer in time."""

    origin: ClassVar[AnsweringOrigin]
    trickster: ClassVar[Trickster]
    main: ClassVar[Mapping[str, object]] = {"overload_target": "2ms"}

    @classmethod
    def started(cls, root: Path) -> None:
        """Start the origin and Trickster, which is easily asked too much."""
        cls.origin = cls.kept(AnsweringOrigin())
        cls.trickster = cls.kept(Trickster(
            root / "trickster", {"web": {"provider": "rpc", "origin_url": cls.origin.url}},
            {"main": dict(cls.main)}, listener={"max_request_body_size_bytes": 1024}))

    def test_shed(self) -> None:
        """
        Under overload a part of the requests is answered and the rest refused at once; then all is
        as before.
        """
        crowd = Crowd(self.trickster.port, "/trailers", 600)  # a hit
        asking = threading.Thread(target=crowd.run, args=(4.0,))
        asking.start()
        time.sleep(2.0)
        self.assertEqual(fetch(f"{self.trickster.metrics_url}/metrics").status, 200)
        self.assertEqual(fetch(f"{self.trickster.url}/trickster/ping").status, 200)
        asking.join()
        statuses = {status for status, _ in crowd.answers}
        self.assertEqual(statuses, {200, 503})
        self.assertTrue(eventually(
            lambda: request(f"{self.trickster.url}/trailers").status == 200))
        self.assertEqual(lines_with(self.trickster, "Overloaded"), 1)

    def test_odd_clients(self) -> None:
        """
        Odd requests get responses under overload too, nothing in a body is taken for a request, and
        a refusal says when to ask again.
        """
        crowd = Crowd(self.trickster.port, "/trailers", 600)
        asking = threading.Thread(target=crowd.run, args=(4.0,))
        asking.start()
        for _ in range(4):
            talks = [Talk(self.trickster.port) for _ in ODD]
            for talk, (first, _, _) in zip(talks, ODD, strict=True):
                self.addCleanup(talk.close)
                talk.send(first)
            time.sleep(0.1)
            for talk, (_, second, allowed) in zip(talks, ODD, strict=True):
                with contextlib.suppress(ConnectionError):
                    talk.send(second)
                self.assert_answered(talk, allowed)
        asking.join()
        self.assertNotIn(b"/hidden", b"".join(self.origin.heads))

    def assert_answered(self, talk: Talk, allowed: set[bytes]) -> None:
        """A client gets nothing but such answers."""
        if allowed >= {b"100"}:
            talk.finish()
        heads = [head for head in re.split(rb"(?=HTTP/1\.1 \d\d\d )", talk.rest()) if head]
        self.assertTrue(heads or b"100" in allowed)
        for head in heads:
            self.assertIn(head[9:12], allowed)
            self.assertEqual(b"Retry-After: " in head, head[9:12] == b"503")
