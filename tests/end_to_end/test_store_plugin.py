"""A stranger's store: built, installed beside Trickster, and driven through twistd."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.plugging import PluginCase, found_at
from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.waiting import eventually

PLUGIN = Path(__file__).parents[2] / "examples" / "store_plugin"


class StorePluginTests(PluginCase):
    """Entries in a file of SQLite, by a plugin that Trickster knows nothing of."""

    plugin = PLUGIN

    def setUp(self) -> None:
        """Have an origin, and a file to be."""
        self.asked: list[bytes] = []
        self.origin = ScriptedOrigin(self.answer)
        self.addCleanup(self.origin.stop)
        self.file = Path(tempfile.mkdtemp(dir=self.directory.name)) / "cache.sqlite"

    def answer(self, client: socket.socket, head: bytes) -> None:
        """Answer with what may be kept for a minute."""
        self.asked.append(head.split(b" ")[1])
        client.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                       b"Content-Length: 2\r\nConnection: close\r\n\r\nok")

    def started(self) -> Trickster:
        """:return: a Trickster that keeps what it has in the file."""
        caches: dict[str, Any] = {"default": {
            "provider": "sqlite", "sqlite": {"filename": str(self.file), "busy_timeout": "250ms"}}}
        with found_at(self.site):
            trickster = Trickster(
                Path(tempfile.mkdtemp(dir=self.directory.name)),
                {"web": {"provider": "reverseproxycache", "origin_url": self.origin.url}},
                {"caches": caches})
        self.addCleanup(trickster.stop)
        return trickster

    def asked_of(self, trickster: Trickster, path: str = "/a") -> Answer:
        """:return: an answer for one host, whichever port it is asked on."""
        return fetch(trickster.url + path, headers={"Host": "a.example"})

    def keep(self, trickster: Trickster) -> None:
        """Have an answer kept: it is written after it has been sent."""
        self.assertEqual(self.asked_of(trickster).lookup, "kmiss")
        listing = f"{trickster.mgmt_url}/trickster/api/v1/caches/default/entries"
        eventually(lambda: b'"/a"' in fetch(listing).body)

    def metric(self, trickster: Trickster, name: str) -> list[str]:
        """:return: the samples of a metric."""
        with urlopen(f"{trickster.metrics_url}/metrics") as response:
            lines = response.read().decode().splitlines()
        return [line.rpartition(" ")[2] for line in lines if line.startswith(f"{name}{{")]

    def test_outlives_the_process(self) -> None:
        """What one process has kept is a hit in the next one."""
        first = self.started()
        self.keep(first)
        self.assertEqual(self.asked_of(first).lookup, "hit")
        first.stop()
        again = self.started()
        self.assertEqual(self.asked_of(again).lookup, "hit")
        self.assertEqual(self.asked, [b"/a"])

    def test_shared(self) -> None:
        """What one process has kept is a hit in another one beside it."""
        one, other = self.started(), self.started()
        self.keep(one)
        self.assertEqual(self.asked_of(other).lookup, "hit")
        self.assertEqual(self.asked, [b"/a"])

    def test_fails(self) -> None:
        """While the file cannot be opened, requests are misses, and that is told."""
        self.file = self.file.parent / "nowhere" / "cache.sqlite"
        trickster = self.started()
        for path in ("/a", "/b"):
            answer = self.asked_of(trickster, path)
            self.assertEqual((answer.body, answer.lookup), (b"ok", "kmiss"))
            self.assertIn("reason=store-error", answer.headers["X-Trickster-Result"])
        self.assertEqual(self.metric(trickster, "trickster_cache_up"), ["0.0"])
        with urlopen(f"{trickster.metrics_url}/trickster/health") as response:
            self.assertIn(b"cache default is failing", response.read())

    def test_own_tests(self) -> None:
        """The plugin's own tests pass where it is installed."""
        self.assertOwnTestsPass("tests.test_sqlite")
