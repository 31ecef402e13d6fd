"""Accept-Encoding: which coding an answer gets."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.negotiation import chosen, weights

OFFERED = (b"zstd", b"br", b"gzip", b"deflate")
NAMES = [b"zstd", b"br", b"gzip", b"deflate", b"identity", b"*", b"other"]
WEIGHTS = {b"": 1.0, b";q=1": 1.0, b"; q=1.000": 1.0, b" ;\tQ=0.5": 0.5, b";q=0.50": 0.5,
           b";q=0.123": 0.123, b";q=0.": 0.0, b";q=0": 0.0, b"; q=0.001": 0.001}


def naive(members: list[tuple[bytes, float]]) -> bytes | None:
    """What RFC 9110 section 12.5.3 says, coding by coding."""
    def weight(name: bytes) -> float:
        for known in (name, b"*"):
            found = [q for n, q in members if n == known]
            if found:
                return min(found)
        return 0.0

    best = None
    for name in OFFERED:
        if weight(name) > 0 and (best is None or weight(name) > weight(best)):
            best = name
    return None if best is None or weight(best) < weight(b"identity") else best


class ChosenTests(SynchronousTestCase):
    """A coding is chosen by the client's weights, and among equals by our order."""

    def expect(self, cases: dict[bytes, bytes | None]) -> None:
        for value, coding in cases.items():
            self.assertEqual(chosen(value, OFFERED), coding, value)

    def test_nothing_asked(self) -> None:
        """A request without Accept-Encoding gets no coding."""
        self.assertIsNone(chosen(None, OFFERED))
        self.expect({b"": None, b" ": None, b",": None, b"identity": None})

    def test_our_order(self) -> None:
        """Among equal weights zstd comes before br, gzip and deflate, in any order of members."""
        self.expect({b"gzip, deflate, br, zstd": b"zstd", b"deflate,gzip,br": b"br",
                     b"deflate, gzip": b"gzip", b"deflate": b"deflate", b"*": b"zstd",
                     b"gzip;q=0.3, br;q=0.3": b"br"})

    def test_their_order(self) -> None:
        """A coding of greater weight comes before one that we prefer."""
        self.expect({b"zstd;q=0.5, br;q=0.8, gzip": b"gzip", b"gzip;q=0.2, *;q=0.1": b"gzip",
                     b"zstd;q=0.001, deflate;q=0.002": b"deflate"})

    def test_refused(self) -> None:
        """A weight of 0 refuses a coding, and an asterisk stands for those that are not named."""
        self.expect({b"gzip;q=0": None, b"*;q=0": None, b"zstd;q=0, br;q=0, *": b"gzip",
                     b"gzip, *;q=0": b"gzip", b"*, gzip;q=0.000": b"zstd"})

    def test_identity(self) -> None:
        """An answer is not coded where identity has the greatest weight; among equals it is."""
        self.expect({b"identity, gzip;q=0.5": None, b"identity;q=0.5, gzip;q=0.5": b"gzip",
                     b"identity;q=0.5, gzip": b"gzip", b"*;q=0.5, zstd;q=0.4": b"br",
                     b"identity;q=0": None, b"identity;q=0, gzip;q=0": None,
                     b"identity;q=0, compress": None, b"identity;q=0, *;q=0.1": b"zstd"})

    def test_spelling(self) -> None:
        """Names of codings are in any case, C{x-gzip} is gzip, and empty members are ignored."""
        self.expect({b"GZip": b"gzip", b"x-gzip": b"gzip", b"X-GZIP;q=0": None,
                     b" , gzip\t;\tq=1 ,,": b"gzip", b"compress": None})

    def test_malformed(self) -> None:
        """A malformed member of Accept-Encoding asks for nothing, and leaves the others alone."""
        self.expect({
            b"gzip;q=2": None, b"gzip;q=-1": None, b"gzip;q=0.1234": None, b"gzip;q=": None,
            b"gzip;q": None, b"gzip;": None, b"gzip;level=1": None, b"gzip;q=1;q=0": None,
            b"gzip;q = 1": None, b"gzip deflate": None, b"\"gzip\"": None, b"gzip;q=nan": None,
            b"gzip;q=1.001": None, b"gzip;q=\xd9\xa1": None, b"gz\0ip": None, b";q=1": None,
            b"gzip;q=x, *": b"zstd", b"zstd;q=x, *": b"br", b"br;;, deflate": b"deflate",
            b"q=1": None, b"gzip;q=1, gzip;q=0": None,
        })

    def test_endless(self) -> None:
        """Members after the sixty-fourth are not looked at."""
        self.expect({b"x," * 63 + b"gzip": b"gzip", b"x," * 64 + b"gzip": None,
                     b"," * 100_000: None})

    def test_nothing_offered(self) -> None:
        """Where no codings are offered, none is chosen."""
        self.assertIsNone(chosen(b"gzip", ()))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(WEIGHTS))),
                    max_size=6))
    @example([(b"*", b";q=0.50"), (b"identity", b""), (b"gzip", b"")])
    def test_any_list(self, members: list[tuple[bytes, bytes]]) -> None:
        """The coding chosen for any list is the one that the rules say."""
        value = b", ".join(name + weight for name, weight in members)
        self.assertEqual(chosen(value, OFFERED), naive([(n, WEIGHTS[w]) for n, w in members]))

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=40) | st.text(b"gzip;q=.01,* \tidenty".decode()).map(str.encode))
    def test_any_octets(self, value: bytes) -> None:
        """Any octets make a list of codings, with weights between 0 and 1000."""
        self.assertIn(chosen(value, OFFERED), (None, *OFFERED))
        self.assertTrue(all(0 <= w <= 1000 for w in weights(value).values()))
