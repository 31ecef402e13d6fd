"""The object cache, from the outside."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World, broken, date, web_route
from trickster.bodies import read_all
from trickster.collapsing.byte_budget import ByteBudget
from trickster.errors import (
    Reason,
    RequestTooLarge,
    Undecodable,
    UpstreamBroke,
    UpstreamError,
)
from trickster.messages import MOST_PARAMS, Octets, Params, Request
from trickster.routes import Aligned, Route, Serve
from trickster.stores.guard import guarded
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import BrokenStore, DictStore, at_once

FORM = "application/x-www-form-urlencoded"


class NotedTests(SynchronousTestCase):
    """The notes on a request for the log."""

    def test_key(self) -> None:
        """The key is noted where that is wanted, for hits that are remembered too."""
        world, keys = World.of(), []
        world.given(world.answer(Cache_Control="max-age=60"))
        for _ in range(3):
            noted: dict[str, object] = {}
            request = Request(b"GET", b"/x", authority=b"example.org", noted=noted.__setitem__)
            response = at_once(world.cache.respond(request))
            at_once(read_all(response.body, 99))
            keys.append(noted["key"])
        self.assertEqual((len(set(keys)), world.asked), (1, 1))


class MissAndHitTests(SynchronousTestCase):
    """Misses, which fetch from the origin, and hits, which do not."""

    def test_hit(self) -> None:
        """A fresh stored response is a hit, and has an Age."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60", ETag='"a"'))
        first = world.ask()
        world.clock.advance(7)
        second = world.ask()
        self.assertEqual((first.result, second.result), ("kmiss", "hit"))
        self.assertEqual((first.octets, second.octets), (b"hello", b"hello"))
        self.assertEqual((first.header(b"age"), second.header(b"age")), (None, b"7"))
        self.assertEqual(second.header(b"etag"), b'"a"')
        self.assertTrue(first.outcome.stored)
        self.assertIsNone(second.outcome.reason)
        self.assertEqual(second.outcome.ttl, 53.0)

    def test_octet_store(self) -> None:
        """A store of octets gives the same responses as a store of objects."""
        world = World.of(DictStore)
        world.given(world.answer(Cache_Control="max-age=60", X_Foo="\xe9", body=b"\0\xff" * 999))
        first, second = world.ask(), world.ask()
        self.assertEqual((first.octets, first.header(b"x-foo")),
                         (second.octets, second.header(b"x-foo")))
        self.assertEqual(second.result, "hit")

    def test_failing_store(self) -> None:
        """A store that fails is a miss, which says whose fault it is."""
        world = World.of(lambda clock: guarded(BrokenStore(), "c", clock))
        world.given(world.answer(Cache_Control="max-age=60"))
        asked = world.ask()
        self.assertEqual((asked.octets, asked.outcome.reason), (b"hello", Reason.STORE_ERROR))

    def test_stale_is_fetched_again(self) -> None:
        """What is no longer fresh and has no validator is asked for again."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=5"))
        world.ask()
        world.clock.advance(5)
        world.given(world.answer(Cache_Control="max-age=5", body=b"new"))
        self.assertEqual(world.ask().octets, b"new")

    def test_errors_say_so(self) -> None:
        """
        An error response that is not stored is proxy-error for a 5xx and proxy-only for a 4xx, not
        kmiss.
        """
        for status, result in ((404, "proxy-only"), (500, "proxy-error")):
            world = World.of()
            world.given(world.answer(status=status),
                        world.answer(status=status, Cache_Control="max-age=9"))
            asked = [world.ask() for _ in range(3)]
            self.assertEqual([one.result for one in asked], [result, "kmiss", "hit"])
        self.assertEqual(asked[0].outcome.reason, Reason.NO_FRESHNESS)

    def test_query_is_part_of_the_key(self) -> None:
        """Requests with different queries have different keys."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60", body=b"1"),
                    world.answer(Cache_Control="max-age=60", body=b"2"))
        self.assertEqual(world.ask(b"/x?p=1").octets, b"1")
        self.assertEqual(world.ask(b"/x?p=2").octets, b"2")

    def test_not_storable(self) -> None:
        """A response that must not be stored is not stored, and the reason is given."""
        world = World.of()
        for _ in range(2):
            world.given(world.answer(Cache_Control="no-store"))
            client = world.ask()
            self.assertEqual(client.outcome.reason, Reason.NO_STORE)
        self.assertEqual(world.asked, 2)

    def test_doubtful(self) -> None:
        """An answer that servers may differ about is not stored, nor is a part of one."""
        for status, asked, headers in (
                (200, {}, {}), (404, {}, {}),
                (206, {"Range": "bytes=0-4"}, {"Content_Range": "bytes 0-4/9", "ETag": '"a"'})):
            world = World.of()
            answer = world.answer(status, Cache_Control="max-age=60", **headers)
            world.given(*[evolve(answer, body=Octets(b"hello"), is_doubtful=True)
                          for _ in range(2)])
            clients = [world.ask(**asked) for _ in range(2)]
            self.assertEqual([one.octets for one in clients], [b"hello"] * 2)
            self.assertEqual([one.outcome.reason for one in clients],
                             [Reason.ORIGIN_DOUBTFUL] * 2, status)
            self.assertEqual((world.asked, world.store.entries), (2, {}), status)

    def test_too_large(self) -> None:
        """A response above the size limit streams through and is not stored."""
        world = World.of(max_object_size_bytes=4)
        for _ in range(2):
            world.given(world.answer(Cache_Control="max-age=60"))
            client = world.ask()
            self.assertEqual(client.octets, b"hello")
            self.assertEqual(client.outcome.reason, Reason.TOO_LARGE)
            self.assertFalse(client.outcome.stored)

    def test_unannounced_too_large(self) -> None:
        """An answer that turns out to be too large goes on to the client, and is not stored."""
        world = World.of(max_object_size_bytes=4)
        for _ in range(2):
            body = PausedBody()
            world.given(world.answer(Cache_Control="max-age=60", body=body))
            client = world.ask()
            body.feed(b"abc", b"def", b"ghi", b"")
            self.assertEqual(client.octets, b"abcdefghi")
        self.assertEqual(world.asked, 2)

    def test_too_old(self) -> None:
        """
        A response that is already too old on arrival is neither stored nor reported as stored.
        """
        world = World.of()
        for age, asked in (("1000", 1), ("1000", 2), ("100", 3), ("100", 4)):
            world.given(world.answer(Cache_Control="max-age=60", Age=age, ETag='"a"'))
            client = world.ask()
            self.assertEqual((client.octets, world.asked), (b"hello", asked))
            self.assertIs(client.outcome.stored, asked > 2)
        self.assertEqual(len(world.store.entries), 1)

    def test_no_content(self) -> None:
        """A 204 is stored, though there is no body to be read."""
        world = World.of()
        world.given(world.answer(204, PausedBody(), Cache_Control="max-age=60"))
        client = world.ask(reads=False)
        client.leave()
        self.assertTrue(client.outcome.stored)
        self.assertEqual((world.ask().status, world.ask(method=b"HEAD").result), (204, "hit"))
        self.assertEqual(world.asked, 1)

    def test_missed(self) -> None:
        """The reason why nothing stored was used is given also where the response is not stored."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=0", ETag='"a"'),
                    world.answer(Cache_Control="no-store"))
        self.assertEqual(world.ask().outcome.reason, Reason.KEY_MISS)
        outcome = world.ask().outcome
        self.assertEqual((outcome.reason, outcome.missed), (Reason.NO_STORE, Reason.STALE))

    def test_truncated(self) -> None:
        """A body that ends early is not stored, and its reader gets an error."""
        world = World.of()
        body = PausedBody(10)
        world.given(world.answer(Cache_Control="max-age=60", body=body))
        client = world.ask()
        body.feed(b"abc", b"")
        self.assertIsInstance(client.error, UpstreamBroke)
        self.assertEqual(world.store.entries, {})


# Fields of an answer, and why it is then for the one who asked only.
FORBIDDING = (
    ({"Cache_Control": "no-store"}, Reason.NO_STORE),
    ({"Cache_Control": "private, max-age=9"}, Reason.PRIVATE),
    ({"Cache_Control": "no-cache"}, Reason.NO_CACHE),
    ({"CDN_Cache_Control": "no-store"}, Reason.NO_STORE),
    ({"CDN_Cache_Control": "private"}, Reason.PRIVATE),
    ({"Set_Cookie": "a=b"}, Reason.SET_COOKIE),
    ({"Set_Cookie2": "a=b"}, Reason.SET_COOKIE),
    ({"Vary": "*"}, Reason.VARY_STAR),
)


class ForcedTtlTests(SynchronousTestCase):
    """Routes whose responses are fresh for a configured time."""

    def world(self, **route: object) -> World:
        """:return: a world with such a route."""
        return World.of(route=Route("/l", Serve.OBJECT, ttl=30.0, **route))  # type: ignore[arg-type]

    def test_whatever_the_lifetime(self) -> None:
        """A route with a forced lifetime ignores every lifetime of the response."""
        world = self.world()
        world.given(world.answer(Cache_Control="max-age=1, s-maxage=0", Expires="0", Age="1000"))
        world.ask(b"/l")
        world.clock.advance(29)
        hit = world.ask(b"/l")
        self.assertEqual((hit.result, hit.header(b"age")), ("hit", b"29"))
        world.clock.advance(1)
        world.given(world.answer())
        self.assertEqual(world.ask(b"/l").result, "kmiss")

    def test_who_may_see_it(self) -> None:
        """Whom an answer is for, the origin says, by any method, and here too it is heard."""
        for headers, reason in FORBIDDING:
            for method in (b"GET", b"POST"):
                world = self.world(form=True, methods=("GET", "HEAD", "POST"))
                answers = [world.answer(**headers) for _ in range(2)]
                world.given(*answers)
                clients = [world.ask(b"/l", method) for _ in range(2)]
                self.assertEqual([one.outcome.reason for one in clients], [reason] * 2)
                self.assertEqual((world.asked, world.store.entries), (2, {}))

    def test_waiters(self) -> None:
        """A private response is not given to waiters, even under a forced lifetime."""
        for headers, _ in FORBIDDING:
            world = self.world()
            clients = [world.ask(b"/l") for _ in range(3)]
            world.origin.answer(world.answer(**headers))
            self.assertEqual([one.response is None for one in clients], [False, True, True])
            self.assertEqual(len(world.origin.waiting), 2, headers)

    def test_vary(self) -> None:
        """
        A response with Vary keeps its variants apart under a forced lifetime, except for fields the
        origin never gets.
        """
        world = self.world()
        world.given(*[world.answer(Vary="Foo, Accept-Encoding", body=b"%d" % n)
                      for n in range(2)])
        asked = [world.ask(b"/l", Foo=foo, Accept_Encoding=coding).octets for foo, coding in (
            ("a", "gzip"), ("b", "br"), ("a", "br"), ("b", "gzip"))]
        self.assertEqual(asked, [b"0", b"1", b"0", b"1"])

    def test_no_cache(self) -> None:
        """What must be validated before each use is, and where it cannot be is not kept."""
        world = self.world()
        world.given(world.answer(Cache_Control="no-cache", ETag='"a"'), world.answer(304, b""))
        self.assertEqual([world.ask(b"/l").result for _ in range(2)], ["kmiss", "rhit"])

    def test_first_leaves(self) -> None:
        """
        A response for one client alone is given to no other client, even if that client has left.
        """
        for headers, _ in FORBIDDING:
            for options in ({}, {"route": Route("/l", Serve.OBJECT, ttl=30.0)}):
                world = World.of(**options)
                first, second = world.ask(b"/l"), world.ask(b"/l")
                first.leave()
                world.origin.answer(world.answer(**headers))
                self.assertIsNone(second.response, headers)

    def test_validated_for_one(self) -> None:
        """A response that a 304 makes private is given to its own client and no longer stored."""
        for headers, reason in (({"Set_Cookie": "a=b"}, Reason.SET_COOKIE),
                                ({"Cache_Control": "private"}, Reason.PRIVATE),
                                ({"Vary": "*"}, Reason.VARY_STAR)):
            for options in ({}, {"route": Route("/l", Serve.OBJECT, ttl=30.0)}):
                world = World.of(**options)
                world.given(world.answer(ETag='"a"', Cache_Control="no-cache, max-age=3"))
                world.ask(b"/l")
                world.clock.advance(4)
                clients = [world.ask(b"/l") for _ in range(3)]
                world.origin.answer(world.answer(304, b"", **headers))
                self.assertEqual((clients[0].octets, clients[0].outcome.reason),
                                 (b"hello", reason))
                self.assertEqual([one.response for one in clients[1:]], [None] * 2)
                self.assertEqual((world.asked, world.store.entries), (4, {}))

    def test_waiters_validate(self) -> None:
        """A no-cache response is validated by each of its waiters."""
        world = World.of()
        clients = [world.ask() for _ in range(3)]
        world.origin.answer(world.answer(Cache_Control="no-cache", ETag='"a"'))
        self.assertEqual([one.response is None for one in clients], [False, True, True])
        for _ in range(2):
            self.assertIn(b"if-none-match", world.origin.waiting[0].request.headers)
            world.origin.answer(world.answer(304, b"", ETag='"a"'))
        self.assertEqual([one.octets for one in clients], [b"hello"] * 3)

    def test_negative(self) -> None:
        """The lifetime of a failure is overruled, not whom it is for."""
        for headers, reason in FORBIDDING:
            world = World.of(negative={404: 20.0})
            world.given(*[world.answer(404, **headers) for _ in range(2)])
            self.assertEqual([world.ask().outcome.reason for _ in range(2)], [reason] * 2)
            self.assertEqual(world.store.entries, {})

    def test_conditions_and_ranges_are_ours(self) -> None:
        """The origin is asked for everything; the client gets what it asked for."""
        world = self.world()
        world.given(world.answer(ETag='"a"'))
        client = world.ask(b"/l", Range="bytes=1-2", If_Modified_Since=date(1),
                           Accept_Encoding="gzip")
        for name in (b"range", b"if-modified-since", b"accept-encoding"):
            self.assertNotIn(name, world.origin.requests[0].headers)
        self.assertEqual((client.status, client.octets), (206, b"el"))
        self.assertEqual(world.ask(b"/l", If_None_Match='"a"').status, 304)

    def test_looked_at_before_it_is_stored(self) -> None:
        """What a route will not have stored is passed on as it is, and asked for again."""
        world = self.world(unkept=lambda octets: Reason.ORIGIN_WARNINGS
                           if b"warn" in octets else None)
        world.given(world.answer(body=b"warned"), world.answer(body=b"fine"))
        asked = [world.ask(b"/l") for _ in range(3)]
        self.assertEqual([one.octets for one in asked], [b"warned", b"fine", b"fine"])
        self.assertEqual([one.result for one in asked], ["kmiss", "kmiss", "hit"])
        self.assertEqual(asked[0].outcome.reason, Reason.ORIGIN_WARNINGS)
        self.assertFalse(asked[0].outcome.stored)

    def test_looked_at_before_it_is_changed(self) -> None:
        """A route that changes answers judges them as they came."""
        world = self.world(transform=lambda octets: octets.upper(),
                           unkept=lambda octets: Reason.ORIGIN_WARNINGS
                           if b"warn" in octets else None)
        world.given(world.answer(body=b"warned"), world.answer(body=b"fine"))
        self.assertEqual([world.ask(b"/l").octets for _ in range(3)],
                         [b"WARNED", b"FINE", b"FINE"])

    def test_transformed_though_not_stored(self) -> None:
        """Answers that are not stored are changed as well."""
        world = self.world(transform=lambda octets: octets.upper())
        world.given(world.answer(Set_Cookie="a=b"), world.answer(), world.answer())
        self.assertEqual(world.ask(b"/l").octets, b"HELLO")
        client = world.ask(b"/l", Cache_Control="no-store")
        self.assertEqual((client.octets, client.outcome.reason),
                         (b"HELLO", Reason.REQUEST_NO_STORE))
        self.assertEqual(world.store.entries, {})

    def test_post_has_no_conditions(self) -> None:
        """A form sent with POST is answered with 200, with any conditions."""
        world = self.world(form=True)
        world.given(world.answer(ETag='"a"'))
        for _ in range(2):
            client = world.ask(b"/l", b"POST", body=b"a=1", If_None_Match='"a"',
                               Content_Type="application/x-www-form-urlencoded")
            self.assertEqual((client.status, client.octets), (200, b"hello"))

    def test_coded_answers_are_not_changed(self) -> None:
        """An answer in a content coding cannot be transformed, and is passed on as it is."""
        world = self.world(transform=lambda octets: octets.upper())
        world.given(world.answer(Content_Encoding="gzip"))
        client = world.ask(b"/l")
        self.assertEqual((client.octets, client.outcome.reason), (b"hello", Reason.UNDECODABLE))

    def test_not_transformable(self) -> None:
        """What the transformation refuses is passed on as it is, and not stored."""

        def refuse(octets: bytes) -> bytes:
            raise Undecodable("no")

        world = self.world(transform=refuse)
        world.given(world.answer())
        client = world.ask(b"/l")
        self.assertEqual((client.octets, client.outcome.reason), (b"hello", Reason.UNDECODABLE))
        self.assertEqual(world.store.entries, {})

    def test_too_large_to_transform(self) -> None:
        """What cannot be held to be changed is an error: it must not go out unchanged."""
        world = World.of(max_capture_bytes=4, route=Route(
            "/l", Serve.OBJECT, ttl=30.0, transform=lambda octets: octets))
        world.given(world.answer())
        client = world.ask(b"/l")
        self.assertIsInstance(client.error, UpstreamError)

    def test_transformed_and_too_large(self) -> None:
        """What is too large after the change is given, and not stored."""
        world = World.of(max_object_size_bytes=6, route=Route(
            "/l", Serve.OBJECT, ttl=30.0, transform=lambda octets: octets * 2))
        world.given(world.answer())
        client = world.ask(b"/l")
        self.assertEqual((client.octets, client.outcome.reason),
                         (b"hellohello", Reason.TOO_LARGE))
        self.assertEqual(world.store.entries, {})

    def test_only_success_is_stored(self) -> None:
        """A response with a status other than success is passed on and not stored."""
        world = self.world()
        world.given(world.answer(500, Cache_Control="max-age=60"), world.answer())
        self.assertEqual(world.ask(b"/l").status, 500)
        self.assertEqual(world.ask(b"/l").status, 200)

    def test_identity(self) -> None:
        """Requests with different credentials share no stored response."""
        world = self.world(key_headers=(b"x-scope-orgid",))
        world.given(world.answer(body=b"1"), world.answer(body=b"2"), world.answer(body=b"3"))
        for expected, headers in ((b"1", {"Authorization": "a"}), (b"2", {"X_Scope_OrgID": "t"}),
                                  (b"3", {})):
            for _ in range(2):
                self.assertEqual(world.ask(b"/l", **headers).octets, expected)
        self.assertEqual(world.asked, 3)

    def test_transform(self) -> None:
        """A whole response is transformed before it is stored."""
        world = self.world(transform=lambda octets: octets.upper())
        world.given(world.answer())
        self.assertEqual([world.ask(b"/l").octets for _ in range(2)], [b"HELLO"] * 2)

    def test_form(self) -> None:
        """A form has the key of the same query, and the order does not count."""
        world = self.world(form=True, ignored_params=frozenset({"_"}))
        world.given(world.answer(body=b"1"))
        world.ask(b"/l?a=1&b=2&_=7")
        hit = world.ask(b"/l", b"POST", body=b"b=2&a=1", Content_Type=FORM + "; charset=UTF-8")
        self.assertEqual((hit.result, hit.octets), ("hit", b"1"))

    def test_no_form(self) -> None:
        """A body that origins do not read as a form is no part of any key."""
        world = self.world(form=True)
        world.given(*(world.answer(body=b"%d" % i) for i in range(5)))
        world.ask(b"/l?a=1")
        for headers in ({}, {"Content_Type": "text/plain"}, {"Content_Type": "application/json"},
                        {"Content_Type": FORM, "Content_Encoding": "gzip"}):
            asked = world.ask(b"/l", b"POST", body=b"a=1", **headers)
            self.assertEqual(asked.result, "proxy-only")
            self.assertEqual(world.origin.requests[-1].method, b"POST")
        self.assertEqual(world.asked, 5)

    def test_posted_without_a_body(self) -> None:
        """A POST of nothing asks what its query string says, of the origin too."""
        world = self.world(form=True, normalise=lambda params: params.replaced(t="0"))
        world.given(world.answer(body=b"1"))
        world.ask(b"/l?t=5&a=1", b"POST")
        sent = world.origin.requests[0]
        self.assertEqual((sent.method, sent.target), (b"POST", b"/l?a=1&t=0"))
        self.assertEqual(world.ask(b"/l?a=1").result, "hit")

    def test_normalised(self) -> None:
        """What was made equal is sent to the origin."""
        world = self.world(form=True, normalise=lambda params: params.replaced(t="0"))
        world.given(world.answer())
        world.ask(b"/l?t=5&a=1")
        self.assertEqual(world.ask(b"/l?a=1&t=6").result, "hit")
        self.assertEqual(world.origin.requests[0].target, b"/l?a=1&t=0")

    def test_too_many_parameters(self) -> None:
        """A request of thousands of parameters is passed unread, and says why."""
        world = self.world(form=True)
        world.given(world.answer(), world.answer())
        asked = b"&".join(b"a%d=1" % i for i in range(MOST_PARAMS + 1))
        for one in (world.ask(b"/l?" + asked),
                    world.ask(b"/l", b"POST", body=asked, Content_Type=FORM)):
            self.assertEqual((one.result, one.outcome.reason), (
                "proxy-only", Reason.UNPARSABLE_PARAMETER))

    def test_aligned(self) -> None:
        """What was rounded is asked so, by every method, and each outcome names the extent."""
        world = self.world(form=True, align=tens)
        for i in range(3):
            world.given(world.answer(body=b"%d" % i))
        asked = (world.ask(b"/l?t=14"), world.ask(b"/l?t=19"), world.ask(b"/l?t=19"),
                 world.ask(b"/l", b"POST", body=b"t=15", Content_Type=FORM),
                 world.ask(b"/l?t=16", Cache_Control="no-cache"),
                 world.ask(b"/l?t=12", b"HEAD"))
        self.assertEqual({one.outcome.aligned for one in asked}, {(10, 10)})
        self.assertEqual([one.result for one in asked[:4]], ["kmiss", "hit", "hit", "hit"])
        self.assertEqual({one.target for one in world.origin.requests}, {b"/l?t=10"})

    def test_not_aligned(self) -> None:
        """Where the client asked for just that, the outcome names no extent."""
        world = self.world(form=True, align=tens)
        world.given(world.answer(body=b"1"))
        for target in (b"/l?t=10", b"/l?t=10"):
            self.assertIsNone(world.ask(target).outcome.aligned)

    def test_aligned_together(self) -> None:
        """Each waiter for an aligned response is given the extent of its own request."""
        world = self.world(form=True, align=tens)
        clients = [world.ask(target) for target in (b"/l?t=14", b"/l?t=10", b"/l?t=17")]
        world.origin.answer(world.answer(body=b"1"))
        self.assertEqual([one.outcome.aligned for one in clients], [(10, 10), None, (10, 10)])


def tens(params: Params) -> Aligned | None:
    """:return: the parameters with the instant rounded down to a multiple of ten."""
    asked = int(params.get("t") or 0)
    rounded = asked // 10 * 10
    return Aligned(params.replaced(t=str(rounded)), (rounded, rounded)) if asked % 10 else None


class ValidationTests(SynchronousTestCase):
    """What is stale and has a validator is validated."""

    def test_revalidated(self) -> None:
        """A 304 freshens the stored response."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=5", ETag='"a"', X_A="1", X_B="1"))
        world.ask()
        world.clock.advance(6)
        world.given(world.answer(304, b"", Cache_Control="max-age=9", X_A="2"))
        client = world.ask()
        self.assertEqual((client.result, client.octets), ("rhit", b"hello"))
        self.assertEqual((client.header(b"x-a"), client.header(b"x-b")), (b"2", b"1"))
        self.assertEqual(world.origin.requests[1].headers.get(b"if-none-match"), b'"a"')
        world.clock.advance(8)
        self.assertEqual(world.ask().result, "hit")

    def test_changed(self) -> None:
        """A validation that finds another representation replaces the stored response."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=5", Last_Modified=date(1)))
        world.ask()
        world.clock.advance(6)
        world.given(world.answer(Cache_Control="max-age=9", body=b"new"))
        self.assertEqual(world.ask().octets, b"new")
        self.assertEqual(world.ask().octets, b"new")
        self.assertEqual(world.origin.requests[1].headers.get(b"if-modified-since"),
                         date(1).encode())

    def test_stale_while_revalidate(self) -> None:
        """A stale response within its window is served at once and refreshed in the background."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=5, stale-while-revalidate=10"))
        world.ask()
        world.clock.advance(6)
        client = world.ask()
        self.assertEqual((client.octets, client.outcome.reason), (b"hello", Reason.STALE))
        world.ask()
        self.assertEqual(world.asked, 2)
        world.origin.answer(world.answer(Cache_Control="max-age=5", body=b"new"))
        self.assertEqual(world.ask().octets, b"new")


