"""Chunked bodies (RFC 9112 section 7.1), read by llhttp."""

from __future__ import annotations

from httptools import HttpParserError, HttpResponseParser

from trickster.errors import UpstreamMalformed

# llhttp reads whole messages, so it is given a head that says only what matters here; our
# own reading of heads is stricter than its.
_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_OVERHEAD_PER_OCTET = 16


class ChunkedReader:
    """
    Takes chunks apart.  Extensions and trailers are read and forgotten.

    :ivar is_complete: whether the last chunk and the trailers have come.
    :ivar has_extra: whether more octets came after that.
    """

    def __init__(self, overhead_limit: int) -> None:
        """
        :param overhead_limit: how many octets may come that are not of the body, beyond
            what a sender of tiny chunks needs.
        """
        self.is_complete = False
        self.has_extra = False
        self._pieces: list[bytes] = []
        self._overhead_left = overhead_limit
        self._parser = HttpResponseParser(self)
        self._parser.feed_data(_HEAD)

    def feed(self, octets: bytes) -> list[bytes]:
        """
        :return: the pieces of the body in these octets.
        :raises UpstreamMalformed: they are not chunks.
        """
        pieces: list[bytes] = []
        self._pieces = pieces
        try:
            self._parser.feed_data(octets)
        except HttpParserError as error:
            if not self.is_complete:
                raise UpstreamMalformed(f"malformed chunks: {error}") from error
            self.has_extra = True
        body = sum(map(len, pieces))
        self._overhead_left -= len(octets) - body - _OVERHEAD_PER_OCTET * body
        if self._overhead_left < 0 and not self.is_complete:
            raise UpstreamMalformed("more chunk extensions or trailers than can be taken")
        return pieces

    def on_message_begin(self) -> None:
        """Called by the parser, for the second time if there is more after the end."""
        self.has_extra = self.is_complete

    def on_body(self, octets: bytes) -> None:
        """Called by the parser, also for a second message."""
        if not self.is_complete:
            self._pieces.append(octets)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.is_complete = True
