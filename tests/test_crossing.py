"""No answer crosses identities, for any questions and answers, in any order."""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.collapsing.fakespool import FakeSpool
from tests.objects.objectworld import START, Client, Origin, World
from tests.ranges.deltarig import NOW, Rig, range_request
from trickster.bodies import read_all
from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.hit_memo import HitMemo
from trickster.collapsing.progressive_proxy import ProgressiveProxy, SharedAnswers
from trickster.errors import TricksterError
from trickster.http.dates import format_date
from trickster.http.fields import COUNTED_FIELDS
from trickster.identity import IDENTITY_HEADERS, OVERRIDE_HEADERS
from trickster.interfaces import IResponder
from trickster.keys.identity import Identity, Overrides, field_names
from trickster.messages import Headers, Octets, Request, Response
from trickster.objects.options import Collapse
from trickster.routes import Route, Serve
from trickster.testing.doubles import DictStore, PausedOrigin, ReferenceStore

# Fields that tell requests apart in any case, and those that do not where an answer is public.
ALWAYS = (b"x-scope-orgid", b"x-forwarded-prefix", b"x-forwarded-host")
UNLESS_PUBLIC = (b"authorization", b"cookie")
# Fields with which a request is for itself alone: listed ones, and ones of a listed beginning.
OVERRIDING = (b"x-original-url", b"x-forwarded-team")
NUMBER = b"x-number"  # one for each client; no identity
ASKED = st.lists(st.sampled_from([
    ("X-Scope-OrgID", "a"), ("X-Scope-OrgID", "b"), ("X-Forwarded-Prefix", "/a"),
    ("X-Forwarded-Host", "a.example"), ("Authorization", "Basic eA=="), ("Cookie", "a=1"),
    ("Cookie", "a=2"), ("Foo", "1"), ("Foo", "2"), ("X-Original-URL", "/admin"),
    ("X-Forwarded-Team", "a"), ("X-Forwarded-Team", "b"),
    ("X-Forwarded-For", "192.0.2.1"), ("If-None-Match", '"e"')]), max_size=2)
SAID = st.sampled_from([
    {}, {"Cache-Control": "max-age=9"}, {"Cache-Control": "public, max-age=9"},
    {"Cache-Control": "s-maxage=9"}, {"Cache-Control": "max-age=9, must-revalidate"},
    {"Cache-Control": "private, max-age=9"}, {"Cache-Control": "no-store"},
    {"Cache-Control": "max-age=0", "ETag": '"e"'},
    {"Cache-Control": "no-cache", "ETag": '"e"'}, {"CDN-Cache-Control": "private"},
    {"Cache-Control": "public, max-age=9", "Set-Cookie": "a=b"},
    {"Cache-Control": "public, max-age=9", "Vary": "Foo"},
    {"Cache-Control": "public, max-age=9", "Vary": "*"},
    {"Cache-Control": "public, max-age=9, stale-while-revalidate=9", "ETag": '"e"'}])
METHODS = st.sampled_from([b"GET", b"GET", b"GET", b"HEAD", b"POST"])
STATUSES = st.sampled_from([200, 200, 200, 304, 400, 404, 503])
ACTIONS = st.lists(st.one_of(
    st.tuples(st.just("ask"), ASKED, METHODS),
    st.tuples(st.just("ask"), ASKED, METHODS),
    st.tuples(st.just("answer"), st.integers(0, 9), st.tuples(STATUSES, SAID)),
    st.tuples(st.just("answer"), st.integers(0, 9), st.tuples(STATUSES, SAID)),
    st.tuples(st.just("leave"), st.integers(0, 9), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 9), st.none())), max_size=30)


@define
class Exchange:
    """What the origin was asked, and what it said of its answer."""

    asked: Headers
    status: int
    said: dict[str, str]

    @property
    def is_public(self) -> bool:
        """Whether it said that the answer is for all users, with any credentials."""
        control = self.said.get("Cache-Control", "")
        return "public" in control or "s-maxage" in control

    @property
    def is_personal(self) -> bool:
        """Whether it said that the answer is for one request only."""
        control = self.said.get("Cache-Control", "") + self.said.get("CDN-Cache-Control", "")
        return ("private" in control or "no-store" in control or "Set-Cookie" in self.said
                or self.said.get("Vary") == "*")

    def fault(self, client: Headers, all_count: bool = False, is_public: bool = False
              ) -> str | None:
        """
        :param client: the fields of one that was given the answer.
        :param all_count: whether credentials and cookies count in any case.
        :param is_public: whether the origin has said so later, with a 304 for it.
        :return: why that must not be; None where it may.
        """
        if client.get(NUMBER) == self.asked.get(NUMBER):
            return None
        if self.is_personal or any(name in one for name in OVERRIDING
                                   for one in (client, self.asked)):
            return "an answer for one request only"
        names = ALWAYS
        if all_count or not (self.is_public or is_public) or self.status == 400:
            names += UNLESS_PUBLIC
        if self.said.get("Vary") == "Foo":
            names += (b"foo",)
        return next((f"another {name!r}" for name in names
                     if client.joined(name) != self.asked.joined(name)), None)


