"""Tests of what happens to a connection while its refusal is put off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.cycles import left_in_cycles
from tests.frontend.connection import NOW, Connection, answers, get, lose, post
from trickster.errors import Overloaded, RequestError
from trickster.frontend.limits import ListenerLimits
from trickster.frontend.postponing import Postponed, Postponements
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import Octets, Request, Response
from trickster.observability.refusals import refusal
from trickster.testing.doubles import PausedOrigin

PAUSE = 0.5
CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


@implementer(IResponder, IRefuser)
class Crowded:
    """Has no room for what begins with C{/full}; what it reads of others it gives back."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []

    async def respond(self, request: Request) -> Response:
        self.targets.append(request.target)
        if request.target.startswith(b"/full"):
            raise Overloaded("full")
        body = b""
        try:
            while piece := await request.body.read():
                body += piece
        except RequestError as error:
            return refusal(error)
        return Response(200, body=Octets(body))

    async def refused(self, request: Request, error: RequestError) -> Response:
        return refusal(error)


@define
class Busy:
    """
    An overload on which the test decides.

    :ivar sheds: whether requests are refused before they are looked at.
    """

    waiting: Postponements
    sheds: bool = False
    shed: int = field(default=0, init=False)

    def refuses(self) -> bool:
        return self.sheds

    def refused(self) -> None:
        self.shed += 1

    def put_off(self, tell: Callable[[], None]) -> Postponed | None:
        return self.waiting.add(PAUSE, tell)


class Waiting(SynchronousTestCase):
    """A connection whose refusals are put off."""

    def connect(self, sheds: bool, limits: ListenerLimits | None = None) -> Connection:
        """:return: one to a process that has too much to do, or whose origin has."""
        clock = Clock()
        clock.advance(NOW)
        self.served = Crowded()
        connection = self.connection = Connection(self.served, limits, clock)
        connection.site.overload = self.busy = Busy(  # type: ignore[assignment]
            Postponements(clock, 10), sheds)
        self.addCleanup(connection.leave)
        return connection

    def put_off(self, sheds: bool, octets: bytes, limits: ListenerLimits | None = None
                ) -> Connection:
        """:return: one to which the refusal of what was sent is put off."""
        connection = self.connect(sheds, limits)
        self.assertEqual(connection.exchange(octets), b"")
        self.assertEqual(self.timers, 1)
        return connection

    @property
    def timers(self) -> int:
        """How many calls there are that tell refusals."""
        return sum(getattr(call.func, "__self__", None) is self.busy.waiting
                   for call in self.connection.clock.getDelayedCalls())

    def assert_refused(self, octets: bytes, *others: int) -> None:
        """One refusal has come, and answers of such statuses."""
        self.assertEqual([status for status, _ in answers(octets)], [503, *others])
        self.assertIn(b"Retry-After: ", octets)
        self.assertEqual(self.timers, 0)


class BrokenBodyTests(Waiting):
    """The framing of a request's body breaks while its refusal is put off."""

    def test_malformed(self) -> None:
        """The refusal that waits is sent, and the connection closes in good order."""
        for sheds in (False, True):
            for begin, rest in ((b"", b"x\r\n"), (b"2\r\nab", b"abc\r\n"), (b"5\r\nab", b"cdefg\r\n")):
                connection = self.put_off(sheds, CHUNKED.replace(b"/", b"/full", 1) + begin)
                self.assert_refused(connection.exchange(rest))
                self.assertEqual(connection.ending, "half-closed")
                self.assertTrue(connection.is_reading)
                connection.clock.advance(PAUSE)
                self.assertEqual(connection.received(), b"")

    def test_too_large(self) -> None:
        """A refusal that is put off is sent when the body exceeds the listener's limit."""
        for sheds in (False, True):
            connection = self.put_off(sheds, CHUNKED.replace(b"/", b"/full", 1),
                                      ListenerLimits(body=3))
            self.assert_refused(connection.exchange(b"4\r\nabcd\r\n0\r\n\r\n" + get()))
            self.assertEqual(connection.ending, "half-closed")

    def test_nothing_smuggled(self) -> None:
        """Octets after a broken body of a refused request are never read as a request."""
        for sheds in (False, True):
            for broken in (b"400\r\n", b"400\r\nab"):
                connection = self.put_off(sheds, CHUNKED.replace(b"/", b"/full", 1) + broken,
                                          ListenerLimits(body=3))
                octets = get(b"/hidden").ljust(0x400 - len(broken) + 5, b"x") + b"\r\n0\r\n\r\n"
                self.assert_refused(connection.exchange(octets))
                connection.clock.advance(PAUSE)
                self.assertNotIn(b"/hidden", self.served.targets)
                self.assertEqual(connection.ending, "half-closed")

    def test_while_it_is_read(self) -> None:
        """A body that breaks while it is read, with no refusal put off, is answered with a 400."""
        connection = self.connect(False)
        self.assertEqual(connection.exchange(CHUNKED), b"")
        self.assertEqual([status for status, _ in answers(connection.exchange(b"x\r\n"))], [400])


