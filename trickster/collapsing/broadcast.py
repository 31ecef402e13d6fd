"""One body, read once from the origin and followed by any number of readers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred

from trickster.collapsing.blocks import PIECE, Blocks
from trickster.collapsing.byte_budget import InFlight, Loan
from trickster.collapsing.readers import Follower
from trickster.collapsing.spool import ISpool
from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody
from trickster.tracebacks import without_frames


def as_deferred(awaited: Awaitable[bytes]) -> Deferred[bytes]:
    """:return: something that can be cancelled, for any awaitable of the data path."""
    if isinstance(awaited, Deferred):
        return awaited
    made: Deferred[bytes] = Deferred.fromCoroutine(awaited)  # type: ignore[arg-type]
    return made.addErrback(without_frames)


def _nothing() -> None:
    """There is no follower to be told any more."""


def _never() -> bool:
    return False


@frozen
class Spread:
    """
    How much of a shared body is held in memory, and where the rest goes.

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
    in_flight: InFlight | None = None


@define(eq=False)
class SharedBody:
    """
    Reads a body on behalf of its followers.

    :ivar overflowed: called once, when there is more of it than is kept whole.
    :ivar left: called whenever a follower has gone.
    :ivar in_haste: whether a waiter needs its end, so that the pace of its followers
        does not count.
    :ivar is_kept: whether all that has arrived is in memory.
    :ivar is_carried_on: whether it is read to its end for the store's sake.
    """

    _source: IBody
    _spread: Spread
    overflowed: Callable[[], None]
    left: Callable[[], None]
    in_haste: Callable[[], bool]
    is_kept: bool = field(default=True, init=False)
    is_carried_on: bool = field(default=False, init=False)
    has_ended: bool = field(default=False, init=False)
    failure: UpstreamBroke | None = field(default=None, init=False)
    _blocks: Blocks = field(factory=Blocks, init=False)
    _loan: Loan | None = field(default=None, init=False)
    _followers: list[Follower] = field(factory=list, init=False)
    _gate: Deferred[None] | None = field(default=None, init=False)
    _spool: ISpool | None = field(default=None, init=False)
    _spooled: int = field(default=0, init=False)
    _spool_is_full: bool = field(default=False, init=False)
    _reading: Deferred[bytes] | None = field(default=None, init=False)
    _is_given_up: bool = field(default=False, init=False)

    @property
    def length(self) -> int | None:
        """Octets in all, where they were announced or have all arrived."""
        return self.size if self.has_ended else self._source.length

    @property
    def is_followed(self) -> bool:
        """Whether a follower reads it."""
        return bool(self._followers)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come, but perhaps the end itself."""
        return self.has_ended or self.failure is not None or self.size == self._source.length

    @property
    def can_be_joined(self) -> bool:
        """Whether a reader that comes now can have it from its first octet."""
        return self.failure is None and (self._blocks.first == 0 or self._spooled >= self._blocks.first)

    @property
    def size(self) -> int:
        """Octets that have arrived."""
        return self._blocks.size

    def buffers(self) -> tuple[bytes, ...]:
        """:return: all of it, of a body that is kept whole."""
        return self._blocks.all()

    def follow(self) -> Follower:
        """:return: a body that gives what is here at once, and then what arrives."""
        follower = Follower(self)
        self._followers.append(follower)
        self.wake()
        return follower

    async def pump(self) -> None:
        """
        Read the source to its end, no faster than a follower or waiter wants it.

        :raises UpstreamBroke: it ended early; followers are told likewise.
        """
        try:
            await self._pump()
            if self.is_kept:
                self._blocks.join()
            self.has_ended = True
        except BaseException as error:
            self.failure = error if isinstance(error, UpstreamBroke) else UpstreamBroke(
                "the transfer was given up")
            raise
        finally:
            self._source.close()
            self._tell_followers()
            self._close_if_unused()
            # The callbacks' owners hold this body: both would wait for the collector of cycles.
            self.overflowed = self.left = _nothing
            self.in_haste = _never

    async def _pump(self) -> None:
        announced = self._source.length
        if announced is not None and announced > self._spread.keep:
            self._overflow()
        while True:
            await self._wanted()
            piece = await self._read()
            if not piece:
                break
            self._append(bytes(piece))
            if not self.is_kept:
                await self._spill()
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
        if self.is_kept and (self.is_carried_on or self.in_haste()):
            return True
        if self.size == self._source.length:
            return True  # readers may not care for the end itself, but the store does
        if not self._followers:
            return False
        positions = [follower.at for follower in self._followers]
        if self._spool is None and not self.is_kept:
            return self.size - min(positions) < self._spread.ahead
        return self.size - max(positions) < self._spread.ahead

    def wake(self) -> None:
        """Something has changed for which the source may have to be read on."""
        if self._gate is not None and not self._gate.called and self._is_wanted():
            self._gate.callback(None)

    def _append(self, piece: bytes) -> None:
        self._blocks.append(piece)
        if self.is_kept and (self.size > self._spread.keep or not self._take(len(piece))):
            self._overflow()
        if self.is_kept:
            self._blocks.join_enough()
        self._tell_followers()

    def _take(self, octets: int) -> bool:
        in_flight = self._spread.in_flight
        if self._loan is None and in_flight is not None:
            self._loan = in_flight.loan()
        return self._loan is None or self._loan.take(octets)

    def _give_back(self) -> None:
        if self._loan is not None:
            self._loan.give_back()

    def _overflow(self) -> None:
        self._give_back()
        self.is_kept = False
        self.is_carried_on = False
        self.overflowed()
        self.left()

    def _tell_followers(self) -> None:
        for follower in list(self._followers):
            follower.tell()

    async def _spill(self) -> None:
        """Bring what is too much for the memory to the spool, and forget it here."""
        if self._spread.spool is not None and not self._spool_is_full and (
                self._spool is not None or self.size > self._spread.window):
            await self._write_out(self._spread.spool)
        self.trim()

    async def _write_out(self, make: Callable[[], ISpool]) -> None:
        if self._spool is None:
            self._spool = make()
        while self._spooled < self.size and not self._spool_is_full:
            piece = self.at(self._spooled) or b""
            try:
                if self._spooled + len(piece) > self._spool.limit:
                    raise OSError("the spool is full")
                await self._spool.write(self._spooled, bytes(piece))
                self._spooled += len(piece)
            except OSError:
                # No follower can join any more, and one that lags too far behind is lost.
                self._spool_is_full = True

    def trim(self) -> None:
        """Forget what no follower will read from here any more."""
        if self.is_kept or (self._spread.spool is not None and self._spool is None):
            return
        keep_from = min((f.at for f in self._followers), default=self.size)
        if self._spool is not None:
            keep_from = max(keep_from, self.size - self._spread.window)
            if not self._spool_is_full:
                keep_from = min(keep_from, self._spooled)
        self._blocks.forget(keep_from)

    def at(self, offset: int) -> bytes | memoryview | None:
        """:return: octets from an offset on, if they are in memory."""
        return self._blocks.at(offset)

    async def from_spool(self, offset: int) -> bytes:
        """
        :return: octets that are no longer in memory.
        :raises UpstreamBroke: they are nowhere any more: the reader was too slow.
        """
        if self._spool is None or offset >= self._spooled:
            raise UpstreamBroke("too slow for what could be held")
        try:
            return await self._spool.read(offset, min(PIECE, self._spooled - offset))
        except OSError as error:
            raise UpstreamBroke("what could not be held in memory is lost") from error

    def carry_on(self) -> None:
        """Read on for the store, if that looks worth it, though readers want less."""
        if self.is_kept and (self.length is None or self.length <= self._spread.keep):
            self.is_carried_on = True
            self.wake()

    def leave(self, follower: Follower) -> None:
        """A follower wants no more."""
        if follower in self._followers:
            self._followers.remove(follower)
            self.wake()
            self._close_if_unused()
            self.left()

    def _close_if_unused(self) -> None:
        has_stopped = self.has_ended or self.failure is not None
        if not has_stopped or self._followers:
            return
        # Not before: slow readers hold on to it, also after a store has forgotten it.
        self._give_back()
        if self._spool is not None:
            self._spool.close()
            self._spool = None
