"""For whom answers to requests with credentials are kept."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import OctetStore, World
from trickster.routes import Route


class CredentialsTests(SynchronousTestCase):
    """C{Authorization} tells answers apart, unless the origin says that it does not."""

    def asked(self, said: str, *users: str | None, **options: object) -> int:
        """:return: how often the origin is asked if these users ask one after the other."""
        world = World.of(OctetStore, **options)
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
        """It allows storing, but few who write it mean other users."""
        said = "max-age=60, must-revalidate"
        self.assertEqual(self.asked(said, "a", "a", "b", "b", None), 3)

    def test_configured(self) -> None:
        """Where the configuration has credentials in the key, nothing is for all users."""
        self.assertEqual(self.asked(
            "s-maxage=60", "a", "a", "b", key_headers=(b"authorization",)), 2)
        route = Route("/x", World.of().cache.options.route.serve, key_headers=(b"authorization",))
        self.assertEqual(self.asked("public, max-age=60", "a", "a", "b", route=route), 2)

    def test_anonymous_first(self) -> None:
        """What was made for a request without credentials says nothing about requests with them."""
        self.assertEqual(self.asked("max-age=60", None, None, "a"), 2)

    def test_no_longer_public(self) -> None:
        """A 304 may make what was for all users one user's."""
        world = World.of(OctetStore)
        world.given(
            world.answer(Cache_Control="public, max-age=0", ETag='"1"'),
            world.answer(304, b"", Cache_Control="max-age=60, must-revalidate", ETag='"1"'),
            world.answer(Cache_Control="no-store", body=b"for b"))
        for user, octets in (("a", b"hello"), ("a", b"hello"), ("a", b"hello"), ("b", b"for b")):
            self.assertEqual(world.ask(Authorization=user).octets, octets)
        self.assertEqual(world.asked, 3)
