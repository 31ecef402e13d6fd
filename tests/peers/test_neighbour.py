"""Tests of L{trickster.peers}: one worker asks another, over connections in memory."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.objects.objectworld import Client, Origin, broken
from tests.peers.cables import Cable, Net, origin_of
from trickster.collapsing.home import Home
from trickster.errors import (
    NotCached,
    Overloaded,
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamTimeout,
)
from trickster.interfaces import IBody, IResponder
from trickster.messages import (
    Engine,
    Headers,
    Octets,
    Outcome,
    Pair,
    Principal,
    Request,
    Response,
    Status,
)
from trickster.peers.envelope import LENGTH, Reply, encoded_reply
from trickster.purging.purges import Purges
from trickster.purging.table import Kind, Purge, Scope
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import PeekingStore, at_once

MISS = Outcome(Engine.OBJECT, Status.KEY_MISS, Reason.KEY_MISS, "why", ttl=59.5, origin_status=200)


@implementer(IResponder)
class Asking:
    """Asks the home of any key, and says so where it is not there."""

    def __init__(self, home: Home) -> None:
        self.home = home

    async def respond(self, request: Request) -> Response:
        """Ask it."""
        response = await self.home.asked(self.key, request)
        return Response(299) if response is None else response

    @property
    def key(self) -> str:
        """:return: one whose home is elsewhere."""
        return next(key for key in map(str, range(100)) if self.home.is_elsewhere(key))


def request(target: bytes = b"/x", *pairs: Pair, **more: Any) -> Request:
    """:return: a request to some cache."""
    return Request(b"GET", target, Headers(pairs), authority=b"example.org", **more)


class NeighbourTestCase(SynchronousTestCase):
    """Worker 1 asks worker 2."""

    def setUp(self) -> None:
        """Two workers; the answers of the second are told by the test."""
        self.net = Net()
        self.origin: Origin = origin_of(self.net.workers[2])
        self.asking = Asking(self.net.workers[1].homes.join("web 1", self.origin.respond))

    def ask(self, asked: Request | None = None, *, reads: bool = True) -> Client:
        """:return: a client of worker 1."""
        return self.net.ask(self.asking, asked or request(), reads=reads)

    def answer(self, answer: Response | Exception) -> None:
        """Have worker 2 answer."""
        self.origin.answer(answer)
        self.net.pass_on()

    def feed(self, body: PausedBody, *items: Any) -> None:
        """Let something of a body arrive."""
        body.feed(*items)
        self.net.pass_on()

    @property
    def cables(self) -> list[Cable]:
        """:return: the connections that were made."""
        return self.net.workers[2].cables


class PurgeTests(NeighbourTestCase):
    """Purges of which the one who asks knows."""

    def purged(self, *stores: PeekingStore) -> list[Purges]:
        """
        Have the one who asks purge everything.

        :param stores: of both.
        :return: what both know of it.
        """
        made = [Purges(store, self.net.clock, self.net.clock.seconds) for store in stores]
        for each in made:
            at_once(each.refreshed())
        workers, (one, two) = self.net.workers, made
        self.asking = Asking(workers[1].homes.join("web 1", self.origin.respond, one))
        workers[2].homes.join("web 1", self.origin.respond, two)
        Deferred.fromCoroutine(one.add(Purge(Scope(Kind.ALL))))
        return made

    def test_caught_up(self) -> None:
        """The home knows of them before it answers: what it was fetching before is no answer."""
        store = PeekingStore(self.net.clock)
        one, two = self.purged(store, store)
        self.assertLess(two.mark, one.mark)
        self.ask()
        self.assertEqual((two.mark, len(self.origin.waiting)), (one.mark, 1))

    def test_not_caught_up(self) -> None:
        """One that cannot learn of them is taken for none."""
        self.purged(PeekingStore(self.net.clock), PeekingStore(self.net.clock))
        self.ask()
        self.assertEqual(self.origin.waiting, [])


class AnswerTests(NeighbourTestCase):
    """What arrives of answers."""

    def test_whole(self) -> None:
        """An answer arrives as it is: status, phrase, fields, outcome, and body with its length."""
        fields = Headers(((b"Date", b"d"), (b"Via", b"v"), (b"Set-Cookie", b"1"),
                          (b"set-cookie", b"2"), (b"X", b"\xff")))
        for octets in (b"", b"hello", b"x" * 70_000, b"x" * 700_000):
            client = self.ask()
            self.answer(Response(203, fields, Octets(octets), MISS, b"Fine", True))
            assert client.response is not None
            self.assertEqual(client.response, Response(203, fields, Octets(), MISS, b"Fine", True))
            self.assertEqual((client.octets, client.response.body.length), (octets, len(octets)))
        self.assertEqual(len(self.cables), 1)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=70_000), max_size=6), st.booleans())
    def test_streams(self, pieces: list[bytes], is_announced: bool) -> None:
        """A body that comes in pieces arrives the same, with its length, if it has one."""
        body = PausedBody(sum(map(len, pieces)) if is_announced else None)
        client = self.ask()
        self.answer(Response(200, body=body))
        self.assertEqual(client.status, 200)
        for piece in (*pieces, b""):
            self.feed(body, piece)
        assert client.response is not None
        self.assertEqual((client.octets, client.is_done), (b"".join(pieces), True))
        if pieces:
            self.assertEqual(client.response.body.length, body.length)
        self.assertEqual(len([cable for cable in self.cables if cable.wire.is_open]), 1)

    def test_bodiless(self) -> None:
        """Answers without a body have none, and keep the length that they tell of."""
        for method, status in ((b"HEAD", 200), (b"GET", 304), (b"GET", 204)):
            client = self.ask(evolve(request(), method=method))
            said = Headers(((b"Content-Length", b"5"),))
            self.answer(Response(status, said, Octets()))
            self.assertEqual((client.status, client.octets, client.is_done), (status, b"", True))
            self.assertEqual(client.header(b"content-length"), b"5")
        self.assertEqual(len(self.cables), 1)

    def test_request(self) -> None:
        """A request arrives as it was, with its body and whom it comes from."""
        alice = Principal("alice", (("a", "b"),))
        asked = request(b"/q", (b"Max-Forwards", b"3"), (b"X", b"\xff"), identity=alice,
                        body=Octets(b"q" * 100_000), configured=frozenset((b"x",)))
        self.ask(evolve(asked, method=b"POST"))
        (found,) = self.origin.requests
        self.assertEqual(found, evolve(asked, method=b"POST"))
        self.assertEqual(found.body, Octets(b"q" * 100_000))

    def test_interim(self) -> None:
        """Interim answers of the origin are passed to the client that takes them."""
        told: list[tuple[int, Headers]] = []
        self.ask(request(interim=lambda status, fields: told.append((status, fields))))
        interim = self.origin.requests[0].interim
        assert interim is not None
        interim(103, Headers(((b"Link", b"</a>"),)))
        self.net.pass_on()
        self.assertEqual([(status, fields.get(b"link")) for status, fields in told],
                         [(103, b"</a>")])

    def test_errors(self) -> None:
        """Where there is no answer, the error is the one of the home."""
        for error in (NotCached("no"), UpstreamTimeout("late"), Overloaded("o", retry_after=7.0)):
            client = self.ask()
            self.answer(error)
            assert client.error is not None
            self.assertEqual(facts_of(client.error), facts_of(error))
        self.assertEqual(len(self.cables), 1)

    def test_interface(self) -> None:
        """Bodies provide IBody."""
        client = self.ask(reads=False)
        self.answer(Response(200, body=PausedBody()))
        assert client.response is not None
        verifyObject(IBody, client.response.body)


class LeavingTests(NeighbourTestCase):
    """Clients that leave, or are slow."""

    def test_before_the_answer(self) -> None:
        """Who leaves before the answer has the home give it up."""
        client = self.ask()
        exchange = self.origin.waiting[0]
        client.leave()
        self.net.pass_on()
        self.assertTrue(exchange.was_cancelled)

    def test_in_the_body(self) -> None:
        """Who leaves in the middle of the body has the home close it."""
        client, body = self.ask(reads=False), PausedBody()
        self.answer(Response(200, body=body))
        self.feed(body, b"some")
        client.leave()
        self.net.pass_on()
        self.assertTrue(body.is_closed)

    def test_slow(self) -> None:
        """What a slow client does not take is not read from where it comes."""
        client, body = self.ask(reads=False), PausedBody()
        self.answer(Response(200, body=body))
        for _ in range(100):
            self.feed(body, b"x" * 100_000)
        self.assertLess(body.reads, 20)
        self.assertEqual(client.status, 200)


class FailureTests(NeighbourTestCase):
    """Homes that are not there, or do not stay."""

    def test_unreachable(self) -> None:
        """A home that cannot be reached has no answer, at once."""
        self.net.is_there = False
        self.assertEqual(self.ask().status, 299)

    def test_dies_before(self) -> None:
        """One that dies before its answer has begun has none."""
        client = self.ask()
        self.net.kill(2)
        self.assertEqual(client.status, 299)

    def test_dies_in_the_head(self) -> None:
        """So has one that dies in the middle of what stands before the body."""
        octets = encoded_reply(Reply())
        self.net.workers[2].served = Saying(octets[:-1], UpstreamBroke("gone"))
        self.assertEqual(self.ask().status, 299)

    def test_dies_in_the_body(self) -> None:
        """One that dies in the middle of the body leaves an answer that is broken."""
        for length in (None, 10):
            self.net.is_there = True
            client, body = self.ask(), PausedBody(length)
            self.answer(Response(200, body=body))
            self.feed(body, b"some")
            self.net.kill(2)
            self.assertEqual((client.octets, type(client.error)), (b"some", UpstreamBroke))

    def test_breaks_in_the_body(self) -> None:
        """So does one whose origin breaks there."""
        for length in (None, 10):
            client, body = self.ask(), PausedBody(length)
            self.answer(Response(200, body=body))
            self.feed(body, b"some", broken())
            self.assertEqual((client.octets, type(client.error)), (b"some", UpstreamBroke))

    def test_restarted(self) -> None:
        """One that has been started again is asked over a new connection."""
        self.ask()
        self.answer(Response(200))
        self.net.kill(2)
        self.net.is_there = True
        client = self.ask()
        self.answer(Response(200, body=Octets(b"again")))
        self.assertEqual(client.octets, b"again")

    def test_unknown_cache(self) -> None:
        """A home that does not have the cache has no answer."""
        asking = Asking(self.net.workers[1].homes.join("web 2", self.origin.respond))
        self.assertEqual(self.net.ask(asking, request()).status, 299)

    def test_defect(self) -> None:
        """One that fails has no answer."""
        self.net.workers[2].homes.join("web 1", failing)
        self.assertEqual(self.ask().status, 299)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_foreign(self) -> None:
        """What is no reply is no answer, however long it says that it is, and is not read on."""
        for octets in (b"", b"\0", b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\1\x80",
                       encoded_reply(Reply()), (1 << 30).to_bytes(LENGTH, "big") + b"x" * 1000):
            said = Saying(octets)
            self.net.workers[2].served = said
            self.assertEqual(self.ask().status, 299, octets[:20])
        endless = Saying(b"\xff\xff\xff\xff", *[b"x" * 65_536] * 1000)
        self.net.workers[2].served = endless
        self.assertEqual(self.ask().status, 299)
        self.assertLess(endless.given, 30)

    def test_unwhole(self) -> None:
        """A request whose body is still on its way is not sent as one without."""
        self.assertEqual(self.ask(request(body=PausedBody())).status, 299)
        self.assertEqual(self.origin.requests, [])


class HangingTests(NeighbourTestCase):
    """A home that is there, and does not answer."""

    def test_head(self) -> None:
        """A home that answers nothing is waited for some seconds, and then not at all."""
        client = self.ask()
        self.net.hang(2)
        self.net.advance(8)
        self.assertEqual((client.status, self.ask().status), (299, 299))

    def test_body(self) -> None:
        """A body that it has begun is given up later."""
        client, body = self.ask(), PausedBody()
        self.answer(Response(200, body=body))
        self.feed(body, b"some")
        self.net.hang(2)
        self.net.advance(8)
        self.assertIsNone(client.error)
        self.net.advance(20)
        self.assertEqual((client.octets, type(client.error)), (b"some", UpstreamBroke))

    def test_again(self) -> None:
        """It is asked again once it answers."""
        self.ask()
        self.net.hang(2)
        self.net.advance(8)
        self.net.hang(2, is_hanging=False)
        self.ask()
        self.net.advance(3)
        self.ask()
        self.net.advance(1)
        asked = len(self.origin.requests)
        self.ask()
        self.assertEqual(len(self.origin.requests), asked + 1)

    def test_long(self) -> None:
        """A home whose origin takes its time is waited for, and so is a body."""
        client, body = self.ask(), PausedBody()
        self.net.advance(300)
        self.answer(Response(200, body=body))
        self.net.advance(300)
        self.feed(body, b"late", b"")
        self.assertEqual((client.octets, client.is_done, len(self.origin.requests)),
                         (b"late", True, 1))

    def test_quiet(self) -> None:
        """Once nothing is awaited, nothing is looked at."""
        self.ask()
        self.answer(Response(200))
        self.net.advance(10)
        self.net.hang(2)
        self.net.advance(100)
        self.net.hang(2, is_hanging=False)
        self.ask()
        self.assertEqual((len(self.cables), len(self.origin.waiting)), (1, 1))

    def test_left(self) -> None:
        """It is found out as well where nobody has waited for so long."""
        client = self.ask()
        self.net.hang(2)
        self.net.advance(1)
        client.leave()
        self.net.advance(7)
        self.assertEqual(self.ask().status, 299)


def facts_of(error: Exception | None) -> tuple[Any, ...]:
    """:return: all there is to an error."""
    assert isinstance(error, RequestError)
    return (type(error), error.detail, error.reason, error.status, error.retry_after,
            error.fields)


@implementer(IResponder)
class Saying:
    """Says these octets, whatever it is asked."""

    def __init__(self, *said: bytes | Exception) -> None:
        self.said = said
        self.given = 0

    async def respond(self, request: Request) -> Response:
        """Say them."""
        body = PausedBody()
        body.feed(*self.said, b"")
        return Response(200, body=Counting(self, body))


@implementer(IBody)
class Counting:
    """Counts what is read."""

    length = None

    def __init__(self, owner: Saying, inner: PausedBody) -> None:
        self.owner, self.inner = owner, inner

    async def read(self) -> Any:
        """Count it."""
        self.owner.given += 1
        return await self.inner.read()

    def close(self) -> None:
        """As the inner."""
        self.inner.close()


async def failing(request: Request) -> Response:
    """Have a defect."""
    raise ZeroDivisionError
