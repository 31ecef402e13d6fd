"""Random questions from several clients, through Trickster and direct, while faults happen."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any, Self

from attrs import define, evolve, field, frozen

from tests.end_to_end.noise import near
from tests.end_to_end.servers import Answer, Nginx, Server, Trickster, fetch
from tests.end_to_end.waiting import eventually

QUERIES = (
    "requests_total", "rate(requests_total[5m])", "temperature", "odd",
    "latency_seconds_bucket", "max by (job) (requests_total)", "temperature > 20",
    "histogram_quantile(0.9, rate(latency_seconds_bucket[5m]))", "missing",
    'requests_total{job="api"} offset 5m', "count by (floor) (temperature)",
    "sum(temperature)", "avg by (job) (rate(requests_total[5m]))",
)
STEPS = (15, 60, 300)
FILES = {"small.bin": 3_000, "medium.bin": 150_000, "large.bin": 1_200_000}
WEB = """
root www;
location /fresh/ { add_header Cache-Control max-age=600 always; }
location /changing/ { add_header Cache-Control max-age=0 always; }
"""
# In which order Prometheus adds up floats depends on the range that it is asked for.
_NEAR = 1e-10
_FIRST_DATE = 1_700_000_000
# Of files that change, how many are kept to be compared with.
_VERSIONS = 50
_OWN = ("Content-Type", "ETag", "Last-Modified", "Content-Range", "Cache-Control")
_FAILED = re.compile(r"Cache \S+ failed to ")
# What a store says of itself, or of others that hold its locks, on a machine with other things to
# do; and what no machine is to blame for.
_SLOW = re.compile(r"no answer in|longer to read|not written within|not fast enough|is locked")
_DAMAGED = re.compile(r"Cache file \S+ was damaged")


class Web(Nginx):
    """
    Files that stay as they are, and others that change when they are told to.

    :ivar version: of the files that change, which are being written.
    :ivar written: of all of them.
    """

    def __init__(self, root: Path) -> None:
        self.www, self.version, self.written = root / "www", 0, 0
        for kind in ("fresh", "changing"):
            self._write(kind)
        super().__init__(root, WEB)

    def change(self) -> None:
        """From now on, the files that change are others."""
        self.version += 1
        self._write("changing")
        self.written = self.version
        shutil.rmtree(self.www / "changing" / f"{self.version - _VERSIONS}", ignore_errors=True)

    def _write(self, kind: str) -> None:
        kept = self.www / kind / f"{self.version}"
        kept.mkdir(parents=True)
        for name, size in FILES.items():
            (kept / name).write_bytes(Random(f"{name} {self.version}").randbytes(size))
            os.utime(kept / name, (_FIRST_DATE + self.version,) * 2)
            made = self.www / kind / f".{name}"
            made.hardlink_to(kept / name)
            made.replace(self.www / kind / name)


@frozen
class Question:
    """
    What a client asks.

    :ivar backend: the name of the one that it is for.
    :ivar origin: where it can be asked directly.
    """

    backend: str
    origin: str
    target: str
    headers: Mapping[str, str] = field(factory=dict)

    def direct(self) -> Answer:
        """:return: the origin's own answer."""
        return fetch(f"{self.origin}{self.target}", headers=self.headers)

    def of(self, version: int) -> Question:
        """:return: the same of one version of what changes."""
        path, _, query = self.target.partition("?")
        directory, _, name = path.rpartition("/")
        return evolve(self, target=f"{directory}/{version}/{name}?{query}")

    def through(self, url: str, prefix: str = "") -> Answer:
        """
        :param prefix: of another backend, such as the one without a cache.
        :return: Trickster's answer, for the same host whichever port it has.
        """
        return fetch(f"{url}/{prefix}{self.backend}{self.target}",
                     headers={**self.headers, "Host": "a.example"})


