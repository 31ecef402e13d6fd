"""Collapsed forwarding across programs that share a store: one request to the origin for all."""

from __future__ import annotations

import json
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.redises import Redis
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.waiting import PATIENCE, eventually

# Seconds: long enough for a machine that is busy; and where a test waits until it is over.
_LONG, _LEASE = 60.0, 4.0
_STEP = 15
_SAYS = {"private": b"private", "large": b"max-age=600", "kept": b"max-age=600"}


def _params(path: bytes) -> dict[str, str]:
    return dict(parse_qsl(path.partition(b"?")[2].decode()))


def _matrix(path: bytes) -> bytes:
    """:return: what a Prometheus would answer, of a series whose values are its instants."""
    params = _params(path)
    start, end, step = (int(float(params[name])) for name in ("start", "end", "step"))
    return _answer("matrix", {"metric": {"__name__": params["query"]}, "values": [
        [at, str(at)] for at in range(start, end + 1, step)]})


def _vector(path: bytes) -> bytes:
    params = _params(path)
    return _answer("vector", {"metric": {"__name__": params["query"]},
                              "value": [float(params["time"]), "7"]})


def _answer(kind: str, series: Mapping[str, Any]) -> bytes:
    body = json.dumps({"status": "success", "data": {
        "resultType": kind, "result": [series]}}).encode()
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (len(body), body))


class Origin:
    """
    An origin that answers when it is told to.

    :ivar asked: the paths that it was asked for, in order.
    """

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._open: dict[int, threading.Event] = {}
        self._server = ScriptedOrigin(self._answer)
        self.url, self.stop = self._server.url, self._server.stop

    def _answer(self, client: socket.socket, head: bytes) -> None:
        path = head.split(b" ")[1]
        self.asked.append(path)
        number = len(self.asked)
        if not self._gate(number).wait(PATIENCE):
            return
        if b"broken" in path:
            return
        if b"/query_range?" in path or b"/query?" in path:
            client.sendall(_matrix(path) if b"/query_range?" in path else _vector(path))
            return
        status = b"500 Broken" if b"failing" in path else b"200 OK"
        said = next((says for word, says in _SAYS.items() if word.encode() in path), b"no-store")
        body = b"%b, number %d" % (path, number)
        client.sendall(b"HTTP/1.1 %b\r\nCache-Control: %b\r\nContent-Length: %d\r\n"
                       b"Connection: close\r\n\r\n%b" % (status, said, len(body), body))

    def _gate(self, number: int) -> threading.Event:
        return self._open.setdefault(number, threading.Event())

    def answer(self, number: int | None = None) -> None:
        """Answer one request, by its number, or all that there will be."""
        for each in range(1, 500) if number is None else (number,):
            self._gate(each).set()

    def wait_for(self, count: int) -> None:
        """Return once it was asked so many times."""
        eventually(lambda: len(self.asked) >= count, pause=0.005)

    @property
    def instants(self) -> Counter[tuple[str, int]]:
        """:return: how often each instant of each range query was asked for."""
        counted: Counter[tuple[str, int]] = Counter()
        for path in filter(lambda path: b"/query_range?" in path, list(self.asked)):
            asked = _params(path)
            start, end, step = (int(float(asked[name])) for name in ("start", "end", "step"))
            counted.update((asked["query"], at) for at in range(start, end + 1, step))
        return counted

    def again(self) -> None:
        """Begin anew to count, and to wait."""
        self.asked.clear()
        self._open.clear()


