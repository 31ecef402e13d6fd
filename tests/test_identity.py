"""Tests of C{trickster.identity}."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from trickster.http.fields import FORWARDING_FIELDS, HOP_BY_HOP
from trickster.identity import ADDRESS_HEADERS, IDENTITY_HEADERS, OVERRIDE_HEADERS


class ListTests(SynchronousTestCase):
    """The lists of field names."""

    def test_names(self) -> None:
        """Each name in the lists of fields is in lower case, and in one list only, once."""
        every = (*IDENTITY_HEADERS, *OVERRIDE_HEADERS, *ADDRESS_HEADERS)
        self.assertEqual(len(set(every)), len(every))
        for name in every:
            pattern = r"[a-z0-9-]+\*?" if name in OVERRIDE_HEADERS else r"[a-z0-9-]+"
            self.assertTrue(re.fullmatch(pattern, name), name)
            self.assertNotIn(name.encode(), HOP_BY_HOP)

    def test_forwarding(self) -> None:
        """Of the fields by which proxies tell each other of clients, only addresses are listed."""
        listed = FORWARDING_FIELDS & {name.encode() for name in (
            *IDENTITY_HEADERS, *OVERRIDE_HEADERS, *ADDRESS_HEADERS)}
        self.assertEqual(listed, {b"x-forwarded-for", b"x-forwarded-server"})
