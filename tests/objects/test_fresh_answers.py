"""Clients that want a fresh answer: they get it, and nothing is taken from others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World, date
from tests.ranges.deltarig import NOW, Rig, range_request
from tests.ranges.fakeprometheus import having, status
from trickster.errors import NotCached, Reason, UpstreamUnreachable
from trickster.messages import Engine, Status
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import DictStore, ReferenceStore

# Each of the ways to ask for it, and whether the answer may be stored.
REQUEST_DIRECTIVES = (
    ({"Cache_Control": "no-cache"}, True), ({"Cache_Control": "x, NO-CACHE"}, True),
    ({"Pragma": "no-cache"}, True), ({"Cache_Control": 'no-cache="set-cookie"'}, True),
    ({"Cache_Control": "no-store"}, False),
    ({"Cache_Control": "no-cache\nmax-age=0, no-store"}, False))


class ObjectTests(SynchronousTestCase):
    """Requests of the object cache for a fresh response."""

    def fresh(self, **options: object) -> World:
        """:return: a world in which C{/x} is stored, and fresh for a minute."""
        world = World.of(**options)
        world.given(world.answer(Cache_Control="max-age=60"))
        world.ask()
        return world

    def test_answered_anew(self) -> None:
        """A no-cache request gets a new response, which is stored unless no-store forbids that."""
        for store in (ReferenceStore, DictStore):
            for directive, is_stored in REQUEST_DIRECTIVES:
                world = self.fresh(store=store)
                world.given(world.answer(body=b"new", Cache_Control="max-age=60"))
                client = world.ask(**directive)
                self.assertEqual((client.octets, client.outcome.stored), (b"new", is_stored))
                again = world.ask()
                self.assertEqual((again.result, again.octets),
                                 ("hit", b"new" if is_stored else b"hello"), directive)
                self.assertEqual(world.asked, 2)

    def test_told(self) -> None:
        """The outcome of a no-cache request says why the origin was asked."""
        for directive, reason in (("no-cache", Reason.REQUEST_NO_CACHE),
                             ("no-store", Reason.REQUEST_NO_STORE)):
            world = self.fresh()
            world.given(world.answer(body=b"new", Cache_Control="max-age=60"))
            client = world.ask(Cache_Control=directive)
            self.assertEqual((client.result, client.outcome.reason), ("kmiss", reason))

    def test_nothing_stored(self) -> None:
        """A no-cache request for which nothing is stored is a key miss."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60"))
        self.assertEqual(world.ask(Cache_Control="no-cache").outcome.reason, Reason.KEY_MISS)
        self.assertEqual(world.ask().result, "hit")

    def test_validated(self) -> None:
        """What has a validator is validated, and then new for all (section 5.2.1.4)."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60", ETag='"1"'))
        world.ask()
        world.clock.advance(30)
        world.given(world.answer(304, b"", Cache_Control="max-age=60", ETag='"1"'))
        client = world.ask(Cache_Control="no-cache")
        self.assertEqual((client.result, client.outcome.reason, client.octets),
                         ("rhit", Reason.REQUEST_NO_CACHE, b"hello"))
        self.assertEqual(world.origin.requests[-1].headers.get(b"if-none-match"), b'"1"')
        self.assertEqual(world.ask().header(b"age"), b"0")

    def test_no_store_is_not_conditional(self) -> None:
        """A 304 would have to be stored."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=60", ETag='"1"'),
                    world.answer(body=b"new", ETag='"2"', Cache_Control="max-age=60"))
        world.ask()
        self.assertEqual(world.ask(Cache_Control="no-store").octets, b"new")
        self.assertNotIn(b"if-none-match", world.origin.requests[-1].headers)

    def test_failures(self) -> None:
        """
        A failing no-cache fetch, or one refused for its own request, leaves the stored response to
        others.
        """
        for directive, _ in REQUEST_DIRECTIVES:
            for code in (400, 401, 403, 429, 431, 500, 503):
                world = self.fresh()
                world.given(world.answer(code, b"no"))
                self.assertEqual(world.ask(**directive).status, code)
                self.assertEqual(world.ask().result, "hit")
            world = self.fresh(stale_if_error=600.0)
            world.given(UpstreamUnreachable("gone"))
            self.assertIsInstance(world.ask(**directive).error, UpstreamUnreachable)
            self.assertEqual(world.ask().result, "hit")

    def test_personal_answers(self) -> None:
        """A private response to a no-cache request leaves the stored response to others."""
        for said in ({"Set_Cookie": "a=b", "Cache_Control": "max-age=60"},):
            world = self.fresh()
            world.given(world.answer(body=b"mine", **said))
            self.assertEqual(world.ask(Cache_Control="no-cache").octets, b"mine")
            self.assertEqual(world.ask().octets, b"hello")

    def test_gone(self) -> None:
        """What the origin says is no more, or no longer to be stored, is not used on."""
        for code, said in ((404, "x"), (410, "x"), (200, "no-store"), (200, "private")):
            world = self.fresh()
            world.given(world.answer(code, b"new", Cache_Control=said), world.answer())
            world.ask(Cache_Control="no-cache")
            world.ask()
            self.assertEqual(world.asked, 3, (code, said))

    def test_variants(self) -> None:
        """A no-cache request replaces only the variant that it selects."""
        world = World.of()
        world.given(*(world.answer(body=b, Cache_Control="max-age=60", Vary="A")
                      for b in (b"1", b"2", b"3")))
        world.ask(A="x")
        world.ask(A="y")
        self.assertEqual(world.ask(A="x", Cache_Control="no-cache").octets, b"3")
        self.assertEqual([world.ask(A=a).octets for a in "xy"], [b"3", b"2"])
        self.assertEqual(world.asked, 3)

    def test_heads(self) -> None:
        """HEAD is asked of the origin, and leaves what is stored where it does not contradict."""
        for directive, _ in REQUEST_DIRECTIVES:
            world = World.of()
            world.given(world.answer(Cache_Control="max-age=60", ETag='"1"'),
                        world.answer(200, b"", ETag='"1"', Content_Length="5"))
            world.ask()
            self.assertEqual(world.ask(method=b"HEAD", **directive).status, 200)
            self.assertEqual((world.asked, world.ask().result), (2, "hit"))

    def test_no_store_of_parts(self) -> None:
        """A no-store request for a range stores no part either."""
        for honoured in (False, True):
            world = World.of(honour_request_directives=honoured)
            world.given(world.answer(206, b"he", Content_Range="bytes 0-1/5", ETag='"1"',
                                     Cache_Control="max-age=60"))
            self.assertEqual(world.ask(Range="bytes=0-1", Cache_Control="no-store").octets, b"he")
            self.assertEqual(world.store.entries, {})

    def test_does_not_join(self) -> None:
        """
        A no-cache request does not wait for an earlier fetch, which does not replace its response.
        """
        world = World.of()
        early = world.ask()
        late = world.ask(Cache_Control="no-cache")
        self.assertEqual(len(world.origin.waiting), 2)
        world.origin.answer(world.answer(body=b"new", Cache_Control="max-age=60"), 1)
        self.assertEqual((late.octets, early.response), (b"new", None))
        world.origin.answer(world.answer(body=b"old", Cache_Control="max-age=60"))
        self.assertEqual(early.octets, b"old")
        self.assertEqual(world.ask().octets, b"new")

    def test_is_joined(self) -> None:
        """
        A fetch for a no-cache request may have waiters; a no-store fetch delays no later request.
        """
        world = World.of()
        first, second = world.ask(Cache_Control="no-cache"), world.ask()
        self.assertEqual(len(world.origin.waiting), 1)
        world.origin.answer(world.answer(Cache_Control="max-age=60"))
        self.assertEqual((first.octets, second.result), (b"hello", "proxy-hit"))
        world.given(world.answer(body=b"2"))
        world.ask(b"/z", Cache_Control="no-store")
        waiting = [world.ask(b"/z"), world.ask(b"/z")]
        self.assertEqual(len(world.origin.waiting), 1)
        world.origin.answer(world.answer(Cache_Control="max-age=60"))
        self.assertEqual([one.octets for one in waiting], [b"hello"] * 2)

    def test_invalidated_meanwhile(self) -> None:
        """What is fetched for one client when the target changes is not stored."""
        world = World.of()
        world.ask()
        alone = world.ask(Cache_Control="no-cache")
        world.given(world.answer(204))
        world.ask(method=b"DELETE")
        world.origin.answer(world.answer(body=b"old", Cache_Control="max-age=60"), 1)
        self.assertEqual((alone.octets, world.store.entries), (b"old", {}))

    def test_leaving(self) -> None:
        """A client that leaves takes its request to the origin with it, and nothing else."""
        world = self.fresh()
        body = PausedBody(length=9)
        world.given(world.answer(body=body, Cache_Control="max-age=60"))
        client = world.ask(Cache_Control="no-cache", reads=False)
        body.feed(b"abc")
        client.leave()
        self.assertTrue(body.is_closed)
        self.assertEqual(world.ask().octets, b"hello")

    def test_transformed(self) -> None:
        """Responses to no-cache requests are transformed as any others."""
        for directive, _ in REQUEST_DIRECTIVES:
            world = World.of()
            route = world.cache.options.route
            world = World.of(route=type(route)("/", route.serve, route.match, ttl=60.0,
                                               transform=lambda octets: octets.upper()))
            world.given(world.answer(), world.answer(body=b"new"))
            world.ask()
            self.assertEqual(world.ask(**directive).octets, b"NEW")
            self.assertEqual(world.ask().result, "hit")

    def test_expires(self) -> None:
        """A no-cache request for which no response is stored any more is a key miss."""
        world = self.fresh()
        world.clock.advance(61)
        world.given(world.answer(Expires=date(0)))
        client = world.ask(Cache_Control="no-cache")
        self.assertEqual((client.result, client.outcome.missed), ("kmiss", Reason.KEY_MISS))
        self.assertEqual(world.asked, 2)


