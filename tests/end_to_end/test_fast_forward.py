"""The newest sample beside the answer to a range query: real, in the range, and told."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.parse
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.installation import Installation, spelled
from tests.end_to_end.servers import Answer, fetch

STEP = 300
QUERY = "sum by (floor) (temperature) + time()"


def no_instants(origin: str) -> Any:
    """:return: a server that passes range queries on to an origin, and refuses instants."""
    def serve(peer: socket.socket, head: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        status, body = 500, b"no instants here"
        if "/query_range" in target:
            status, body = 200, fetch(origin + target).body
        peer.sendall(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                     b"Connection: close\r\n\r\n" % (status, len(body)) + body)

    return serve


class FastForwardTests(SynchronousTestCase):
    """Fast forward as configured by default, and with each of the switches."""

    installation: ClassVar[Installation]
    refusing: ClassVar[ScriptedOrigin]

    @classmethod
    def setUpClass(cls) -> None:
        cls.refusing = ScriptedOrigin(lambda peer, head: None)
        cls.installation = Installation({
            "plain": {"is_default": True},
            "off": {"fast_forward_disable": True},
            "phase": {"timeseries_step_mode": "phase"},
            "rarely": {"fastforward_ttl": f"{STEP}s"},
            "short": {"fastforward_ttl": "1s"},
            "refusing": {"origin_url": cls.refusing.url},
            "labelled": {"prometheus": {"labels": {"zone": "z"}}},
        })
        cls.refusing.serve = no_instants(cls.installation.prometheus.url)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.installation.stop()
        cls.refusing.stop()

    def now(self, step: int = STEP) -> float:
        """:return: the time, once it is well inside of a step."""
        while not 1.5 < time.time() % step < step - 3:
            time.sleep(0.1)
        return int(time.time() * 1000) / 1000

    def ask(self, end: float, backend: str = "plain", query: str = QUERY,
            step: int = STEP) -> Answer:
        return fetch(self.installation.trickster.url + f"/{backend}" + spelled(
            "/api/v1/query_range", {"query": query, "start": end - 1800, "end": f"{end:.3f}",
                                    "step": step}))

    def direct(self, path: str, **params: Any) -> Any:
        return json.loads(fetch(self.installation.prometheus.url + spelled(path, params)).body)

    def assert_aligned(self, answer: Answer, end: float, query: str = QUERY,
                       step: int = STEP) -> None:
        """The answer is the origin's own for the range on the grid, without any more."""
        self.assertEqual(json.loads(answer.body), self.direct(
            "/api/v1/query_range", query=query, start=(end - 1800) // step * step,
            end=end // step * step, step=step), answer.result)

    def assert_newest(self, answer: Answer, end: float, at: float,
                      query: str = QUERY) -> None:
        """The answer has the origin's samples of an instant besides those on the grid."""
        samples = self.direct("/api/v1/query", query=query, time=f"{at:.3f}")["data"]["result"]
        wanted = self.direct("/api/v1/query_range", query=query, step=STEP,
                             start=(end - 1800) // STEP * STEP, end=end // STEP * STEP)
        for series, sample in zip(wanted["data"]["result"], samples, strict=True):
            self.assertEqual(series["metric"], sample["metric"])
            series["values"].append(sample["value"])
        self.assertEqual(json.loads(answer.body), wanted, answer.result)

    def status(self, answer: Answer) -> str:
        found = re.search(r"; ffstatus=(\w+)", answer.result)
        return found[1] if found else ""

    def last(self, answer: Answer) -> float:
        return max(float(series["values"][-1][0])
                   for series in json.loads(answer.body)["data"]["result"])

    def test_on_by_default(self) -> None:
        """
        The newest sample is added at the end of a range, however much of the range was cached.
        """
        query = QUERY + " + 1"
        end = self.now()
        first = self.ask(end, query=query)
        self.assertEqual((first.lookup, self.status(first)), ("kmiss", "miss"), first.result)
        self.assert_newest(first, end, end, query)
        again = self.ask(end, query=query)
        self.assertEqual((again.lookup, self.status(again)), ("hit", "hit"), again.result)
        self.assertEqual(again.body, first.body)
        later = self.ask(end + 1, query=query)
        self.assertEqual((later.lookup, self.status(later)), ("hit", "hit"), later.result)
        self.assertEqual(later.body, first.body)

    def test_an_earlier_end(self) -> None:
        """A remembered sample after the end of the range is not used for it."""
        query = QUERY + " + 2"
        end = self.now()
        self.ask(end, query=query)
        earlier = self.ask(end - 1, query=query)
        self.assertEqual(self.status(earlier), "miss", earlier.result)
        self.assert_newest(earlier, end - 1, end - 1, query)

    def test_an_end_to_come(self) -> None:
        """A range with a future end has a newest sample of now, and none after that."""
        query = QUERY + " + 3"
        before = self.now()
        answer = self.ask((before // STEP + 1) * STEP - 0.5, query=query)
        if self.status(answer) != "off":  # future data may as well be passed on
            self.assertLessEqual(before - 0.001, self.last(answer), answer.result)
            self.assertLessEqual(self.last(answer), time.time())

    def test_it_is_forgotten_in_time(self) -> None:
        """A remembered newest sample is used for its time to live."""
        query = QUERY + " + 4"
        statuses = []
        for _ in range(2):
            answer = self.ask(self.now(), "short", query)
            statuses.append(self.status(answer))
            time.sleep(1.2)
        self.assertEqual(statuses, ["miss", "miss"])

    def test_posted(self) -> None:
        """A range query sent as a form gets the newest sample as well."""
        query = QUERY + " + 5"
        end = self.now()
        form = urllib.parse.urlencode({
            "query": query, "start": end - 1800, "end": f"{end:.3f}", "step": STEP})
        answer = fetch(f"{self.installation.trickster.url}/api/v1/query_range", form.encode(),
                       {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(self.status(answer), "miss")
        self.assert_newest(answer, end, end, query)

    def test_labels_that_are_set(self) -> None:
        """Configured labels are on the newest sample as well, so that no series falls in two."""
        end = self.now()
        answer = json.loads(self.ask(end, "labelled").body)["data"]["result"]
        self.assertEqual(len(answer), 2)
        for series in answer:
            self.assertEqual(series["metric"]["zone"], "z")
            self.assertEqual(series["values"][-1][0], end)

    def test_switched_off(self) -> None:
        """
        Fast forward is off for a backend, a mode, a query, or a time to live that is too long.
        """
        end = self.now()
        comment = QUERY + " # trickster-fast-forward:off"
        for backend, query in (("off", QUERY), ("rarely", QUERY), ("plain", comment)):
            for lookup in ("kmiss", "hit"):
                answer = self.ask(end, backend, query)
                self.assertEqual((answer.lookup, self.status(answer)), (lookup, "off"),
                                 (backend, answer.result))
                self.assert_aligned(answer, end, query)

    def test_off_in_mode_phase(self) -> None:
        """In mode phase no newest sample is added, since responses are the origin's own."""
        end = self.now()
        answer = self.ask(end, "phase")
        self.assertEqual(self.status(answer), "off")
        self.assertEqual(json.loads(answer.body), self.direct(
            "/api/v1/query_range", query=QUERY, start=end - 1800, end=f"{end:.3f}", step=STEP))

    def test_not_wanted(self) -> None:
        """Fine steps, ranges of the past, and ends on the grid need no newest sample."""
        end = self.now()
        on_grid = end // STEP * STEP
        for asked, step in ((self.now(15), 15), (end - STEP, STEP), (on_grid, STEP)):
            answer = self.ask(asked, step=step)
            self.assertEqual(self.status(answer), "off", (asked, step, answer.result))
            self.assert_aligned(answer, asked, step=step)

    def test_an_origin_that_refuses(self) -> None:
        """A range is answered, and the header says so, where the origin gives no newest sample."""
        end = self.now()
        for lookup in ("kmiss", "hit"):
            answer = self.ask(end, "refusing")
            self.assertEqual((answer.status, answer.lookup, self.status(answer)),
                             (200, lookup, "err"), answer.result)
            self.assert_aligned(answer, end)

    def test_series_that_come_and_go(self) -> None:
        """Series that only the newest sample has are added, and others stay as they are."""
        end = self.now()
        gone = f"temperature and on () (vector(time()) < {end - 0.5})"
        self.assert_aligned(self.ask(end, query=gone), end, gone)
        answer = self.ask(end, query=f"vector({STEP}) and (vector(time()) > {end - 0.5})")
        self.assertEqual(json.loads(answer.body)["data"]["result"],
                         [{"metric": {}, "values": [[end, str(STEP)]]}], answer.result)

    def test_a_dashboard(self) -> None:
        """However a dashboard's window slides, no sample lies outside what it asked for."""
        query = QUERY + " + 6"
        start = self.now()
        for i in range(40):
            end = min(start - 40 + i * 1.0, time.time())
            for series in json.loads(self.ask(end, query=query).body)["data"]["result"]:
                times = [float(at) for at, _ in series["values"]]
                self.assertEqual(times, sorted(set(times)))
                self.assertGreaterEqual(times[0], (end - 1800) // STEP * STEP)
                self.assertLessEqual(times[-1], end + 0.001)
                for at, value in series["values"]:
                    self.assertGreater(float(value), at)  # each with its own time in it
                    self.assertLess(float(value), at + 1000)
