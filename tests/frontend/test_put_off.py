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
    """Bodies that turn out not to be any."""

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
        """The refusal that waits is sent where there is more than the listener takes."""
        for sheds in (False, True):
            connection = self.put_off(sheds, CHUNKED.replace(b"/", b"/full", 1),
                                      ListenerLimits(body=3))
            self.assert_refused(connection.exchange(b"4\r\nabcd\r\n0\r\n\r\n" + get()))
            self.assertEqual(connection.ending, "half-closed")

    def test_nothing_smuggled(self) -> None:
        """What follows is never read as a request."""
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
        """Without a refusal that waits, it is as always."""
        connection = self.connect(False)
        self.assertEqual(connection.exchange(CHUNKED), b"")
        self.assertEqual([status for status, _ in answers(connection.exchange(b"x\r\n"))], [400])


class BodyTests(Waiting):
    """Bodies of which more comes meanwhile."""

    def test_rest(self) -> None:
        """The rest of a body that has begun is the rest of it, and what follows is served."""
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
        """Where the rest is missing, the connection closes with the refusal."""
        for sheds in (False, True):
            connection = self.put_off(sheds, post(b"abcdef", target=b"/full")[:-1])
            connection.clock.advance(PAUSE)
            received = connection.received()
            self.assert_refused(received)
            self.assertIn(b"Connection: close", received)
            self.assertEqual(connection.ending, "half-closed")

    def test_bounded(self) -> None:
        """No more of it is taken in than of others that are not read."""
        for sheds in (False, True):
            connection = self.put_off(sheds, post(b"x" * (1 << 20), target=b"/full")[:-1 << 19])
            self.assertFalse(connection.is_reading)
            connection.clock.advance(PAUSE)
            self.assertTrue(connection.is_reading)

    def test_late(self) -> None:
        """The time that a body may take does not end what waits already."""
        for sheds in (False, True):
            connection = self.put_off(sheds, post(b"abcdef", target=b"/full")[:-1],
                                      ListenerLimits(body_timeout=0.1, header_timeout=0.1,
                                                     idle_timeout=0.1))
            connection.clock.pump([0.125] * 3)
            self.assertEqual((connection.received(), connection.ending), (b"", "open"))
            connection.clock.advance(0.125)
            self.assert_refused(connection.received())

    def test_continue(self) -> None:
        """A client that waits to be told to go on is refused instead."""
        for sheds in (False, True):
            connection = self.put_off(
                sheds, post(b"abc", b"Expect: 100-continue", target=b"/full")[:-3])
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received())
            self.assertEqual(connection.ending, "half-closed")


class MeanwhileTests(Waiting):
    """What else a client may do."""

    def test_pipelined(self) -> None:
        """Further requests are served after it."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full"))
            self.assertEqual(connection.exchange(get(b"/1")[:5], get(b"/1")[5:] + get(b"/2")), b"")
            self.busy.sheds = False
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received(), 200, 200)
            self.assertEqual(self.served.targets[-2:], [b"/1", b"/2"])

    def test_pipelined_too(self) -> None:
        """Each of them may be put off in its turn, with one timer for all."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full") * 3)
            for _ in range(2):
                connection.clock.advance(PAUSE)
                self.assertEqual([status for status, _ in answers(connection.received())], [503])
                self.assertEqual(self.timers, 1)
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received())

    def test_pipelined_malformed(self) -> None:
        """What is no request is refused after it."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full") + b"x\r\n\r\n")
            connection.clock.advance(PAUSE)
            self.assert_refused(connection.received(), 400)
            self.assertEqual(connection.ending, "half-closed")

    def test_half_closed(self) -> None:
        """A client that will send no more is told at once, and the connection closes."""
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
        """Of a client that goes away nothing is left, neither a timer nor its connection."""
        for sheds in (False, True):
            for octets in (get(b"/full"), get(b"/full") + get(b"/1"),
                           post(b"abc", target=b"/full")[:-1]):
                connection = self.put_off(sheds, octets)
                connection.leave()
                self.assertEqual(connection.clock.getDelayedCalls(), [])
                self.assertEqual(connection.received(), b"")

    def test_gone_in_no_cycle(self) -> None:
        """Counting references suffices to forget it."""
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
        """A client that has gone takes no place of another's refusal."""
        connection = self.put_off(True, get())
        self.busy.waiting.most = 1
        connection.leave()
        other = Connection(self.served, site=connection.site, clock=connection.clock)
        self.assertEqual(other.exchange(get()), b"")
        other.leave()

    def test_aborted(self) -> None:
        """When all connections are given up, no refusal is left."""
        for sheds in (False, True):
            connection = self.put_off(sheds, get(b"/full"))
            connection.site.abort()
            connection.leave()
            self.assertEqual(connection.clock.getDelayedCalls(), [])

    def test_drained(self) -> None:
        """A listener that stops tells what waits first, and closes the connection with it."""
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
        """A refusal that is not put off says it as well."""
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
        """They are sent like others when the body breaks, or the client sends no more."""
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

