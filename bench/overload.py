"""Three times what can be served: what is served in time, what is refused, and what is left."""

from __future__ import annotations

import errno
import heapq
import itertools
import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from bench.measuring import ON_SERVER_CORE, Row
from tests.end_to_end.servers import Trickster, fetch, free_port

# An origin that answers after so long, over so many connections: 400 requests a second.
_DELAY = 0.05
_CONNECTIONS = 20
_SECONDS = 8.0
_TIMES = 3.0
# Seconds after which a client has no more patience.
_PATIENCE = 5.0
_BODY = b"x" * 1000
# The aims: of what is served 99 in 100 within a second, and a refusal as soon; then rest.
_SERVED_MS, _REFUSED_MS, _RECOVERY = 1000.0, 1000.0, 1.0


@frozen
class Seen:
    """
    What became of a request.

    :ivar status: of the answer; 0 where there was none.
    :ivar seconds: from when it was due until its answer was whole.
    """

    status: int
    seconds: float


@frozen
class Load:
    """
    What became of all requests of a load.

    :ivar seconds: how long requests were due.
    """

    seen: Sequence[Seen]
    seconds: float

    def latencies(self, *statuses: int) -> list[float]:
        """:return: of the answers with such a status, in milliseconds."""
        return [1000 * one.seconds for one in self.seen if one.status in statuses]

    def share(self, *statuses: int) -> float:
        """:return: of the requests that were answered so."""
        return len(self.latencies(*statuses)) / max(1, len(self.seen))

    @property
    def rate(self) -> float:
        """Served, a second."""
        return len(self.latencies(200)) / self.seconds


def quantile(values: Sequence[float], share: float) -> float:
    """:return: the value that so many are not above; 0 where there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@define(eq=False)
class Visit:
    """One request over a connection of its own."""

    due: float
    connection: socket.socket
    request: bytes
    received: bytes = b""

    def finished(self, events: int) -> int | None:
        """:return: the status of the whole answer, 0 where it will not come, None: not yet."""
        try:
            if events & selectors.EVENT_WRITE:
                self.connection.send(self.request)
                return None
            piece = self.connection.recv(65536)
        except OSError:
            return 0
        self.received += piece
        if piece and not self._is_whole():
            return None
        head = self.received.partition(b"\r\n")[0].split(b" ")
        return int(head[1]) if len(head) > 1 and head[1].isdigit() else 0

    def _is_whole(self) -> bool:
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return len(body) >= int(value)
        return False


@define
class Clients:
    """
    Clients that come without regard to who is waiting (an open loop), or that come again when
    they have been answered (a closed one).

    :ivar port: of Trickster, on 127.0.0.1.
    """

    port: int
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    _waiting: dict[Visit, None] = field(factory=dict)
    _seen: list[Seen] = field(factory=list)
    _numbers: Iterator[int] = field(factory=itertools.count)

    def come(self, rate: float, seconds: float) -> Load:
        """:return: what became of requests that are due at a steady rate."""
        began = time.perf_counter()
        return self._run([began + n / rate for n in range(int(rate * seconds))], seconds, None)

    def come_again(self, number: int, seconds: float) -> Load:
        """:return: what became of those of so many clients, each with one request at a time."""
        began = time.perf_counter()
        return self._run([began] * number, seconds, began + seconds)

    def _run(self, dues: list[float], seconds: float, again_until: float | None) -> Load:
        heapq.heapify(dues)
        while dues or self._waiting:
            now = time.perf_counter()
            while dues and dues[0] <= now:
                self._visit(heapq.heappop(dues))
            done = self._served(max(0.0, dues[0] - now) if dues else 0.1)
            now = time.perf_counter()
            if again_until is not None and now < again_until:
                for _ in range(done):
                    heapq.heappush(dues, now)
            self._give_up(now)
        return Load(self._seen, seconds)

    def _visit(self, due: float) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        request = (f"GET /slow/{next(self._numbers)} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                   "Connection: close\r\n\r\n").encode()
        visit = Visit(due, connection, request)
        if connection.connect_ex(("127.0.0.1", self.port)) not in (0, errno.EINPROGRESS):
            self._end(visit, 0)
            return
        self._waiting[visit] = None
        self._selector.register(connection, selectors.EVENT_WRITE, visit)

    def _served(self, seconds: float) -> int:
        done = 0
        for key, events in self._selector.select(min(seconds, 0.1)):
            visit: Visit = key.data
            status = visit.finished(events)
            if status is None:
                self._selector.modify(visit.connection, selectors.EVENT_READ, visit)
            else:
                self._leave(visit, status)
                done += 1
        return done

    def _give_up(self, now: float) -> None:
        # They are kept in the order in which they came.
        while self._waiting and now - (oldest := next(iter(self._waiting))).due > _PATIENCE:
            self._leave(oldest, 0)

    def _leave(self, visit: Visit, status: int) -> None:
        self._selector.unregister(visit.connection)
        del self._waiting[visit]
        self._end(visit, status)

    def _end(self, visit: Visit, status: int) -> None:
        visit.connection.close()
        self._seen.append(Seen(status, time.perf_counter() - visit.due))


class _Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one segment: in two, the kernel would keep the second for 40 ms.
    wbufsize = -1

    def do_GET(self) -> None:
        time.sleep(_DELAY)
        self.send_response(200)
        self.send_header("Content-Length", str(len(_BODY)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(_BODY)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Origin(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Trickster may give up at any time."""


