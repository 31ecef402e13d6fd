"""Octets from an origin, read as the answer to one request."""

from __future__ import annotations

from trickster.errors import UpstreamBroke, UpstreamMalformed
from trickster.http.h1.chunked import ChunkedReader, ChunkLimits
from trickster.http.h1.faults import MalformedBody
from trickster.http.h1.framing import Ending, Framing, response_framing
from trickster.http.h1.leniency import Leniency
from trickster.http.h1.responses import ResponseHead, take_head

# Header fields in one response, and interim (1xx) responses before a final one.
_MOST_FIELDS = 1000
_MOST_INTERIMS = 16
# Members of an enum are slow to look up, and every request asks.
_NO_BODY = Ending.NO_BODY
_CHUNKED = Ending.CHUNKED


class NothingCame(UpstreamBroke):
    """
    The connection was closed before the first octet of an answer.

    :ivar is_body_unread: whether nothing of a streamed request body has been read yet.
    """

    is_body_unread = False


class AnswerReader:
    """
    Reads one final response, and the interim ones before it, from octets in any portions.

    :ivar head: of the final response, once it is here.
    :ivar framing: how its body ends, once the head is here.
    :ivar interims: interim responses that were not taken yet.
    :ivar is_complete: whether the last octet of the response has come.
    :ivar is_reusable: whether the connection can serve another request after that.
    :ivar leniencies: what there was about it that RFC 9112 does not know.
    """

    __slots__ = ("_chunks", "_interims_left", "_left", "_method", "_most_head", "_partial",
                 "_pieces", "framing", "head", "interims", "is_complete", "is_reusable",
                 "leniencies")

    def __init__(self, method: bytes, most_head: int) -> None:
        """
        :param method: of the request that is being answered.
        :param most_head: octets that a head may have.
        """
        self.head: ResponseHead | None = None
        self.framing: Framing | None = None
        self.is_complete = False
        self.is_reusable = False
        self.leniencies: set[Leniency] = set()
        self._method = method
        self._most_head = most_head
        self.interims: list[ResponseHead] = []
        self._interims_left = _MOST_INTERIMS
        self._partial = b""
        self._pieces: list[bytes] = []
        self._left = 0
        self._chunks: ChunkedReader | None = None

    def feed(self, octets: bytes) -> None:
        """
        :param octets: the next, in the order they came.
        :raises UpstreamMalformed: no more can be made of this connection.
        """
        rest: bytes | None = octets
        while rest and self.framing is None:
            rest = self._feed_head(rest)
        if rest:
            self._feed_body(rest)

    @property
    def ending(self) -> Ending:
        """:return: how the end of the body is known; to be asked only once the head is here."""
        assert self.framing is not None
        return self.framing.ending

    @property
    def length(self) -> int | None:
        """
        :return: octets in the body, as C{Content-Length} frames it; None where its end is known
            in another way, where there is no body, and until the head is here.
        """
        return None if self.framing is None else self.framing.length

    def take_interims(self) -> list[ResponseHead]:
        """:return: the interim answers since the last time."""
        interims, self.interims = self.interims, []
        return interims

    def take(self) -> list[bytes]:
        """:return: the pieces of the body since the last time."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def end(self, is_clean: bool) -> None:
        """
        The connection is closed.

        :param is_clean: whether the origin closed it in an orderly way; only then is it
            the end of a body.
        :raises NothingCame: there was no octet of a response.
        :raises UpstreamBroke: there was less than a whole response.
        """
        if self.framing is None:
            if self._partial or self._interims_left < _MOST_INTERIMS:
                raise UpstreamBroke("the origin closed the connection within a response head")
            raise NothingCame("the origin closed the connection without answering")
        if not is_clean or self.framing.ending not in (Ending.CLOSE, Ending.UPGRADED):
            raise UpstreamBroke("the origin closed the connection within a response body")
        self.is_complete = True

    def _feed_head(self, octets: bytes) -> bytes | None:
        seen = len(self._partial)
        octets = self._partial + octets if seen else octets
        taken = take_head(octets, seen, _MOST_FIELDS)
        if (taken[1] if taken else len(octets)) > self._most_head:
            raise UpstreamMalformed("a response head larger than can be taken")
        if taken is None:
            self._partial = octets
            return None
        head, end = taken
        self._partial = b""
        if head.leniencies:
            self.leniencies |= head.leniencies
        self._take_head(head)
        return octets[end:]

    def _take_head(self, head: ResponseHead) -> None:
        if head.status >= 200 or head.status == 101:
            self._begin_body(head)
            return
        self._interims_left -= 1
        if self._interims_left < 0:
            raise UpstreamMalformed("interim answers without end")
        self.interims.append(head)

    def _begin_body(self, head: ResponseHead) -> None:
        framing = response_framing(head, self._method)
        self.head = head
        self.framing = framing
        self._left = framing.length or 0
        if framing.leniencies:
            self.leniencies |= framing.leniencies
        self.is_reusable = framing.is_persistent and not self.leniencies
        self.is_complete = framing.ending is _NO_BODY or framing.length == 0
        if framing.ending is _CHUNKED:
            self._chunks = ChunkedReader(ChunkLimits.all_within(self._most_head), is_lenient=True)

    def _feed_body(self, octets: bytes) -> None:
        if self.is_complete:
            self.is_reusable = False
        elif self._chunks is not None:
            self._feed_chunks(self._chunks, octets)
        elif self._left:
            self._feed_counted(octets)
        else:
            self._pieces.append(octets)

    def _feed_chunks(self, chunks: ChunkedReader, octets: bytes) -> None:
        try:
            self._pieces += chunks.feed(octets)
        except MalformedBody as error:
            raise UpstreamMalformed(f"malformed chunks: {error}") from error
        self.is_complete = chunks.is_done
        if chunks.rest or chunks.leniencies:
            self.leniencies |= chunks.leniencies
            self.is_reusable = False

    def _feed_counted(self, octets: bytes) -> None:
        body = octets[:self._left]
        self._pieces.append(body)
        self._left -= len(body)
        self.is_complete = not self._left
        self.is_reusable = self.is_reusable and len(body) == len(octets)
