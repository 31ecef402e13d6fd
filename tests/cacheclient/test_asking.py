"""Tests of L{trickster.cacheclient.asking}."""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed

from trickster.cacheclient.asking import Asker, NoAnswer
from trickster.cacheclient.words import Question

PLACE = "http://h:1"
CACHES = {"caches": [{"name": "default", "provider": "memory", "up": True}]}


@define
class Answer:
    """An answer, with its body."""

    code: int
    octets: bytes


@define
class Listener:
    """Answers once, and keeps what it was asked."""

    answer: Any
    asked: list[tuple[str, str, dict[str, Any]]] = field(factory=list)

    def request(self, method: str, url: str, **more: Any) -> Deferred[Any]:
        """See C{treq.request}."""
        self.asked.append((method, url, more))
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return self.answer if isinstance(self.answer, Deferred) else succeed(self.answer)

    def collect(self, response: Any, take: Any) -> Deferred[None]:
        """See C{treq.collect}."""
        for start in range(0, len(response.octets), 1 << 20):
            take(response.octets[start:start + (1 << 20)])
        return succeed(None)


class AskerTests(SynchronousTestCase):
    """What is asked, and what is made of the answer."""

    def told(self, answer: Any, question: Question | None = None) -> Deferred[str]:
        """:return: what is shown."""
        self.listener, self.clock = Listener(answer), Clock()
        asker = Asker(self.listener.request, self.listener.collect, self.clock)
        return Deferred.fromCoroutine(asker.told(question or Question(PLACE, "/caches")))

    def refused(self, answer: Any, *words: str) -> None:
        """Check that there is nothing to show, and what is said of it."""
        error = self.failureResultOf(self.told(answer), NoAnswer).value
        for word in (PLACE, *words):
            self.assertIn(word, str(error))

    def test_table(self) -> None:
        """A good answer is shown as a table, or as the JSON that it is."""
        answer = Answer(200, json.dumps(CACHES).encode())
        self.assertIn("default", self.successResultOf(self.told(answer)))
        [(method, url, _)] = self.listener.asked
        self.assertEqual((method, url), ("GET", f"{PLACE}/caches"))
        shown = self.successResultOf(self.told(answer, Question(PLACE, "/caches", is_json=True)))
        self.assertEqual(json.loads(shown), CACHES)

    def test_order(self) -> None:
        """A purge is sent as JSON."""
        question = Question(PLACE, "/purge", {"tag": "ä"})
        self.assertIn("CACHE", self.successResultOf(
            self.told(Answer(200, b'{"caches": [{"name": "x"}]}'), question)))
        [(method, _, more)] = self.listener.asked
        self.assertEqual((method, json.loads(more["data"]), more["headers"]["Content-Type"]),
                         ("POST", {"tag": "ä"}, "application/json"))

    def test_entries(self) -> None:
        """Entries have a table of their own."""
        self.assertIn("HELD", self.successResultOf(self.told(
            Answer(200, b'{"entries": []}'), Question(PLACE, "/caches/x/entries?limit=5"))))

    def test_refused(self) -> None:
        """A refusal is told with its reason."""
        self.refused(Answer(404, b'{"error": "no such backend"}'), "404", "no such backend")
        self.refused(Answer(503, b"[]"), "503")

    def test_stranger(self) -> None:
        """What answers otherwise than Trickster does is found out."""
        for octets in (b"<html>", b"[" * 100_000, b"\xff"):
            self.refused(Answer(200, octets), "JSON")
        for octets in (b"{}", b"[]", b'{"caches": 5}', b'{"caches": [5]}'):
            self.refused(Answer(200, octets), "Trickster")

    def test_too_large(self) -> None:
        """An answer has a limit."""
        error = self.failureResultOf(self.told(Answer(200, b" " * (65 << 20))), NoAnswer).value
        self.assertIn("too large", str(error))

    def test_nothing(self) -> None:
        """Where nothing listens, or a connection breaks, that is said."""
        self.refused(ConnectionRefusedError(), "refused")
        self.refused(ResponseFailed([]))

    def test_silence(self) -> None:
        """An answer has to come in time."""
        told = self.told(Deferred())
        self.clock.advance(61)
        self.assertIn("60 s", str(self.failureResultOf(told, NoAnswer).value))
