"""Tests of L{trickster.objects.reuse}."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import START, date, fields, web_route
from trickster.errors import Reason
from trickster.http.byte_ranges import Span
from trickster.http.freshness import Use, policy_of
from trickster.http.partial_content import Part
from trickster.messages import Request
from trickster.objects.options import ObjectOptions
from trickster.objects.requests import Found, Lookup, lookup_of
from trickster.objects.reuse import (
    FetchPlan,
    answers_waiter,
    plan_anew,
    plan_missing,
    plan_of,
    plan_whole,
    replaces_error,
    use_for,
    why_validated,
)
from trickster.objects.stored_response import StoredResponse

AGES = st.integers(0, 200).map(float)


def options(**given: Any) -> ObjectOptions:
    """:return: options of a plain route whose clients' directives are heeded."""
    return ObjectOptions("p", web_route(), honour_request_directives=True, **given)


def lookup(**headers: str) -> Lookup:
    """:return: of a GET with these fields."""
    return lookup_of(Request(b"GET", b"/x", fields(**headers)), None, options())


def stored(*spans: Span, **headers: str) -> StoredResponse:
    """:return: a response that arrived at L{START}; parts of ten octets, or all of them."""
    said = fields(Date=date(START), **headers)
    parts = tuple(Part(s.start, (b"0123456789"[s.start:s.stop],)) for s in spans or (Span(0, 10),))
    return StoredResponse(
        200, said, parts, 10, policy_of(200, said, START, options().freshness), 0.0, START)


class UseTests(SynchronousTestCase):
    """What may be done with a stored response."""

    def test_windows(self) -> None:
        """A stored response is fresh, then stale for a configured window, then to be validated."""
        response, given = stored(Cache_Control="max-age=60"), options(stale_while_revalidate=10.0)
        for age, use in ((59.0, Use.FRESH), (60.0, Use.STALE_WHILE_REVALIDATE),
                         (70.0, Use.VALIDATE)):
            self.assertIs(use_for(response, lookup(), START + age, given), use)

    def test_why_validated(self) -> None:
        """A request's directives are the reason only for what they alone make unusable."""
        response = stored(Cache_Control="max-age=60")
        for age, said, reason in (
                (10.0, {"Cache_Control": "no-cache"}, Reason.REQUEST_NO_CACHE),
                (10.0, {"Cache_Control": "max-age=5"}, Reason.REQUEST_NO_CACHE),
                (61.0, {"Cache_Control": "no-cache"}, Reason.STALE), (61.0, {}, Reason.STALE)):
            self.assertIs(why_validated(response, lookup(**said), START + age, options()), reason)

    @given(AGES, st.integers(0, 200))
    def test_waiters(self, age: float, most: int) -> None:
        """A waiter takes what is no older than it allows, and never what is validated each time."""
        asked = lookup(Cache_Control=f"max-age={most}")
        self.assertIs(answers_waiter(stored(Cache_Control="max-age=60"), asked, START + age),
                      age <= most and most > 0)
        self.assertFalse(answers_waiter(stored(Cache_Control="no-cache"), lookup(), START))

    def test_in_the_place_of_an_error(self) -> None:
        """
        A whole stored response is used on an error within its window, unless the client wants a
        fresher one.
        """
        kept = "max-age=60, stale-if-error=10"
        for response, said, age, expected in (
                (stored(Cache_Control=kept), "", 69.0, True),
                (stored(Cache_Control=kept), "", 70.0, False),
                (stored(Span(0, 5), Cache_Control=kept), "", 61.0, False),
                (stored(Cache_Control=kept), "no-cache", 61.0, False),
                (stored(Cache_Control=kept), "max-age=30", 61.0, False),
                (stored(Cache_Control="max-age=60, must-revalidate"), "", 61.0, False)):
            asked = lookup(Cache_Control=said) if said else lookup()
            self.assertIs(replaces_error(response, asked, START + age, options()), expected)


class PlanTests(SynchronousTestCase):
    """What is asked of the origin."""

    def plan(self, found: Found, age: float = 0.0, **headers: str) -> FetchPlan:
        """:return: the plan of a lookup with these fields."""
        return plan_of(lookup(**headers), found, START + age, options())

    def test_nothing_stored(self) -> None:
        """With nothing stored everything is fetched, for the reason that fits best."""
        for others, headers, reason in (
                (False, {}, Reason.KEY_MISS), (True, {}, Reason.VARY_MISS),
                (True, {"Cache_Control": "no-store"}, Reason.REQUEST_NO_STORE)):
            plan = self.plan(Found(None, "k", others), **headers)
            self.assertEqual((plan.reason, plan.slot, plan.stored, plan.missing),
                             (reason, "k", None, ()))
            self.assertNotIn(b"if-none-match", plan.request.headers)

    def test_validation(self) -> None:
        """A stored response with a validator is validated; one without is fetched anew."""
        for tag in ('"1"', None):
            response = stored(Cache_Control="max-age=60", **({"ETag": tag} if tag else {}))
            plan = self.plan(Found(response, "k"), 61.0)
            self.assertEqual((plan.reason, plan.stored), (Reason.STALE, response))
            self.assertEqual(plan.request.headers.get(b"if-none-match"),
                             tag.encode() if tag else None)
            self.assertIs(plan.slot == "k", tag is None)

    def test_missing_part(self) -> None:
        """
        A missing part is fetched of the stored representation; without a validator all is fetched.
        """
        for tag in ('"1"', None):
            response = stored(Span(0, 4), Cache_Control="max-age=60",
                              **({"ETag": tag} if tag else {}))
            plan = self.plan(Found(response, "k"))
            self.assertEqual(plan.reason, Reason.RANGE_MISS)
            self.assertEqual(plan.missing, (Span(4, 10),) if tag else ())
            headers = plan.request.headers
            self.assertEqual((headers.get(b"range"), headers.get(b"if-range")),
                             (b"bytes=4-9", b'"1"') if tag else (None, None))

    def test_anew(self) -> None:
        """A fetch anew is planned as if nothing were stored, and without conditions."""
        plan = self.plan(Found(stored(ETag='"1"'), "k"), If_None_Match='"0"')
        anew = plan_anew(plan, options())
        self.assertEqual((anew.stored, anew.missing, anew.reason, anew.slot),
                         (None, (), Reason.STALE, plan.slot))
        self.assertNotIn(b"if-none-match", anew.request.headers)

    def test_whole(self) -> None:
        """A fetch of the whole in the place of a part keeps its reason."""
        plan = self.plan(Found(stored(Span(0, 4), ETag='"1"', Cache_Control="max-age=9"), "k"))
        whole = plan_whole(plan, options())
        self.assertEqual((whole.stored, whole.missing, whole.reason),
                         (None, (), Reason.RANGE_MISS))
        self.assertNotIn(b"range", whole.request.headers)

    def test_missing_after_validation(self) -> None:
        """After a validation the missing part is fetched, if the whole is sure to fit."""
        good, weak = (stored(Span(0, 4), ETag=tag) for tag in ('"1"', 'W/"1"'))
        plan = self.plan(Found(good, "k"))
        following = plan_missing(plan, good, START, options())
        assert following is not None
        self.assertEqual((following.stored, following.missing), (good, (Span(4, 10),)))
        self.assertIsNone(plan_missing(plan, weak, START, options()))
