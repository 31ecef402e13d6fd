"""Tests of L{trickster.objects.storage_policy}: for whom, and for how long, it stores."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World, fields, web_route
from trickster.http.freshness import policy_of
from trickster.objects.options import ObjectOptions
from trickster.objects.storage_policy import StoragePolicy
from trickster.objects.stored_response import StoredResponse
from trickster.testing.doubles import DictStore


def options(**given: Any) -> ObjectOptions:
    """:return: options of a plain route."""
    return ObjectOptions("p", web_route(), **given)


class CredentialsTests(SynchronousTestCase):
    """C{Authorization} tells answers apart, unless the origin says that it does not."""

    def asked(self, said: str, *users: str | None, **options: object) -> int:
        """:return: how often the origin is asked if these users ask one after the other."""
        world = World.of(DictStore, **options)
        world.given(*(world.answer(Cache_Control=said) for _ in users))
        for user in users:
            asked = {} if user is None else {"Authorization": user}
            self.assertEqual(world.ask(**asked).octets, b"hello")
        return world.asked

    def test_public(self) -> None:
        """What is public, or has an s-maxage, is for all users (RFC 9111 section 3.5)."""
        for said in ("max-age=60, public", "s-maxage=60"):
            self.assertEqual(self.asked(said, "a", "a", "b", None), 1, said)

    def test_must_revalidate(self) -> None:
        """
        The must-revalidate directive does not let users with different credentials share a
        response.
        """
        said = "max-age=60, must-revalidate"
        self.assertEqual(self.asked(said, "a", "a", "b", "b", None), 3)

    def test_configured(self) -> None:
        """Where the configuration has credentials in the key, nothing is for all users."""
        self.assertEqual(self.asked(
            "s-maxage=60", "a", "a", "b", key_headers=(b"authorization",)), 2)
        route = web_route(key_headers=(b"authorization",))
        self.assertEqual(self.asked("public, max-age=60", "a", "a", "b", route=route), 2)

    def test_anonymous_first(self) -> None:
        """What was made for a request without credentials says nothing about requests with them."""
        self.assertEqual(self.asked("max-age=60", None, None, "a"), 2)

    def test_no_longer_public(self) -> None:
        """A 304 may make what was for all users one user's."""
        world = World.of(DictStore)
        world.given(
            world.answer(Cache_Control="public, max-age=0", ETag='"1"'),
            world.answer(304, b"", Cache_Control="max-age=60, must-revalidate", ETag='"1"'),
            world.answer(Cache_Control="no-store", body=b"for b"))
        for user, octets in (("a", b"hello"), ("a", b"hello"), ("a", b"hello"), ("b", b"for b")):
            self.assertEqual(world.ask(Authorization=user).octets, octets)
        self.assertEqual(world.asked, 3)


class TtlTests(SynchronousTestCase):
    """How long a response is kept: while it is fresh, may be used stale, or is worth validating."""

    def ttl(self, status: int = 200, age: float = 0.0, given: ObjectOptions | None = None,
            **headers: str) -> float:
        """:return: for how long a response is kept."""
        given = given or options()
        said = fields(**headers)
        return StoragePolicy(given).ttl(StoredResponse(
            status, said, (), 0, policy_of(status, said, 1e9, given.freshness), age, 1e9))

    def test_worked_examples(self) -> None:
        """
        A response with a validator is kept for a factor of its lifetime, one without for its
        lifetime.
        """
        self.assertEqual(self.ttl(Cache_Control="max-age=60"), 60.0)
        self.assertEqual(self.ttl(Cache_Control="max-age=600", ETag='"a"'), 1200.0)
        self.assertEqual(self.ttl(Cache_Control="s-maxage=30,max-age=300"), 30.0)

    def test_age(self) -> None:
        """A response that was old on arrival is kept for less."""
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
        """A response is never kept for longer than the limit."""
        self.assertEqual(self.ttl(given=options(max_ttl=50.0), Cache_Control="max-age=60"), 50.0)

    def test_forced(self) -> None:
        """What a rule makes fresh is kept for just that time."""
        given = options(negative={404: 3.0})
        self.assertEqual(self.ttl(404, 2.0, given, ETag='"a"'), 3.0)