def _serve(port: int) -> None:
    _Origin(("127.0.0.1", port), _Slow).serve_forever()


def rows(directory: Path) -> Iterator[Row]:
    """Run all, and give the lines of each kind of client as it is done."""
    with ExitStack() as running:
        port = free_port()
        origin = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(port,), daemon=True)
        origin.start()
        running.callback(origin.join, 10)
        running.callback(origin.terminate)
        trickster = Trickster(directory / "trickster", {"slow": {
            "provider": "rp", "origin_url": f"http://127.0.0.1:{port}",
            "max_concurrent_conns": _CONNECTIONS}}, prefix=ON_SERVER_CORE, sheds=True)
        running.callback(trickster.stop)
        _wait_for(f"{trickster.url}/slow/first")
        usual = Clients(trickster.port).come_again(_CONNECTIONS, _SECONDS)
        note = f"{usual.rate:.0f} requests a second are served, by an origin that takes 50 ms"
        yield Row("overload: latency at capacity, by the origin's, p50, ms", quantile(usual.latencies(200), 0.5),
                  1000 * _DELAY, 1.5, note)
        for name, load in _loads(trickster, usual.rate):
            yield from _told(name, load, usual.rate)
            yield Row(f"{name}: seconds until it answers as usual", _recovery(trickster),
                      _RECOVERY, 1.0, "ours by the aim")


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 10
    while fetch(url).status != 200:
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.05)


def _loads(trickster: Trickster, capacity: float) -> Iterator[tuple[str, Load]]:
    yield ("overload, open loop at three times capacity",
           Clients(trickster.port).come(_TIMES * capacity, _SECONDS))
    # As many as would wait at three times the capacity, had each a second of patience.
    number = int(_TIMES * capacity)
    yield (f"overload, closed loop of {number} clients",
           Clients(trickster.port).come_again(number, _SECONDS))


def _told(name: str, load: Load, capacity: float) -> Iterator[Row]:
    served, refused = load.latencies(200), load.latencies(503)
    counts = (f"{len(load.seen)} requests: {load.share(200):.0%} served, {load.share(503):.0%} "
              f"refused with 503, {load.share(0):.1%} without an answer")
    yield Row(f"{name}: served a second, by capacity", load.rate, capacity, 1.0,
              f"{counts}; a ratio of 1 is best")
    yield Row(f"{name}: latency of what is served, p99, ms", quantile(served, 0.99), _SERVED_MS,
              1.0, f"ours by the aim; p50 {quantile(served, 0.5):.0f} ms")
    if refused:
        yield Row(f"{name}: latency of refusals, p99, ms", quantile(refused, 0.99), _REFUSED_MS,
                  1.0, f"ours by the aim; p50 {quantile(refused, 0.5):.0f} ms")


def _recovery(trickster: Trickster) -> float:
    """:return: seconds from the end of a load until five requests are served as usual."""
    began = time.perf_counter()
    in_a_row = 0
    while in_a_row < 5 and time.perf_counter() - began < 30:
        asked = time.perf_counter()
        answer = fetch(f"{trickster.url}/slow/after")
        is_usual = answer.status == 200 and time.perf_counter() - asked < 3 * _DELAY
        in_a_row = in_a_row + 1 if is_usual else 0
    # The five themselves take their time.
    return max(0.0, time.perf_counter() - began - 5 * _DELAY)
