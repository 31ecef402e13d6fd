"""Takes content codings off again, as clients do."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any

CODINGS = ("zstd", "br", "gzip", "deflate")


def is_installed(name: str) -> bool:
    """:return: whether a library for this coding is here."""
    try:
        _library(name)
    except ImportError:
        return False
    return True


def _library(name: str) -> Any:
    return import_module({"zstd": "zstandard", "br": "brotli"}.get(name, "zlib"))


def decoded(name: str, octets: bytes) -> bytes:
    """
    :return: the body that a coded form was made of.
    :raises AssertionError: it is not whole, or something follows it.
    """
    library = _library(name)
    if name == "zstd":
        decoder = library.ZstdDecompressor().decompressobj()
        body = decoder.decompress(octets)
        assert decoder.eof and not decoder.unused_data
        return bytes(body)
    if name == "br":
        return bytes(library.decompress(octets))
    inflater = zlib.decompressobj(31 if name == "gzip" else 15)
    body = inflater.decompress(octets)
    assert inflater.eof and not inflater.unused_data
    return body


def decoded_so_far(name: str, octets: bytes) -> bytes:
    """:return: what a client makes of the beginning of a coded form."""
    library = _library(name)
    if name == "zstd":
        return bytes(library.ZstdDecompressor().decompressobj().decompress(octets))
    if name == "br":
        return bytes(library.Decompressor().process(octets))
    return zlib.decompressobj(31 if name == "gzip" else 15).decompress(octets)