def _numbered(asked: list[tuple[str, str]], number: int) -> Headers:
    # A form that nothing in its body tells apart, where it is sent by POST.
    pairs = [(name.encode(), value.encode()) for name, value in dict(asked).items()]
    kind = (b"Content-Type", b"application/x-www-form-urlencoded")
    return Headers((*pairs, kind, (NUMBER, b"%d" % number)))


@define(eq=False)
class Crossing:
    """Clients of several identities before one object cache, and an origin that knows them."""

    world: World
    clients: list[tuple[Client, Headers]] = field(factory=list)
    exchanges: list[Exchange] = field(factory=list)

    def ask(self, asked: list[tuple[str, str]], method: bytes) -> None:
        """One more client asks."""
        client, headers = Client(), _numbered(asked, len(self.clients))
        request = Request(method, b"/x", headers, Octets(), b"example.org")
        client.asking = Deferred.fromCoroutine(client.ask(self.world.cache, request))
        self.clients.append((client, headers))

    def answer(self, n: int, how: tuple[int, dict[str, str]]) -> None:
        """The origin answers one of those that wait, and says whom it answers."""
        waiting = self.world.origin.waiting
        if not waiting:
            return
        request, (status, said) = waiting[n % len(waiting)].request, how
        if status == 304 and b"if-none-match" not in request.headers:
            status = 200
        self.exchanges.append(Exchange(request.headers, status, said))
        who = str(len(self.exchanges) - 1)
        fields = {"Date": format_date(self.world.clock.seconds()).decode(), "X-Who": who, **said}
        body = b"" if status == 304 or request.method == b"HEAD" else who.encode()
        self.world.origin.answer(Response(status, Headers(tuple(
            (k.encode(), v.encode()) for k, v in fields.items())), Octets(body)), n % len(waiting))

    def leave(self, n: int, _: None) -> None:
        """A client goes."""
        waiting = [client for client, _ in self.clients if client.response is None
                   and client.error is None]
        if waiting:
            waiting[n % len(waiting)].leave()

    def wait(self, seconds: int, _: None) -> None:
        """Time passes."""
        self.world.clock.advance(seconds)

    def faults(self) -> list[str]:
        """:return: every answer that was given to one who must not see it."""
        found = []
        for client, headers in self.clients:
            if client.response is None:
                continue
            # The fields are those of the exchange that has last confirmed the body, whose word
            # counts for it (RFC 9111 section 4.3.4).
            said = client.header(b"x-who")
            last = None if said is None else self.exchanges[int(said)]
            is_public = last is not None and last.status == 304 and last.is_public
            for who in (said, client.octets or None):
                fault = who and self.exchanges[int(who)].fault(headers, is_public=is_public)
                if fault:
                    found.append(f"{fault} ({self.exchanges[int(who or 0)]}, {headers})")
        return found


def _proxying() -> World:
    clock = Clock()
    clock.advance(START)
    names = (*IDENTITY_HEADERS, *(name.decode() for name in COUNTED_FIELDS))
    origin = Origin()
    return World(clock, origin, ReferenceStore(clock), ProgressiveProxy(
        origin, SharedAnswers(clock, Buffering(1000, 1000, 1000, FakeSpool),
                              Identity(field_names(names)),
                              Overrides(field_names(OVERRIDE_HEADERS)))), HitMemo())


def _objects(store: Any, **options: Any) -> World:
    return World.of(store, negative={400: 5.0, 404: 5.0, 503: 5.0}, stale_if_error=5.0, **options)


_FORM = Route("/x", Serve.OBJECT, methods=("GET", "HEAD", "POST"), ttl=5.0, form=True)
WORLDS = {
    "objects": lambda: _objects(ReferenceStore),
    "octets": lambda: _objects(DictStore),
    "progressive": lambda: _objects(
        ReferenceStore, collapse=Collapse.PROGRESSIVE, spool=FakeSpool),
    "forced": lambda: _objects(ReferenceStore, route=_FORM),
    "proxy": _proxying,
}


class ObjectTests(SynchronousTestCase):
    """The object cache with each kind of collapsing, and collapsing without a cache."""

    @settings(max_examples=1000, deadline=None)
    @given(st.sampled_from(sorted(WORLDS)), ACTIONS)
    @example("forced", [
        ("ask", [], b"GET"),
        ("answer", 0, (200, {"Cache-Control": "no-cache", "ETag": '"e"'})),
        ("ask", [], b"GET"),
        ("answer", 0, (304, {"Cache-Control": "public, max-age=9"})),
        ("ask", [("Authorization", "Basic eA==")], b"GET")])
    def test_no_crossing(self, which: str, actions: list[tuple[str, Any, Any]]) -> None:
        """A response for one identity is given to no other, unless the origin allows that."""
        crossing = Crossing(WORLDS[which]())
        for name, one, other in actions:
            getattr(crossing, name)(one, other)
        while crossing.world.origin.waiting:
            crossing.answer(0, (200, {"Cache-Control": "max-age=9"}))
        self.assertEqual(crossing.faults(), [])


