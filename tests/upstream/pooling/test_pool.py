"""Tests for L{trickster.upstream.pooling.pool}: nothing leaks, in any order of events."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.upstream.scripted import ScriptedOrigin, a_client, a_request, answering, reading
from trickster.errors import RequestError
from trickster.messages import Octets, Response
from trickster.upstream.h1.arriving import READ_AHEAD

ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 102 X\r\n\r\n", b"HTTP/1.1 20", b"garbage", b"\r\n", b"x" * 30, b"x" * READ_AHEAD,
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * READ_AHEAD),
)
PLACES = st.integers(0, 7)
ACTIONS = st.lists(st.one_of(
    st.tuples(st.just("ask"), st.sampled_from((b"GET", b"POST", b"HEAD"))),
    st.tuples(st.just("accept"), PLACES),
    st.tuples(st.just("refuse"), PLACES),
    st.tuples(st.just("answer"), st.tuples(PLACES, st.sampled_from(ANSWERS))),
    st.tuples(st.just("close"), PLACES),
    st.tuples(st.just("reset"), PLACES),
    st.tuples(st.just("cancel"), PLACES),
    st.tuples(st.just("read"), PLACES),
    st.tuples(st.just("drop"), PLACES),
    st.tuples(st.just("wait"), st.sampled_from((1, 6, 40, 70, 200))),
), max_size=40)


class World:
    """A client, an origin, and all callers that have asked something."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.origin = ScriptedOrigin(hesitates=True)
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=3, max_idle_conns=2,
                               max_queued_requests=2, queue_timeout=5.0)
        self.asked: list[Deferred[Any]] = []
        self.bodies: list[Any] = []
        self.surprises: list[BaseException] = []

    def ask(self, method: bytes) -> None:
        body = Octets(b"x") if method == b"POST" else Octets()
        asked = answering(self.client, a_request(method, body=body))
        asked.addCallbacks(self.answered, self.failed)
        self.asked.append(asked)

    def answered(self, response: Response) -> None:
        self.bodies.append(response.body)

    def failed(self, failure: Any) -> None:
        if not failure.check(RequestError, CancelledError):
            self.surprises.append(failure.value)

    def accept(self, _: int) -> None:
        if self.origin.waiting:
            self.origin.accept()

    def refuse(self, _: int) -> None:
        if self.origin.waiting:
            self.origin.refuse(ConnectError())

    def answer(self, what: tuple[int, bytes]) -> None:
        place, octets = what
        if self.origin.wires:
            self.origin.wires[place % len(self.origin.wires)].sends(octets)

    def close(self, place: int) -> None:
        if self.origin.wires:
            self.origin.wires[place % len(self.origin.wires)].closes()

    def reset(self, place: int) -> None:
        if self.origin.wires:
            self.origin.wires[place % len(self.origin.wires)].resets()

    def cancel(self, place: int) -> None:
        if self.asked:
            self.asked[place % len(self.asked)].cancel()

    def read(self, place: int) -> None:
        if self.bodies:
            read = reading(self.bodies[place % len(self.bodies)])
            read.addErrback(self.failed)
            if not read.called:
                read.cancel()

    def drop(self, place: int) -> None:
        if self.bodies:
            self.bodies[place % len(self.bodies)].close()

    def wait(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)


class LeakTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(ACTIONS)
    def test_nothing_leaks(self, actions: list[tuple[str, Any]]) -> None:
        """
        A pool keeps its bounds at every step, and holds nothing in the end, in any order of events.
        """
        world = World()
        for name, argument in actions:
            getattr(world, name)(argument)
            self.check(world)
        for asked in world.asked:
            asked.cancel()
        for body in world.bodies:
            body.close()
        self.assertEqual((world.client.stats.active, world.client.stats.waiting), (0, 0))
        self.assertTrue(world.client.stop().called)
        self.assertFalse(any(wire.is_open for wire in world.origin.wires))
        self.assertEqual((world.clock.getDelayedCalls(), world.surprises), ([], []))

    def check(self, world: World) -> None:
        stats = world.client.stats
        is_open = sum(wire.is_open for wire in world.origin.wires)
        self.assertTrue(stats.active <= 3 and stats.idle <= 2 and stats.waiting <= 2, stats)
        self.assertTrue(is_open <= stats.active + stats.idle <= 3 + 2, (is_open, stats))
        if stats.waiting:
            self.assertEqual(stats.active, 3)
        self.assertEqual(stats.opened_total, len(world.origin.wires))
