"""What lasts, beside what is short: streams, upgrades, names that move, names that hang."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import ClassVar

from tests.end_to_end.answering import AnsweringOrigin
from tests.end_to_end.servers import Trickster, fetch
from tests.end_to_end.standing import Standing
from tests.end_to_end.talking import Talk, eventually, gauges, request

STREAMS = 25
HANDSHAKE = [("Upgrade", "websocket"), ("Connection", "Upgrade"),
             ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]


class LastingTests(Standing):
    """Backends with more streams than connections."""

    origin: ClassVar[AnsweringOrigin]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        """Start the origin and Trickster."""
        cls.origin = cls.kept(AnsweringOrigin())
        url = cls.origin.url
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            "web": {"provider": "reverseproxycache", "origin_url": url, "is_default": True},
            "brief": {"provider": "reverseproxy", "origin_url": url, "timeout": "1s"},
            "kept": {"provider": "reverseproxycache", "origin_url": url, "timeout": "1s"},
            "cut": {"provider": "reverseproxy", "origin_url": url, "stream_idle_timeout": "1s"},
            "few": {"provider": "reverseproxy", "origin_url": url, "max_streaming_conns": 1},
        }))

    def setUp(self) -> None:
        self.origin.renew()
        self.addCleanup(self.origin.go_on.set)

    def streams(self, page: str, number: int, *headers: tuple[str, str]) -> list[Talk]:
        """:return: clients, each with the beginning of a stream."""
        talks = [Talk(self.trickster.port) for _ in range(number)]
        for talk in talks:
            self.addCleanup(talk.close)
            talk.ask(page, headers)
        for talk in talks:
            talk.until(b"\r\n\r\n")
        return talks

    def test_event_streams(self) -> None:
        """Silent event streams leave connections for queries."""
        self.streams("/events", STREAMS)
        self.assertEqual(request(f"{self.trickster.url}/said").status, 200)
        name = "origin_lasting_connections"
        self.assertTrue(eventually(
            lambda: gauges(self.trickster.metrics_url, name)[name] == STREAMS))
        report = json.loads(fetch(f"{self.trickster.metrics_url}/trickster/health?json").body)
        web, = (entry for entry in report["unchecked"] if entry["name"] == "web")
        self.assertEqual((web["connections"]["streaming"], web["connections"]["queued"]),
                         (STREAMS, 0))

    def test_upgrades(self) -> None:
        """Upgraded connections leave connections for queries."""
        self.streams("/echo", STREAMS, *HANDSHAKE)
        self.assertEqual(request(f"{self.trickster.url}/said").status, 200)

    def test_quiet_stream(self) -> None:
        """A stream may be silent for longer than the timeout of a response."""
        talk, = self.streams("/brief/events", 1)
        time.sleep(2.5)
        self.origin.go_on.set()
        talk.until(b"data: 2\n\n\r\n")

    def test_quiet_answer(self) -> None:
        """A response of unknown length outlives C{timeout}, also behind a cache."""
        for backend in ("brief", "kept"):
            self.origin.renew()
            talk, = self.streams(f"/{backend}/lines", 1)
            time.sleep(2.5)
            self.origin.go_on.set()
            talk.until(b"two\n\r\n0\r\n\r\n")

    def test_cut(self) -> None:
        """With an idle timeout of streams, a client sees that its stream was cut."""
        for page, headers in (("events", []), ("lines", []), ("echo", HANDSHAKE)):
            talk, = self.streams(f"/cut/{page}", 1, *headers)
            self.assertFalse(talk.rest().endswith(b"0\r\n\r\n"))

    def test_bound(self) -> None:
        """A stream above the limit of a backend is refused at once with status 503."""
        self.streams("/few/events", 1)
        self.assertEqual(request(f"{self.trickster.url}/few/events").status, 503)

    def test_end(self) -> None:
        """Clients that leave their streams leave nothing behind."""
        for talk in self.streams("/events", STREAMS):
            talk.reset()
        self.assertTrue(eventually(lambda: not gauges(
            self.trickster.metrics_url, "origin_lasting_connections")[
                "origin_lasting_connections"]))
