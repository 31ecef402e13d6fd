"""The program on a machine whose wall clock is set while it runs."""

from __future__ import annotations

import email.utils
import socket
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.answering import plain
from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import CONSOLE, TWISTD, Answer, Trickster
from tests.end_to_end.talking import Talk, eventually, request
from tests.end_to_end.wallclock import WallClock

HOUR, DAY = 3600.0, 86400.0


def _serve(peer: socket.socket, head: bytes) -> None:
    """Hang, wait, or give what is fresh for two seconds."""
    target = head.split(b" ")[1]
    if b"hang" in target:
        peer.recv(1)
        return
    if b"wait" in target:
        time.sleep(1.2)
    peer.sendall(plain(b"it", fields=b"Cache-Control: max-age=2\r\n"))


class _SetClockCase(SynchronousTestCase):
    """One Trickster for all tests of a class."""

    form: ClassVar[Iterable[str]] = TWISTD
    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    clock: ClassVar[WallClock]
    origin: ClassVar[ScriptedOrigin]
    trickster: ClassVar[Trickster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        path = Path(cls.directory.name)
        cls.clock, cls.origin = WallClock(path / "clock"), ScriptedOrigin(_serve)
        common = {"origin_url": cls.origin.url, "timeout": "2s"}
        cls.trickster = Trickster(path, {
            "plain": {**common, "provider": "rp"}, "web": {**common, "provider": "rpc"},
        }, {"logging": {"access_log": True}}, form=cls.form,
            listener={"read_header_timeout": "2s", "drain_timeout": "1s"},
            environment=cls.clock.environment)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.origin.stop()
        cls.directory.cleanup()

    def setUp(self) -> None:
        self.clock.set(0.0)

    def ask(self, target: str) -> Answer:
        """:return: the answer to a request."""
        return request(f"{self.trickster.url}{target}")

    def talking(self, octets: bytes) -> Talk:
        """:return: a connection over which these have gone, and have been read."""
        talk = Talk(self.trickster.port)
        self.addCleanup(talk.close)
        talk.send(octets)
        time.sleep(0.3)
        return talk

    def seconds(self, wait: Callable[[], object]) -> float:
        """:return: how long something takes by a clock that nobody sets."""
        begun = time.monotonic()
        wait()
        return time.monotonic() - begun


class SetBackTests(_SetClockCase):
    """The clock goes back an hour in the middle of something."""

    def test_timeout(self) -> None:
        """An origin that hangs is given up in time."""
        talk = self.talking(b"GET /plain/hang HTTP/1.1\r\nHost: a\r\n\r\n")
        self.clock.set(-HOUR)
        self.assertLess(self.seconds(lambda: self.assertEqual(talk.answer().status, 504)), 4.0)

    def test_half_a_head(self) -> None:
        """A client that hangs is too."""
        talk = self.talking(b"GET /plain/x HTTP/1.1\r\nHos")
        self.clock.set(-HOUR)
        self.assertLess(self.seconds(talk.rest), 4.0)

    def test_freshness(self) -> None:
        """What is fresh for two seconds is not for longer."""
        self.ask("/web/back")
        self.clock.set(-HOUR)
        self.assertEqual(self.ask("/web/back").lookup, "hit")
        time.sleep(2.1)
        self.assertEqual(self.ask("/web/back").lookup, "kmiss")

    def test_dates(self) -> None:
        """What is told as a date is what the clock says."""
        self.clock.set(-HOUR)
        answer = self.ask("/plain/told")
        said = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        self.assertLess(abs(said + HOUR - time.time()), 60.0)
        asked = time.strftime("%Y-%m-%dT%H:", time.gmtime(said))
        self.assertTrue(eventually(lambda: any(
            "uri=/told " in line and f"time={asked}" in line
            for line in self.trickster.log.read_text().splitlines())))


class SetBackConsoleTests(SetBackTests):
    """The same for the command that is its own C{twistd}."""

    form = CONSOLE


class SetForwardTests(_SetClockCase):
    """The clock goes forward a day."""

    def test_timeout(self) -> None:
        """Who waits for an origin waits on."""
        talk = self.talking(b"GET /plain/wait HTTP/1.1\r\nHost: a\r\n\r\n")
        self.clock.set(DAY)
        self.assertEqual(talk.answer().status, 200)

    def test_half_a_head(self) -> None:
        """Who sends a head slowly may go on."""
        talk = self.talking(b"GET /plain/x HTTP/1.1\r\nHos")
        self.clock.set(DAY)
        time.sleep(0.5)
        talk.send(b"t: a\r\n\r\n")
        self.assertEqual(talk.answer().status, 200)

    def test_freshness(self) -> None:
        """What is fresh stays so."""
        self.ask("/web/forward")
        self.clock.set(DAY)
        self.assertEqual(self.ask("/web/forward").lookup, "hit")