class DirectiveTests(SynchronousTestCase):
    """Cache-Control of requests."""

    def test_unknown_directives(self) -> None:
        """Anything but a request for a fresh answer means nothing."""
        world = World.of(route=web_route())
        world.given(world.answer(Cache_Control="max-age=60"))
        world.ask()
        for said in ({"Cache_Control": "nothing", "Pragma": "foo"}, {"Cache_Control": "private"}):
            self.assertEqual(world.ask(**said).result, "hit")


class PostTests(SynchronousTestCase):
    """Answers to POST, by fields of the body."""

    def test_fields(self) -> None:
        """The named fields of a form are part of the key, and the whole body goes to the origin."""
        world = World.of(key_form_fields=("q",))
        world.given(world.answer(Cache_Control="max-age=60"), world.answer())
        kind = "application/json"
        world.ask(method=b"POST", body=b'{"q": 1, "t": 2}', Content_Type=kind)
        hit = world.ask(method=b"POST", body=b'{"t": 3, "q": 1}', Content_Type=kind)
        self.assertEqual((hit.result, hit.octets), ("hit", b"hello"))
        self.assertEqual(at_once(world.origin.requests[0].body.read()), b'{"q": 1, "t": 2}')
        world.ask(method=b"POST", body=b'{"q": 2}', Content_Type=kind)
        self.assertEqual(world.asked, 2)

    def test_is_not_get(self) -> None:
        """A stored response to POST does not answer GET."""
        world = World.of(key_form_fields=("q",))
        world.given(world.answer(Cache_Control="max-age=60"), world.answer())
        world.ask(method=b"POST", body=b"q=1")
        world.ask()
        self.assertEqual(world.asked, 2)

    def test_too_large(self) -> None:
        """A request body that is too large to be part of a key is refused."""
        world = World.of(key_form_fields=("q",), max_request_body_bytes=3)
        client = world.ask(method=b"POST", body=b"q=12")
        self.assertIsInstance(client.error, RequestTooLarge)

    def test_unclear_parameters(self) -> None:
        """A request whose parameters have several readings is passed to the origin to refuse."""
        world = World.of(route=Route("/l", Serve.OBJECT, ttl=30.0, form=True))
        for method, target, body in ((b"GET", b"/l?a;b", b""), (b"POST", b"/l", b"a=%zz")):
            world.given(world.answer(400))
            client = world.ask(target, method, body=body,
                               Content_Type="application/x-www-form-urlencoded")
            self.assertEqual((client.status, client.outcome.reason),
                             (400, Reason.UNPARSABLE_PARAMETER))
            self.assertEqual(at_once(world.origin.requests[-1].body.read()), body)


