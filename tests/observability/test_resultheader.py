"""Tests of C{trickster.observability.resultheader}."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import Reason
from trickster.messages import Engine, FastForward, Outcome, Status
from trickster.observability.resultheader import (
    cache_status_value,
    result_fields,
    result_value,
    without_result,
)

MS = 1_000_000

_extent = st.tuples(st.integers(-10**18, 2**62), st.integers(-10**18, 2**62))
_outcomes = st.builds(
    Outcome,
    engine=st.sampled_from(Engine),
    status=st.sampled_from(Status),
    reason=st.none() | st.sampled_from(Reason),
    detail=st.text(max_size=5),
    fetched=st.lists(_extent, max_size=3).map(tuple),
    failed=st.lists(_extent, max_size=2).map(tuple),
    fast_forward=st.none() | st.sampled_from(FastForward),
    aligned=st.none() | _extent,
    stored=st.booleans(),
    ttl=st.none() | st.floats(),
    origin_status=st.none() | st.integers(100, 599),
)


class ResultValueTests(SynchronousTestCase):
    """The C{X-Trickster-Result} field."""

    def test_full_hit(self) -> None:
        """A full hit names engine, status and fast forward, and no reason."""
        value = result_value(Outcome(Engine.DELTA, Status.HIT, fast_forward=FastForward.HIT))
        self.assertEqual(value, b"engine=DeltaProxyCache; status=hit; ffstatus=hit")

    def test_stale_hit(self) -> None:
        """A stale hit says that it is stale, and the origin's failure, if that is the reason."""
        value = result_value(Outcome(Engine.OBJECT, Status.HIT, Reason.STALE))
        self.assertEqual(value, b"engine=ObjectProxyCache; status=hit; reason=stale")
        value = result_value(Outcome(Engine.OBJECT, Status.HIT, Reason.STALE,
                                     cause=Reason.ORIGIN_UNREACHABLE))
        self.assertEqual(value, b"engine=ObjectProxyCache; status=hit; reason=stale; "
                                b"cause=origin-unreachable")

    def test_partial_hit(self) -> None:
        """Every field has its place, and extents are in epoch milliseconds."""
        value = result_value(Outcome(
            Engine.DELTA, Status.PARTIAL_HIT, Reason.RANGE_MISS,
            fetched=((1000 * MS, 2000 * MS), (5000 * MS, 6000 * MS)),
            failed=((5000 * MS, 6000 * MS),), fast_forward=FastForward.OFF,
            aligned=(1000 * MS, 6000 * MS)))
        self.assertEqual(value, (
            b"engine=DeltaProxyCache; status=phit; fetched=[1000-2000;5000-6000]; "
            b"ffstatus=off; failed=[5000-6000]; aligned=[1000-6000]; reason=range-miss"))

    def test_aligned(self) -> None:
        """The extent that was answered is named; an end that has none is left empty."""
        second = 1_000_000_000
        for extent, text in (((5 * second, 5 * second), "5000-5000"), ((0, second), "0-1000"),
                             ((5 * second, None), "5000-"), ((None, second), "-1000")):
            self.assertIn(f"; aligned=[{text}]".encode(), result_value(Outcome(aligned=extent)))

    def test_proxied(self) -> None:
        """A request that is proxied by configuration says so."""
        self.assertEqual(result_value(Outcome(reason=Reason.PROXY_PATH)),
                         b"engine=HTTPProxy; status=proxy-only; reason=proxy-path")

    @given(_outcomes)
    @settings(max_examples=200)
    def test_one_line_of_fields(self, outcome: Outcome) -> None:
        """Of any outcome, both values are printable ASCII, and fit to be sent."""
        for _, value in result_fields(outcome):
            self.assertTrue(re.fullmatch(rb"[!-~]+(?: [!-~]+)*", value), value)

    @given(_outcomes)
    @settings(max_examples=200)
    def test_fields_are_name_and_value(self, outcome: Outcome) -> None:
        """A reader that splits at C{"; "} and the first C{=} gets every field back."""
        pieces = result_value(outcome).decode().split("; ")
        names = [piece.partition("=")[0] for piece in pieces]
        order = ["engine", "status", "fetched", "ffstatus", "failed", "aligned", "reason"]
        self.assertEqual(names, [name for name in order if name in names])


