"""Why a fetch of another process gave no answer, as that process says it: pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from trickster.errors import (
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)

_KINDS = {kind.__name__: kind for kind in (
    UpstreamError, UpstreamUnreachable, UpstreamBroke, UpstreamMalformed, UpstreamTimeout)}
_MOST_DETAIL = 1000
Pairs = tuple[tuple[bytes, bytes], ...]


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """
    A failure of an origin.

    :ivar kind: the name of the error's class; empty where the origin gave an answer, which says
        that it has failed.
    :ivar status: of the error; of the origin's answer, where C{kind} is empty, or 0.
    :ivar fields: of that answer, where it is for all, as is its C{body}.
    """

    kind: str
    reason: Reason
    status: Annotated[int, msgspec.Meta(ge=0, le=999)]
    detail: str = ""
    retry_after: float | None = None
    fields: list[tuple[bytes, bytes]] = []
    body: bytes | None = None

    @classmethod
    def of(cls, error: RequestError) -> Failure | None:
        """:return: what other processes are told; None where the failure is one of our own."""
        kind = type(error).__name__
        if _KINDS.get(kind) is not type(error):
            return None
        return cls(kind, error.reason, error.status, error.detail[:_MOST_DETAIL],
                   error.retry_after)

    @classmethod
    def of_status(cls, reason: Reason, status: int | None) -> Failure:
        """:return: of an answer, or of none, in the place of which a stored one was given."""
        return cls("", reason, status or 0)

    @classmethod
    def of_answer(cls, status: int, fields: Pairs, body: bytes) -> Failure:
        """:return: of an answer that all get who wait for one."""
        return cls("", Reason.ORIGIN_STATUS, status, "", None, list(fields), body)

    @classmethod
    def decoded(cls, octets: bytes) -> Failure | None:
        """:return: what L{encoded} made; None where the octets are anything else."""
        try:
            return _reader.decode(octets)
        except (ValueError, RecursionError):
            return None

    def encoded(self) -> bytes:
        """:return: the failure as octets."""
        return _writer.encode(self)

    @property
    def error(self) -> RequestError | None:
        """The error to be raised; None where there is none."""
        kind = _KINDS.get(self.kind)
        if kind is None or not 400 <= self.status <= 599:
            return None
        return kind(self.detail, self.reason, self.status, retry_after=self.retry_after)


_reader = msgspec.msgpack.Decoder(Failure)
_writer = msgspec.msgpack.Encoder()
