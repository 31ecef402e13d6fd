"""Tests of the demo origin's API."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from demo.api import Account, Answer, Api, Cost, Ledger
from demo.series import standard_catalogue
from tests.demo.doubles import CHEAP, NOW, now_clock
from trickster.messages import Params

RANGE = (("query", "up"), ("start", str(NOW - 60)), ("end", str(NOW)), ("step", "15"))


class ApiTestCase(SynchronousTestCase):
    """An API at no cost, and a client to count for."""

    def setUp(self) -> None:
        """Set the clock."""
        self.clock = now_clock()
        self.account = Account()
        self.api = Api(self.clock, standard_catalogue(), CHEAP)

    def ask(self, path: str, params: Sequence[tuple[str, str]] = (),
            method: bytes = b"GET") -> Deferred[Answer]:
        """:return: fires with the answer."""
        return Deferred.fromCoroutine(
            self.api.answer(method, path, Params(tuple(params)), self.account))

    def answer(self, path: str, params: Sequence[tuple[str, str]] = (),
               method: bytes = b"GET") -> Answer:
        """:return: the answer, which must not take any time."""
        asking = self.ask(path, params, method)
        self.clock.advance(0)
        return self.successResultOf(asking)

    def data(self, path: str, *params: tuple[str, str]) -> Any:
        """:return: the data of a good answer."""
        answer = self.answer(path, params)
        self.assertEqual((answer.status, answer.content_type), (200, b"application/json"))
        envelope = json.loads(answer.body)
        self.assertEqual(envelope["status"], "success")
        return envelope["data"]

    def error(self, path: str, *params: tuple[str, str]) -> tuple[int, str, str]:
        """:return: status, kind and words of a bad answer."""
        answer = self.answer(path, params)
        envelope = json.loads(answer.body)
        self.assertEqual(envelope["status"], "error")
        return answer.status, envelope["errorType"], envelope["error"]


class QueryTests(ApiTestCase):
    """Instant and range queries of the demo origin."""

    def test_range(self) -> None:
        """The result of a range query is a matrix."""
        answer = self.answer("/api/v1/query_range", RANGE)
        values = ",".join(f'[{NOW - 60 + n * 15},"1"]' for n in range(5))
        self.assertEqual(answer.body, (
            '{"status":"success","data":{"resultType":"matrix","result":['
            f'{{"metric":{{"__name__":"up","job":"node"}},"values":[{values}]}},'
            f'{{"metric":{{"__name__":"up","job":"shop"}},"values":[{values}]}}]}}}}').encode())

    def test_post(self) -> None:
        """A query sent as a form has the result of the same query string."""
        self.assertEqual(self.answer("/api/v1/query_range", RANGE, b"POST"),
                         self.answer("/api/v1/query_range", RANGE))

    def test_vector(self) -> None:
        """The result of an instant query is a vector, at the given time or now."""
        data = self.data("/api/v1/query", ("query", 'up{job="node"}'))
        self.assertEqual(data, {"resultType": "vector", "result": [
            {"metric": {"__name__": "up", "job": "node"}, "value": [NOW, "1"]}]})

    def test_scalar(self) -> None:
        """The result of a number is a scalar."""
        self.assertEqual(self.data("/api/v1/query", ("query", "1+1")),
                         {"resultType": "scalar", "result": [NOW, "2"]})

    def test_empty(self) -> None:
        """A query that selects nothing succeeds with an empty result."""
        self.assertEqual(self.data("/api/v1/query", ("query", "nothing")),
                         {"resultType": "vector", "result": []})

    def test_bad_data(self) -> None:
        """A malformed query gets bad_data and the word that is wrong."""
        status, kind, words = self.error("/api/v1/query", ("query", "topk(1, up)"))
        self.assertEqual((status, kind), (400, "bad_data"))
        self.assertIn('"topk"', words)

    def test_cannot_be_evaluated(self) -> None:
        """A query that cannot be evaluated is an execution error, not bad_data."""
        query = 'rate({__name__=~"node_network.*"}[5m])'
        status, kind, _ = self.error("/api/v1/query", ("query", query))
        self.assertEqual((status, kind), (422, "execution"))


class LookupTests(ApiTestCase):
    """Lookups of labels, series and metadata."""

    def test_labels(self) -> None:
        """The names of all labels, or of those of selected series, are listed."""
        self.assertIn("cpu", self.data("/api/v1/labels"))
        self.assertEqual(self.data("/api/v1/labels", ("match[]", "up")), ["__name__", "job"])

    def test_limit(self) -> None:
        """A limit cuts lists, and a limit of 0 cuts none."""
        self.assertEqual(self.data("/api/v1/labels", ("limit", "1")), ["__name__"])
        self.assertGreater(len(self.data("/api/v1/labels", ("limit", "0"))), 1)

    def test_label_values(self) -> None:
        """Values of a label are sorted and unique."""
        self.assertEqual(self.data("/api/v1/label/job/values"), ["node", "shop"])
        self.assertEqual(self.data("/api/v1/label/nothing/values"), [])

    def test_wrong_label(self) -> None:
        """A name that is invalid for a label is refused."""
        self.assertEqual(self.error("/api/v1/label/a-b/values"),
                         (400, "bad_data", 'invalid label name: "a-b"'))

    def test_series(self) -> None:
        """Series are listed by their labels, if any of the selectors matches."""
        self.assertEqual(
            self.data("/api/v1/series", ("match[]", 'up{job="node"}'), ("match[]", "up")),
            [{"__name__": "up", "job": "node"}, {"__name__": "up", "job": "shop"}])

    def test_series_of_what(self) -> None:
        """A lookup of series needs at least one selector."""
        self.assertEqual(self.error("/api/v1/series"),
                         (400, "bad_data", "no match[] parameter provided"))

    def test_metadata(self) -> None:
        """Metrics have a type and a help text, and are listed singly or up to a limit."""
        self.assertEqual(self.data("/api/v1/metadata", ("metric", "up")), {
            "up": [{"type": "gauge", "help": "Whether the last scrape worked.", "unit": ""}]})
        self.assertEqual(len(self.data("/api/v1/metadata", ("limit", "3"))), 3)
        self.assertEqual(self.data("/api/v1/metadata", ("metric", "nothing")), {})

    def test_build_information(self) -> None:
        """The build information has a version, which dashboards ask for."""
        self.assertIn("version", self.data("/api/v1/status/buildinfo"))


class PathTests(ApiTestCase):
    """Paths and methods of the demo origin."""

    def test_unknown_path(self) -> None:
        """An unknown path of the API gets status 404."""
        self.assertEqual(self.answer("/api/v1/nothing").status, 404)
        self.assertEqual(self.answer("/api/v1/label/values").status, 404)

    def test_methods(self) -> None:
        """Queries allow POST, lookups of one thing do not, and no path allows PUT."""
        self.assertEqual(self.answer("/api/v1/labels", (), b"POST").status, 200)
        self.assertEqual(self.answer("/api/v1/label/job/values", (), b"POST").status, 405)
        self.assertEqual(self.answer("/api/v1/query", (), b"PUT").status, 405)

    def test_health(self) -> None:
        """The health endpoints of the demo origin answer with status 200."""
        for path in ("/-/healthy", "/-/ready", "/"):
            self.assertEqual(self.answer(path).status, 200)


class CostTests(ApiTestCase):
    """The time that queries of the demo origin take."""

    def setUp(self) -> None:
        """A second a query, and another for each point."""
        super().setUp()
        self.api = Api(self.clock, standard_catalogue(), Cost(1.0, 1.0))

    def test_in_proportion_to_points(self) -> None:
        """The time of a query grows in proportion to its points."""
        asking = self.ask("/api/v1/query_range", RANGE)
        self.clock.advance(10.9)
        self.assertNoResult(asking)
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(asking).status, 200)

    def test_lookups_are_free(self) -> None:
        """A lookup that reads no samples takes no time."""
        self.successResultOf(self.ask("/api/v1/labels"))

    def test_turns(self) -> None:
        """More than twenty queries at once wait for one another."""
        asking = [self.ask("/api/v1/query_range", RANGE) for _ in range(21)]
        self.clock.advance(11.1)
        self.assertNoResult(asking[20])
        self.clock.advance(11.1)
        self.successResultOf(asking[20])

    def test_client_gone(self) -> None:
        """A query without a waiter frees its turn."""
        asking = [self.ask("/api/v1/query_range", RANGE) for _ in range(21)]
        asking[0].cancel()
        self.failureResultOf(asking[0], CancelledError)
        self.clock.advance(11.1)
        self.successResultOf(asking[20])


class SlowClock(Clock):
    """
    A clock on which everything takes a while.

    :ivar turns: how often a query let others run.
    """

    turns = 0

    def callLater(self, when: float, what: Callable[..., object], *a: Any, **kw: Any) -> Any:
        """:return: as C{IReactorTime} has it."""
        self.turns += 1
        return super().callLater(when, what, *a, **kw)

    def seconds(self) -> float:
        """:return: later and later."""
        self.rightNow += 0.001
        return super().seconds()


class SlicesTests(SynchronousTestCase):
    """Long evaluations, which do not hold the reactor."""

    def test_others_run_in_between(self) -> None:
        """A long evaluation goes back to the reactor several times."""
        clock = SlowClock()
        clock.advance(NOW)
        api = Api(clock, standard_catalogue(), CHEAP)
        params = Params((("query", '{job="node"}'), ("start", str(NOW - 9000)),
                         ("end", str(NOW)), ("step", "1")))
        asking = Deferred.fromCoroutine(
            api.answer(b"GET", "/api/v1/query_range", params, Account()))
        clock.advance(3600)
        self.assertEqual(self.successResultOf(asking).status, 200)
        self.assertGreater(clock.turns, 20)


class LedgerTests(ApiTestCase):
    """What the ledger of the demo origin counts."""

    def test_points(self) -> None:
        """The ledger counts instants times series, for every query."""
        self.answer("/api/v1/query_range", RANGE)
        self.answer("/api/v1/query", (("query", "up"),))
        self.assertEqual((self.account.queries, self.account.points), (2, 12))

    def test_octets(self) -> None:
        """The ledger counts the octets of all bodies."""
        bodies = [self.answer(path).body for path in ("/api/v1/labels", "/nothing")]
        self.assertEqual(self.account.octets, sum(map(len, bodies)))

    def test_kinds(self) -> None:
        """Each kind of client has an account of its own, and the accounts add up to the total."""
        ledger = Ledger()
        ledger.account("a").points += 3
        ledger.account("b").points += 4
        ledger.account("a").points += 1
        self.assertEqual((ledger.account("a").points, ledger.points), (4, 8))