class CacheStatusTests(SynchronousTestCase):
    """The C{Cache-Status} field of RFC 9211."""

    def check(self, expected: str, *args: object, **kwargs: object) -> None:
        """Assert what an outcome made of these is spelled like."""
        outcome = Outcome(*args, **kwargs)  # type: ignore[arg-type]
        self.assertEqual(cache_status_value(outcome).decode(), expected)

    def test_hit_with_ttl(self) -> None:
        """A hit tells its remaining freshness in whole seconds."""
        self.check("Trickster; hit; ttl=12", Engine.OBJECT, Status.HIT, ttl=12.9)

    def test_stale_hit(self) -> None:
        """A stale answer has a negative ttl (RFC 9211 section 2.4)."""
        self.check("Trickster; hit; ttl=-30; detail=stale",
                   Engine.OBJECT, Status.HIT, Reason.STALE, ttl=-30.5)
        self.check("Trickster; hit; ttl=-30; detail=stale/origin-status",
                   Engine.OBJECT, Status.HIT, Reason.STALE, ttl=-30.5,
                   cause=Reason.ORIGIN_STATUS)

    def test_negative_hit(self) -> None:
        """An answer from the negative cache is a hit."""
        self.check("Trickster; hit", Engine.OBJECT, Status.NEGATIVE_HIT)

    def test_key_miss_stored(self) -> None:
        """A miss tells the origin's status and that the answer was kept."""
        self.check("Trickster; fwd=uri-miss; fwd-status=200; stored; detail=key-miss",
                   Engine.OBJECT, Status.KEY_MISS, Reason.KEY_MISS, origin_status=200,
                   stored=True)

    def test_vary_miss(self) -> None:
        """A miss among variants is another thing than a miss of the target."""
        self.check("Trickster; fwd=vary-miss; detail=vary-miss",
                   Engine.OBJECT, Status.KEY_MISS, Reason.VARY_MISS)

    def test_missed(self) -> None:
        """A miss says why it went forward, also where the reason is why it was not stored."""
        outcome = Outcome(Engine.OBJECT, Status.KEY_MISS, Reason.NO_STORE, origin_status=200,
                          missed=Reason.STALE)
        self.assertEqual(cache_status_value(outcome),
                         b"Trickster; fwd=stale; fwd-status=200; detail=no-store")

    def test_revalidated(self) -> None:
        """A revalidation went forward because of staleness."""
        self.check("Trickster; fwd=stale; fwd-status=304; detail=revalidated",
                   Engine.OBJECT, Status.REVALIDATED, Reason.REVALIDATED, origin_status=304)

    def test_partial(self) -> None:
        """A partial hit, and a range miss, went forward for what was missing."""
        for status in (Status.PARTIAL_HIT, Status.RANGE_MISS):
            self.check("Trickster; fwd=partial; detail=range-miss",
                       Engine.DELTA, status, Reason.RANGE_MISS)

    def test_collapsed(self) -> None:
        """A waiter's answer came from another client's forward request."""
        self.check("Trickster; fwd=uri-miss; collapsed; detail=collapsed",
                   Engine.OBJECT, Status.PROXY_HIT, Reason.COLLAPSED)

    def test_method_and_request(self) -> None:
        """The method's and the request directives' forwarding have words of their own."""
        self.check("Trickster; fwd=method; detail=method", reason=Reason.METHOD)
        self.check("Trickster; fwd=request; detail=request-no-store",
                   reason=Reason.REQUEST_NO_STORE)
        self.check("Trickster; fwd=request", Engine.OBJECT, Status.PURGE)

    def test_bypass(self) -> None:
        """What the configuration or the dialect passes by is a bypass."""
        self.check("Trickster; fwd=bypass; detail=proxy-path", reason=Reason.PROXY_PATH)
        self.check("Trickster; fwd=bypass; detail=stats-asked", reason=Reason.STATS_ASKED)

    def test_our_own_answers(self) -> None:
        """An answer that is our own neither hit nor went forward."""
        self.check("Trickster; detail=no-route", Engine.PROXY, Status.ERROR, Reason.NO_ROUTE)
        self.check("Trickster; detail=only-if-cached", Engine.OBJECT, Status.KEY_MISS,
                   Reason.ONLY_IF_CACHED)

    def test_origin_errors(self) -> None:
        """An origin's failure went forward, and has no status where none came."""
        self.check("Trickster; fwd=miss; detail=origin-unreachable",
                   Engine.PROXY, Status.PROXY_ERROR, Reason.ORIGIN_UNREACHABLE)
        self.check("Trickster; fwd=miss; fwd-status=500; detail=origin-status",
                   Engine.DELTA, Status.PROXY_ERROR, Reason.ORIGIN_STATUS, origin_status=500)

    def test_refused_by_the_origin(self) -> None:
        """A query that the origin refuses went forward past a cache that had no answer."""
        self.check("Trickster; fwd=miss; fwd-status=400; detail=origin-status",
                   Engine.DELTA, Status.PROXY_ONLY, Reason.ORIGIN_STATUS, origin_status=400)
        self.check("Trickster; fwd=bypass; fwd-status=400; detail=origin-status",
                   Engine.PROXY, Status.PROXY_ONLY, Reason.ORIGIN_STATUS, origin_status=400)

    def test_endless_ttl(self) -> None:
        """A ttl beyond what a structured field integer holds is cut to it."""
        self.check("Trickster; hit; ttl=999999999999999", Engine.OBJECT, Status.HIT,
                   ttl=float("inf"))
        self.check("Trickster; hit", Engine.OBJECT, Status.HIT, ttl=float("nan"))


class WithoutResultTests(SynchronousTestCase):
    """Stripping another Trickster's field."""

    def test_stripped_in_any_case(self) -> None:
        """Another Trickster's field is removed, in any case and as often as it is there."""
        pairs = ((b"a", b"1"), (b"x-trickster-RESULT", b"x"), (b"X-Trickster-Result", b"y"))
        self.assertEqual(without_result(pairs), ((b"a", b"1"),))

    def test_untouched(self) -> None:
        """Headers without another Trickster's field stay the same object."""
        pairs = ((b"Content-Type", b"x"), (b"eighteen-octets-xx", b"y"))
        self.assertIs(without_result(pairs), pairs)
