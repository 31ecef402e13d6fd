"""Tests of L{trickster.http.grammar}."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.grammar import (
    PARAMETERS,
    QUOTED_STRING,
    TOKEN,
    is_field_name,
    is_token,
    split_list,
    tokens,
    unquoted,
    weighted,
)
from trickster.messages import Headers

TOKENS = st.text("abc019-.", min_size=1, max_size=4)
QUOTED = st.text('ab,= \\"', max_size=6)


def quoted(text: str) -> str:
    """:return: a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class TokenTests(SynchronousTestCase):
    """Tokens and quoted strings."""

    @given(st.binary(max_size=5))
    def test_token(self, octets: bytes) -> None:
        """The octets of tokens are those that the pattern of tokens matches."""
        self.assertEqual(is_token(octets), re.fullmatch(TOKEN, octets) is not None)

    def test_field_name(self) -> None:
        """A text is a field name where it is a token in ASCII."""
        self.assertTrue(is_field_name("X-Team"))
        for text in ("", "a b", "a:", "\u00e9", "a\n", "\u0661"):
            self.assertFalse(is_field_name(text), text)

    @given(QUOTED)
    def test_unquoted(self, text: str) -> None:
        """A quoted string is unquoted; any other text stays as it is."""
        octets = quoted(text).encode()
        self.assertIsNotNone(re.fullmatch(QUOTED_STRING, octets))
        self.assertEqual(unquoted(octets), text.encode())
        self.assertEqual(unquoted(b"a" + octets), b"a" + octets)

    def test_parameters(self) -> None:
        """Parameters are with or without values, quoted or not, with white space around all."""
        for octets in (b"", b";a", b"; a=b", b' ; a = "b;c" ;d'):
            self.assertIsNotNone(re.fullmatch(PARAMETERS, octets), octets)
        for octets in (b";", b";a=", b"a", b';a="b', b";a;"):
            self.assertIsNone(re.fullmatch(PARAMETERS, octets), octets)


class TokenListTests(SynchronousTestCase):
    """Lists of tokens, such as C{Connection}."""

    def test_members(self) -> None:
        """The members of a token list are those of all lines, in lower case, without empty ones."""
        headers = Headers(((b"Connection", b"Close, ,\tA"), (b"connection", b"b,")))
        self.assertEqual(tokens(headers, b"connection"), [b"close", b"a", b"b"])
        self.assertEqual(tokens(headers, b"upgrade"), [])

    def test_quotes(self) -> None:
        """A quote hides no member of a list from readers that know no quotes there."""
        headers = Headers(((b"Connection", b'"a, close'),))
        self.assertEqual(tokens(headers, b"connection"), [b'"a', b"close"])


class WeightedTests(SynchronousTestCase):
    """Members with weights (RFC 9110 section 12.4.2)."""

    def test_weights(self) -> None:
        """Weights are in thousandths, and 1000 where none is given."""
        for member, weight in ((b"a", 1000), (b"a;q=1", 1000), (b"a;q=1.000", 1000),
                               (b"A \t; Q=0.5", 500), (b"a;q=0.001", 1), (b"a;q=0", 0),
                               (b"a;q=0.", 0)):
            self.assertEqual(weighted(member), (b"a", weight), member)

    def test_malformed(self) -> None:
        """A member whose weight is malformed has none."""
        for member in (b"", b"a;q=2", b"a;q=1.001", b"a;q=0.1234", b"a;q", b"a;q=-1", b"a b",
                       b"a;level=1", b"a;q=.5"):
            self.assertIsNone(weighted(member), member)


class SplitListTests(SynchronousTestCase):
    """Members of lists."""

    def test_quotes(self) -> None:
        """Commas and escaped quotes inside quotes separate nothing."""
        self.assertEqual(list(split_list(b'a, "b,c" ,, "d\\",e",f')),
                         [b"a", b'"b,c"', b'"d\\",e"', b"f"])

    def test_unterminated(self) -> None:
        """A quoted string that does not end reaches to the end of the list."""
        self.assertEqual(list(split_list(b'a, "b, c')), [b"a", b'"b, c'])
        self.assertEqual(list(split_list(b'a, "b\\')), [b"a", b'"b\\'])

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.one_of(TOKENS, QUOTED.map(quoted)), max_size=5), st.sampled_from(
        [",", ", ", " ,\t", ",,"]))
    def test_joined(self, members: list[str], comma: str) -> None:
        """Members that were joined are split into the same members."""
        self.assertEqual(list(split_list(comma.join(members).encode())),
                         [member.encode() for member in members])

    @settings(max_examples=300, deadline=None)
    @given(st.text('a,"\\ ', max_size=30))
    def test_ends(self, text: str) -> None:
        """Every octet that is not a separator is in one member, in order."""
        joined = b"".join(split_list(text.encode()))
        self.assertEqual(joined.replace(b",", b"").replace(b" ", b""),
                         text.replace(",", "").replace(" ", "").encode())
