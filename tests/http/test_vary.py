"""Tests of L{trickster.http.vary}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.vary import language_of, liked_language, normalised, preferences
from trickster.messages import NO_HEADERS, Headers

MEMBERS = st.dictionaries(
    st.sampled_from([b"en", b"de-AT", b"*", b"fr"]),
    st.sampled_from([b"", b";q=1", b";q=0.5", b"; q=0.25", b";q=0"]), max_size=4)


def _asking(*values: bytes, name: bytes = b"Accept-Language") -> Headers:
    return Headers(tuple((name, value) for value in values))


class NormalisedTests(SynchronousTestCase):
    """Values of a header field that mean the same are normalised to the same."""

    @given(MEMBERS, st.randoms())
    def test_order(self, members: dict[bytes, bytes], random: object) -> None:
        """Neither order, case nor lines of members with weights matter."""
        listed = [name + weight for name, weight in members.items()]
        random.shuffle(listed)  # type: ignore[attr-defined]
        for name in (b"Accept-Language", b"Accept-Encoding", b"Accept-Charset"):
            one = normalised(name.lower(), _asking(
                b", ".join(n + w for n, w in members.items()), name=name))
            other = normalised(name.lower(), _asking(*(
                each.upper().replace(b"Q=", b"q=") for each in listed), name=name))
            self.assertEqual(one or b"", other or b"")

    def test_weights(self) -> None:
        """Weights matter, and so do malformed members."""
        values = (b"en, de", b"en, de;q=0.5", b"en;q=0.5, de", b"en, de;q=x", b"en, de;q=1000")
        said = {normalised(b"accept-language", _asking(value)) for value in values}
        self.assertEqual(len(said), len(values))

    def test_others(self) -> None:
        """Of other fields, white space around members does not matter, and case does."""
        for one, other, is_equal in ((b"a, b", b"a ,b", True), (b"a,b", b"b,a", False),
                                     (b"a", b"A", False), (b'"a, b"', b'"a,b"', False)):
            self.assertIs(normalised(b"x", _asking(one, name=b"X"))
                          == normalised(b"x", _asking(other, name=b"X")), is_equal)
        self.assertIsNone(normalised(b"x", NO_HEADERS))


class LanguageTests(SynchronousTestCase):
    """The language that a request likes best."""

    def test_liked(self) -> None:
        """A request has a best language where one alone has the greatest weight, save C{*}."""
        for value, liked in ((b"en", True), (b"de;q=0.5, EN", True), (b"en, de", False),
                             (b"*", False), (b"*, en;q=0.5", False), (b"", False)):
            found = liked_language(_asking(value))
            said = language_of(_asking(b" En", name=b"Content-Language"))
            self.assertEqual(found == said and found is not None, liked, value)
        self.assertIsNone(liked_language(NO_HEADERS))
        self.assertIsNone(language_of(NO_HEADERS))

    def test_preferences(self) -> None:
        """Preferred languages are sorted by weight, and by name where weights are equal."""
        self.assertEqual(preferences(b"fr;q=0.5, de, en;q=0.5, *;q=0.001"),
                         [(b"de", 1000), (b"en", 500), (b"fr", 500), (b"*", 1)])