def said(value: bytes, name: bytes = b"Cache-Control") -> tuple[tuple[bytes, bytes], ...]:
    """:return: header fields with one more."""
    return ((name, value),)


FRESH = (said(b"no-cache"), said(b"max-age=0, No-Cache"), said(b"no-cache", b"Pragma"))


class RangeTests(SynchronousTestCase):
    """Range queries for a fresh response."""

    def test_answered_anew(self) -> None:
        """A no-cache range request is fetched whole and merged into the stored samples."""
        for store in (None, lambda _: DictStore()):
            for headers in FRESH:
                rig = Rig(store=store)
                rig.ask(-21600, -600)
                rig.fetches()
                answer = rig.ask(-900, -600, headers=headers)
                self.assertEqual(answer.octets, rig.direct(-900, -600))
                self.assertEqual(rig.fetches(), [(-900, -600)])
                self.assertEqual((answer.status, answer.outcome.reason, answer.outcome.engine),
                                 (Status.RANGE_MISS, Reason.REQUEST_NO_CACHE, Engine.DELTA))
                self.assertEqual(answer.outcome.points_cached, 0)
                self.assertEqual(rig.held(), [(-21600, -600)])
                self.assertEqual(rig.ask(-21600, -600).status, Status.HIT)
                self.assertEqual(rig.fetches(), [])

    def test_newer_wins(self) -> None:
        """Data fetched for a client with no-cache replaces the stored data for all clients."""
        rig = Rig(store=None)
        rig.ask(-600, 0)
        rig.origin.salt = "later"
        fresh = rig.ask(-300, -60, headers=FRESH[0])
        self.assertEqual(fresh.octets, rig.direct(-300, -60))
        self.assertEqual(rig.ask(-300, -60).octets, fresh.octets)
        mixed = rig.ask(-600, 0)
        self.assertEqual(mixed.status, Status.HIT)
        self.assertNotEqual(mixed.octets, rig.direct(-600, 0))

    def test_nothing_held(self) -> None:
        """
        A no-cache request for a range of which nothing is stored is an ordinary miss, and stored.
        """
        rig = Rig()
        answer = rig.ask(-600, 0, headers=FRESH[0])
        self.assertEqual((answer.status, answer.outcome.stored), (Status.KEY_MISS, True))
        self.assertEqual(rig.ask(-600, 0).status, Status.HIT)

    def test_passed_on(self) -> None:
        """
        A no-cache range request is forwarded with its directive for caches further on (RFC 9111
        section 5.2).
        """
        rig = Rig()
        rig.ask(-600, 0, headers=FRESH[0])
        self.assertEqual(rig.origin.requests[-1].headers.get(b"cache-control"), b"no-cache")
        rig.ask(-900, 0)
        self.assertNotIn(b"cache-control", rig.origin.requests[-1].headers)

    def test_no_store(self) -> None:
        """A range fetched for a no-store request is not stored, and removes nothing stored."""
        rig = Rig()
        rig.ask(-600, -300)
        rig.fetches()
        answer = rig.ask(-450, 0, headers=said(b"no-store"))
        self.assertEqual(answer.octets, rig.direct(-450, 0))
        self.assertEqual((answer.status, answer.outcome.reason),
                         (Status.PROXY_ONLY, Reason.REQUEST_NO_STORE))
        self.assertEqual((rig.fetches(), rig.held()), ([(-450, 0)], [(-600, -300)]))

    def test_failures(self) -> None:
        """If the origin fails, or refuses this request, the entry stays."""
        for code in (400, 422, 429, 500, 503):
            rig = Rig()
            rig.ask(-600, 0)
            rig.origin.faults.append(status(code))
            self.assertEqual(rig.ask(-600, 0, headers=FRESH[0]).code, code)
            self.assertEqual(rig.ask(-600, 0).status, Status.HIT)

    def test_warned(self) -> None:
        """An answer that is not final is the client's alone."""
        rig = Rig()
        rig.ask(-600, 0)
        rig.origin.faults.append(having("warnings", ["partial"]))
        self.assertIn(b"partial", rig.ask(-600, 0, headers=FRESH[0]).octets)
        self.assertEqual(rig.held(), [(-600, 0)])

    def test_does_not_join(self) -> None:
        """
        A no-cache range request does not wait for an earlier fetch, which does not replace newer
        data.
        """
        for order in ((0, 1), (1, 0)):
            rig = Rig()
            rig.origin.is_paused = True
            early = rig.start(-600, 0)
            late = rig.start(-300, 0, headers=FRESH[0])
            self.assertEqual(len(rig.origin.waiting), 2)
            waiting = list(rig.origin.waiting)
            for which in order:
                rig.origin.salt = ("old", "new")[which]
                rig.origin.release(rig.origin.waiting.index(waiting[which]))
            answer = self.successResultOf(late)
            self.assertEqual(self.successResultOf(early).times[-1], 0)
            self.assertEqual(rig.ask(-300, 0).octets, answer.octets, order)
            self.assertEqual((rig.held(), rig.left_over()), ([(-600, 0)], (0, 0, 0)))

    def test_is_joined(self) -> None:
        """A range fetch for a client with no-cache may have waiters."""
        rig = Rig()
        rig.origin.is_paused = True
        asking = [rig.start(-300, 0, headers=FRESH[0]), rig.start(-300, 0)]
        self.assertEqual(len(rig.origin.waiting), 1)
        rig.origin.release()
        self.assertEqual({self.successResultOf(one).octets for one in asking},
                         {rig.direct(-300, 0)})

    def test_newest_sample(self) -> None:
        """A no-cache range request also fetches its newest sample anew."""
        rig = Rig(newest=True)
        rig.now.advance(30)
        for _ in range(2):
            rig.ask(-300, 30)
        self.assertEqual(len(rig.origin.newest), 1)
        rig.ask(-300, 30, headers=FRESH[0])
        self.assertEqual(len(rig.origin.newest), 2)

    def test_cancelled(self) -> None:
        """A client that leaves cancels its own fetch alone."""
        rig = Rig()
        rig.ask(-300, 0)
        rig.origin.is_paused = True
        asking = rig.start(-300, 0, headers=FRESH[0])
        asking.addErrback(lambda _: None)
        asking.cancel()
        self.assertEqual((rig.origin.waiting, rig.held()), ([], [(-300, 0)]))
        self.assertEqual(rig.left_over(), (0, 0, 0))

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.tuples(st.integers(-60, 0), st.integers(0, 30), st.booleans(),
                              st.booleans()), max_size=8))
    def test_in_any_order(self, asks: list[tuple[int, int, bool, bool]]) -> None:
        """Responses are right for any clients and requests, at any time and in any order."""
        rig = Rig()
        rig.origin.is_paused = True
        asking: list[tuple[Deferred[object], int, int]] = []
        for start, length, is_fresh, answers in asks:
            first, last = start * 60, min(0, start + length) * 60
            headers = FRESH[0] if is_fresh else ()
            asking.append((rig.start(first, last, headers=headers), first, last))  # type: ignore[arg-type]
            if answers and rig.origin.waiting:
                rig.origin.release(len(rig.origin.waiting) - 1)
        while rig.origin.waiting:
            rig.origin.release()
        for one, first, last in asking:
            answer = self.successResultOf(one)
            self.assertEqual(answer.octets, rig.direct(first, last))  # type: ignore[attr-defined]
        self.assertEqual(rig.left_over(), (0, 0, 0))


