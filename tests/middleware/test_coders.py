"""Encoders of every coding that is offered."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.middleware.decoding import CODINGS, decoded, decoded_so_far, is_installed
from trickster.middleware.coders import codings


def nothing_installed(name: str) -> Any:
    """Import nothing."""
    raise ImportError(name)


def without_isal(name: str) -> Any:
    """Import everything but one."""
    return nothing_installed(name) if name.startswith("isal") else import_module(name)


class OfferedTests(SynchronousTestCase):
    """Which codings are offered."""

    def test_what_is_installed(self) -> None:
        """Codings whose library is missing are not offered; the order is ours."""
        self.assertEqual([c.name.decode() for c in codings()],
                         [name for name in CODINGS if is_installed(name)])

    def test_nothing_installed(self) -> None:
        """Gzip and deflate are offered with the standard library alone."""
        offered = codings(nothing_installed)
        self.assertEqual([c.name for c in offered], [b"gzip", b"deflate"])
        for coding in offered:
            self.assertEqual(decoded(coding.name.decode(), coding.whole(b"x" * 999)), b"x" * 999)


class CodedTests(SynchronousTestCase):
    """Decoding a coded body gives the body back."""

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.binary(max_size=300).map(lambda b: b * 7) | st.just(b"flush")))
    def test_in_pieces(self, pieces: list[bytes]) -> None:
        """A body coded in any pieces, with any flushes, is decoded to the same."""
        for coding in (*codings(), *codings(without_isal)):
            encoder, coded, body = coding.encoder(), b"", b""
            for piece in pieces:
                if piece == b"flush":
                    coded += encoder.flush()
                    self.assertEqual(decoded_so_far(coding.name.decode(), coded), body)
                else:
                    coded += encoder.code(memoryview(piece))
                    body += piece
            coded += encoder.finish()
            self.assertEqual(decoded(coding.name.decode(), coded), body)

    def test_side_by_side(self) -> None:
        """Two bodies can be coded at the same time."""
        for coding in codings():
            one, other = coding.encoder(), coding.encoder()
            first, second = one.code(b"a" * 9000), other.code(b"b" * 9000)
            first += one.code(b"c" * 9000) + one.finish()
            second += other.finish()
            name = coding.name.decode()
            self.assertEqual(decoded(name, first), b"a" * 9000 + b"c" * 9000)
            self.assertEqual(decoded(name, second), b"b" * 9000)

    def test_deflate_is_zlib(self) -> None:
        """The coding "deflate" is the zlib format, not bare deflated octets."""
        [deflate] = [c for c in codings() if c.name == b"deflate"]
        self.assertEqual(zlib.decompress(deflate.whole(b"octets")), b"octets")

    def test_smaller(self) -> None:
        """A dashboard's answer is coded to less than a third."""
        body = b",".join(b'[%d,"%d.5"]' % (1700000000 + 15 * i, i * i % 997) for i in range(9999))
        for coding in codings():
            self.assertLess(len(coding.whole(body)), len(body) // 3, coding.name)