@frozen
class Origins:
    """
    What is asked about.

    :ivar now: Unix seconds, up to which the answers never change.
    """

    prometheus: str
    web: Web
    now: int

    def backends(self) -> dict[str, dict[str, Any]]:
        """:return: of a Trickster before them."""
        web, prometheus = {"origin_url": self.web.url}, {"origin_url": self.prometheus}
        return {"web": {**web, "provider": "rpc"}, "uncached-web": {**web, "provider": "rp"},
                "plain": {**prometheus, "provider": "prometheus", "fast_forward_disable": True,
                          "is_default": True},
                "uncached-plain": {**prometheus, "provider": "rp"}}

    def window(self, query: str, steps: range) -> Question:
        """:return: the range query for some instants, counted back from the last one."""
        last = self.now // STEPS[0]
        return self._asking(query, STEPS[0], (last - steps.stop + 1, last - steps.start))

    def question(self, source: Random) -> Question:
        """:return: a random one."""
        return self._object(source) if source.random() < 0.4 else self._range(source)

    def _range(self, source: Random) -> Question:
        step = source.choice(STEPS)
        last = self.now // step - source.randrange(20)
        start = last - source.choice((0, 1, 20, 100, 500)) * 15 // step
        return self._asking(source.choice(QUERIES), step, (start, last))

    def _asking(self, query: str, step: int, ends: tuple[int, int]) -> Question:
        return Question("plain", self.prometheus, "/api/v1/query_range?" + urllib.parse.urlencode({
            "query": query, "start": ends[0] * step, "end": ends[1] * step, "step": step}))

    def _object(self, source: Random) -> Question:
        name = source.choice(tuple(FILES))
        target = f"/{source.choice(('fresh', 'fresh', 'changing'))}/{name}"
        headers = {}
        if source.random() < 0.3:
            start = source.randrange(FILES[name])
            headers["Range"] = f"bytes={start}-{start + source.randrange(100_000)}"
        # Of some files there are many, as far as a cache is concerned.
        return Question("web", self.web.url, f"{target}?{source.randrange(5)}", headers)


@frozen
class Asked:
    """
    A question that was asked both ways.

    :ivar began: when it was asked of Trickster, by the monotonic clock.
    :ivar took: seconds until that answered.
    :ivar direct: seconds that the origin took beside it, asked through Trickster without a cache:
        so long it takes on a machine that has other things to do.
    :ivar fault: what is wrong with the answer; empty where nothing is.
    """

    question: Question
    began: float
    took: float
    direct: float
    result: str
    fault: str


@define(eq=False)
class Load:
    """
    Clients that ask without a pause, while the context lasts.

    :ivar urls: of the Tricksters, of which a client asks one by one.
    :ivar asked: whatever was asked up to now.
    :ivar down: times, by the monotonic clock, in which a Trickster was ended by the test.
    """

    origins: Origins
    urls: Sequence[str]
    seed: int
    clients: int = 4
    asked: list[Asked] = field(factory=list, init=False)
    down: list[list[float]] = field(factory=list, init=False)
    _is_over: threading.Event = field(factory=threading.Event, init=False)
    _threads: list[threading.Thread] = field(factory=list, init=False)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._run, args=(Random(f"{self.seed} {n}"),))
                         for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int) -> list[Asked]:
        """:return: the next answers, once there are so many."""
        before = len(self.asked)
        eventually(lambda: len(self.asked) >= before + count, 120.0)
        return self.asked[before:]

    @contextmanager
    def while_down(self) -> Iterator[None]:
        """Excuse what fails meanwhile, since Trickster is ended and started again."""
        times = [time.monotonic(), float("inf")]
        self.down.append(times)
        try:
            yield
        finally:
            times[1] = time.monotonic()

    def _run(self, source: Random) -> None:
        while not self._is_over.is_set():
            self._ask(self.origins.question(source), source.choice(self.urls))

    def _ask(self, question: Question, url: str) -> None:
        began = time.monotonic()
        try:
            wanted, direct = _timed(lambda: question.through(url, "uncached-"))
            began, written = time.monotonic(), self.origins.web.written
            got, took = _timed(lambda: question.through(url))
        except (OSError, HTTPException) as error:
            ended = time.monotonic()
            if not any(start <= ended and began <= end for start, end in self.down):
                self.asked.append(
                    Asked(question, began, ended - began, 0.0, "", f"failed: {error!r}"))
            self._is_over.wait(0.02)
            return
        fault = difference(got, wanted)
        if fault and "/changing/" in question.target:
            fault = self._difference_of_all(question, got, written)
        self.asked.append(Asked(question, began, took, direct, got.result, fault))

    def _difference_of_all(self, question: Question, got: Answer, since: int) -> str:
        """:return: in what an answer is none that there has been since it was asked for."""
        return min((difference(got, question.of(version).direct())
                    for version in range(since, self.origins.web.version + 1)), key=len)