class HonouredRangeTests(SynchronousTestCase):
    """Where all of RFC 9111 section 5.2.1 is obeyed."""

    def asked(self, value: bytes, start: float = -300) -> Rig:
        """:return: a rig of which a range was asked so, of which five minutes are held."""
        rig = Rig(honours=True)
        rig.ask(-300, 0)
        rig.fetches()
        self.answer = rig.start(start, 0, headers=said(value))
        return rig

    def test_max_age(self) -> None:
        """How old what is held is, is not known: no limit is kept by it."""
        for value in (b"max-age=0", b"max-age=3600", b"no-cache"):
            rig = self.asked(value)
            self.assertEqual((self.successResultOf(self.answer).outcome.reason, rig.fetches()),
                             (Reason.REQUEST_NO_CACHE, [(-300, 0)]), value)

    def test_never_stale(self) -> None:
        """What is held does not go stale."""
        for value in (b"min-fresh=99999", b"max-stale", b"max-stale=1", b"x"):
            rig = self.asked(value)
            self.assertEqual((self.successResultOf(self.answer).status, rig.fetches()),
                             (Status.HIT, []), value)

    def test_only_if_cached(self) -> None:
        """What is held is answered, anything else is 504."""
        rig = self.asked(b"only-if-cached")
        self.assertEqual(self.successResultOf(self.answer).status, Status.HIT)
        for value, start in ((b"only-if-cached", -600), (b"only-if-cached, no-cache", -300)):
            rig = self.asked(value, start)
            error = self.failureResultOf(self.answer, NotCached).value
            self.assertEqual((error.status, error.reason, rig.fetches()),
                             (504, Reason.ONLY_IF_CACHED, []))

    def test_only_if_cached_elsewhere(self) -> None:
        """What cannot be cached is not asked of the origin either."""
        rig = Rig(honours=True)
        inverted = range_request(NOW, NOW - 300, headers=said(b"only-if-cached"))
        self.failureResultOf(rig.send(inverted), NotCached)
        self.assertEqual(rig.fetches(), [])

    def test_no_store(self) -> None:
        """
        A request's no-store forbids storing, but not answering from the cache (RFC 9111 section
        5.2.1.5).
        """
        rig = self.asked(b"no-store")
        self.assertEqual((self.successResultOf(self.answer).status, rig.fetches()),
                         (Status.HIT, []))
        rig = self.asked(b"no-store", -600)
        self.assertEqual(self.successResultOf(self.answer).outcome.reason,
                         Reason.REQUEST_NO_STORE)
        self.assertEqual(rig.held(), [(-300, 0)])

    def test_not_honoured(self) -> None:
        """By default, max-age, only-if-cached and no-store of a range request mean nothing."""
        for value in (b"max-age=0", b"only-if-cached", b"private", b"min-fresh=9"):
            rig = Rig()
            rig.ask(-300, 0)
            self.assertEqual(rig.ask(-300, 0, headers=said(value)).status, Status.HIT)


