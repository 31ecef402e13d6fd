"""What purges know an entry by."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from attrs import frozen

from trickster.messages import Headers

_OVERHEAD = 120
_TAGGING = frozenset((b"surrogate-key", b"cache-tag"))


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


NO_LABEL = Label()


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
