"""The arithmetic of ages and lifetimes, against the formulas of RFC 9111 section 4.2."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import date, fields
from trickster.errors import Reason
from trickster.http.cache_control import NO_DIRECTIVES, Directives, parse_cache_control
from trickster.http.freshness import (
    FreshnessRules,
    Policy,
    Use,
    age_value,
    initial_age,
    may_replace_error,
    not_for_others,
    not_storable,
    policy_of,
    use_of,
    vary_names,
)
from trickster.messages import NO_HEADERS, Headers
from trickster.objects.stored_response import StoredResponse

NOW = 1_000_000_000
SECONDS = st.integers(0, 1000)


def asked(text: str) -> Directives:
    """:return: a request's directives."""
    return parse_cache_control([text.encode()])


class AgeTests(SynchronousTestCase):
    """The age of a response (RFC 9111 section 4.2.3)."""

    @settings(max_examples=200, deadline=None)
    @given(st.one_of(st.none(), SECONDS), st.integers(-1000, 1000), SECONDS, SECONDS)
    def test_against_the_formula(self, age: int | None, skew: int, delay: int, later: int
                                 ) -> None:
        """corrected_initial_age and current_age are those of the formula, term by term."""
        received = NOW + delay
        headers = {"Date": date(NOW + skew)} | ({} if age is None else {"Age": str(age)})
        apparent_age = max(0, received - (NOW + skew))
        corrected_age_value = (age or 0) + delay
        expected = max(apparent_age, corrected_age_value)
        found = initial_age(fields(**headers), received, delay)
        self.assertEqual(found, expected)
        stored = StoredResponse(200, NO_HEADERS, (), 0, Policy(), found, received)
        self.assertEqual(stored.age(received + later), expected + later)

    def test_forced_responses(self) -> None:
        """The age of a response that an operator's rule makes fresh is its resident time."""
        stored = StoredResponse(200, NO_HEADERS, (), 0, Policy(forced=True), 500.0, NOW)
        self.assertEqual(stored.age(NOW + 7), 7.0)

    def test_clocks_that_go_back(self) -> None:
        """An age is not negative, though clocks go back."""
        self.assertEqual(initial_age(fields(Date=date(NOW + 5)), NOW, 0.0), 0.0)
        stored = StoredResponse(200, NO_HEADERS, (), 0, Policy(), 3.0, NOW)
        self.assertEqual(stored.age(NOW - 100), 3.0)

    def test_age_values(self) -> None:
        """C{Age} is a saturated number; the first of a list; 0 for anything else."""
        for text, expected in (("7", 7), ("007", 7), ("7, 8", 7), ("7\n8", 7), ("", 0), ("-7", 0),
                               ("7.5", 0), ("x", 0), (" 7 ", 7), ("9" * 5000, 2**31 - 1),
                               ("\xb2", 0)):
            self.assertEqual(age_value(fields(Age=text)), expected, text[:9])
        self.assertEqual(age_value(NO_HEADERS), 0)


class LifetimeTests(SynchronousTestCase):
    """The freshness lifetime of a response (RFC 9111 section 4.2.1)."""

    @settings(max_examples=200, deadline=None)
    @given(*[st.one_of(st.none(), SECONDS)] * 4, st.sampled_from([200, 302, 404, 599]),
           st.booleans())
    def test_precedence(self, shared: int | None, private: int | None, expires: int | None,
                        modified: int | None, status: int, public: bool) -> None:
        """A lifetime is of s-maxage, else max-age, else Expires, else an allowed heuristic."""
        headers = {"Date": date(NOW)}
        said = ["public"] if public else []
        said += [] if shared is None else [f"s-maxage={shared}"]
        said += [] if private is None else [f"max-age={private}"]
        headers |= {"Cache_Control": ", ".join(said)}
        headers |= {} if expires is None else {"Expires": date(NOW + expires)}
        headers |= {} if modified is None else {"Last_Modified": date(NOW - modified)}
        guess = (modified or 0) / 10 if status in (200, 404) or public else 0.0
        explicit = [s for s in (shared, private, expires) if s is not None]
        policy = policy_of(status, fields(**headers), NOW, FreshnessRules())
        self.assertAlmostEqual(policy.lifetime, explicit[0] if explicit else guess)
        self.assertEqual(policy.explicit, bool(explicit))

    def test_rules(self) -> None:
        """An operator's rules come before the response's lifetime, and bound it."""
        headers = fields(Cache_Control="max-age=60")
        for status, rules, lifetime in (
                (404, FreshnessRules(negative={404: 3.0}), 3.0),
                (200, FreshnessRules(negative={404: 3.0}), 60.0),
                (200, FreshnessRules(ttl=30.0), 30.0), (404, FreshnessRules(ttl=30.0), 60.0),
                (200, FreshnessRules(max_ttl=5.0), 5.0),
                (200, FreshnessRules(ttl=30.0, max_ttl=5.0), 5.0)):
            self.assertEqual(policy_of(status, headers, NOW, rules).lifetime, lifetime)


