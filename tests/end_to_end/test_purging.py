"""Purging, and looking into caches, with processes that share a store."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.redises import Redis, directory_until_exit
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.waiting import PATIENCE, eventually

API = "/trickster/api/v1"
HOST = {"Host": "a.example"}
STEP = 60


class PurgingCase(SynchronousTestCase):
    """
    Sets up processes that share a store.

    :cvar store: the block of the cache, in which C{PATH} is where it may be.
    """

    store: ClassVar[dict[str, Any]] = {
        "provider": "filesystem", "filesystem": {"cache_path": "PATH"}}

    def setUp(self) -> None:
        """Have an origin, and two processes that keep what they have in one directory."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.within = Path(directory.name)
        self.asked: list[str] = []
        self.gate, self.waiting = threading.Event(), threading.Event()
        self.origin = ScriptedOrigin(self.answer)
        self.addCleanup(self.origin.stop)
        self.addCleanup(self.gate.set)
        self.one, self.other = self.started(), self.started()

    def answer(self, client: socket.socket, head: bytes) -> None:
        """Answer with how many requests there were; to C{/slow} once the gate is open."""
        target = head.split(b" ")[1].decode()
        self.asked.append(target)
        body = b"%d" % len(self.asked)
        if target.startswith("/api/v1/query_range"):
            body = _matrix(target)
        if target == "/slow":
            self.waiting.set()
            self.gate.wait(2 * PATIENCE)
        client.sendall(
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nSurrogate-Key: all last%b\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (target[-1:].encode(), len(body), body))

    def started(self) -> Trickster:
        """:return: a process."""
        trickster = Trickster(
            Path(tempfile.mkdtemp(dir=self.within)),
            {"web": {"provider": "reverseproxycache", "origin_url": self.origin.url,
                     "is_default": True},
             "prom": {"provider": "prometheus", "origin_url": self.origin.url,
                      "fast_forward_disable": True}},
            {"caches": {"default": json.loads(json.dumps(self.store).replace(
                "PATH", str(self.within / "cache")))}})
        self.addCleanup(trickster.stop)
        return trickster

    def got(self, trickster: Trickster, target: str) -> Answer:
        """:return: an answer for one host, whichever port it is asked on."""
        return fetch(trickster.url + target, headers=HOST)

    def lookup(self, trickster: Trickster, target: str) -> str:
        """:return: how the lookup went."""
        return self.got(trickster, target).lookup

    def kept(self, *targets: str) -> None:
        """Have what is asked for stored, so that both processes have it: that takes a moment."""
        for target in targets:
            for trickster in (self.one, self.other):
                eventually(partial(self.is_hit, trickster, target))

    def is_hit(self, trickster: Trickster, target: str) -> bool:
        """:return: whether what is asked for is a hit."""
        return self.lookup(trickster, target) == "hit"

    def purge(self, **order: Any) -> Any:
        """:return: what the first process says of a purge."""
        answer = fetch(f"{self.one.mgmt_url}{API}/purge", json.dumps(order).encode(),
                       {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def missing(self, *targets: str) -> list[str]:
        """:return: those that the other process asks the origin for, which it is asked at once."""
        return [target for target in targets if self.lookup(self.other, target) != "hit"]

    def check_each_kind(self) -> None:
        """Check that each kind of purge is a miss at the other process, and for no more."""
        every = ["/a", "/a?q=1", "/a/b", "/b"]
        for order, gone in (
                ({"url": "/a?q=1"}, ["/a?q=1"]), ({"url": "http://a.example/a"}, ["/a"]),
                ({"path": "/a"}, ["/a", "/a?q=1"]), ({"prefix": "/a/"}, ["/a/b"]),
                ({"tag": "lastb", "backend": "web"}, ["/a/b", "/b"]),
                ({"backend": "web"}, every), ({"all": True}, every)):
            self.kept(*every)
            self.purge(**order)
            self.assertEqual(self.missing(*every), gone, order)

    def entries(self, query: str = "") -> list[Any]:
        """:return: what the first process lists."""
        answer = fetch(f"{self.one.mgmt_url}{API}/caches/default/entries{query}")
        self.assertEqual(answer.status, 200, answer.body)
        found: list[Any] = json.loads(answer.body)["entries"]
        return found


class LmdbTests(PurgingCase):
    """Processes that share a file of LMDB."""

    store: ClassVar[dict[str, Any]] = {"provider": "lmdb", "lmdb": {"path": "PATH"}}

    def test_each_kind(self) -> None:
        """What one process is told to purge, the other does not give any more."""
        self.check_each_kind()
        self.kept("/a")
        self.assertIn(("/a", "web"), [(each["url"], each["backend"]) for each in self.entries()])


class RedisTests(PurgingCase):
    """Processes that share a server of Redis."""

    def setUp(self) -> None:
        """Have a server."""
        self.redis = Redis(directory_until_exit())
        self.addCleanup(self.redis.stop)
        self.store = {"provider": "redis", "redis": {"endpoint": self.redis.endpoint}}  # type: ignore[misc]
        super().setUp()

    def test_come_back(self) -> None:
        """
        A purge is not undone by a server that comes back with what it had before: all that it has is
        purged, by processes that were not asked for anything in between as well.
        """
        self.kept("/a", "/b")
        self.assertEqual(self.redis.command("SAVE"), b"OK")
        self.purge(url="/a")
        asked = len(self.asked)
        self.redis.kill()
        self.redis.start()
        self.kept("/a", "/b")
        for trickster in (self.one, self.other):
            for target in ("/a", "/b"):
                self.assertGreater(int(self.got(trickster, target).body), asked)


class PurgingTests(PurgingCase):
    """What one process is told to purge, no process gives any more."""

    def test_each_kind(self) -> None:
        """Each kind of purge at one process is a miss at the other, at once, and for no more."""
        self.check_each_kind()

    def test_by_url(self) -> None:
        """So is a purge by the URLs of Trickster."""
        self.kept("/a", "/a?q=1", "/b")
        answer = fetch(f"{self.one.mgmt_url}/trickster/purge/path/web/a")
        self.assertEqual((answer.status, answer.body), (200, b"purged: web | /a\n"))
        self.assertEqual(self.missing("/a", "/a?q=1", "/b"), ["/a", "/a?q=1"])
        [key] = [each["key"] for each in self.entries() if each["url"] == "/b"]
        answer = fetch(f"{self.one.mgmt_url}/trickster/purge/key/web/{urllib.parse.quote(key, '')}")
        self.assertEqual((answer.status, answer.body), (200, f"purged: web | {key}\n".encode()))
        self.assertEqual(self.missing("/b"), ["/b"])

    def test_time_series(self) -> None:
        """Time series are purged by query and matcher, and in a span of time alone."""
        end = int(time.time()) // STEP * STEP - 3600
        up, down = (f"/prom/api/v1/query_range?query={query}&start={end - 1200}&end={end}&step={STEP}"
                    for query in ("up", "down"))
        for order in ({"query": "up"}, {"matcher": 'up{job="a"}'}, {"url": up}):
            self.kept(up, down)
            self.purge(backend="prom", **order)
            self.assertEqual(self.missing(up, down), [up], order)
        self.kept(up, down)
        self.purge(query="up", start=end - 600, end=end - 480)
        [held] = [each["extents"] for each in self.entries() if each.get("query") == "up"]
        self.assertEqual(held, [[(end - 1200) * 1000, (end - 660) * 1000],
                                [(end - 420) * 1000, end * 1000]])
        answer = self.got(self.other, up)
        self.assertEqual(answer.lookup, "phit")
        self.assertIn(f"fetched=[{(end - 600) * 1000}-{(end - 480) * 1000}]", answer.result)

    def test_under_way(self) -> None:
        """What is being fetched when a purge comes is given to nobody later, by no process."""
        early: list[Answer] = []
        asking = threading.Thread(target=lambda: early.append(self.got(self.one, "/slow")))
        asking.start()
        self.assertTrue(self.waiting.wait(PATIENCE))
        self.purge(url="/slow")
        self.gate.set()
        asking.join(PATIENCE)
        for trickster in (self.one, self.other):
            self.assertGreater(int(self.got(trickster, "/slow").body), int(early[0].body))

    def test_restarted(self) -> None:
        """A purge outlives the process that was told of it, however that ends."""
        for end in (signal.SIGTERM, signal.SIGKILL):
            self.kept("/a", "/b")
            self.purge(url="/a")
            self.one.process.send_signal(end)
            self.one.process.wait(PATIENCE)
            self.other.stop()
            self.one, self.other = self.started(), self.started()
            self.assertEqual(self.missing("/a", "/b"), ["/a"])

    def test_listed(self) -> None:
        """Caches and entries are listed, and what is purged is not."""
        self.kept("/a?api_key=s3cret", "/b")
        [cache] = json.loads(fetch(f"{self.one.mgmt_url}{API}/caches").body)["caches"]
        self.assertEqual((cache["name"], cache["provider"], cache["up"]),
                         ("default", "filesystem", True))
        self.assertEqual(sorted(each["url"] for each in self.entries()),
                         ["/a?api_key=*****", "/b"])
        self.purge(path="/a")
        self.assertEqual([each["url"] for each in self.entries("?backend=web")], ["/b"])

    def test_not_public(self) -> None:
        """Nothing of it is on listeners that others can reach: there it is the origin's."""
        self.kept("/a")
        for url in (self.one.url, f"{self.one.url}/web", self.one.metrics_url):
            for path in (f"{API}/caches", f"{API}/caches/default/entries", f"{API}/purge",
                         "/trickster/purge/path/web/a", "/trickster/purge/key/web/x"):
                body = fetch(url + path, headers=HOST).body
                self.assertNotIn(b"caches", body)
                self.assertNotIn(b"purged", body)
            fetch(f"{url}{API}/purge", b'{"all": true}', {"Content-Type": "application/json"})
        self.assertEqual(self.missing("/a"), [])

    def test_command_line(self) -> None:
        """The command does the same, with a table or JSON, and tells by its status how it went."""
        self.kept("/a", "/b")
        self.assertIn("filesystem", self.ran("ls"))
        self.assertIn("/a", self.ran("show", "default", "--backend", "web"))
        self.assertEqual(json.loads(self.ran("purge", "--path", "/a", "--json"))["purged"]["path"],
                         "/a")
        self.assertEqual(self.missing("/a", "/b"), ["/a"])
        self.assertIn("404", self.ran("purge", "--backend", "nix", status=1))
        self.assertIn("Try", self.ran("purge", status=2))

    def ran(self, *words: str, status: int = 0) -> str:
        """:return: what the command says."""
        command = Path(sys.executable).parent / "trickster"
        done = subprocess.run([str(command), "cache", *words, "--mgmt", self.one.mgmt_url],
                              check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr if status else done.stdout


def _matrix(target: str) -> bytes:
    params = urllib.parse.parse_qs(target.partition("?")[2])
    start, end = (int(float(params[name][0])) for name in ("start", "end"))
    values = [[instant, "1"] for instant in range(start, end + 1, STEP)]
    return json.dumps({"status": "success", "data": {
        "resultType": "matrix", "result": [{"metric": {"job": "a"}, "values": values}]}}).encode()
