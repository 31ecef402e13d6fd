"""Content codings: incremental encoders, as cheap as they come."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

from attrs import frozen

# How much smaller an answer gets by working harder is little beside what that costs:
# of a range query's answer zstd 1 leaves a quarter at 400 MB/s, and zlib 6 at 45 MB/s
# not much less.
_ZSTD_LEVEL = 1
_BROTLI_QUALITY = 2
_DEFLATE_LEVEL = 1
# Octets of history: 2 to this power.  More would be memory for each answer on its way.
_BROTLI_WINDOW = 18

_GZIP_BITS = 31
_ZLIB_BITS = 15

Buffer = bytes | memoryview


class Encoder(Protocol):
    """The coding of one body."""

    def code(self, octets: Buffer) -> bytes:
        """:return: what is ready of the coded form; often nothing."""

    def flush(self) -> bytes:
        """:return: the rest of the coded form of everything up to here."""

    def finish(self) -> bytes:
        """:return: the end of the coded form; nothing is coded after that."""


@frozen
class Coding:
    """
    A content coding.

    :ivar name: as registered (RFC 9110 section 8.4.1).
    :ivar encoder: begins a new body.
    """

    name: bytes
    encoder: Callable[[], Encoder]

    def whole(self, octets: Buffer) -> bytes:
        """:return: the coded form of a whole body."""
        encoder = self.encoder()
        return encoder.code(octets) + encoder.finish()


@frozen
class _Encoder:
    """An encoder of any library, its methods by our names."""

    code: Callable[[Buffer], bytes]
    flush: Callable[[], bytes]
    finish: Callable[[], bytes]


def codings(load: Callable[[str], Any] = import_module) -> tuple[Coding, ...]:
    """
    :param load: imports a module by its name.
    :return: the codings that can be offered with what is installed, the one to be preferred
        first.
    """
    zstandard, brotli, isal = (
        _loaded(load, name) for name in ("zstandard", "brotli", "isal.isal_zlib"))
    deflating = isal or zlib
    found: Mapping[bytes, Callable[[], Encoder] | None] = {
        b"zstd": zstandard and (lambda: _zstd(zstandard)),
        b"br": brotli and (lambda: _brotli(brotli)),
        b"gzip": lambda: _deflate(deflating, _GZIP_BITS),
        b"deflate": lambda: _deflate(deflating, _ZLIB_BITS),
    }
    return tuple(Coding(name, encoder) for name, encoder in found.items() if encoder is not None)


def _loaded(load: Callable[[str], Any], name: str) -> Any:
    try:
        return load(name)
    except ImportError:
        return None


def _zstd(zstandard: Any) -> Encoder:
    # A compressor is good for one body at a time.
    coder = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return _Encoder(coder.compress,
                    lambda: coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), coder.flush)


def _brotli(brotli: Any) -> Encoder:
    coder = brotli.Compressor(quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW)
    return _Encoder(coder.process, coder.flush, coder.finish)


def _deflate(module: Any, bits: int) -> Encoder:
    # To HTTP, "deflate" is deflated octets in the zlib format (RFC 9110 section 8.4.1.2).
    coder = module.compressobj(_DEFLATE_LEVEL, zlib.DEFLATED, bits)
    return _Encoder(coder.compress, lambda: coder.flush(zlib.Z_SYNC_FLUSH), coder.flush)