class OvertakenTests(SynchronousTestCase):
    """Fetches that began before, and end after, one that a client wanted fresh."""

    def test_nothing_to_store(self) -> None:
        """
        An overtaken fetch that brings nothing to store is still the response to its own client.
        """
        rig = Rig(tolerance=60.0)
        rig.origin.is_paused = True
        first = rig.start(0, 0)
        rig.now.advance(120)
        second = rig.start(0, 0, headers=FRESH[0])
        rig.origin.release(1)
        self.assertEqual((self.successResultOf(second).octets, rig.held()),
                         (rig.direct(0, 0), [(0, 0)]))
        rig.origin.release()
        answer = self.successResultOf(first)
        self.assertEqual((answer.code, answer.octets), (200, rig.direct(0, 0)))
        self.assertEqual((rig.held(), rig.left_over()), ([(0, 0)], (0, 0, 0)))


class OldRangeTests(SynchronousTestCase):
    """Ranges that end before what is stored."""

    def test_held(self) -> None:
        """What is held is answered, however old its end is."""
        for store in (None, lambda _: DictStore()):
            rig = Rig(store=store, retention=10)
            rig.ask(-600, 0)
            rig.fetches()
            rig.now.advance(3000)
            answer = rig.ask(-600, -60)
            self.assertEqual((answer.status, answer.octets),
                             (Status.HIT, rig.direct(-600, -60)))
            self.assertEqual(rig.fetches(), [])

    def test_not_held(self) -> None:
        """
        A range that ends before the stored ones is passed through, and not stored, if it is not
        held.
        """
        rig = Rig(retention=10)
        rig.ask(-600, 0)
        rig.now.advance(3000)
        rig.fetches()
        for start in (-660, -1200):
            answer = rig.ask(start, -60)
            self.assertEqual((answer.status, answer.outcome.reason),
                             (Status.PROXY_ONLY, Reason.TOO_OLD))
        self.assertEqual(rig.fetches(), [(-660, -60), (-1200, -60)])
        self.assertEqual(rig.held(), [(-600, 0)])

    def test_new_wish(self) -> None:
        """A no-cache request for an old range is answered as well as any other."""
        rig = Rig(retention=10)
        rig.ask(-600, 0)
        rig.now.advance(3000)
        rig.fetches()
        rig.ask(-600, -60, headers=FRESH[0])
        self.assertEqual((rig.fetches(), rig.held()), ([(-600, -60)], [(-600, 0)]))