@implementer(IResponder)
@define(eq=False)
class Series:
    """
    Answers range and instant queries with one series, which is labelled with the exchange.
    """

    paused: PausedOrigin = field(factory=PausedOrigin)
    exchanges: list[Exchange] = field(factory=list)

    def respond(self, request: Request) -> Any:
        """See L{IResponder.respond}."""
        return self.paused.respond(request)

    def answer(self, n: int, status: int, said: dict[str, str]) -> None:
        """Answer one that waits."""
        waiting = self.paused.waiting
        if not waiting:
            return
        paused = waiting[n % len(waiting)]
        request = paused.request
        self.exchanges.append(Exchange(request.headers, status, said))
        labels = {"who": str(len(self.exchanges) - 1)}
        params = {k: v for k, v in (p.split("=") for p in request.query.decode().split("&"))}
        if "time" in params:
            result: dict[str, Any] = {"metric": labels, "value": [int(params["time"]), "1"]}
        else:
            instants = range(int(params["start"]), int(params["end"]) + 1, int(params["step"]))
            result = {"metric": labels, "values": [[t, "1"] for t in instants]}
        kind = "vector" if "time" in params else "matrix"
        body = {"status": "success", "data": {"resultType": kind, "result": [result]}}
        octets = json.dumps(body, separators=(",", ":")) if status == 200 else labels["who"]
        paused.answer(Response(status, Headers(tuple(
            (k.encode(), v.encode()) for k, v in said.items())), Octets(octets.encode())))


@define(eq=False)
class DeltaCrossing:
    """Clients of several identities before one delta cache, and an origin that knows them."""

    rig: Rig
    series: Series
    clients: list[tuple[Headers, Deferred[Any], list[bytes]]] = field(factory=list)

    def ask(self, asked: list[tuple[str, str]], method: bytes) -> None:
        """One more client asks for one of three ranges, the last up to now."""
        number = len(self.clients)
        headers = _numbered(asked, number)
        start, end = ((-600, -300), (-600, -60), (-300, 40))[number % 3]
        request = range_request(NOW + start, NOW + end, headers=headers.pairs)
        got: list[bytes] = []
        answer = Deferred.fromCoroutine(self._read(request, got))
        self.clients.append((headers, answer, got))

    async def _read(self, request: Request, got: list[bytes]) -> None:
        try:
            response = await self.rig.cache.respond(request)
            got.append(bytes(await read_all(response.body, 1 << 20)))
        except TricksterError:
            return

    def answer(self, n: int, how: tuple[int, dict[str, str]]) -> None:
        """The origin answers one of those that wait."""
        self.series.answer(n, 200 if how[0] == 304 else how[0], how[1])

    def leave(self, n: int, _: None) -> None:
        """A client goes."""
        waiting = [answer for _, answer, _ in self.clients if not answer.called]
        if waiting:
            answer = waiting[n % len(waiting)]
            answer.addErrback(lambda _: None)
            answer.cancel()

    def wait(self, seconds: int, _: None) -> None:
        """Time passes."""
        self.rig.now.advance(seconds)

    def faults(self) -> list[str]:
        """:return: every series in an answer to one who must not see it."""
        found = []
        for headers, _, got in self.clients:
            for octets in got:
                for who in _who(octets):
                    fault = self.series.exchanges[who].fault(headers, all_count=True)
                    if fault:
                        found.append(f"{fault} ({self.series.exchanges[who]}, {headers})")
        return found


def _who(octets: bytes) -> list[int]:
    if octets.isdigit():
        return [int(octets)]
    return [int(one["metric"]["who"]) for one in json.loads(octets)["data"]["result"]]


class DeltaTests(SynchronousTestCase):
    """The delta cache with clients of several identities."""

    @settings(max_examples=300, deadline=None)
    @given(ACTIONS, st.booleans())
    def test_no_crossing(self, actions: list[tuple[str, Any, Any]], newest: bool) -> None:
        """A sample for one identity is given to no other, unless the origin allows that."""
        names = (*IDENTITY_HEADERS, *(name.decode() for name in COUNTED_FIELDS))
        series = Series()
        rig = Rig(newest=newest, identity=Identity(field_names(names)),
                  overrides=Overrides(field_names(OVERRIDE_HEADERS)), origin=series)
        rig.now.advance(41)
        crossing = DeltaCrossing(rig, series)
        for name, one, other in actions:
            getattr(crossing, name)(one, other)
        while series.paused.waiting:
            series.answer(0, 200, {})
        self.assertEqual(crossing.faults(), [])
