"""Tests of L{trickster.objects.options}: what options make of routes."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import web_route
from trickster.http.fields import COUNTED_FIELDS
from trickster.objects.options import ObjectOptions
from trickster.routes import Route, Serve


def options(**given: Any) -> ObjectOptions:
    """:return: options of a plain route."""
    return ObjectOptions("p", given.pop("route", web_route()), **given)


class OptionsTests(SynchronousTestCase):
    """What routes and options come to."""

    def test_identity(self) -> None:
        """
        The key has the credentials, the trusted hops' fields, and the fields that route and options
        name.
        """
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
        self.assertTrue(options().key.with_authority)
        self.assertFalse(options(route=web_route(form=True)).key.with_authority)

    def test_range_limit(self) -> None:
        """
        Where multipart responses are disabled, only a request for a single range is read as one.
        """
        self.assertEqual(options().ranges.limit, 64)
        self.assertEqual(options(multipart_ranges_disabled=True).ranges.limit, 1)