class Sharing:
    """Tests of programs that share stores; what stores these are, says L{cache}."""

    root: ClassVar[Path]
    origin: ClassVar[Origin]
    programs: ClassVar[list[Trickster]]
    clients: ClassVar[ThreadPoolExecutor]

    @classmethod
    def cache(cls, name: str) -> Mapping[str, Any]:
        """:return: a cache, as in a configuration."""
        raise NotImplementedError

    @classmethod
    def setUpClass(cls) -> None:
        """Have an origin, and two programs before it."""
        super().setUpClass()  # type: ignore[misc]
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)  # type: ignore[attr-defined]
        cls.root = Path(directory.name)
        cls.origin, cls.clients = Origin(), ThreadPoolExecutor(60)
        cls.addClassCleanup(cls.origin.stop)  # type: ignore[attr-defined]
        cls.addClassCleanup(cls.clients.shutdown)  # type: ignore[attr-defined]
        cls.programs = []
        for number in range(2):
            cls.programs.append(cls.program(f"{number}"))
            cls.addClassCleanup(cls.programs[-1].stop)  # type: ignore[attr-defined]
        cls.addClassCleanup(cls.origin.answer)  # type: ignore[attr-defined]

    @classmethod
    def program(cls, name: str) -> Trickster:
        """:return: one more program."""
        web = {"provider": "reverseproxycache", "origin_url": cls.origin.url, "is_default": False}
        paths = {"progressive": {"path": "/progressive", "match_type": "prefix",
                                 "handler": "proxycache",
                                 "collapsed_forwarding": "progressive"}}
        prom = {"provider": "prometheus", "origin_url": cls.origin.url, "is_default": False,
                "fast_forward_disable": True}
        backends = {"web": {**web, "paths": paths, "is_default": True},
                    "brief": {**web, "cache_name": "brief"}, "prom": prom,
                    "briefprom": {**prom, "cache_name": "brief"},
                    "fast": {**prom, "fast_forward_disable": False},
                    "tolerant": {**prom, "backfill_tolerance": "5m"}}
        return Trickster(cls.root / name, backends, {"caches": {
            "default": {"collapse_lease": f"{_LONG}s", **cls.cache("default")},
            "brief": {"collapse_lease": f"{_LEASE}s", **cls.cache("brief")}}})

    def setUp(self) -> None:
        """Begin anew to count."""
        super().setUp()  # type: ignore[misc]
        self.origin.again()

    def ask(self, path: str, times: int, programs: list[Trickster] | None = None
            ) -> list[Future[Answer]]:
        """:return: what each of the programs will answer, so many times."""
        return [self.clients.submit(fetch, program.url + path, headers={"Host": "a.example"})
                for _ in range(times) for program in programs or self.programs]

    def answers(self, futures: list[Future[Answer]]) -> list[Answer]:
        """:return: what they have answered."""
        return [future.result(PATIENCE) for future in futures]

    def test_one_request(self: Any) -> None:
        """Fifty clients of several programs make one request to the origin."""
        for path in ("/kept/plain", "/progressive/kept"):
            self.origin.again()
            futures = self.ask(path, 25)
            self.origin.wait_for(1)
            time.sleep(0.3)
            self.origin.answer()
            answers = self.answers(futures)
            self.assertEqual({answer.body for answer in answers}, {f"{path}, number 1".encode()})
            self.assertEqual(self.origin.asked, [path.encode()])
            self.assertLessEqual({answer.lookup for answer in answers},
                                 {"kmiss", "proxy-hit", "hit"})

    def test_at_once(self: Any) -> None:
        """So it is where the origin answers at once."""
        self.origin.answer()
        for number in range(10):
            path = f"/kept/quick{number}"
            answers = self.answers(self.ask(path, 10))
            self.assertEqual(len({answer.body for answer in answers}), 1)
            self.assertEqual(self.origin.asked.count(path.encode()), 1)

    def test_not_shared(self: Any) -> None:
        """What is only for the client that asked, each asks for."""
        self.origin.answer()
        answers = self.answers(self.ask("/private", 5))
        self.assertEqual(len({answer.body for answer in answers}), 10)
        self.assertEqual(len(self.origin.asked), 10)

    def test_error(self: Any) -> None:
        """All get the error that one of them had for an answer."""
        futures = self.ask("/broken", 5)
        self.origin.wait_for(1)
        time.sleep(0.3)
        self.origin.answer()
        self.assertEqual({answer.status for answer in self.answers(futures)}, {502})
        # It is asked again by the one program that asked, as for any request without an answer.
        self.assertLessEqual(len(self.origin.asked), 2)

    def ask_range(self, query: str, window: tuple[int, int], backend: str = "prom",
                  programs: list[Trickster] | None = None) -> list[Future[Answer]]:
        """:return: what each of the programs will answer to a range query."""
        params = {"query": query, "start": window[0], "end": window[1], "step": _STEP}
        return self.ask(f"/{backend}/api/v1/query_range?{urlencode(params)}", 1, programs)

    def check_range(self: Any, window: tuple[int, int], answer: Answer) -> None:
        """Check that an answer is the whole of a window."""
        [series] = json.loads(answer.body)["data"]["result"]
        self.assertEqual([[at, value] for at, value in series["values"]],
                         [[at, str(at)] for at in range(window[0], window[1] + 1, _STEP)])

    def test_range(self: Any) -> None:
        """Equal range queries are one request to the origin, also of what may still change."""
        now = int(time.time()) // _STEP * _STEP
        window = now - 3600, now
        for backend in ("prom", "tolerant"):
            self.origin.again()
            futures = [future for _ in range(5)
                       for future in self.ask_range(f"same_{backend}", window, backend)]
            self.origin.wait_for(1)
            time.sleep(0.3)
            self.origin.answer()
            for answer in self.answers(futures):
                self.check_range(window, answer)
            self.assertEqual(len(self.origin.asked), 1)

    def test_newest(self: Any) -> None:
        """The newest sample beside a range is one request, too."""
        eventually(lambda: 1 < time.time() % 60 < 50)
        now = int(time.time())
        params = {"query": "newest", "start": now - 3600, "end": now, "step": 60}
        self.origin.answer()
        answers = self.answers(self.ask(f"/fast/api/v1/query_range?{urlencode(params)}", 5))
        for answer in answers:
            [series] = json.loads(answer.body)["data"]["result"]
            self.assertEqual(series["values"][-1], [now, "7"])
        self.assertEqual(sorted(path.partition(b"?")[0] for path in self.origin.asked),
                         [b"/api/v1/query", b"/api/v1/query_range"])

    def test_overlapping_ranges(self: Any) -> None:
        """Of overlapping range queries each instant is fetched once."""
        now = int(time.time()) // _STEP * _STEP
        windows = [(now - 3600 - _STEP * n, now - _STEP * (n * 7 % 11)) for n in range(12)]
        futures = [self.ask_range("overlapping", window, programs=[self.programs[n % 2]])[0]
                   for n, window in enumerate(windows)]
        self.origin.wait_for(1)
        time.sleep(0.3)
        self.origin.answer()
        for window, answer in zip(windows, self.answers(futures), strict=True):
            self.check_range(window, answer)
        self.assertEqual(set(self.origin.instants.values()), {1})

    def test_range_of_a_killed_program(self: Any) -> None:
        """Where the program is killed that fetches a range, others answer after the lease."""
        now = int(time.time()) // _STEP * _STEP
        window = now - 3600, now
        killed = self.program("killed-range")
        self.ask_range("killed", window, "briefprom", [killed])
        self.origin.wait_for(1)
        futures = self.ask_range("killed", window, "briefprom")
        time.sleep(0.2)
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        begun = time.monotonic()
        self.origin.wait_for(2)
        self.origin.answer()
        for answer in self.answers(futures):
            self.check_range(window, answer)
        self.assertLess(time.monotonic() - begun, 3 * _LEASE)
        self.assertEqual(len(self.origin.asked), 2)

    def test_killed(self: Any) -> None:
        """Where the program is killed that fetches, others wait for the lease, and no longer."""
        killed = self.program("killed")
        lost = self.ask("/brief/kept/killed", 1, [killed])
        self.origin.wait_for(1)
        futures = self.ask("/brief/kept/killed", 5)
        time.sleep(0.2)
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        begun = time.monotonic()
        self.origin.wait_for(2)
        self.origin.answer()
        answers = self.answers(futures)
        self.assertLess(time.monotonic() - begun, 3 * _LEASE)
        self.assertEqual({answer.body for answer in answers}, {b"/kept/killed, number 2"})
        self.assertEqual(len(self.origin.asked), 2)
        self.assertIsNotNone(lost[0].exception(PATIENCE))

    def test_stopped(self: Any) -> None:
        """What a program brings that was stopped meanwhile, replaces nothing newer."""
        stopped = self.program("stopped")
        self.addCleanup(stopped.stop)
        old = self.ask("/brief/kept/stopped", 1, [stopped])
        self.origin.wait_for(1)
        stopped.process.send_signal(signal.SIGSTOP)
        try:
            futures = self.ask("/brief/kept/stopped", 5)
            self.origin.wait_for(2)
            self.origin.answer()
            answers = self.answers(futures)
        finally:
            stopped.process.send_signal(signal.SIGCONT)
        newer = b"/kept/stopped, number 2"
        self.assertEqual({answer.body for answer in answers}, {newer})
        self.assertEqual(self.answers(old)[0].body, b"/kept/stopped, number 1")
        time.sleep(0.3)
        for program in (*self.programs, stopped):
            answer = fetch(program.url + "/brief/kept/stopped", headers={"Host": "a.example"})
            self.assertEqual((answer.body, answer.lookup), (newer, "hit"))
        self.assertEqual(len(self.origin.asked), 2)

    def test_client_leaves(self: Any) -> None:
        """Where no client waits any more for what is fetched, another program fetches at once."""
        first = self.programs[0]
        with socket.create_connection(("127.0.0.1", first.port)) as client:
            client.sendall(b"GET /kept/left HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.origin.wait_for(1)
            futures = self.ask("/kept/left", 3, self.programs[1:])
            time.sleep(0.2)
        begun = time.monotonic()
        self.origin.wait_for(2)
        self.assertLess(time.monotonic() - begun, _LONG / 2)
        self.origin.answer()
        self.assertEqual({answer.body for answer in self.answers(futures)},
                         {b"/kept/left, number 2"})

    def test_metrics(self: Any) -> None:
        """It is counted what becomes of leases."""
        self.origin.answer()
        self.answers(self.ask("/kept/counted", 1))
        exposed = fetch(self.programs[0].metrics_url + "/metrics").body.decode()
        self.assertIn('trickster_cache_leases_total{cache_name="default"', exposed)


class LmdbTests(Sharing, SynchronousTestCase):
    """Programs that share a file of LMDB."""

    @classmethod
    def cache(cls, name: str) -> Mapping[str, Any]:
        """:return: a file."""
        return {"provider": "lmdb", "lmdb": {"path": str(cls.root / f"{name}.lmdb")}}


class FilesystemTests(Sharing, SynchronousTestCase):
    """Programs that share a directory."""

    @classmethod
    def cache(cls, name: str) -> Mapping[str, Any]:
        """:return: a directory."""
        return {"provider": "filesystem", "filesystem": {"cache_path": str(cls.root / name)}}


class RedisTests(Sharing, SynchronousTestCase):
    """Programs that share a Redis."""

    redis: ClassVar[Redis]

    @classmethod
    def setUpClass(cls) -> None:
        """Have a server."""
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.redis = Redis(Path(directory.name))
        cls.addClassCleanup(cls.redis.stop)
        super().setUpClass()

    @classmethod
    def cache(cls, name: str) -> Mapping[str, Any]:
        """:return: its address."""
        return {"provider": "redis", "redis": {"endpoint": cls.redis.endpoint,
                                               "key_prefix": f"{name}:"}}

    def test_redis_is_killed(self) -> None:
        """Where Redis goes away, each program collapses by itself, and all is answered."""
        futures = self.ask("/kept/redis", 5)
        self.origin.wait_for(1)
        self.addCleanup(self._redis_is_back)
        self.redis.process.send_signal(signal.SIGKILL)
        self.redis.process.wait()
        self.origin.wait_for(2)
        more = self.ask("/kept/more", 5)
        self.origin.wait_for(4)
        time.sleep(0.5)
        self.origin.answer()
        self.assertEqual({answer.status for answer in self.answers(futures + more)}, {200})
        self.assertEqual(len(self.origin.asked), 4)

    def _redis_is_back(self) -> None:
        self.redis.start()
        self.origin.answer()
        for program in self.programs:
            eventually(lambda one=program: self.answers(
                self.ask("/kept/back", 1, [one]))[0].lookup == "hit")