def _timed(call: Any) -> tuple[Any, float]:
    began = time.monotonic()
    done = call()
    return done, time.monotonic() - began


def difference(got: Answer, want: Answer) -> str:
    """:return: in what an answer is not the origin's own; empty where it is."""
    if got.status != want.status:
        return f"status {got.status} in the place of {want.status}: {got.body[:200]!r}"
    for name in _OWN:
        if got.headers[name] != want.headers[name]:
            return f"{name} {got.headers[name]!r} in the place of {want.headers[name]!r}"
    if got.body != want.body and not _is_near(got.body, want.body):
        return f"{len(got.body)} octets are not the {len(want.body)} that were to be"
    return ""


def _is_near(got: bytes, want: bytes) -> bool:
    try:
        return near(got, want, _NEAR)
    except (ValueError, KeyError, TypeError):
        return False


class Faulty:
    """
    A Trickster whose store has faults.

    :ivar seconds: that the store may cost one request.
    """

    def __init__(self, root: Path, origins: Origins, cache: Mapping[str, Any],
                 seconds: float, workers: int = 1) -> None:
        self.seconds, self._began = seconds, time.monotonic()
        self.trickster = Trickster(root, origins.backends(), {
            "caches": {"default": dict(cache)}, "main": {"workers": workers}})
        self.url = self.trickster.url

    def stop(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            self.trickster.process.send_signal(signal.SIGCONT)
        self.trickster.stop()

    def kill(self) -> None:
        """End it at once."""
        self.trickster.process.kill()
        self.trickster.process.wait()

    def start(self) -> None:
        """Start it, on the same ports."""
        trickster = self.trickster
        Server.__init__(trickster, trickster.process.args, trickster.log)  # type: ignore[arg-type]
        trickster.wait_for(f"{self.url}/trickster/ping")

    def is_up(self) -> bool:
        """:return: whether the metrics say that the store works."""
        text = fetch(f"{self.trickster.metrics_url}/metrics").body.decode()
        line = next(line for line in text.splitlines() if line.startswith("trickster_cache_up{"))
        return line.endswith(" 1.0")

    def health(self) -> str:
        """:return: what is said of it to operators."""
        return fetch(f"{self.trickster.metrics_url}/trickster/health").body.decode()

    def told(self) -> int:
        """:return: how many log lines say that the store failed."""
        return len(_FAILED.findall(self.trickster.log.read_text(errors="replace")))

    def broken(self) -> list[str]:
        """:return: log lines that say that the store failed, and not for being slow, or is damaged."""
        lines = self.trickster.log.read_text(errors="replace").splitlines()
        return [line for line in lines if _DAMAGED.search(line)
                or (_FAILED.search(line) and not _SLOW.search(line))]

    def sets(self) -> list[str]:
        """:return: what the metrics say of what has been written."""
        return self._operations('operation="set"')

    def skipped(self) -> list[str]:
        """:return: what they say of what has failed, or was left out."""
        return self._operations('status="error"', 'status="skipped"')

    def _operations(self, *words: str) -> list[str]:
        text = fetch(f"{self.trickster.metrics_url}/metrics").body.decode()
        return [line for line in text.splitlines()
                if line.startswith("trickster_cache_operation_objects_total{")
                and any(word in line for word in words)]

    def most_told(self, starts: int) -> int:
        """:return: how many there may be, of so many processes one after the other."""
        return starts + int((time.monotonic() - self._began) // 60)


def figures(asked: Sequence[Asked]) -> str:
    """:return: how many were asked, and what came of them."""
    statuses = Counter(re.findall(r"; status=([\w-]+)|reason=(store-error)", " ".join(
        one.result for one in asked)))
    longest = max((one.took for one in asked), default=0.0)
    direct = max((one.direct for one in asked), default=0.0)
    return (f"{len(asked)} requests, longest {longest:.2f} s, direct {direct:.2f} s, "
            f"{ {''.join(name): count for name, count in statuses.items()} }")


def faults_of(asked: Sequence[Asked]) -> list[str]:
    """:return: what was wrong, told."""
    return [f"{one.question} after {one.took:.2f} s, {one.result}: {one.fault}"
            for one in asked if one.fault]


def slow(asked: Sequence[Asked], seconds: float) -> list[Asked]:
    """:return: what took so much longer than the origin does, whatever the machine has to do."""
    usual = max((one.direct for one in asked), default=0.0)
    return [one for one in asked if one.took > 2 * usual + seconds]
