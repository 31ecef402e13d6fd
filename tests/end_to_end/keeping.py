"""A Trickster that keeps what a small origin says, in any store."""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.waiting import PATIENCE, eventually

_TIMES_LARGE = 40_000


class Keeping(SynchronousTestCase):
    """
    Sets up an origin, and programs before it.

    :ivar asked: the paths that the origin was asked for.
    """

    def setUp(self) -> None:
        """Have an origin."""
        super().setUp()
        self.asked: list[bytes] = []
        self.origin = ScriptedOrigin(self.answer)
        self.addCleanup(self.origin.stop)

    def cache(self) -> Mapping[str, Any]:
        """:return: the cache, as in a configuration."""
        raise NotImplementedError

    def answer(self, client: socket.socket, head: bytes) -> None:
        """Answer with what may be kept for ten minutes, large where the path says so."""
        path = head.split(b" ")[1]
        self.asked.append(path)
        body = path * (_TIMES_LARGE if b"large" in path else 1)
        client.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: %d\r\n"
                       b"Connection: close\r\n\r\n%b" % (len(body), body))

    def started(self) -> Trickster:
        """:return: a Trickster with the cache."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        trickster = Trickster(
            Path(directory.name),
            {"web": {"provider": "reverseproxycache", "origin_url": self.origin.url}},
            {"caches": {"default": dict(self.cache())}})
        self.addCleanup(trickster.stop)
        return trickster

    def asked_of(self, trickster: Trickster, path: str) -> Answer:
        """:return: an answer for one host, on each port that it is asked on."""
        answer = fetch(trickster.url + path, headers={"Host": "a.example"})
        self.assertEqual(answer.body, path.encode() * (_TIMES_LARGE if "large" in path else 1))
        return answer

    def wait_for_hit(self, trickster: Trickster, path: str) -> None:
        """Ask until an answer is a hit: it is kept after it has been sent."""
        eventually(lambda: self.asked_of(trickster, path).lookup == "hit")

    def check_outlives(self) -> None:
        """What one process has kept is a hit for the next, whether it was stopped or killed."""
        trickster = self.started()
        for path in ("/a", "/large"):
            self.wait_for_hit(trickster, path)
        self.asked.clear()
        for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            trickster.process.send_signal(end)
            trickster.process.wait(PATIENCE)
            trickster = self.started()
            for path in ("/a", "/large"):
                self.assertEqual(self.asked_of(trickster, path).lookup, "hit")
                self.assertEqual(self.asked_of(trickster, path).lookup, "hit")
        self.assertEqual(self.asked, [])