class PassedTests(SynchronousTestCase):
    """Requests that are more than plain reading, and so bypass the cache."""

    def test_get_with_a_body(self) -> None:
        """A GET with a body is passed through with its body, even where a response is stored."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60"), world.answer(body=b"2"))
        world.ask()
        client = world.ask(body=b"question")
        self.assertEqual((client.octets, client.result), (b"2", "proxy-only"))
        self.assertEqual(at_once(world.origin.requests[1].body.read()), b"question")

    def test_upgrade(self) -> None:
        """A client neither waits for nor gets another client's changed protocol."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60"))
        world.ask()
        for _ in range(2):
            world.ask(Upgrade="websocket", Connection="Upgrade")
        self.assertEqual(len(world.origin.waiting), 2)
        world.origin.answer(world.answer(101))
        self.assertEqual(world.ask(Upgrade="h2c").result, "hit")


class InFlightTests(SynchronousTestCase):
    """The byte budget that all bodies on their way share."""

    def test_no_room(self) -> None:
        """A response for which the byte budget has no room streams through and is not stored."""
        in_flight = ByteBudget(10)
        world = World.of(in_flight=in_flight)
        first, second = world.ask(b"/1"), world.ask(b"/2")
        bodies = PausedBody(), PausedBody()
        for body in bodies:
            world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
            body.feed(b"abcdef")
        self.assertEqual(in_flight.held, 6)
        for body in bodies:
            body.feed(b"")
        self.assertEqual((first.octets, second.octets, in_flight.held),
                         (b"abcdef", b"abcdef", 0))
        self.assertEqual(len(world.store.entries), 1)

    def test_given_back_after_failures(self) -> None:
        """The byte budget is given back however a transfer ends."""
        in_flight = ByteBudget(100)
        for end in ("die", "leave", "outgrow"):
            world = World.of(in_flight=in_flight, max_object_size_bytes=9)
            client = world.ask()
            body = PausedBody()
            world.origin.answer(world.answer(Cache_Control="max-age=60", body=body))
            body.feed(b"abcdef")
            self.assertEqual(in_flight.held, 6)
            if end == "die":
                body.feed(broken())
            elif end == "leave":
                client.leave()
            else:
                body.feed(b"ghijkl")
            self.assertEqual(in_flight.held, 0)
