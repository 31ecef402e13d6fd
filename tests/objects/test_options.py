"""For how long stored responses are of use, and what options make of routes."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import fields, web_route
from trickster.http.fields import COUNTED_FIELDS
from trickster.http.freshness import policy_of
from trickster.objects.options import Collapse, ObjectOptions, ttl_of
from trickster.objects.stored_response import StoredResponse
from trickster.routes import Route, Serve


def options(**given: Any) -> ObjectOptions:
    """:return: options of a plain route."""
    return ObjectOptions("p", given.pop("route", web_route()), **given)


class TtlTests(SynchronousTestCase):
    """While it is fresh, may be used stale, or is worth validating."""

    def ttl(self, status: int = 200, age: float = 0.0, given: ObjectOptions | None = None,
            **headers: str) -> float:
        """:return: for how long a response is kept."""
        given = given or options()
        said = fields(**headers)
        return ttl_of(StoredResponse(status, said, (), 0, policy_of(status, said, 1e9, given.rules),
                               age, 1e9), given)

    def test_worked_examples(self) -> None:
        """A factor for what has a validator, nothing more for what has none."""
        self.assertEqual(self.ttl(Cache_Control="max-age=60"), 60.0)
        self.assertEqual(self.ttl(Cache_Control="max-age=600", ETag='"a"'), 1200.0)
        self.assertEqual(self.ttl(Cache_Control="s-maxage=30,max-age=300"), 30.0)

    def test_age(self) -> None:
        """What was old when it came is kept for less."""
        self.assertEqual(self.ttl(age=20.0, Cache_Control="max-age=60"), 40.0)

    def test_fractions(self) -> None:
        """The factor is not cut to a whole number."""
        given = options(revalidation_factor=1.5)
        self.assertEqual(self.ttl(given=given, Cache_Control="max-age=601", ETag='"a"'), 901.5)

    def test_validators_alone(self) -> None:
        """What is never fresh is kept for a while, and not for ever."""
        self.assertEqual(self.ttl(ETag='"a"'), 600.0)
        self.assertEqual(self.ttl(Cache_Control="max-age=60", ETag='"a"'), 600.0)

    def test_stale_windows(self) -> None:
        """What may be used stale is kept until then, unless it must not."""
        for said in ("stale-while-revalidate=30", "stale-if-error=30"):
            self.assertEqual(self.ttl(Cache_Control=f"max-age=60, {said}"), 90.0)
            self.assertEqual(self.ttl(Cache_Control=f"max-age=60, must-revalidate, {said}"), 60.0)
        given = options(stale_if_error=50.0)
        self.assertEqual(self.ttl(given=given, Cache_Control="max-age=60"), 110.0)

    def test_max_stale(self) -> None:
        """Where clients are heeded, what they may take stale is kept as if it had a validator."""
        given = options(honour_request_directives=True)
        self.assertEqual(self.ttl(given=given, Cache_Control="max-age=600"), 1200.0)
        self.assertEqual(self.ttl(given=given, Cache_Control="max-age=60, must-revalidate"), 60.0)

    def test_limit(self) -> None:
        """Nothing is kept for longer than the limit."""
        self.assertEqual(self.ttl(given=options(max_ttl=50.0), Cache_Control="max-age=60"), 50.0)

    def test_forced(self) -> None:
        """What a rule makes fresh is kept for just that time."""
        given = options(negative={404: 3.0})
        self.assertEqual(self.ttl(404, 2.0, given, ETag='"a"'), 3.0)


class OptionsTests(SynchronousTestCase):
    """What routes and options come to."""

    def test_identity(self) -> None:
        """Credentials and what trusted hops said always, and what route and options name."""
        given = options(route=Route("/", Serve.OBJECT, key_headers=(b"x-tenant",)),
                        key_headers=(b"x-b",))
        self.assertLess({b"x-tenant", b"x-b", b"x-scope-orgid"}, given.identity.names)
        self.assertEqual(given.unless_public, {b"authorization", b"cookie"})
        named = evolve(given, key_headers=(b"authorization", b"cookie"))
        self.assertEqual(named.unless_public, frozenset())
        self.assertLess({b"authorization", b"cookie"}, named.identity.names)
        plain = evolve(given, identity_headers=frozenset())
        self.assertEqual(plain.identity.names, {b"x-tenant", b"x-b", *COUNTED_FIELDS})
        self.assertEqual(plain.unless_public, {b"authorization"})

    def test_authority(self) -> None:
        """The host counts for plain routes, and not for those with parameters as a form."""
        self.assertTrue(options().key_rules.with_authority)
        self.assertFalse(options(route=web_route(form=True)).key_rules.with_authority)

    def test_range_limit(self) -> None:
        """Where several are not answered in parts, only one is looked at."""
        self.assertEqual(options().range_rules.limit, 64)
        self.assertEqual(options(multipart_ranges_disabled=True).range_rules.limit, 1)

    def test_spool(self) -> None:
        """Only progressive forwarding has one."""
        given = options(spool=lambda: None)
        self.assertIsNone(given.buffering.spool)
        self.assertIsNotNone(evolve(given, collapse=Collapse.PROGRESSIVE).buffering.spool)

    def test_boundaries(self) -> None:
        """They are never the same twice."""
        given = options()
        self.assertNotEqual(given.boundary(), given.boundary())
