"""After thousands of requests of all kinds, half of them given up, everything is as it was."""

from __future__ import annotations

import http.client
import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.answering import AnsweringOrigin
from tests.end_to_end.servers import Nginx, Trickster, free_port
from tests.end_to_end.talking import Talk, eventually, gauges
from tests.end_to_end.webfiles import SERVER, octets_of

MIB = 1 << 20
REQUESTS, WARM_UP, THREADS = 10_000, 2_000, 6
UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
GAUGES = ("proxy_active_connections", "origin_active_connections", "origin_waiting_requests",
          "in_flight_bytes")

_SMUGGLING = (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
              b"Transfer-Encoding: chunked\r\n\r\n")


def _get(target: str, fields: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n".encode()


class _Kinds:
    """Requests of all kinds, as octets; each method makes one of a kind."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def any(self) -> bytes:
        """:return: a request, or several."""
        make: Callable[[], bytes] = self.random.choice([
            self.hit, self.hit, self.hit, self.miss, self.conditional, self.part, self.parts,
            self.uncached, self.large, self.followed, self.upload, self.chunked, self.upgrade,
            self.error, self.unreachable, self.malformed, self.pipelined, self.vanished])
        return make()

    def hit(self) -> bytes:
        return _get(f"/web/fresh/{self.random.choice(['a.bin', 'big.bin', 'text.txt'])}",
                    self.random.choice(["", "Accept-Encoding: gzip\r\n"]))

    def miss(self) -> bytes:
        return _get(f"/web/fresh/one.bin?{self.random.randrange(300)}")

    def conditional(self) -> bytes:
        return _get("/web/stale/a.bin", self.random.choice(["", "If-None-Match: *\r\n"]))

    def part(self) -> bytes:
        first = self.random.randrange(600_000)
        return _get(f"/web/heuristic/big.bin?{self.random.randrange(5)}",
                    f"Range: bytes={first}-{first + self.random.randrange(100_000)}\r\n")

    def parts(self) -> bytes:
        return _get("/web/stale/big.bin", "Range: bytes=0-9,500-999,-5\r\n")

    def uncached(self) -> bytes:
        return _get("/web/plain/big.bin")

    def large(self) -> bytes:
        return _get("/web/fresh/huge.bin")

    def followed(self) -> bytes:
        return _get(f"/followed/stale/{self.random.choice(['big.bin', 'huge.bin'])}")

    def upload(self) -> bytes:
        size = self.random.randrange(200_000)
        return (f"PUT /{self.random.choice(['odd', 'kept'])}/upload HTTP/1.1\r\nHost: a\r\n"
                f"Content-Length: {size}\r\n\r\n").encode() + bytes(size)

    def chunked(self) -> bytes:
        return (b"POST /odd/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + b"7d0\r\n%b\r\n" % bytes(2000) * self.random.randrange(30) + b"0\r\n\r\n")

    def upgrade(self) -> bytes:
        page = self.random.choice(["echo", "echo", "bye", "refuse", "unasked"])
        return _get(f"/odd/{page}", UPGRADE) + b"some octets"

    def error(self) -> bytes:
        return _get(f"/odd/{self.random.choice(['nothing', 'half', 'early', 'hints', 'trailers'])}")

    def unreachable(self) -> bytes:
        return _get("/down/x")

    def malformed(self) -> bytes:
        return self.random.choice([
            b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n", b"\x16\x03\x01", _SMUGGLING])

    def pipelined(self) -> bytes:
        return b"".join(self.any() for _ in range(self.random.randrange(2, 5)))

    def vanished(self) -> bytes:
        request = self.any()
        return request[:self.random.randrange(len(request) + 1)]


class _Client:
    """Asks for this and that, and leaves when it likes."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._kinds = _Kinds(seed)
        self.error: Exception | None = None

    def run(self, number: int) -> None:
        """Send so many requests."""
        try:
            for _ in range(number):
                self._one()
        except Exception as error:  # noqa: BLE001 - for the test to see
            self.error = error

    def _one(self) -> None:
        talk = Talk(self._port)
        try:
            try:
                talk.send(self._kinds.any())
                self._read(talk)
            except (ConnectionError, http.client.HTTPException):
                pass  # refused, or answered in its middle
            self._random.choice([talk.close, talk.reset])()
        finally:
            talk.close()

    def _read(self, talk: Talk) -> None:
        much = self._random.choice([0, 0, 1, 1000, 100_000, 10_000_000])
        talk.socket.settimeout(0.02)
        try:
            while much > 0:
                piece = talk.socket.recv(min(much, 65536))
                if not piece:
                    break
                much -= len(piece)
                if len(piece) < 65536 and piece.endswith((b"\r\n\r\n", b"octets")):
                    break
        except TimeoutError:
            pass


class LeakTests(SynchronousTestCase):
    """One Trickster with backends of all kinds, and clients without manners."""

    directory: ClassVar[tempfile.TemporaryDirectory[str]]

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        for kind in ("fresh", "stale", "heuristic", "plain"):
            (place / "nginx/www" / kind).mkdir(parents=True)
            for name in ("a.bin", "one.bin", "big.bin", "huge.bin"):
                (place / "nginx/www" / kind / name).write_bytes(octets_of(name))
            (place / "nginx/www" / kind / "text.txt").write_bytes(b"the same again\n" * 5000)
        nginx = Nginx(place / "nginx", SERVER)
        self.addCleanup(nginx.stop)
        origin = AnsweringOrigin()
        self.addCleanup(origin.stop)
        # On a slow machine, those that clients have left may be many for a moment.
        most = {"max_concurrent_conns": 200}
        web = {"provider": "rpc", "origin_url": nginx.url, "max_object_size_bytes": "1MiB", **most}
        self.trickster = Trickster(place / "trickster", {
            "web": {**web, "is_default": True},
            "followed": {**web, "paths": [{
                "path": "/", "match_type": "prefix", "handler": "proxycache",
                "collapsed_forwarding": "progressive"}]},
            "odd": {"provider": "rp", "origin_url": origin.url, **most},
            "kept": {"provider": "rpc", "origin_url": origin.url, **most},
            "down": {"provider": "rp", "origin_url": f"http://127.0.0.1:{free_port()}"},
        }, listener={"drain_timeout": "1s"})
        self.addCleanup(self.trickster.stop)

    def test_everything_is_given_back(self) -> None:
        """Connections, waiting requests, octets in flight, files, memory: as after a warm-up."""
        self.storm(WARM_UP, seed=1)
        files, memory = self.open_files(), self.trickster.resident_bytes()
        self.storm(REQUESTS, seed=2)
        self.assertLess(self.open_files(), files + 8)
        self.assertLess(self.trickster.resident_bytes(), memory + 32 * MIB)
        lines = self.trickster.log.read_text().splitlines()
        # That origins fail is part of the storm.
        own = "\n".join(line for line in lines if "trickster.observability.outages" not in line)
        self.assertNotRegex(own, "#(warn|error|critical)")
        with Talk(self.trickster.port) as talk:
            self.assertEqual(talk.asked("/web/fresh/a.bin").body, octets_of("a.bin"))

    def storm(self, requests: int, seed: int) -> None:
        """Send requests from several threads, and wait until all is quiet again."""
        clients = [_Client(self.trickster.port, 100 * seed + n) for n in range(THREADS)]
        threads = [threading.Thread(target=client.run, args=(requests // THREADS,), daemon=True)
                   for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual([client.error for client in clients], [None] * THREADS)
        time.sleep(1.1)  # what is scraped may be a second old
        self.assertTrue(eventually(self.is_quiet), self.now())

    def now(self) -> dict[str, float]:
        """:return: what is going on."""
        return gauges(self.trickster.metrics_url, *GAUGES)

    def is_quiet(self) -> bool:
        """:return: whether nothing is going on."""
        return not any(self.now().values())

    def open_files(self) -> int:
        """:return: how many files Trickster has open besides connections kept for later."""
        idle = gauges(self.trickster.metrics_url, "origin_idle_connections")
        files = list(Path(f"/proc/{self.trickster.process.pid}/fd").iterdir())
        return len(files) - int(idle["origin_idle_connections"])
