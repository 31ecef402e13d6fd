"""What purges know an entry by."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from attrs import frozen

from trickster.messages import Headers

_OVERHEAD = 120
_TAGGING = frozenset((b"surrogate-key", b"cache-tag"))
_ODD = re.compile(rb"%([0-9A-Fa-f]{2})|[^!-~]")
_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")


@frozen(slots=True)
class Label:
    """
    What purges, and those who look into a cache, know an entry by.

    :ivar backend: whose answer it is.
    :ivar key: of the lookup that it was stored for; the same for all variants.
    :ivar group: the key without who asked.
    :ivar path: as the origin knows it, without a query.
    :ivar target: path and query of the request that it was stored for.
    :ivar tags: surrogate keys that the origin gave the answer.
    :ivar query: that was asked of a database, in its words; None for other answers.
    """

    backend: str = ""
    key: str = ""
    group: str = ""
    path: bytes = b""
    target: bytes = b""
    tags: tuple[bytes, ...] = ()
    query: str | None = None

    @property
    def nbytes(self) -> int:
        """:return: about how many octets of memory it takes."""
        texts = (self.key, self.group, self.path, self.target, *self.tags, self.query or "")
        return _OVERHEAD + sum(map(len, texts)) + 50 * len(texts)

    @property
    def plain_path(self) -> bytes:
        """:return: the path with nothing in it percent-encoded."""
        return unquote_to_bytes(self.path) if b"%" in self.path else self.path

    @property
    def plain_target(self) -> bytes:
        """:return: the target as L{plain_target} has it."""
        return plain_target(self.target)


NO_LABEL = Label()


def plain_target(target: bytes) -> bytes:
    """
    :param target: path and query of a request.
    :return: the same for all targets that differ only in how their octets are percent-encoded:
        no octet of the path is, and the query is normalized (RFC 3986 section 6.2.2).
    """
    if _ODD.search(target) is None:
        return target
    path, mark, query = target.partition(b"?")
    return unquote_to_bytes(path) + mark + _ODD.sub(_normalized, query)


def _normalized(odd: re.Match[bytes]) -> bytes:
    octet = odd[0] if odd[1] is None else bytes.fromhex(odd[1].decode())
    return octet if _UNRESERVED.fullmatch(octet) else b"%%%02X" % octet[0]


def tags_of(headers: Headers) -> tuple[bytes, ...]:
    """
    :param headers: of an origin's answer.
    :return: the surrogate keys in it: those of C{Surrogate-Key} with spaces between them, as
        Fastly and Varnish have it, and those of C{Cache-Tag} with commas, as Cloudflare has it.
    """
    if not headers.has_any(_TAGGING):
        return ()
    spaced = b" ".join(headers.get_all(b"surrogate-key")).split()
    listed = (tag.strip() for tag in b",".join(headers.get_all(b"cache-tag")).split(b","))
    return tuple(dict.fromkeys([*spaced, *filter(None, listed)]))
