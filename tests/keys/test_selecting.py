"""Tests of C{trickster.keys.selecting}: which stored response a request selects (RFC 9111 4.1)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.keys.identity import Identity
from trickster.keys.selecting import (
    ALL_FIELDS,
    WHO,
    Selecting,
    best_language,
    matches,
    selecting_values,
)
from trickster.messages import Headers

NAMES = (b"accept", b"accept-language", b"x-team")
VALUES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([b"a", b"b", b"de, en;q=0.5"]))


def request(*pairs: tuple[bytes, bytes]) -> Headers:
    """:return: the fields of a request."""
    return Headers(pairs)


class SelectingTests(SynchronousTestCase):
    """The values of the fields by which answers differ."""

    def values(self, *pairs: tuple[bytes, bytes]) -> Selecting:
        """:return: what such a request selects by."""
        return selecting_values(NAMES, request(*pairs))

    def test_absent(self) -> None:
        """A field that a request lacks is known as absent, and differs from an empty one."""
        self.assertEqual(self.values((b"X-Team", b"a")),
                         ((b"accept", None), (b"accept-language", None), (b"x-team", b"a")))
        self.assertNotEqual(self.values(), self.values((b"X-Team", b"")))

    def test_order_of_names(self) -> None:
        """The order in which an origin names the fields does not matter."""
        asked = request((b"X-Team", b"a"))
        self.assertEqual(selecting_values(NAMES, asked), selecting_values(NAMES[::-1], asked))

    def test_who(self) -> None:
        """The identity of a request may be one of the selecting fields."""
        identity = Identity(frozenset((b"authorization",)))
        one, other = ((selecting_values((WHO,), request((b"Authorization", value)),
                                        identity=identity)) for value in (b"x", b"y"))
        self.assertNotEqual(one, other)
        self.assertNotIn(b"x", repr(one).encode())

    def test_all_fields(self) -> None:
        """For an origin whose responses vary by everything, every field counts."""
        one, other = (selecting_values((ALL_FIELDS,), request((b"X-Any", value)))
                      for value in (b"x", b"y"))
        self.assertNotEqual(one, other)

    @given(VALUES, VALUES)
    def test_matches(self, one: dict[bytes, bytes], other: dict[bytes, bytes]) -> None:
        """A request matches a stored response just when both have the same selecting values."""
        first, second = Headers(tuple(one.items())), Headers(tuple(other.items()))
        self.assertEqual(matches(selecting_values(NAMES, first), second),
                         selecting_values(NAMES, first) == selecting_values(NAMES, second))


class LanguageTests(SynchronousTestCase):
    """Stored responses that vary by Accept-Language are selected by the best language."""

    german = Headers(((b"Content-Language", b"de"),))

    def test_best(self) -> None:
        """A response in the preferred language answers all requests that prefer that language."""
        names = (b"accept-language",)
        stored = selecting_values(names, request((b"Accept-Language", b"de, en;q=0.5")),
                                  self.german)
        self.assertTrue(matches(stored, request((b"Accept-Language", b"de;q=0.9, fr;q=0.1")),
                                self.german))
        self.assertFalse(matches(stored, request((b"Accept-Language", b"fr, de;q=0.1")),
                                 self.german))

    def test_look_up(self) -> None:
        """A request that names several languages can be looked up by its best one alone."""
        asked = request((b"Accept-Language", b"de, en;q=0.5"))
        selecting = selecting_values((b"accept-language",), asked)
        alone = request((b"Accept-Language", b"de"))
        by_best = selecting_values((b"accept-language",), alone)
        self.assertEqual(best_language(selecting, asked), by_best)
        self.assertIsNone(best_language(by_best, alone))
        self.assertIsNone(best_language((), request()))
