"""One body, read once from the origin on behalf of any number of readers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from sys import maxsize

from attrs import Factory, define, field, frozen
from twisted.internet.defer import CancelledError, Deferred

from trickster.collapsing.body_buffer import BodyBuffer
from trickster.collapsing.byte_budget import ByteBudget, Reservation
from trickster.collapsing.spool import ISpool
from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody
from trickster.net.callbacks import ignore
from trickster.net.tracebacks import without_frames
from trickster.net.waiters import Waiters


def as_deferred(awaited: Awaitable[bytes]) -> Deferred[bytes]:
    """:return: something that can be cancelled, for any awaitable of the data path."""
    if isinstance(awaited, Deferred):
        return awaited
    made: Deferred[bytes] = Deferred.fromCoroutine(awaited)  # type: ignore[arg-type]
    return made.addErrback(without_frames)


def _never() -> bool:
    return False


@frozen
class Buffering:
    """
    How much of a body that several read is held in memory, and where the rest goes.

    :ivar keep: octets up to which all of it is held, to be stored at its end.
    :ivar window: octets behind the live edge that are held of one that is larger.
    :ivar ahead: octets that are read before any reader wants them.
    :ivar spool: makes the place for what no longer fits, for readers that lag behind and
        those that come late; None to read no faster than the slowest reader instead.
    :ivar in_flight: what all bodies together may hold until they are stored and read; one for
        which there is no room is not kept.
    """

    keep: int
    window: int = 1024 * 1024
    ahead: int = 256 * 1024
    spool: Callable[[], ISpool] | None = None
    in_flight: ByteBudget = field(factory=lambda: ByteBudget(maxsize))


@define(eq=False)
class Cursor:
    """
    A reader's place in a body.

    :ivar offset: of the octet that is read next.
    """

    offset: int = 0


@define(eq=False)
class BroadcastBody:
    """
    Reads a body on behalf of its readers.

    :ivar overflowed: called once, when there is more of it than is kept whole.
    :ivar left: called whenever a reader has gone.
    :ivar is_end_awaited: whether a waiter needs its end, so that the pace of its readers
        does not count.
    :ivar buffer: what of it is at hand.
    :ivar is_kept: whether all that has arrived is in memory.
    :ivar is_carried_on: whether it is read to its end for the store's sake.
    :ivar has_ended: whether it was read to its end, and was as long as announced.
    :ivar failure: why it will not be read to its end, once that is known; each reader raises the
        like of it after what has arrived.
    """

    _source: IBody
    _buffering: Buffering
    overflowed: Callable[[], None]
    left: Callable[[], None]
    is_end_awaited: Callable[[], bool]
    is_kept: bool = field(default=True, init=False)
    is_carried_on: bool = field(default=False, init=False)
    has_ended: bool = field(default=False, init=False)
    failure: UpstreamBroke | None = field(default=None, init=False)
    buffer: BodyBuffer = field(init=False, default=Factory(
        lambda self: BodyBuffer(self._buffering.window, self._buffering.spool), takes_self=True))
    _reservation: Reservation = field(init=False, default=Factory(
        lambda self: self._buffering.in_flight.reservation(), takes_self=True))
    _cursors: list[Cursor] = field(factory=list, init=False)
    _arrivals: Waiters[None] = field(factory=Waiters, init=False)
    _gate: Deferred[None] | None = field(default=None, init=False)
    _reading: Deferred[bytes] | None = field(default=None, init=False)
    _is_given_up: bool = field(default=False, init=False)

    @property
    def length(self) -> int | None:
        """
        :return: octets in all: until it L{has_ended} as announced, which may prove wrong, and
            None where nothing was.
        """
        return self.size if self.has_ended else self._source.length

    @property
    def is_read(self) -> bool:
        """:return: whether there is a reader that has not left."""
        return bool(self._cursors)

    @property
    def is_over(self) -> bool:
        """:return: whether no more octets will come, though perhaps the end itself."""
        return self.has_ended or self.failure is not None or self.size == self._source.length

    @property
    def can_be_joined(self) -> bool:
        """
        :return: whether a reader that comes now can have it from its first octet: not after a
            failure, nor once that was let go of (L{BodyBuffer.has_beginning}).
        """
        return self.failure is None and self.buffer.has_beginning

    @property
    def size(self) -> int:
        """:return: octets that have arrived, also those that have been let go of."""
        return self.buffer.size

    def join(self) -> Cursor:
        """:return: a new reader's place, at the beginning; given back with L{leave}."""
        cursor = Cursor()
        self._cursors.append(cursor)
        self.wake()
        return cursor

    async def pump(self) -> None:
        """
        Read the source to its end, no faster than a reader or waiter wants it.

        :raises UpstreamBroke: it ended early; readers are told likewise.
        """
        try:
            await self._pump()
            if self.is_kept:
                self.buffer.join()
            self.has_ended = True
        except BaseException as error:
            self.failure = error if isinstance(error, UpstreamBroke) else UpstreamBroke(
                "the transfer was given up")
            raise
        finally:
            self._source.close()
            self._arrivals.tell_all(None)
            self._close_if_unused()
            # The callbacks' owners hold this body: both would wait for the collector of cycles.
            self.overflowed = self.left = ignore
            self.is_end_awaited = _never

    async def _pump(self) -> None:
        announced = self._source.length
        if announced is not None and announced > self._buffering.keep:
            self._overflow()
        while True:
            await self._wanted()
            piece = await self._read()
            if not piece:
                break
            self._append(bytes(piece))
            if not self.is_kept:
                await self.buffer.spill()
                self.trim()
        if announced is not None and announced != self.size:
            raise UpstreamBroke(f"{self.size} octets of a body of {announced}")

    async def _wanted(self) -> None:
        while not self._is_wanted():
            if self._is_given_up:
                raise CancelledError
            self._gate = Deferred()
            try:
                await self._gate
            finally:
                self._gate = None

    async def _read(self) -> bytes:
        self._reading = as_deferred(self._source.read())
        try:
            return await self._reading
        finally:
            self._reading = None

    def give_up(self) -> None:
        """The rest is not wanted: leave the origin."""
        self._is_given_up = True
        waiting = self._gate if self._gate is not None else self._reading
        if waiting is not None:
            waiting.cancel()

    def _is_wanted(self) -> bool:
        if self.is_kept and (self.is_carried_on or self.is_end_awaited()):
            return True
        if self.size == self._source.length:
            return True  # readers may not care for the end itself, but the store does
        if not self._cursors:
            return False
        positions = [cursor.offset for cursor in self._cursors]
        if not self.buffer.is_spooled and not self.is_kept:
            return self.size - min(positions) < self._buffering.ahead
        return self.size - max(positions) < self._buffering.ahead

    def wake(self) -> None:
        """Something has changed for which the source may have to be read on."""
        if self._gate is not None and not self._gate.called and self._is_wanted():
            self._gate.callback(None)

    def _append(self, piece: bytes) -> None:
        self.buffer.append(piece)
        if self.is_kept and (self.size > self._buffering.keep or not self._reservation.take(len(piece))):
            self._overflow()
        if self.is_kept:
            self.buffer.join(enough=True)
        self._arrivals.tell_all(None)

    def _overflow(self) -> None:
        self._reservation.release()
        self.is_kept = False
        self.is_carried_on = False
        self.overflowed()
        self.left()

    def trim(self) -> None:
        """Forget what no reader will read from here any more."""
        if not self.is_kept:
            self.buffer.forget(min((c.offset for c in self._cursors), default=self.size))

    async def arrival(self) -> None:
        """Wait until more has arrived, or the end has."""
        waiter = self._arrivals.wait(ignore)
        try:
            self.wake()
            await waiter
        finally:
            self._arrivals.drop(waiter)

    def carry_on(self) -> None:
        """Read on for the store, if that looks worth it, though readers want less."""
        if self.is_kept and (self.length is None or self.length <= self._buffering.keep):
            self.is_carried_on = True
            self.wake()

    def leave(self, cursor: Cursor) -> None:
        """
        Have a reader want no more.

        :param cursor: as from L{join}; it may have left already.
        """
        if cursor in self._cursors:
            self._cursors.remove(cursor)
            self.wake()
            self._close_if_unused()
            self.left()

    def _close_if_unused(self) -> None:
        has_stopped = self.has_ended or self.failure is not None
        if has_stopped and not self._cursors:
            # Not before: slow readers hold on to it, also after a store has forgotten it.
            self._reservation.release()
            self.buffer.close()
