"""The same questions, through Trickster and directly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.installation import Installation, exchange, scrubbed, spelled
from tests.end_to_end.servers import Answer, fetch

_VOLATILE = frozenset({
    "lastScrape", "lastScrapeDuration", "lastEvaluation", "evaluationTime", "goroutineCount",
    "headStats"})
# Of the connection, or of the moment.
_OWN_HEADERS = frozenset({
    "date", "content-length", "transfer-encoding", "connection", "keep-alive", "age"})


class BothWays(SynchronousTestCase):
    """The same questions, both ways."""

    is_scraped: ClassVar[bool] = False
    installation: ClassVar[Installation]
    now: ClassVar[int]
    direct: ClassVar[str]
    through: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.installation = Installation({
            "plain": {"is_default": True},
            "exact": {"timeseries_step_mode": "phase"},
            "labelled": {"prometheus": {"labels": {"cluster": 'a "b"', "zone": "z"}}},
        }, cls.is_scraped)
        cls.now = cls.installation.now
        cls.direct = cls.installation.prometheus.url
        cls.through = cls.installation.trickster.url

    @classmethod
    def tearDownClass(cls) -> None:
        cls.installation.stop()

    def assert_same(self, got: Answer, want: Answer, told: Any = "") -> None:
        """Both answers have the same status, headers and body, as far as they can."""
        told = f"{told} -> {got.result}: {got.body[:300]!r}"
        self.assertEqual(got.status, want.status, told)
        if got.body != want.body:
            self.assertEqual(want.body[:1], b"{", told)
            self.assertEqual(scrubbed(got.body, _VOLATILE), scrubbed(want.body, _VOLATILE), told)
        for name in set(want.headers) - {h for h in want.headers if h.lower() in _OWN_HEADERS}:
            self.assertEqual(got.headers[name], want.headers[name], f"{name} {told}")

    def send(self, target: str, method: str = "GET", headers: Mapping[str, str] | None = None,
             body: bytes | None = None) -> Answer:
        """:return: the answer through Trickster, which equals the direct one."""
        got = exchange(method, self.through + target, headers, body)
        want = exchange(method, self.direct + target, headers, body)
        self.assert_same(got, want, (method, target[:200], headers))
        return got

    def both(self, path: str, params: Mapping[str, Any] | None = None,
             headers: Mapping[str, str] | None = None) -> Answer:
        """:return: the same, for a GET."""
        return self.send(spelled(path, params), headers=headers)

    def get(self, path: str, params: Mapping[str, Any] | None = None, backend: str = "plain",
            headers: Mapping[str, str] | None = None) -> Answer:
        """:return: the answer of a backend of Trickster's."""
        return fetch(f"{self.through}/{backend}{spelled(path, params)}", headers=headers)

    def lookups(self, path: str, *asked: Mapping[str, Any]) -> list[str]:
        """:return: the cache status of each question."""
        return [self.both(path, params).lookup for params in asked]
