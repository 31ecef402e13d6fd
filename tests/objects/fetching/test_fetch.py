"""Tests of L{trickster.objects.fetching.fetch}: how fetches go on, and how they end."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import (
    START,
    Origin,
    date,
    fields,
    variants_in,
    web_route,
)
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.fills import Fill, Filled, FillTable, Unshared
from trickster.errors import Overloaded, Reason, UpstreamBroke, UpstreamError
from trickster.http.freshness import policy_of
from trickster.http.partial_content import Part
from trickster.messages import Engine, Headers, Octets, Outcome, Request, Response, Status
from trickster.objects.fetching.fetch import Exchanges, Fetch, Storage
from trickster.objects.options import Collapse, ObjectOptions
from trickster.objects.requests import Found, lookup_of
from trickster.objects.reuse import plan_of
from trickster.objects.storage_policy import StoragePolicy
from trickster.objects.stored_response import StoredResponse
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import ReferenceStore, at_once


class FetchCase(SynchronousTestCase):
    """A place for fetches, with a response stored in it."""

    def setUp(self, **given: Any) -> None:
        """A clock, an empty store, and its policies."""
        self.clock = Clock()
        self.clock.advance(START)
        options = self.options = ObjectOptions("p", web_route(), **given)
        self.store = ReferenceStore(self.clock)
        self.storage = Storage(
            FillTable.of(self.clock),
            variants_in(self.store, self.clock, options.freshness, options.identity),
            StoragePolicy(options), self.clock)

    def stored(self, said: str = "max-age=60", octets: bytes = b"0123456789", length: int = 10,
               **headers: str) -> StoredResponse:
        """:return: a response that has just arrived."""
        given = fields(Date=date(START), Cache_Control=said, **headers)
        policy = policy_of(200, given, START, self.options.freshness)
        return StoredResponse(200, given, (Part(0, (octets,)),), length, policy, 0.0, START)

    def fetch(self, stored: StoredResponse | None = None, **headers: str) -> Fetch:
        """:return: a fetch of a lookup that has found this, which is stored."""
        lookup = lookup_of(Request(b"GET", b"/x", fields(**headers)), None, self.options)
        if stored is not None:
            at_once(self.storage.keep(lookup, stored))
        found = Found(stored, lookup.key)
        return Fetch(plan_of(lookup, found, self.clock.seconds(), self.options), Fill(),
                     self.storage)

    def kept(self, fetch: Fetch) -> Headers | None:
        """:return: the very fields of what is stored now."""
        found = at_once(self.storage.variants.find(
            fetch.lookup.key, fetch.lookup.request.headers))
        stored: StoredResponse | None = found.stored
        return stored and stored.headers

    def outcome(self) -> Outcome:
        """:return: one of a miss."""
        return Outcome(Engine.OBJECT, Status.KEY_MISS, Reason.KEY_MISS)


class EndTests(FetchCase):
    """The ways in which a fetch ends."""

    def test_complete(self) -> None:
        """A completed fetch answers all waiters and stores the response."""
        fetch, fresh = self.fetch(), self.stored()
        waiters = [fetch.fill.wait() for _ in range(2)]
        at_once(fetch.complete(fresh, self.outcome(), True))
        for waiter in waiters:
            result = self.successResultOf(waiter)
            self.assertEqual((result.stored, result.first_hand, result.outcome.stored),
                             (fresh, True, True))
        self.assertIs(self.kept(fetch), fresh.headers)

    def test_too_large(self) -> None:
        """
        A response above max_object_size_bytes answers its waiters, says why, and is not stored.
        """
        self.setUp(max_object_size_bytes=9)
        fetch = self.fetch()
        at_once(fetch.complete(self.stored(), self.outcome(), True))
        outcome = self.successResultOf(fetch.fill.wait()).outcome
        self.assertEqual((outcome.reason, outcome.stored), (Reason.TOO_LARGE, False))
        self.assertIsNone(self.kept(fetch))

    def test_outdated(self) -> None:
        """What was outdated on its way is not stored."""
        fetch = self.fetch()
        fetch.fill.turn.outdate()
        at_once(fetch.complete(self.stored(), self.outcome(), True))
        result = self.successResultOf(fetch.fill.wait())
        self.assertIsInstance(result, Filled)
        self.assertFalse(result.outcome.stored)
        self.assertIsNone(self.kept(fetch))

    def test_of_no_use(self) -> None:
        """What is too old on arrival to be of any use is not stored, and not said to be."""
        for initial_age, is_kept in ((0.0, True), (1e6, False)):
            fetch = self.fetch()
            fresh = evolve(self.stored(ETag='"1"'), initial_age=initial_age)
            at_once(fetch.complete(fresh, self.outcome(), False))
            self.assertIs(self.successResultOf(fetch.fill.wait()).outcome.stored, is_kept)
            self.assertIs(self.kept(fetch), fresh.headers if is_kept else None)
            at_once(self.storage.drop(fetch.lookup, fresh))

    def test_freshen(self) -> None:
        """A response that is still good takes its own place; if it may not, none does."""
        for said, is_kept in (("max-age=90", True), ("no-store", False)):
            fetch, fresh = self.fetch(self.stored("max-age=0", ETag='"1"')), self.stored(said)
            at_once(fetch.freshen(fresh, self.outcome()))
            result = self.successResultOf(fetch.fill.wait())
            self.assertEqual((result.stored, result.outcome.stored), (fresh, is_kept))
            self.assertIs(self.kept(fetch), fresh.headers if is_kept else None)

    def test_serve_stale(self) -> None:
        """What is stored answers in the place of an error, where that is allowed."""
        for said, allowed in (("max-age=1, stale-if-error=9", True), ("max-age=1", False)):
            fetch = self.fetch(self.stored(said, ETag='"1"'))
            self.clock.advance(2)
            self.assertIs(fetch.serve_stale(Reason.ORIGIN_STATUS, 503), allowed)
            if allowed:
                outcome = self.successResultOf(fetch.fill.wait()).outcome
                self.assertEqual((outcome.reason, outcome.cause, outcome.origin_status),
                                 (Reason.STALE, Reason.ORIGIN_STATUS, 503))
        self.assertFalse(self.fetch().serve_stale(Reason.ORIGIN_STATUS))

    def test_release(self) -> None:
        """
        The first waiter gets a released response; the others, and later ones, fetch for themselves.
        """
        for reason, is_passed in ((Reason.PRIVATE, True), (Reason.REQUEST_NO_STORE, False)):
            self.setUp()
            fetch = self.fetch()
            first, other = fetch.fill.wait(), fetch.fill.wait()
            at_once(fetch.release(Response(200, body=Octets(b"x")), reason))
            result = self.successResultOf(first)
            self.assertEqual((result.response.outcome.reason, result.response.outcome.missed),
                             (reason, Reason.KEY_MISS))
            self.assertEqual(self.successResultOf(other), Unshared())
            marked = self.storage.table.hit_for_pass.reason(fetch.plan.slot)
            self.assertEqual(marked, reason if is_passed else None)

    def test_outdates(self) -> None:
        """A new answer outdates what is stored; a failure, or one about the request, does not."""
        asked = {"Cache_Control": "no-cache"}
        for headers, status, reason, is_kept in (
                ({}, 200, Reason.NO_STORE, False), ({}, 404, Reason.REQUEST_FAULT, False),
                ({}, 503, Reason.ORIGIN_STATUS, True), (asked, 200, Reason.NO_STORE, False),
                (asked, 200, Reason.SET_COOKIE, True), (asked, 403, Reason.REQUEST_FAULT, True),
                (asked, 410, Reason.NO_STORE, False)):
            self.setUp()
            stored = self.stored("max-age=60", ETag='"1"')
            if not headers:
                stored = self.stored("max-age=0", ETag='"1"')
            fetch = self.fetch(stored, **headers)
            at_once(fetch.release(Response(status), reason))
            self.assertIs(self.kept(fetch) is not None, is_kept, (headers, status, reason))

    def test_outgrow(self) -> None:
        """A body that grows too large streams; whether it can still be joined is configured."""
        for collapse in Collapse:
            self.setUp(collapse=collapse)
            fetch, begun = self.fetch(), list[bool]()
            fetch.fill.is_background = True
            waiter = fetch.fill.wait()
            fetch.outgrow(lambda begun=begun: begun.append(True))
            self.assertEqual((begun, fetch.fill.is_background), ([True], False))
            is_basic = collapse is Collapse.BASIC
            marked = self.storage.table.hit_for_pass.reason(fetch.plan.slot)
            self.assertIs(marked, Reason.TOO_LARGE if is_basic else None)
            if is_basic:
                self.assertEqual(self.successResultOf(waiter), Unshared())
            else:
                self.assertNoResult(waiter)

    def test_collecting(self) -> None:
        """The origin's client learns that a body is read at its reader's pace."""
        fetch = self.fetch()
        collecting = fetch.plan.request.collecting
        assert collecting is not None and collecting.is_on
        fetch.stop_collecting()
        self.assertFalse(collecting.is_on)


class PlanTests(FetchCase):
    """Fetches that go on with another plan."""

    def test_anew(self) -> None:
        """What is stored is forgotten; the waiters wait on."""
        fetch = self.fetch(self.stored("max-age=0", ETag='"1"'))
        following = at_once(fetch.anew())
        self.assertIs(following.fill, fetch.fill)
        self.assertIsNone(following.plan.stored)
        self.assertIsNone(self.kept(fetch))

    def test_whole(self) -> None:
        """A plan for the whole fetches all of the object and leaves what is stored in place."""
        fetch = self.fetch(self.stored(octets=b"0123", ETag='"1"'))
        self.assertTrue(fetch.plan.missing)
        self.assertEqual(fetch.whole().plan.missing, ())
        self.assertIsNotNone(self.kept(fetch))

    def test_missing(self) -> None:
        """
        A plan for what is missing fetches just that if the whole is sure to fit, else everything
        anew.
        """
        for tag, is_sure in (('"1"', True), ('W/"1"', False)):
            stored = self.stored(octets=b"0123", ETag=tag)
            following = at_once(self.fetch(stored).missing(evolve(stored)))
            self.assertIs(bool(following.plan.missing), is_sure)


class ExchangeTests(FetchCase):
    """What the origin is asked, and when it answered."""

    def exchanges(self, origin: Origin, limit: int = 10, most: int = 10) -> Exchanges:
        """:return: exchanges with an origin, bodies bounded together and each."""
        return Exchanges(origin, self.clock, lambda: 7.0, ByteBudget(limit), most)

    def test_arrival(self) -> None:
        """An exchange notes when it was answered, by both clocks and since the request was sent."""
        origin = Origin()
        made = Deferred.fromCoroutine(self.exchanges(origin).made(Request(b"GET", b"/")))
        self.clock.advance(3)
        origin.answer(Response(200, fields(Age="1")))
        exchange = self.successResultOf(made)
        arrival = exchange.arrival
        self.assertEqual((arrival.at, arrival.date, arrival.delay), (START + 3, 7.0, 3.0))
        self.assertFalse(exchange.is_first_hand)

    def test_whole(self) -> None:
        """
        A body is read whole within its bounds; one that exceeds a bound or is cut short is refused.
        """
        for body, limit, most, error in (
                (Octets(b"12345"), 10, 10, None), (self.slow(b"12345", None), 10, 10, None),
                (self.slow(b"12345", None), 10, 4, UpstreamError),
                (self.slow(b"12345", None), 4, 10, Overloaded),
                (self.slow(b"12345", 6), 10, 10, UpstreamBroke)):
            reading = Deferred.fromCoroutine(
                self.exchanges(Origin(), limit, most).whole(Response(200, body=body)))
            if error is None:
                self.assertEqual(self.successResultOf(reading), b"12345")
            else:
                self.failureResultOf(reading, error)

    def slow(self, octets: bytes, length: int | None) -> PausedBody:
        """:return: a body that ends after these octets."""
        body = PausedBody(length)
        body.feed(octets, b"")
        return body
