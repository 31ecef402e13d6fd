"""The program on a machine whose wall clock is set while it runs."""

from __future__ import annotations

import email.utils
import socket
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.answering import plain
from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import CONSOLE, TWISTD, Answer, Trickster
from tests.end_to_end.talking import PATIENCE, Talk, eventually, request
from tests.end_to_end.wallclock import WallClock

HOUR, DAY = 3600.0, 86400.0


class _Origin(ScriptedOrigin):
    """
    Gives what is fresh for some seconds, or waits until it is told to go on.

    :ivar asked: whether it has been asked to wait.
    """

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()
        super().__init__(self._answer)

    def _answer(self, peer: socket.socket, head: bytes) -> None:
        if b"/wait" in head:
            self.asked.set()
            self.go_on.wait(3 * PATIENCE)
        fresh = DAY // 2 if b"/long" in head else 4
        peer.sendall(plain(b"it", fields=b"Cache-Control: max-age=%d\r\n" % fresh))


class _SetClockCase(SynchronousTestCase):
    """One Trickster for all tests of a class."""

    form: ClassVar[Iterable[str]] = TWISTD
    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    clock: ClassVar[WallClock]
    origin: ClassVar[_Origin]
    limit: ClassVar[str]  # of what is waited for
    trickster: ClassVar[Trickster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        path = Path(cls.directory.name)
        cls.clock, cls.origin = WallClock(path / "clock"), _Origin()
        common = {"origin_url": cls.origin.url, "timeout": cls.limit}
        cls.trickster = Trickster(path, {
            "plain": {**common, "provider": "rp"}, "web": {**common, "provider": "rpc"},
        }, {"logging": {"access_log": True}}, form=cls.form,
            listener={"read_header_timeout": cls.limit, "drain_timeout": "1s"},
            environment=cls.clock.environment)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.origin.stop()
        cls.directory.cleanup()

    def setUp(self) -> None:
        self.clock.set(0.0)
        self.origin.asked.clear()
        self.origin.go_on.clear()
        self.addCleanup(self.origin.go_on.set)

    def ask(self, target: str) -> Answer:
        """:return: the answer to a request."""
        return request(f"{self.trickster.url}{target}")

    def talking(self, octets: bytes) -> Talk:
        """:return: a connection over which these have gone."""
        talk = Talk(self.trickster.port)
        self.addCleanup(talk.close)
        talk.send(octets)
        return talk

    def waiting(self) -> Talk:
        """:return: a connection whose request waits for the origin."""
        talk = self.talking(b"GET /plain/wait HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(self.origin.asked.wait(PATIENCE))
        return talk

    def half_a_head(self) -> Talk:
        """:return: a connection on which a head has begun, and has been read."""
        talk = self.talking(b"GET /plain/x HTTP/1.1\r\nHos")
        self.turn()
        return talk

    def turn(self) -> None:
        """Have the program go around its loop, and call what is due."""
        for _ in range(3):
            self.assertEqual(self.ask("/trickster/ping").status, 200)


class SetBackTests(_SetClockCase):
    """
    The clock goes back an hour in the middle of a wait. A timeout that followed the clock would
    take as long, and no client here waits for more than a part of a minute.
    """

    limit = "2s"

    def test_timeout(self) -> None:
        """An origin that hangs is given up in time after the clock is set back."""
        talk = self.waiting()
        self.clock.set(-HOUR)
        self.assertEqual(talk.answer().status, 504)

    def test_half_a_head(self) -> None:
        """A client that hangs within its header is given up in time after the clock is set back."""
        talk = self.half_a_head()
        self.clock.set(-HOUR)
        talk.rest()

    def test_freshness(self) -> None:
        """A response that is fresh for seconds does not stay fresh when the clock is set back."""
        # A client may have its answer before it is stored, and by the clock that is set then.
        self.assertTrue(eventually(lambda: self.ask("/web/back").lookup == "hit"))
        self.clock.set(-HOUR)
        self.assertTrue(eventually(lambda: self.ask("/web/back").lookup == "kmiss"))

    def test_dates(self) -> None:
        """Dates are those of the wall clock after it was set back."""
        self.clock.set(-HOUR)
        answer = self.ask("/plain/told")
        said = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        self.assertLess(abs(said + HOUR - time.time()), 60.0)
        asked = time.strftime("%Y-%m-%dT%H:", time.gmtime(said))
        self.assertTrue(eventually(lambda: any(
            "uri=/told " in line and f"time={asked}" in line
            for line in self.trickster.log.read_text().splitlines())))


class SetBackConsoleTests(SetBackTests):
    """The clock goes back an hour under the command that is its own C{twistd}."""

    form = CONSOLE


class SetForwardTests(_SetClockCase):
    """The clock goes forward a day, which is more than any limit here."""

    limit = "1h"

    def test_timeout(self) -> None:
        """A request that waits for an origin does not time out when the clock is set forward."""
        talk = self.waiting()
        self.clock.set(DAY)
        self.turn()
        self.origin.go_on.set()
        self.assertEqual(talk.answer().status, 200)

    def test_half_a_head(self) -> None:
        """A header that arrives slowly does not time out when the clock is set forward."""
        talk = self.half_a_head()
        self.clock.set(DAY)
        self.turn()
        talk.send(b"t: a\r\n\r\n")
        self.assertEqual(talk.answer().status, 200)

    def test_freshness(self) -> None:
        """A fresh stored response stays fresh when the clock is set forward."""
        self.assertTrue(eventually(lambda: self.ask("/web/long").lookup == "hit"))
        self.clock.set(DAY)
        self.assertEqual(self.ask("/web/long").lookup, "hit")