class BodyTests(Waiting):
    """More of a request's body comes while its refusal is put off."""

    def test_rest(self) -> None:
        """The rest of a refused request's body is read as such, and what follows is served."""
        for sheds in (False, True):
            whole = [post(b"abcdef", target=b"/full"),
                     CHUNKED.replace(b"/", b"/full", 1) + b"6\r\nabcdef\r\n0\r\n\r\n"]
            for octets in whole:
                for cut in range(octets.index(b"\r\n\r\n") + 4, len(octets)):
                    connection = self.put_off(sheds, octets[:cut])
                    self.assertEqual(connection.exchange(octets[cut:] + get(b"/next")), b"")
                    self.busy.sheds = False
                    connection.clock.advance(PAUSE)
                    self.assert_refused(connection.received(), 200)
                    self.assertEqual(self.served.targets[-1], b"/next")
                    self.assertEqual(connection.ending, "open")

    def test_missing(self) -> None:
        """A body whose rest is missing closes the connection with the refusal that was put off."""
        for sheds in (False, True):
            connection = self.put_off(sheds, post(b"abcdef", target=b"/full")[:-1])
            connection.clock.advance(PAUSE)
            received = connection.received()
            self.assert_refused(received)
            self.assertIn(b"Connection: close", received)
            self.assertEqual(connection.ending, "half-closed")

    def test_bounded(self) -> None:
        """No more of the body of a refused request is read ahead than of any unread one."""
        for sheds in (False, True):
            connection = self.put_off(sheds, post(b"x" * (1 << 20), target=b"/full")[:-1 << 19])
            self.assertFalse(connection.is_reading)
            connection.clock.advance(PAUSE)
            self.assertTrue(connection.is_reading)

    def test_late(self) -> None:
        """The body timeout does not end a request whose refusal is put off."""
        for sheds in (False, True):
            connection = self.put_off(sheds, post(b"abcdef", target=b"/full")[:-1],
                                      ListenerLimits(body_timeout=0.1, header_timeout=0.1,
                                                     idle_timeout=0.1))
            connection.clock.pump([0.125] * 3)
            self.assertEqual((connection.received(), connection.ending), (b"", "open"))
            connection.clock.advance(0.125)
            self.assert_refused(connection.received())

    def test_continue(self) -> None:
        """A client that waits for 100 Continue is sent the refusal instead."""
        for sheds in (False, True):
            connection = self.put_off(
                sheds, post(b"abc", b"Expect: 100-continue", target=b"/full")[:-3])
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received())
            self.assertEqual(connection.ending, "half-closed")


