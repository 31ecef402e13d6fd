"""Replies of other workers, as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from zope.interface import implementer

from trickster.errors import RequestError
from trickster.interfaces import IBody
from trickster.messages import Octets, Response
from trickster.peers.envelope import LENGTH, decoded_reply

# Octets of a reply without the body of its answer, whose fields are bounded where they come from.
LONGEST = 16 << 20


class Refused(Exception):
    """
    A worker has no answer.

    :ivar error: what it has instead.
    """

    def __init__(self, error: RequestError) -> None:
        super().__init__(str(error))
        self.error = error


async def opened(body: IBody, over: Callable[[], None]) -> Response:
    """
    :param body: a reply, and after it the body of the answer; closed where there is none.
    :param over: called once nothing more comes, or is wanted.
    :return: the answer.
    :raises Refused: it is none.
    :raises RequestError: it broke off before that was known.
    :raises ValueError: it is no reply.
    """
    reply = _Rest(b"", body, None, over)
    try:
        return await _opened(reply)
    except BaseException:
        reply.close()
        raise


async def _opened(body: _Rest) -> Response:
    read = await body.read_until(bytearray(), LENGTH)
    length = int.from_bytes(read[:LENGTH], "big")
    if length > LONGEST:
        raise ValueError("a reply is too long")
    read = await body.read_until(read, LENGTH + length)
    reply, rest = decoded_reply(read[LENGTH:LENGTH + length]), bytes(read[LENGTH + length:])
    if reply.raised is not None:
        raise Refused(reply.raised.error())
    if reply.head is None:
        raise ValueError("there is nothing in a reply")
    response = reply.head.response()
    if body.begins(rest, LENGTH + length):
        return response.with_body(body)
    body.close()
    return response.with_body(Octets(rest))


@implementer(IBody)
@define(eq=False)
class _Rest:
    """A body of which the beginning was read with something else."""

    _first: bytes
    _inner: IBody
    length: int | None
    _over: Callable[[], None]
    _is_over: bool = field(default=False, init=False)

    async def read_until(self, read: bytearray, size: int) -> bytearray:
        """
        :param read: what has been read.
        :return: with what had to be read for as many octets, or more.
        :raises ValueError: there are not as many.
        """
        while len(read) < size:
            piece = await self._inner.read()
            if not piece:
                raise ValueError("a reply is not whole")
            read += piece
        return read

    def begins(self, first: bytes, before: int) -> bool:
        """
        :param first: octets that have been read already.
        :param before: how many there were of something else.
        :return: whether there are more than those, as far as is known.
        """
        self._first = first
        self.length = None if self._inner.length is None else self._inner.length - before
        return self.length != len(first)

    async def read(self) -> Any:
        """See L{IBody.read}."""
        first, self._first = self._first, b""
        if first:
            return first
        try:
            octets = await self._inner.read()
        except BaseException:
            self._end()
            raise
        if not octets:
            self._end()
        return octets

    def close(self) -> None:
        """See L{IBody.close}."""
        self._first = b""
        self._inner.close()
        self._end()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._over()
