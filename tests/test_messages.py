"""Tests of C{trickster.messages}."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import LONGEST_PARAMS, MOST_PARAMS, MalformedParams, Params


class ParamsTests(SynchronousTestCase):
    """Query strings and forms."""

    def test_broken(self) -> None:
        """What receivers may read in different ways is refused, wherever it stands."""
        for octets in (b"a=%", b"a=%4", b"a=%4g", b"%=1", b"a=%25%", b"a=1;b=2", b"a=%zz" * 2000):
            with self.subTest(octets=octets[:20]), self.assertRaises(MalformedParams):
                Params.parse(octets)

    def test_bounds(self) -> None:
        """So is what is too long, or too many, to be read."""
        most = b"&".join([b"a=1"] * MOST_PARAMS)
        self.assertEqual(len(Params.parse(most).pairs), MOST_PARAMS)
        self.assertEqual(len(Params.parse(b"a=" + b"x" * (LONGEST_PARAMS - 2)).pairs), 1)
        for octets in (most + b"&a=1", b"&" * MOST_PARAMS, b"a=" + b"x" * LONGEST_PARAMS):
            with self.assertRaises(MalformedParams):
                Params.parse(octets)

    @given(st.binary(max_size=50), st.sampled_from([1, 500]), st.sampled_from(["", "=?/\r\n"]))
    def test_escapes(self, octets: bytes, times: int, safe: str) -> None:
        """Escapes are read as what they are, in short values and in long ones."""
        value = octets * times
        quoted = quote_from_bytes(value, safe).encode("ascii")
        (_, read), = Params.parse(b"a=" + quoted).pairs
        self.assertEqual(read.encode("utf-8", "surrogateescape"), value)

    @given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=5))
    def test_against_the_library(self, pairs: list[tuple[str, str]]) -> None:
        """What is encoded is read back, by us and by others."""
        encoded = Params(tuple(pairs)).encode()
        self.assertEqual(list(Params.parse(encoded).pairs), pairs)
        self.assertEqual(parse_qsl(encoded.decode(), keep_blank_values=True), pairs)
