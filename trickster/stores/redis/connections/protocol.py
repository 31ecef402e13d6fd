"""
txredisapi's protocol, for many commands at a time: its reading of replies, and a sending of ours.

Importing txredisapi imports the global reactor.  So this module is imported when a store is
started, and not before: C{twistd} chooses the reactor and forks first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import txredisapi
from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.net.callbacks import ignore
from trickster.net.deadline import Deadline
from trickster.stores.redis.commands import Command, Pushed, Reply, encoded
from trickster.stores.redis.errors import ErrorReply, NoAnswer

# Octets that may come without a reply being whole: values have a mebibyte, and what is much
# larger is none of ours.
MOST_OCTETS = 64 << 20


@define(eq=False)
class _Asked:
    """
    A command on its way.

    :ivar reply: fires with what is answered; does nothing any more once it is cancelled.
    :ivar since: seconds of the clock at which it was given to the connection.
    """

    reply: Deferred[Reply]
    since: float


@implementer(IPushProducer)
@define(eq=False)
class _Writing:
    """Is told by the transport whether it takes more: that is the back pressure of a server."""

    _connection: _Connection

    def pauseProducing(self) -> None:
        self._connection.is_writable = False
        self._connection.note_progress()

    def resumeProducing(self) -> None:
        self._connection.is_writable = True
        self._connection.note_progress()
        self._connection.changed()

    def stopProducing(self) -> None:
        self._connection.is_writable = False


class _Connection:
    """
    One connection to a server, on which commands do not wait for each other.

    To be put before one of txredisapi's protocols.

    :ivar changed: called when the connection takes commands again that took none, when nothing
        is under way on it any more, and when it is lost.
    :ivar pushed: called with what the server says unasked, where a channel is subscribed to.
    :ivar is_writable: whether the transport takes more now.
    :ivar error: why there is no connection any more; None while there is.
    :ivar is_hung: whether that is since the server did not answer, or read, in time.
    :ivar answered: how many commands were answered; the greeting is not counted.
    :ivar heard: seconds of the clock when octets last came.
    :ivar free_since: seconds of the clock since which nothing is under way.
    """

    def __init__(self, clock: IReactorTime, read_timeout: float, write_timeout: float) -> None:
        """
        :param read_timeout: seconds for the answer to a command, from when all before are there.
        :param write_timeout: seconds for the transport to take what is to be sent.
        """
        super().__init__(charset=None, convertNumbers=False)  # type: ignore[call-arg]
        self.callLater = clock.callLater  # what txredisapi goes on with in another turn
        self._clock = clock
        self._read_timeout = read_timeout
        self._write_timeout = write_timeout
        self._asked: deque[_Asked] = deque()
        self._deadline = Deadline(clock, self._late)
        self._unread = 0
        self.changed: Callable[[], object] = ignore
        self.pushed: Pushed = ignore
        self.is_writable = True
        self.error: NoAnswer | None = None
        self.is_hung = False
        self.answered = 0
        self._progress = self.heard = self.born = self.free_since = clock.seconds()

    @property
    def in_flight(self) -> int:
        """:return: how many commands are waiting for their replies."""
        return len(self._asked)

    def ask(self, commands: Sequence[Command]) -> list[Deferred[Reply]]:
        """
        Send commands, one after the other, with no other in between.

        :return: for each, what fires with the server's reply.  A L{ErrorReply} is a result, and
            not a failure; it fails with L{NoAnswer} where the connection breaks.  To cancel one
            does not keep the command from being carried out.
        """
        now = self._clock.seconds()
        if not self._asked:
            self._progress = now
        replies: list[Deferred[Reply]] = []
        pieces: list[bytes] = []
        for command in commands:
            pieces += encoded(command)
            replies.append(Deferred())
            self._asked.append(_Asked(replies[-1], now))
        if self.error is not None:
            self._fail()
            return replies
        self.note_progress(is_progress=False)
        transport: Any = self.transport  # type: ignore[attr-defined]
        transport.writeSequence(pieces)
        return replies

    def note_progress(self, is_progress: bool = True) -> None:
        """
        Give the server its time from now on, if it has something to do.

        :param is_progress: whether it has done something just now.
        """
        if is_progress:
            self._progress = self._clock.seconds()
        if not self._asked and self.is_writable:
            self._deadline.lift()
            return
        patience = self._read_timeout if self.is_writable else self._write_timeout
        latest = None
        if self._asked:
            latest = self._asked[0].since + self._write_timeout + self._read_timeout
        left = self._progress + patience - self._clock.seconds()
        self._deadline.move(max(0.0, left), latest)

    def end(self) -> None:
        """Close the connection, once what was sent has gone."""
        transport: Any = self.transport  # type: ignore[attr-defined]
        if self.error is None:
            transport.unregisterProducer()  # TLS waits for it
            transport.loseConnection()

    def broken(self, why: str) -> None:
        """
        Give the connection up, with what is under way on it.

        :param why: told to those who wait.
        """
        transport: Any = self.transport  # type: ignore[attr-defined]
        if self.error is None:
            self.error = NoAnswer(why)
            transport.abortConnection()

    def connectionMade(self) -> None:
        """Have the transport say when it takes no more; who we are is for others to say."""
        transport: Any = self.transport  # type: ignore[attr-defined]
        self.connected = 1
        self.born = self.heard = self.free_since = self._clock.seconds()
        set_no_delay = getattr(transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)
        transport.registerProducer(_Writing(self), True)

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """Read replies; what cannot be read breaks the connection."""
        self.heard = self._clock.seconds()
        self._unread += len(data)
        if self._unread > MOST_OCTETS:
            self.broken("the server sends a reply that is too large")
            return
        if self.error is not None:
            return
        try:
            super().dataReceived(data, unpause)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - what a stranger sends, in a stranger's parser
            self.broken(f"the server does not speak as Redis does: {type(error).__name__}")

    def replyReceived(self, reply: Any) -> None:
        """
        Give a whole reply to the command that waits longest.

        :param reply: as txredisapi has read it.
        """
        self._unread = 0
        if self.error is not None:
            return
        if isinstance(reply, list) and reply and reply[0] == b"message":
            self.pushed(reply)
            return
        if not self._asked:
            self.broken(_unasked(reply))
            return
        asked = self._asked.popleft()
        self.answered += 1
        self.note_progress()
        if not self._asked:
            self.free_since = self._clock.seconds()
        if isinstance(reply, txredisapi.InvalidResponse):
            self._asked.appendleft(asked)
            self.broken("the server does not speak as Redis does")
        elif not asked.reply.called:
            asked.reply.callback(_plain(reply))
        if not self._asked:
            self.changed()

    def connectionLost(self, why: Failure) -> None:
        """Fail all that is under way."""
        self._deadline.stop()
        self.connected = 0
        self.is_writable = False
        if self.error is None:
            self.error = NoAnswer(f"the connection was lost: {why.getErrorMessage()}")
        self._fail()
        self.changed()

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line longer than any of Redis's."""
        self.broken("the server does not speak as Redis does: a line is too long")

    def _fail(self) -> None:
        asked, self._asked = self._asked, deque()
        for each in asked:
            if not each.reply.called:
                each.reply.errback(self.error)

    def _late(self) -> None:
        self.is_hung = True
        self.broken(f"no answer in {self._read_timeout:g} s" if self.is_writable
                    else f"the server reads nothing for {self._write_timeout:g} s")


class PureConnection(_Connection, txredisapi.BaseRedisProtocol):
    """Reads replies in Python."""


class HiredisConnection(_Connection, txredisapi.HiredisProtocol):
    """Reads replies with hiredis, in C."""


# By the names of parsers; without one, the fastest that is there.
KINDS: Mapping[str, type[Any]] = {
    "": HiredisConnection if txredisapi.RedisProtocol is txredisapi.HiredisProtocol
    else PureConnection,
    "hiredis": HiredisConnection,
    "python": PureConnection,
}


def _plain(reply: Any) -> Reply:
    """:return: the reply as octets, numbers, None and lists of them, whichever parser read it."""
    if reply is None or type(reply) in (bytes, int):
        return reply
    if isinstance(reply, str):
        return reply.encode()
    if isinstance(reply, list):
        return [_plain(each) for each in reply]
    return ErrorReply(str(reply))


def _unasked(reply: Any) -> str:
    # What a server says before it closes a connection that it does not want.
    said = f": {ErrorReply(str(reply)).text}" if isinstance(reply, Exception) else ""
    return f"the server speaks unasked{said}"
