"""TCP connections that send at once, and never join what they send."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from errno import EAGAIN, ENOBUFS, EWOULDBLOCK
from itertools import islice
from typing import Any, ClassVar

from twisted.internet import main, tcp
from twisted.internet.abstract import FileDescriptor
from twisted.python.failure import Failure

_NOT_NOW = frozenset([EAGAIN, EWOULDBLOCK, ENOBUFS])
# The kernel's IOV_MAX.
_MOST_BUFFERS = 1024

Octets = bytes | bytearray | memoryview


class EagerServer(tcp.Server):
    """
    Tries the socket first, and waits for writability only where the kernel takes no more.

    The stock transport registers for writability at every write, which costs two system
    calls and a turn of the reactor, and joins what is to be sent.  This one keeps buffers of
    any kind as they are, and hands them to C{sendmsg}; callers must not change them.  Once TLS is
    started, everything is as in the base class.

    :cvar high: octets not sent above which the producer is paused.
    :cvar low: octets not sent from which on it is resumed.
    """

    high: ClassVar[int] = 512 * 1024
    low: ClassVar[int] = 128 * 1024

    _unsent = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._queue: deque[Octets] = deque()

    @property
    def unsent(self) -> int:
        """:return: octets that the kernel has not taken yet; once TLS is started, always 0."""
        return self._unsent

    def write(self, data: Octets) -> None:
        """
        Send octets, now if possible.

        :param data: any buffer, held until the kernel has taken it; dropped where the connection
            is half-closed, aborted or lost.
        """
        if self.TLS:
            super().write(data)
            return
        if not self.connected or self._writeDisconnected or self._aborting:
            return
        if not self._queue and not self._tempDataLen:
            try:
                sent = self.socket.send(data)
            except OSError:
                # If it is lost, doWrite finds that out again, and may say so.
                sent = 0
            if sent == len(data):
                return
            if sent:
                data = memoryview(data)[sent:]
        if data:
            self._enqueue((data,))

    def writeSequence(self, iovec: Iterable[Octets]) -> None:
        """
        Send octets from several buffers, now if possible, without joining them.

        :param iovec: buffers as for L{write}, read at once; empty ones are left out.
        """
        if self.TLS:
            super().writeSequence(iovec)
            return
        if not self.connected or self._writeDisconnected or self._aborting:
            return
        buffers = [data for data in iovec if data]
        is_first = not self._queue and not self._tempDataLen
        if buffers:
            self._enqueue(buffers, is_first)

    def _enqueue(self, buffers: Iterable[Octets], is_first: bool = False) -> None:
        self._queue.extend(buffers)
        self._unsent += sum(map(len, buffers))
        if is_first:
            self._send_queued()
        if self._queue:
            self._maybePauseProducer()
            self.startWriting()

    def _send_queued(self) -> bool:
        """:return: whether the connection is still there."""
        try:
            sent = self.socket.sendmsg(islice(self._queue, _MOST_BUFFERS))
        except OSError as error:
            return error.errno in _NOT_NOW
        self._unsent -= sent
        queue = self._queue
        while sent:
            data = queue.popleft()
            sent -= len(data)
            if sent < 0:
                queue.appendleft(memoryview(data)[sent:])
                break
        return True

    def doWrite(self) -> Any:
        """
        The socket takes more; a producer that was paused goes on where little is left.

        :return: for the reactor: None to go on, or why the connection is to end.
        """
        if self._queue:
            if not self._send_queued():
                return main.CONNECTION_LOST
            if self.producerPaused and self.streamingProducer and self._unsent <= self.low:
                self.producerPaused = False
                self.producer.resumeProducing()  # type: ignore[union-attr]
            if self._queue:
                return None
        # Nothing left: half-closing and closing are the same for both kinds.
        return super().doWrite()

    def _isSendBufferFull(self) -> bool:
        return super()._isSendBufferFull() if self.TLS else self._unsent > self.high

    def _maybePauseProducer(self) -> None:
        if self.TLS or not self.producerPaused:
            super()._maybePauseProducer()

    def loseWriteConnection(self) -> None:
        """Half-close once everything is sent; unlike in the base, harmless after the end."""
        if self.connected:
            super().loseWriteConnection()

    def unregisterProducer(self) -> None:
        """There is no producer any more, nor one that is paused."""
        super().unregisterProducer()
        if not self.TLS:
            self.producerPaused = False

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        """
        Speak TLS from here on; what is not sent yet goes before it, in the clear.

        :param ctx: makes the connections of TLS, or their contexts, as for
            C{twisted.internet.interfaces.ITLSTransport}.
        :param normal: whether this end of the connection is the server of TLS too.
        """
        queued = b"".join(self._queue)
        self._forget()
        FileDescriptor.write(self, queued)
        super().startTLS(ctx, normal)

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is over; what is not sent yet is dropped.

        :param reason: for the protocol.
        """
        self._forget()
        super().connectionLost(reason)

    def _forget(self) -> None:
        self._queue.clear()
        self._unsent = 0
