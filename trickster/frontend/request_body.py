"""A request body that is read from the connection as it is needed."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.errors import RequestError, RequestTooLarge
from trickster.frontend.link import ClientLink
from trickster.http.h1.framing import BodyReader
from trickster.interfaces import IBody
from trickster.net.pace import Pace

# What may lie here unread before the connection is no longer read from.
_READ_AHEAD = 64 * 1024
_SOON = 0.001
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodySource(Protocol):
    """The connection, as a body needs it."""

    def body_wanted(self) -> None:
        """A reader waits for octets: read on, and see that they come in time."""

    def body_unwanted(self) -> None:
        """There is enough for now: stop reading."""


@define(eq=False)
class BodyIntake:
    """
    Asks the client for the body of the request that is being answered, as it is read, and
    sees that it comes fast enough.  Provides L{BodySource}.

    :ivar _pace: None where the client may take its time.
    :ivar _owes_continue: whether the client waits for a C{100} (RFC 9110 section 10.1.1).
    """

    _link: ClientLink
    _clock: IReactorTime
    _pace: Pace | None = None
    _owes_continue: bool = False

    def brought(self, octets: int) -> None:
        """
        The client has sent something of the body, and so its reader waits no more, until
        L{body_wanted} says so again.

        :param octets: how many, framing and all.
        """
        if self._pace is not None:
            self._pace.brought(self._clock.seconds(), octets)

    def body_wanted(self) -> None:
        """A reader waits for octets: read on, and see that they come in time."""
        if self._owes_continue:
            self._owes_continue = False
            self._link.output.send(_CONTINUE)
        self._link.inbox.resume()
        pace = self._pace
        if pace is not None and pace.period:
            now = self._clock.seconds()
            pace.wanted(now)
            # Not at once, even where time is up: a responder cannot be cancelled while it asks.
            self._link.deadline.set(max(pace.left(now), _SOON))

    def body_unwanted(self) -> None:
        """There is enough for now: stop reading."""
        self._link.inbox.pause()

    def is_too_slow(self) -> bool:
        """
        Look whether the client is, when a reader waits and the time is up; if it is not, it
        has more from now on.

        :return: whether the reader has waited for longer than it may take.
        """
        if self._pace is None:
            return False
        left = self._pace.left(self._clock.seconds())
        if left > 0:
            self._link.deadline.set(left)
        return left <= 0


@define
class EndlessFraming:
    """
    What follows after a protocol upgrade: octets until the connection's end.

    :ivar is_done: whether the client has said that it will send no more.
    """

    is_done: bool = False
    rest: bytes = b""

    def feed(self, data: bytes) -> list[bytes]:
        """:return: all of it."""
        return [data] if data else []


@implementer(IBody)
@define(eq=False)
class RequestBody:
    """
    A body whose octets are still coming.

    :ivar length: octets in all, None where it is not known.
    :ivar received: octets that have come, without framing.
    """

    length: int | None
    _framing: BodyReader | EndlessFraming
    _source: BodySource
    _limit: int = -1
    _truncate: bool = False
    received: int = field(default=0, init=False)
    _pieces: deque[bytes] = field(factory=deque, init=False)
    _held: int = field(default=0, init=False)
    _waiting: Deferred[bytes] | None = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)
    _is_broken: bool = field(default=False, init=False)

    @property
    def is_complete(self) -> bool:
        """
        :return: whether the whole body has come, read or not, so that what follows is the next
            request; not where it was found broken or too large.
        """
        return self._framing.is_done and not self._is_broken

    @property
    def _is_at_end(self) -> bool:
        is_cut = self._truncate and 0 <= self._limit < self.received
        return self._framing.is_done or self._closed or is_cut

    @property
    def is_wanted(self) -> bool:
        """:return: whether a reader waits for more of it, and so the client is to send."""
        return self._waiting is not None

    def arrived(self, data: bytes) -> bytes:
        """
        Take octets from the connection; L{deliver} has to be called after it.

        :return: those that come after the body.
        :raises MalformedBody: its framing is broken.
        :raises RequestTooLarge: there is more than the listener takes.
        """
        # Until it is known to be right; an error leaves it so.
        self._is_broken = True
        pieces = self._framing.feed(data)
        if pieces:
            self._keep(b"".join(pieces) if len(pieces) > 1 else pieces[0])
        self._is_broken = False
        if self._held > _READ_AHEAD and not self.is_complete:
            self._source.body_unwanted()
        return self._framing.rest

    def deliver(self) -> None:
        """Give what has come to the reader that waits for it, or let the reader wait on."""
        if self._waiting is None:
            return
        if self._pieces or self._is_at_end:
            waiting, self._waiting = self._waiting, None
            waiting.callback(self._next())
        else:
            # Framing alone has come, which the source has taken for the end of the waiting.
            self._source.body_wanted()

    def fail(self, error: RequestError) -> bool:
        """
        No more will come, and what has come is not all.

        :return: whether there is a reader who is told so.
        """
        if self._waiting is None:
            return False
        waiting, self._waiting = self._waiting, None
        waiting.errback(error)
        return True

    def ended(self) -> None:
        """No more will come, and that is right so: a tunnel's client has said so."""
        if isinstance(self._framing, EndlessFraming):
            self._framing.is_done = True
            self.deliver()

    def taken(self) -> bytes:
        """:return: all that is here and was not read."""
        octets = b"".join(self._pieces)
        self.close()
        return octets

    async def read(self) -> bytes:
        """:return: some octets, waiting for them if need be; C{b""} at the end."""
        if self._pieces or self._is_at_end:
            return self._next()
        waiting: Deferred[bytes] = Deferred(self._cancelled)
        self._waiting = waiting
        self._source.body_wanted()
        return await waiting

    def close(self) -> None:
        """Drop what is here, and what may still come."""
        self._closed = True
        self._pieces.clear()
        self._held = 0

    def _keep(self, data: bytes) -> None:
        allowed = self._limit - self.received
        self.received += len(data)
        if 0 <= self._limit < self.received:
            if not self._truncate:
                raise RequestTooLarge("the request body is too large")
            data = data[:max(0, allowed)]
        if data and not self._closed:
            self._pieces.append(data)
            self._held += len(data)

    def _next(self) -> bytes:
        if not self._pieces:
            return b""
        data = self._pieces.popleft()
        self._held -= len(data)
        return data

    def _cancelled(self, _waiting: Deferred[bytes]) -> None:
        self._waiting = None


def endless_body(source: BodySource) -> RequestBody:
    """:return: all that comes after a protocol upgrade, until the client sends no more."""
    return RequestBody(None, EndlessFraming(), source)