class UseTests(SynchronousTestCase):
    """What may be done with a stored response of some age."""

    @settings(max_examples=300, deadline=None)
    @given(SECONDS, SECONDS, st.booleans(), st.booleans(), st.one_of(st.none(), SECONDS), SECONDS)
    def test_without_wishes(self, lifetime: int, age: int, no_cache: bool, strict: bool,
                            window: int | None, default: int) -> None:
        """A response is fresh within its lifetime, then stale in its window, unless forbidden."""
        policy = Policy(float(lifetime), no_cache=no_cache, must_revalidate=strict,
                        stale_while_revalidate=window)
        allowed = default if window is None else window
        expected = Use.VALIDATE
        if not no_cache and age < lifetime:
            expected = Use.FRESH
        elif not no_cache and not strict and age < lifetime + allowed:
            expected = Use.STALE_WHILE_REVALIDATE
        self.assertIs(use_of(policy, age, NO_DIRECTIVES, default), expected)

    @settings(max_examples=300, deadline=None)
    @given(SECONDS, SECONDS, *[st.one_of(st.none(), SECONDS)] * 3)
    def test_wishes(self, lifetime: int, age: int, oldest: int | None, left: int | None,
                    stale: int | None) -> None:
        """A client may ask for lower age, longer freshness or stale (RFC 9111 section 5.2.1)."""
        said = ", ".join(f"{name}={value}" for name, value in (
            ("max-age", oldest), ("min-fresh", left), ("max-stale", stale)) if value is not None)
        young = (oldest is None or 0 < oldest >= age) and (
            left is None or lifetime - age >= left)
        fresh = age < lifetime or (stale is not None and age - lifetime <= stale)
        self.assertIs(use_of(Policy(float(lifetime)), age, asked(said)),
                      Use.FRESH if young and fresh else Use.VALIDATE)

    def test_max_stale_without_a_value(self) -> None:
        """C{max-stale} without a value allows any staleness."""
        self.assertIs(use_of(Policy(1.0), 10**9, asked("max-stale")), Use.FRESH)

    @settings(max_examples=200, deadline=None)
    @given(SECONDS, SECONDS, st.booleans(), st.booleans(), st.one_of(st.none(), SECONDS), SECONDS)
    def test_errors(self, lifetime: int, age: int, no_cache: bool, strict: bool,
                    window: int | None, default: int) -> None:
        """A stale response replaces an error within C{stale-if-error}, unless forbidden."""
        policy = Policy(float(lifetime), no_cache=no_cache, must_revalidate=strict,
                        stale_if_error=window)
        allowed = default if window is None else window
        self.assertIs(may_replace_error(policy, age, default),
                      not no_cache and not strict and age - lifetime < allowed)


class StorableTests(SynchronousTestCase):
    """Why a response is not storable is named by the reason that applies."""

    def reason(self, status: int = 200, request: Headers = NO_HEADERS, **headers: str
               ) -> Reason | None:
        """:return: why an answer is not stored."""
        said = fields(**headers)
        return not_storable(request, status, said, policy_of(status, said, NOW, FreshnessRules()))

    def test_reasons(self) -> None:
        """Each way not to be storable has its reason."""
        fresh = {"Cache_Control": "max-age=9"}
        credentials = fields(Authorization="x")
        for expected, found in (
                (None, self.reason(**fresh)),
                (Reason.STATUS_NOT_STORABLE, self.reason(304, **fresh)),
                (Reason.STATUS_NOT_STORABLE, self.reason(103, **fresh)),
                (Reason.NO_STORE, self.reason(Cache_Control="no-store, private")),
                (Reason.PRIVATE, self.reason(Cache_Control="private")),
                (Reason.AUTHORIZATION, self.reason(request=credentials, **fresh)),
                (Reason.SET_COOKIE, self.reason(Set_Cookie="a", ETag='"a"')),
                (Reason.SET_COOKIE, self.reason(Set_Cookie="a", **fresh)),
                (Reason.SET_COOKIE, self.reason(Set_Cookie2="a", Cache_Control="s-maxage=9")),
                (Reason.VARY_STAR, self.reason(Vary="a, *", **fresh)),
                (Reason.NO_FRESHNESS, self.reason()),
                (Reason.NO_FRESHNESS, self.reason(302, ETag='"a"')),
                (Reason.NO_FRESHNESS, self.reason(Cache_Control="max-age=0")),
                (Reason.NO_CACHE, self.reason(Cache_Control="no-cache, max-age=9")),
                (None, self.reason(ETag='"a"')),
                (None, self.reason(302, Cache_Control="no-cache", ETag='"a"')),
                (None, self.reason(Cache_Control="max-age=0, stale-while-revalidate=9")),
                (None, self.reason(Cache_Control="max-age=0, stale-if-error=9"))):
            self.assertIs(found, expected)

    def test_told_apart(self) -> None:
        """A response is shared if it varies by counted fields alone, and not if by more."""
        counted = frozenset((b"x-a", b"x-b", b"forwarded"))
        for vary, reason in (("X-A", None), ("x-b, x-a", None), ("X-A, X-C", Reason.VARY),
                             ("Forwarded", Reason.VARY), ("*, X-A", Reason.VARY_STAR)):
            self.assertIs(
                not_for_others(fields(Vary=vary), counted, FreshnessRules()), reason, vary)
        self.assertIsNone(
            not_for_others(fields(Vary="X-A"), frozenset((b"x-a",)), FreshnessRules()))

    def test_vary_names(self) -> None:
        """Names in Vary are in lower case, over all lines, without empty members."""
        self.assertEqual(vary_names(fields(Vary="A, ,b\nC")), {b"a", b"b", b"c"})
        self.assertEqual(vary_names(NO_HEADERS), frozenset())
