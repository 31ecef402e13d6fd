"""Tests of C{trickster.purging.label}."""

from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Headers
from trickster.purging.label import tags_of


class TagTests(SynchronousTestCase):
    """The surrogate keys of an answer."""

    def test_none(self) -> None:
        """An answer without them has none."""
        self.assertEqual(tags_of(Headers(((b"Content-Type", b"text/plain"),))), ())

    def test_both_forms(self) -> None:
        """Surrogate-Key has spaces between keys, Cache-Tag commas; each key counts once."""
        headers = Headers((
            (b"Surrogate-Key", b" a  b\tc"), (b"surrogate-key", b"d"), (b"Cache-Tag", b"e f, a,,g "),
            (b"Cache-Tag", b"h")))
        self.assertEqual(tags_of(headers), (b"a", b"b", b"c", b"d", b"e f", b"g", b"h"))
