"""An object cache with everything around it faked: clock, store, and an origin that can pause."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.collapsing.fakespool import FakeSpool
from trickster.bodies import read_all
from trickster.collapsing.hit_memo import HitMemo
from trickster.errors import TricksterError, UpstreamBroke
from trickster.http.dates import format_date
from trickster.http.freshness import FreshnessRules, policy_of
from trickster.http.partial_content import Part
from trickster.interfaces import IBody, IPeekingStore, IReferenceStore, IResponder
from trickster.keys.identity import Identity
from trickster.keys.selecting import selecting_values
from trickster.messages import NO_HEADERS, Headers, Octets, Request, Response
from trickster.objects.cache import CacheRuntime, ObjectCache
from trickster.objects.codec import ResponseFormat
from trickster.objects.options import Collapse, ObjectOptions
from trickster.objects.stored_response import StoredResponse
from trickster.objects.variant_store import VariantStore
from trickster.purging.purges import Purges
from trickster.routes import Match, Route, Serve
from trickster.stores.typed_store import TypedStore
from trickster.testing.doubles import ReferenceStore

START = 1_000_000_000.0


@define(eq=False)
class Exchange:
    """A request that the origin has not answered yet."""

    request: Request
    answered: Deferred[Response]
    was_cancelled: bool = False


@implementer(IResponder)
@define(eq=False)
class Origin:
    """
    Answers as a script says, or waits until the test does.

    :ivar script: the answers to come: responses, errors, or functions of the request; when
        it is empty, requests wait in C{waiting}.
    """

    script: list[Any] = field(factory=list)
    requests: list[Request] = field(factory=list)
    waiting: list[Exchange] = field(factory=list)

    async def respond(self, request: Request) -> Response:
        """Take the next answer of the script, or wait."""
        body = request.body
        if isinstance(body, Octets):
            request = evolve(request, body=Octets(bytes(await read_all(body, 10**6))))
        self.requests.append(request)
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer(request) if callable(answer) else answer
        exchange = Exchange(request, Deferred(lambda _: None))
        exchange.answered = Deferred(lambda _: self._cancelled(exchange))
        self.waiting.append(exchange)
        return await exchange.answered

    def _cancelled(self, exchange: Exchange) -> None:
        exchange.was_cancelled = True
        self.waiting.remove(exchange)

    def answer(self, answer: Response | Exception, index: int = 0) -> None:
        """Answer one that waits."""
        exchange = self.waiting.pop(index)
        if isinstance(answer, Exception):
            exchange.answered.errback(Failure(answer))
        else:
            exchange.answered.callback(answer)


@define(eq=False)
class Client:
    """
    One that asks, and what it got.

    :ivar response: the answer, once it is there.
    :ivar error: why there is none.
    :ivar octets: what has arrived of its body.
    :ivar is_done: whether the body has ended.
    """

    reads: bool = True
    response: Response | None = None
    error: Exception | None = None
    octets: bytes = b""
    is_done: bool = False
    asking: Deferred[None] | None = None

    async def ask(self, responder: Any, request: Request) -> None:
        """Ask, and read the answer if this client reads by itself."""
        try:
            self.response = await responder.respond(request)
            if self.reads:
                await self.read_all()
        except (TricksterError, CancelledError) as error:
            # As the frontend does: the frames that it came through have this client.
            self.error = error.with_traceback(None)

    async def read_all(self) -> None:
        """Read to the end."""
        while not self.is_done:
            await self.read_once()

    async def read_once(self) -> None:
        """Read one piece."""
        assert self.response is not None
        piece = await self.response.body.read()
        self.octets += bytes(piece)
        self.is_done = not piece

    def leave(self) -> None:
        """Hang up, as the frontend would."""
        assert self.asking is not None
        self.asking.addErrback(lambda _: None)
        if self.response is None:
            self.asking.cancel()
        else:
            self.response.body.close()

    def header(self, name: bytes) -> bytes | None:
        """:return: a field of the answer."""
        assert self.response is not None
        return self.response.headers.joined(name)

    @property
    def status(self) -> int:
        """The status of the answer."""
        assert self.response is not None, self.error
        return self.response.status

    @property
    def outcome(self) -> Any:
        """How it came about: status and reason."""
        assert self.response is not None, self.error
        return self.response.outcome

    @property
    def result(self) -> str:
        """The lookup status, as Trickster spells it."""
        return str(self.outcome.status.value)


def web_route(**options: Any) -> Route:
    """:return: the route of a plain web origin."""
    return Route("/", Serve.OBJECT, Match.PREFIX, **options)


def variants_in(store: Any, clock: Clock, rules: FreshnessRules | None = None,
                identity: Identity | None = None) -> VariantStore:
    """:return: the variants that a store of any kind keeps."""
    rules = rules or FreshnessRules()
    entries = TypedStore(store, ResponseFormat(rules), clock)
    return VariantStore(entries, clock, rules, identity or Identity())


@define(eq=False)
class World:
    """A cache between clients and an origin."""

    clock: Clock
    origin: Origin
    store: Any
    cache: Any
    memo: HitMemo = field(factory=HitMemo)
    runtime: CacheRuntime | None = None

    @property
    def purges(self) -> Purges:
        """:return: of the store."""
        assert self.runtime is not None
        assert self.runtime.purges is not None
        return self.runtime.purges

    @classmethod
    def of(cls, store: Callable[[Clock], Any] = ReferenceStore, route: Route | None = None,
           wall: Callable[[], float] | None = None, memo: HitMemo | None = None,
           **options: Any) -> World:
        """
        :param wall: what dates are compared with, where it is not the clock.
        :param options: of the path; C{in_flight} and C{spool} are those of the runtime.
        :return: a world at L{START}.
        """
        clock = Clock()
        clock.advance(START)
        origin, kept, memo = Origin(), store(clock), memo or HitMemo()
        given = {name: options.pop(name) for name in ("in_flight", "spool") if name in options}
        purges = None
        if IReferenceStore.providedBy(kept) or IPeekingStore.providedBy(kept):
            purges = Purges(kept, clock, clock.seconds)
        runtime = CacheRuntime(kept, clock, wall or clock.seconds, memo=memo,
                               boundary=lambda: b"BOUNDARY", backend="web", purges=purges,
                               **given)
        world = cls(clock, origin, kept, None, memo, runtime)
        world.cache = world.another_cache(route, **options)
        return world

    def another_cache(self, route: Route | None = None, **options: Any) -> ObjectCache:
        """:return: a cache for another path of the same backend."""
        assert self.runtime is not None
        cache = ObjectCache(
            self.origin, ObjectOptions("web", route or web_route(), **options), self.runtime)
        self.runtime.invalidation.add(cache.invalidate)
        return cache

    def ask(self, target: bytes = b"/x", method: bytes = b"GET", *, body: bytes = b"",
            reads: bool = True, **headers: str) -> Client:
        """:return: a client that has asked; underscores in field names are dashes."""
        client = Client(reads)
        request = Request(method, target, fields(**headers), Octets(body), b"example.org")
        client.asking = Deferred.fromCoroutine(client.ask(self.cache, request))
        return client

    def answer(self, status: int = 200, body: bytes | IBody = b"hello", **headers: str) -> Response:
        """:return: what an origin answers now."""
        octets = Octets(body) if isinstance(body, bytes) else body
        dated = {"Date": format_date(self.clock.seconds()).decode(), **headers}
        return Response(status, fields(**dated), octets)

    def given(self, *answers: Any) -> None:
        """Put answers into the origin's script."""
        self.origin.script.extend(answers)

    @property
    def asked(self) -> int:
        """How often the origin was asked."""
        return len(self.origin.requests)

    @property
    def fetches(self) -> int:
        """How many fetches are on their way."""
        return len(self.cache._storage.table)


def progressive(**options: Any) -> World:
    """:return: a world with a progressive cache."""
    return World.of(collapse=Collapse.PROGRESSIVE, **{"spool": FakeSpool, **options})


def fields(**values: str) -> Headers:
    """:return: header fields; underscores in names are dashes, newlines make several lines."""
    return Headers(tuple(
        (name.replace("_", "-").encode(), line.encode("latin-1"))
        for name, value in values.items() for line in value.split("\n")))


def stored_response(body: bytes = b"hello", request: Headers = NO_HEADERS,
                    received: float = START, names: Iterable[bytes] = (b"authorization",)
                    ) -> StoredResponse:
    """:return: a stored response, and a fresh one for a minute from C{received}."""
    headers = fields(Cache_Control="max-age=60", X="\xe9")
    return StoredResponse(
        200, headers, (Part(0, (body,)),), len(body),
        policy_of(200, headers, received, FreshnessRules()), 1.5, received,
        selecting_values(names, request), b"Fine")


def date(seconds: float) -> str:
    """:return: an HTTP date."""
    return format_date(seconds).decode()


def broken() -> UpstreamBroke:
    """:return: what a body raises when its sender has gone."""
    return UpstreamBroke("gone")
