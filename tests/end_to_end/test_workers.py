"""Several worker processes serve as one: they fetch once, and lose nothing when one of them dies."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import yaml
from attrs import define, field

from tests.end_to_end.counting import CountingProxy, ScriptedOrigin
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.standing import BesidePrometheus, Standing
from tests.end_to_end.waiting import wait_until_idle
from tests.end_to_end.working import metric, serving, workers_of

WORKERS = 4
CLIENTS = 50
PATIENCE = 60.0
STEP = 15


def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """:return: what held at last."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{holds} does not hold after {seconds} s")
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    """:return: whether a process runs; one that has ended may have no parent to hear of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Origin:
    """
    Answers each path after the test has let it, or at once where C{/free} is in it, and counts.

    :ivar asked: paths, in the order in which they came.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self._origin = ScriptedOrigin(self._serve)
        self.url = self._origin.url

    def stop(self) -> None:
        """Listen no more."""
        self.go_on.set()
        self._origin.stop()

    def _serve(self, peer: Any, head: bytes) -> None:
        path = head.split(b" ")[1].decode()
        self.asked.append(path)
        fields = b"Cache-Control: max-age=600\r\n"
        if "/private" in path:
            fields = b"Cache-Control: private\r\n"
        # Some of it cannot be compressed.
        body = (f"{path} {len(self.asked)} ").encode() + os.urandom(6000)
        head = b"HTTP/1.1 200 OK\r\n%bConnection: close\r\nContent-Length: %d\r\n\r\n" % (
            fields, len(body))
        if "/halves" in path:
            peer.sendall(head + body[:len(body) // 2])
            self.go_on.wait(PATIENCE)
            peer.sendall(body[len(body) // 2:])
        else:
            if "/free" not in path:
                self.go_on.wait(PATIENCE)
            peer.sendall(head + body)


def at_once(ask: Callable[[int], Any], clients: int = CLIENTS) -> list[Any]:
    """:return: what clients get that ask at the same time."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, range(clients)))


class CollapsingTests(Standing):
    """What many clients ask of several workers is asked of the origin once."""

    origin: ClassVar[Origin]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        cls.origin = cls.kept(Origin())
        common = {"origin_url": cls.origin.url}
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            "cached": {**common, "provider": "rpc", "is_default": True},
            "counted": {**common, "provider": "rpc"},
            "progressive": {**common, "provider": "rp", "paths": [
                {"path": "/", "match_type": "prefix", "handler": "proxy",
                 "collapsed_forwarding": "progressive"}]},
            "spread": {**common, "provider": "rpc", "paths": [
                {"path": "/", "match_type": "prefix", "handler": "proxycache",
                 "collapsed_forwarding": "progressive"}]},
        }, {"main": {"workers": WORKERS}, "logging": {"access_log": True}}))
        until(lambda: serving(cls.trickster) == WORKERS)

    def setUp(self) -> None:
        self.origin.asked.clear()
        self.origin.go_on.clear()
        self.addCleanup(self.origin.go_on.set)

    def crowd(self, path: str) -> list[Answer]:
        """:return: what fifty clients get, whom the origin answers once all wait for it."""
        connections = [self.connection() for _ in range(CLIENTS)]
        for connection in connections:
            connection.request("GET", path)
        wait_until_idle([self.trickster], lambda: len(self.origin.asked))
        self.origin.go_on.set()
        answers = [connection.getresponse() for connection in connections]
        return [Answer(answer.status, answer.headers, answer.read()) for answer in answers]

    def assert_once(self, path: str, answers: Sequence[Answer]) -> None:
        self.assertEqual(len(self.origin.asked), 1, self.origin.asked)
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual(len({answer.body for answer in answers}), 1)
        self.assertIn(path.rpartition("/")[2].encode(), answers[0].body)

    def hit(self, path: str) -> None:
        """Ask until there is a hit, which is the only one: no answer waits until it is stored."""
        until(lambda: fetch(self.trickster.url + path).lookup == "hit")

    def test_cached(self) -> None:
        """Fifty clients cause one request of what is cached; then it is a hit in every worker."""
        answers = self.crowd("/cached/a")
        self.assert_once("/cached/a", answers)
        self.assertEqual(sum(answer.lookup == "kmiss" for answer in answers), 1)
        self.hit("/cached/a")
        again = at_once(lambda _: fetch(self.trickster.url + "/cached/a"))
        self.assert_once("/cached/a", again)
        self.assertEqual({answer.lookup for answer in again}, {"hit"})

    def test_progressive(self) -> None:
        """They cause one request of what nothing is kept of, and of what is kept as it comes."""
        self.assert_once("/progressive/b", self.crowd("/progressive/b"))
        self.origin.asked.clear()
        self.origin.go_on.clear()
        self.assert_once("/spread/c", self.crowd("/spread/c"))

    def test_streaming(self) -> None:
        """All of them have the first half while the origin has not sent the other."""
        for backend in ("progressive", "spread"):
            self.origin.asked.clear()
            self.origin.go_on.clear()
            target = f"/{backend}/halves"
            connections = [self.connection() for _ in range(CLIENTS)]
            for connection in connections:
                connection.request("GET", target)
            answers = [connection.getresponse() for connection in connections]
            firsts = [answer.read(1000) for answer in answers]
            self.assertEqual(len(self.origin.asked), 1)
            self.origin.go_on.set()
            bodies = {first + answer.read() for first, answer in zip(firsts, answers, strict=True)}
            self.assertEqual(len(bodies), 1)

    def connection(self) -> http.client.HTTPConnection:
        made = http.client.HTTPConnection("127.0.0.1", self.trickster.port, timeout=PATIENCE)
        self.addCleanup(made.close)
        return made

    def test_private(self) -> None:
        """What is for one client only is asked for by each."""
        self.origin.go_on.set()
        answers = at_once(lambda _: fetch(self.trickster.url + "/cached/private"))
        self.assertEqual(len({answer.body for answer in answers}), CLIENTS)
        self.assertEqual(len(self.origin.asked), CLIENTS)

    def test_changed(self) -> None:
        """What one client has changed, no worker gives to another any more."""
        self.origin.go_on.set()
        for number in range(20):
            target = f"{self.trickster.url}/cached/changed{number}"
            before = {fetch(target).body for _ in range(4)}
            self.assertEqual(len(before), 1)
            self.assertEqual(fetch(target, b"changed").status, 200)
            self.assertFalse(before & {fetch(target).body for _ in range(4)})

    def test_purged(self) -> None:
        """What is purged, no worker gives any more."""
        self.origin.go_on.set()
        target = f"{self.trickster.url}/cached/purged"
        for _ in range(10):
            (before,) = {fetch(target).body for _ in range(8)}
            order = json.dumps({"url": target}).encode()
            answer = fetch(f"{self.trickster.mgmt_url}/trickster/api/v1/purge", order,
                           {"Content-Type": "application/json"})
            self.assertEqual(answer.status, 200, answer.body)
            after = {fetch(target).body for _ in range(8)}
            self.assertEqual(len(after), 1)
            self.assertNotIn(before, after)

    def test_purged_while_fetched(self) -> None:
        """Who asks after a purge gets nothing that was asked for before, whoever asks meanwhile."""
        order = json.dumps({"all": True}).encode()
        for number in range(8):
            self.origin.asked.clear()
            self.origin.go_on.clear()
            target = f"{self.trickster.url}/cached/meanwhile{number}"
            with ThreadPoolExecutor(60) as clients:
                before = clients.submit(fetch, target)
                until(lambda: self.origin.asked)
                purging = clients.submit(
                    fetch, f"{self.trickster.mgmt_url}/trickster/api/v1/purge", order,
                    {"Content-Type": "application/json"})
                meanwhile = []
                while not purging.done() and len(meanwhile) < 40:
                    meanwhile.append(clients.submit(fetch, target))
                    time.sleep(0.001)
                self.assertEqual(purging.result().status, 200)
                after = [clients.submit(fetch, target) for _ in range(6)]
                until(lambda: len(self.origin.asked) > 1)
                self.origin.go_on.set()
                old = before.result().body
                self.assertNotIn(old, {each.result().body for each in after})

    def test_counted(self) -> None:
        """The metrics count each request once, whichever workers have to do with it."""
        self.origin.go_on.set()
        at_once(lambda n: fetch(f"{self.trickster.url}/counted/{n % 20}"))
        until(lambda: metric(self.trickster, "trickster_frontend_requests_total",
                             backend_name="counted") == CLIENTS)

    def test_listed(self) -> None:
        """A listing has the hits that all workers have given."""
        self.origin.go_on.set()
        self.hit("/cached/listed")
        answers = at_once(lambda _: fetch(f"{self.trickster.url}/cached/listed"))
        self.assertEqual({answer.lookup for answer in answers}, {"hit"})
        listing = json.loads(fetch(
            f"{self.trickster.mgmt_url}/trickster/api/v1/caches/default/entries?limit=1000").body)
        (entry,) = [one for one in listing["entries"] if "/listed" in json.dumps(one)]
        self.assertEqual(entry["hits"], 1 + CLIENTS)

    def test_lines(self) -> None:
        """The log has whole lines, one for each request, however many workers write at once."""
        self.origin.go_on.set()
        names = [f"line-{n:03}-" + "x" * 900 for n in range(200)]
        with ThreadPoolExecutor(16) as clients:
            list(clients.map(lambda name: fetch(f"{self.trickster.url}/cached/{name}"), names))

        def logged() -> list[str]:
            return re.findall(r" event=access method=GET uri=\S*/(line-\d+-x{900}) status=200 "
                              r"[^\n]* client=127\.0\.0\.1 [^\n]*$",
                              self.trickster.log.read_text(), re.MULTILINE)

        until(lambda: len(logged()) >= len(names))
        self.assertEqual(sorted(logged()), names)


class RangeTests(BesidePrometheus):
    """Range queries of several workers before a Prometheus whose requested instants are counted."""

    counting: ClassVar[CountingProxy]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        super().started(root)
        cls.counting = cls.kept(CountingProxy(cls.prometheus.url))
        plain = cls.both_modes(cls.counting.url)["aligned"]
        cls.trickster = cls.kept(Trickster(root / "trickster", {"plain": plain},
                                           {"main": {"workers": WORKERS}}))
        until(lambda: serving(cls.trickster) == WORKERS)

    def test_overlapping(self) -> None:
        """Fifty clients with overlapping windows request no instant of the origin twice."""
        last = self.now // STEP * STEP
        query = "sum by (job) (rate(requests_total[5m]))"

        def ask(number: int) -> None:
            window = {"query": query, "start": last - (60 + 3 * number) * STEP,
                      "end": last - number % 7 * STEP, "step": STEP}
            target = "/api/v1/query_range?" + urllib.parse.urlencode(window)
            got = fetch(f"{self.trickster.url}/plain{target}")
            self.assertEqual(got.body, fetch(self.prometheus.url + target).body, got.result)

        at_once(ask)
        asked = self.counting.asked
        self.assertEqual(len(asked), len(set(asked)))


@define
class Load:
    """
    Clients that ask, with a connection for each request.

    :ivar answers: how many good ones there were.
    :ivar failures: what else there was.
    """

    url: str
    answers: int = 0
    failures: list[str] = field(factory=list)
    is_over: bool = False

    def work(self, number: int) -> None:
        """Ask until it is over."""
        count = 0
        while not self.is_over:
            count += 1
            try:
                answer = fetch(f"{self.url}/{number}-{count % 20}")
            except OSError as error:
                self.failures.append(str(error))
            else:
                if answer.status == 200:
                    self.answers += 1
                else:
                    self.failures.append(f"{answer.status} {answer.result}")


@contextmanager
def loaded(url: str, clients: int = 4) -> Iterator[Load]:
    """:return: clients that ask meanwhile."""
    load = Load(url)
    with ThreadPoolExecutor(clients) as pool:
        working = [pool.submit(load.work, number) for number in range(clients)]
        try:
            yield load
        finally:
            load.is_over = True
        for each in working:
            each.result()


class LivingTests(Standing):
    """A program of several workers through all that may happen to it."""

    origin: ClassVar[Origin]

    @classmethod
    def started(cls, root: Path) -> None:
        cls.origin = cls.kept(Origin())
        cls.root = root

    def program(self, **more: Any) -> Trickster:
        """:return: one of two workers that serve."""
        more.setdefault("main", {}).setdefault("workers", 2)
        made = Trickster(self.root / self.id(), {"web": {
            "origin_url": self.origin.url, "provider": "rpc", "is_default": True}}, more)
        self.addCleanup(made.stop)
        until(lambda: serving(made) == more["main"]["workers"])
        return made

    def test_killed(self) -> None:
        """
        A worker that dies costs the requests that it was answering, and nothing else: another one
        takes its place, and counters go on.
        """
        trickster = self.program()
        with loaded(trickster.url) as load:
            for killed in range(1, 6):
                victim = workers_of(trickster)[killed % 2]
                counted = metric(trickster, "trickster_frontend_requests_total")
                os.kill(victim, signal.SIGKILL)
                until(lambda n=killed: metric(
                    trickster, "trickster_worker_restarts_total") == n)
                until(lambda: serving(trickster) == 2)
                self.assertGreaterEqual(
                    metric(trickster, "trickster_frontend_requests_total"), counted)
        # One connection for each client, at each of the deaths.
        self.assertLessEqual(len(load.failures), 5 * 4, load.failures)
        self.assertFalse([each for each in load.failures if "refused" in each.lower()])
        self.assertGreater(load.answers, 100)
        self.assertIn("SIGKILL", trickster.log.read_text())

    def reloaded(self, trickster: Trickster, change: Callable[[Any], None]) -> bool:
        """:return: whether the program follows what is changed in its configuration."""
        path = trickster.log.with_name("trickster.yaml")
        said = yaml.safe_load(path.read_text())
        change(said)
        path.write_text(yaml.safe_dump(said))
        names = ("trickster_config_reload_successes_total",
                 "trickster_config_reload_failures_total")
        before = [metric(trickster, name) for name in names]
        trickster.process.send_signal(signal.SIGHUP)
        until(lambda: [metric(trickster, name) for name in names] != before)
        return metric(trickster, names[1]) == before[1]

    def test_reload(self) -> None:
        """While the configuration is reloaded, no request fails; then all workers have it."""
        trickster = self.program()
        with loaded(trickster.url) as load:
            for number in range(3):
                old = set(workers_of(trickster))
                self.assertTrue(self.reloaded(trickster, lambda said, n=number: said[
                    "backends"]["web"].update(paths=[{
                        "path": "/", "match_type": "prefix", "handler": "proxycache",
                        "response_headers": {"X-Number": str(n)}}])))
                self.assertFalse(old & set(workers_of(trickster)))
                answers = [fetch(f"{trickster.url}/reloaded{number}-{n}") for n in range(8)]
                self.assertEqual({each.headers["X-Number"] for each in answers}, {str(number)})
        self.assertEqual(load.failures, [])
        self.assertGreater(load.answers, 100)

    def test_kept(self) -> None:
        """What was cached before a reload is still there, and after one that is more workers."""
        trickster = self.program()
        body = fetch(f"{trickster.url}/kept").body
        self.assertTrue(self.reloaded(trickster, lambda said: said["main"].update(workers=3)))
        until(lambda: serving(trickster) == 3)
        self.assertTrue(self.reloaded(trickster, lambda said: said["main"].update(workers=2)))
        until(lambda: serving(trickster) == 2)
        answer = fetch(f"{trickster.url}/kept")
        self.assertEqual((answer.lookup, answer.body), ("hit", body))

    def test_purged_in_reload(self) -> None:
        """While workers before a reload and after it have other caches, a purge is one of both."""
        caches = [{"provider": "filesystem", "filesystem": {
            "cache_path": str(self.root / self.id() / name)}} for name in ("before", "after")]
        trickster = self.program(caches={"default": caches[0]})
        target = f"{trickster.url}/free"

        def number() -> int:
            return int(fetch(target).body.split()[1])

        old, first = workers_of(trickster), number()
        self.origin.go_on.clear()
        self.addCleanup(self.origin.go_on.set)
        with ThreadPoolExecutor(8) as clients:
            asked = len(self.origin.asked)
            held = [clients.submit(fetch, f"{trickster.url}/held{n}") for n in range(8)]
            until(lambda: len(self.origin.asked) == asked + 8)
            path = trickster.log.with_name("trickster.yaml")
            said = yaml.safe_load(path.read_text())
            said["caches"]["default"] = caches[1]
            path.write_text(yaml.safe_dump(said))
            trickster.process.send_signal(signal.SIGHUP)
            until(lambda: number() > first)
            order = fetch(f"{trickster.mgmt_url}/trickster/api/v1/purge", b'{"all": true}',
                          {"Content-Type": "application/json"})
            self.assertEqual(order.status, 200, order.body)
            latest = len(self.origin.asked)
            for _ in range(20):
                self.assertGreater(number(), latest)
            self.origin.go_on.set()
            self.assertEqual({each.result().status for each in held}, {200})
        until(lambda: serving(trickster) == 2 and not set(old) & set(workers_of(trickster)))
        for _ in range(20):
            self.assertGreater(number(), latest)

    def test_refused(self) -> None:
        """A configuration that cannot be used changes nothing."""
        trickster = self.program()
        before = workers_of(trickster)
        self.assertFalse(self.reloaded(trickster, lambda said: said["backends"]["web"].update(
            origin_url="nonsense")))
        self.assertEqual(workers_of(trickster), before)
        self.assertEqual(fetch(f"{trickster.url}/refused").status, 200)

    def test_stopped(self) -> None:
        """
        What a stopped worker is the home of is answered by the other all the same: first after some
        seconds, then at once.  When it goes on, all is as ever.
        """
        trickster = self.program()
        victim = workers_of(trickster)[0]

        def statuses(word: str) -> set[int]:
            return {answer.status for answer in at_once(
                lambda n: fetch(f"{trickster.url}/{word}-{n}"), 20)}

        os.kill(victim, signal.SIGSTOP)
        try:
            self.assertEqual(statuses("first"), {200})
            began = time.monotonic()
            self.assertEqual(statuses("second"), {200})
            self.assertLess(time.monotonic() - began, 5.0)
        finally:
            os.kill(victim, signal.SIGCONT)
        self.assertEqual(statuses("third"), {200})

    def test_drained(self) -> None:
        """Told to end, the workers answer what they were asked, and then all are gone."""
        self.drained(lambda trickster: trickster.process.send_signal(signal.SIGTERM))

    def test_all_told(self) -> None:
        """
        The same where each process is told, as systemd does: no worker takes it for the second, nor
        stumbles over it where the supervisor's order comes with it.
        """
        def tell(trickster: Trickster) -> None:
            workers = workers_of(trickster)
            for pid in workers:
                os.kill(pid, signal.SIGSTOP)
            for pid in trickster.processes():
                os.kill(pid, signal.SIGTERM)
            # The supervisor orders it within milliseconds.
            time.sleep(0.3)
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

        log = self.drained(tell)
        self.assertNotIn("level=critical", log)
        self.assertNotIn("Traceback", log)

    def drained(self, tell: Callable[[Trickster], None]) -> str:
        """
        Requests under way are answered by a program that is told to end so.

        :return: what it has logged.
        """
        trickster = self.program()
        pids = trickster.processes()
        self.origin.go_on.clear()
        self.addCleanup(self.origin.go_on.set)
        with ThreadPoolExecutor(8) as clients:
            asked = len(self.origin.asked)
            asking = [clients.submit(fetch, f"{trickster.url}/drained{n}") for n in range(8)]
            until(lambda: len(self.origin.asked) == asked + 8)
            tell(trickster)
            until(lambda: not trickster.listens_on(trickster.port))
            self.origin.go_on.set()
            self.assertEqual({each.result().status for each in asking}, {200})
        # As twistd does, which ends by the signal in the end.
        self.assertIn(trickster.process.wait(PATIENCE), (0, -signal.SIGTERM))
        until(lambda: not any(map(is_alive, pids)))
        return trickster.log.read_text()

    def test_orphaned(self) -> None:
        """Workers end where their supervisor is killed, and another one begins without a trace."""
        trickster = self.program()
        pids = workers_of(trickster)
        (directory,) = {path.parent for pid in pids for path in _open_files(pid)
                        if path.parent.name.startswith("trickster-workers-")}
        trickster.process.kill()
        until(lambda: not any(map(is_alive, pids)))
        self.program()
        self.assertFalse(directory.exists())

    def test_once(self) -> None:
        """What a cache in memory has is there once, and bounded as for one process."""
        trickster = self.program(caches={"default": {"index": {"max_size_bytes": "4MiB"}}})
        for number in range(700):
            fetch(f"{trickster.url}/once-{number}")
        used = metric(trickster, "trickster_cache_usage_bytes")
        self.assertEqual(metric(trickster, "trickster_cache_max_usage_bytes"), 4 << 20)
        self.assertLessEqual(used, 4 << 20)
        self.assertGreater(used, 2 << 20)
        self.assertEqual(fetch(f"{trickster.url}/once-699").lookup, "hit")


def _open_files(pid: int) -> Iterator[Path]:
    for each in Path(f"/proc/{pid}/fd").iterdir():
        yield Path(os.readlink(each))