class MeanwhileTests(Waiting):
    """The client sends more, or leaves, while its refusal is put off."""

    def test_pipelined(self) -> None:
        """Pipelined requests behind a refusal that is put off are served after it."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full"))
            self.assertEqual(connection.exchange(get(b"/1")[:5], get(b"/1")[5:] + get(b"/2")), b"")
            self.busy.sheds = False
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received(), 200, 200)
            self.assertEqual(self.served.targets[-2:], [b"/1", b"/2"])

    def test_pipelined_too(self) -> None:
        """Several pipelined requests may have their refusals put off, by one timer for all."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full") * 3)
            for _ in range(2):
                connection.clock.advance(PAUSE)
                self.assertEqual([status for status, _ in answers(connection.received())], [503])
                self.assertEqual(self.timers, 1)
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received())

    def test_pipelined_malformed(self) -> None:
        """A malformed request behind a refusal that is put off is refused after it."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full") + b"x\r\n\r\n")
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received(), 400)
            self.assertEqual(connection.ending, "half-closed")

    def test_half_closed(self) -> None:
        """A refusal is sent at once to a client that half-closes, and the connection closes."""
        for sheds in (False, True):
            for octets in (get(b"/full"), get(b"/full") + get(b"/1"),
                           post(b"abc", target=b"/full")[:-1],
                           b"GET /full HTTP/1.0\r\n\r\n"):
                connection = self.put_off(sheds, octets)
                connection.channel.readConnectionLost()
                received = connection.received()
                self.assert_refused(received)
                self.assertIn(b"Connection: close", received)
                self.assertEqual(connection.ending, "closed")
                self.assertNotIn(b"/1", self.served.targets)

    def test_gone(self) -> None:
        """A client that leaves while its refusal is put off leaves no timer and no connection."""
        for sheds in (False, True):
            for octets in (get(b"/full"), get(b"/full") + get(b"/1"),
                           post(b"abc", target=b"/full")[:-1]):
                connection = self.put_off(sheds, octets)
                connection.leave()
                self.assertEqual(connection.clock.getDelayedCalls(), [])
                self.assertEqual(connection.received(), b"")

    def test_gone_in_no_cycle(self) -> None:
        """A connection that has gone while its refusal was put off is in no cycle of references."""
        site = self.connect(False).site

        def act() -> None:
            for sheds in (False, True):
                for octets in (get(b"/full"), post(b"abc", target=b"/full")[:-1]):
                    self.busy.sheds = sheds
                    connection = Connection(self.served, clock=self.connection.clock, site=site)
                    connection.send(octets)
                    lose(connection)

        self.assertEqual(left_in_cycles(act), Counter())

    def test_gone_makes_room(self) -> None:
        """A client that has left takes no place among the refusals that may be put off."""
        connection = self.put_off(True, get())
        self.busy.waiting.most = 1
        connection.leave()
        other = Connection(self.served, site=connection.site, clock=connection.clock)
        self.assertEqual(other.exchange(get()), b"")
        other.leave()

    def test_aborted(self) -> None:
        """No postponed refusal is left when all connections are aborted."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full"))
            connection.site.abort()
            connection.leave()
            self.assertEqual(connection.clock.getDelayedCalls(), [])

    def test_drained(self) -> None:
        """A listener that drains sends postponed refusals at once, with C{Connection: close}."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full") + get(b"/1"))
            connection.site.drain()
            self.assertEqual(connection.ending, "open")
            connection.clock.advance(PAUSE)
            received = connection.received()
            self.assert_refused(received)
            self.assertIn(b"Connection: close", received)
            self.assertEqual(connection.ending, "half-closed")

    def test_draining(self) -> None:
        """A refusal sent at once while the listener drains has C{Connection: close}."""
        connection = self.connect(True)
        self.busy.waiting.most = 0
        connection.send(get()[:1])
        connection.site.drain()
        received = connection.exchange(get()[1:])
        self.assert_refused(received)
        self.assertIn(b"Connection: close", received)
        self.assertEqual(connection.ending, "closed")


class RefusedAfterwardsTests(Waiting):
    """Refusals of requests whose responders had to wait."""

    def test_malformed(self) -> None:
        """A postponed refusal is sent when the body breaks, or when the client half-closes."""
        for broken in (True, False):
            self.connect(False)
            origin = PausedOrigin()
            connection = Connection(origin, site=None, clock=self.connection.clock)
            connection.site.overload = self.busy  # type: ignore[assignment]
            connection.send(CHUNKED)
            origin.asked[0].fail(Overloaded("full"))
            self.assertEqual((connection.received(), self.timers), (b"", 1))
            if broken:
                connection.send(b"x\r\n")
            else:
                connection.channel.readConnectionLost()
            self.assert_refused(connection.received())
            self.assertEqual(connection.ending, "half-closed" if broken else "closed")
            connection.leave()

