"""Any acts of clients and origins, in any order: right answers, and nothing left over."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.collapsing.fakespool import FakeSpool
from tests.objects.objectworld import Client, World, broken
from trickster.errors import UpstreamUnreachable
from trickster.messages import Request, Response
from trickster.objects.options import Collapse
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import DictStore, ReferenceStore

CACHE_CONTROLS = ["max-age=5", "max-age=5, stale-while-revalidate=9", "no-store", "no-cache",
                  "max-age=5, stale-if-error=9", "private", ""]
ACTIONS = st.lists(st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 99)),
    st.tuples(st.just("answer"), st.integers(0, 9999)),
    st.tuples(st.just("fail"), st.integers(0, 99)),
    st.tuples(st.just("send"), st.integers(0, 99)),
    st.tuples(st.just("end"), st.integers(0, 99)),
    st.tuples(st.just("die"), st.integers(0, 99)),
    st.tuples(st.just("leave"), st.integers(0, 99)),
    st.tuples(st.just("read"), st.integers(0, 99)),
    st.tuples(st.just("wait"), st.integers(0, 9)),
    st.tuples(st.just("post"), st.integers(0, 9))), max_size=40)


@define(eq=False)
class Chaos:
    """Carries out what Hypothesis thinks of."""

    world: World
    clients: list[tuple[Client, str]] = field(factory=list)
    gone: list[Client] = field(factory=list)
    bodies: list[PausedBody] = field(factory=list)
    open: list[PausedBody] = field(factory=list)
    sent: dict[int, int] = field(factory=dict)

    def ask(self, n: int) -> None:
        """A client asks, perhaps one that does not read by itself."""
        foo = str(n % 2)
        headers = {"Foo": foo}
        if n % 7 == 0:
            headers["Range"] = "bytes=1-3"
        if n % 11 == 0:
            headers["If_None_Match"] = '"a"'
        self.clients.append((self.world.ask(reads=n % 3 > 0, **headers), foo))

    def post(self, n: int) -> None:
        """A client changes the object."""
        self.clients.append((self.world.ask(method=b"POST"), ""))

    def answer(self, n: int) -> None:
        """The origin answers one of those that wait."""
        waiting = self.world.origin.waiting
        if waiting:
            index = n % len(waiting)
            self.world.origin.answer(self._answer(n // 7, waiting[index].request), index)

    def _answer(self, n: int, request: Request) -> Response:
        headers = {"Cache_Control": CACHE_CONTROLS[n % len(CACHE_CONTROLS)]}
        if n % 2:
            headers["Vary"] = "Foo"
        if n % 5 < 3:
            headers["ETag"] = '"a"'
        if b"if-none-match" in request.headers and n % 3:
            return self.world.answer(304, b"", **headers)
        if n % 13 == 0:
            return self.world.answer(503, b"error", **headers)
        body = PausedBody(12 if n % 4 == 0 else None)
        self.bodies.append(body)
        self.open.append(body)
        foo = (request.headers.get(b"foo") or b"").decode()
        return self.world.answer(body=body, Echo=foo, **headers)

    def fail(self, n: int) -> None:
        """The origin cannot be reached."""
        waiting = self.world.origin.waiting
        if waiting:
            self.world.origin.answer(UpstreamUnreachable(""), n % len(waiting))

    def send(self, n: int) -> None:
        """A body goes on."""
        if self.open:
            self._send(self.open[n % len(self.open)])

    def _send(self, body: PausedBody) -> None:
        sent = self.sent.get(id(body), 0)
        if body.length is None or sent < body.length:
            self.sent[id(body)] = sent + 4
            body.feed(b"abcd")

    def end(self, n: int) -> None:
        """A body ends."""
        if self.open:
            body = self.open.pop(n % len(self.open))
            for _ in range(3):
                self._send(body)
            body.feed(b"")

    def die(self, n: int) -> None:
        """The origin goes away in the middle."""
        if self.open:
            self.open.pop(n % len(self.open)).feed(broken())

    def leave(self, n: int) -> None:
        """A client hangs up."""
        if self.clients:
            client, _ = self.clients.pop(n % len(self.clients))
            self.gone.append(client)
            client.leave()

    def read(self, n: int) -> None:
        """One that does not read by itself reads on."""
        if self.clients:
            client, _ = self.clients[n % len(self.clients)]
            self._read(client)

    def _read(self, client: Client) -> None:
        if client.response is not None and not client.reads and client.error is None:
            client.reads = True
            from_now = client.asking
            assert from_now is not None
            from_now.addCallback(lambda _: _reading(client))

    def wait(self, n: int) -> None:
        """Time goes by."""
        self.world.clock.advance(n)

    def finish(self) -> None:
        """Let everything come to its end."""
        for _ in range(200):
            if self.world.origin.waiting:
                self.world.origin.answer(self.world.answer(Cache_Control="no-store", body=b"abcd"))
            while self.open:
                self.end(0)
            for client, _ in self.clients:
                self._read(client)
            if not self.world.origin.waiting and not self.open:
                return
        raise AssertionError("it never ends")


def _reading(client: Client) -> Any:
    from_start = client.read_all()
    return Deferred.fromCoroutine(from_start).addErrback(
        lambda failure: setattr(client, "error", failure.value))


class ChaosTests(SynchronousTestCase):
    """Basic and progressive collapsing, with both kinds of store."""

    @settings(max_examples=400, deadline=None)
    @given(ACTIONS, st.sampled_from(Collapse), st.sampled_from([ReferenceStore, DictStore]),
           st.sampled_from([6, 1000]))
    def test_nothing_is_left_over(self, actions: list[tuple[str, int]], collapse: Collapse,
                                  store: Any, largest: int) -> None:
        """
        Every client gets a response or an error, every body is closed, and nothing is left pending.
        """
        spools: list[FakeSpool] = []

        def spool() -> FakeSpool:
            spools.append(FakeSpool())
            return spools[-1]

        chaos = Chaos(World.of(store, collapse=collapse, max_object_size_bytes=largest,
                               spool=spool))
        for name, number in actions:
            getattr(chaos, name)(number)
        chaos.finish()
        for client, foo in chaos.clients:
            self._check(client, foo)
        self.assertEqual(chaos.world.fetches, 0)
        self.assertEqual(chaos.world.cache._storage.table._reads, {})
        for body in chaos.bodies:
            self.assertTrue(body.is_closed or not body.has_more)
        self.assertTrue(all(spool.was_closed for spool in spools))

    def _check(self, client: Client, foo: str) -> None:
        self.assertTrue(client.is_done or client.error is not None)
        if client.response is None or client.error is not None:
            return
        self.assertIn(client.octets, self._possible(client.status))
        if client.status in (200, 206) and client.header(b"vary") == b"Foo":
            self.assertEqual(client.header(b"echo"), foo.encode())
        length = client.response.body.length
        if length is not None:
            self.assertEqual(len(client.octets), length)

    def _possible(self, status: int) -> list[bytes]:
        if status == 206:
            return [b"bcd"]
        if status in (304, 416):
            return [b""]
        if status == 503:
            return [b"error"]
        return [b"abcd" * n for n in range(1, 50)]
