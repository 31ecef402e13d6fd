"""Doubles of bodies, whose octets come when, and as, the test says."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from trickster.interfaces import IBody, IDuplex

#: What a body is told to give: octets, C{b""} for the end, or an error to raise.
Item = bytes | bytearray | memoryview | Exception


@implementer(IBody)
@define(eq=False)
class PausedBody:
    """
    A body whose octets come when the test says so, which can look at the world in between.

    Closing it ends nothing: what was fed can still be read, and a reader that waits goes on
    waiting, so that a test finds both out.

    :ivar length: octets that it claims to have, or None for an unknown number.
    :ivar reads: how often its reader has asked for octets.
    :ivar cancels: how often its reader has given up waiting for them.
    :ivar closes: how often its reader has closed it; once is right.
    """

    length: int | None = None
    reads: int = field(default=0, init=False)
    cancels: int = field(default=0, init=False)
    closes: int = field(default=0, init=False)
    _ready: list[Item] = field(factory=list, init=False)
    _reader: Deferred[None] | None = field(default=None, init=False)
    _is_over: bool = field(default=False, init=False)

    def feed(self, *items: Item) -> None:
        """
        Let octets, an error, or the end arrive: each is the result of one L{read}.  A reader that
        waits goes on at once, before this returns.

        :param items: octets, an error to raise, or C{b""} for the end, which stays.
        """
        self._ready += items
        if self._ready and self._reader is not None:
            reader, self._reader = self._reader, None
            reader.callback(None)

    @property
    def has_more(self) -> bool:
        """:return: whether something was fed that has not been read yet, the end included."""
        return bool(self._ready)

    @property
    def is_awaited(self) -> bool:
        """
        :return: whether a reader waits for more: False again once it was fed, or has given up.
        """
        return self._reader is not None

    @property
    def is_closed(self) -> bool:
        """:return: whether its reader has closed it, be it more than once."""
        return self.closes > 0

    async def read(self) -> Any:
        """
        See L{IBody.read}.

        :return: what was fed, the very object, once it is there.
        :raises Exception: what was fed to be raised.
        """
        self.reads += 1
        if not self._ready and not self._is_over:
            self._reader = Deferred(self._given_up)
            await self._reader
        if self._is_over:
            return b""
        item = self._ready.pop(0)
        self._is_over = item == b""
        if isinstance(item, Exception):
            raise item
        return item

    def _given_up(self, _: Deferred[None]) -> None:
        self._reader = None
        self.cancels += 1

    def close(self) -> None:
        """See L{IBody.close}."""
        self.closes += 1


@implementer(IDuplex)
@define(eq=False)
class PausedDuplex(PausedBody):
    """
    The far end of a tunnel, which sends when the test says so, and takes what it gets.

    :ivar written: what was sent to it, write by write.
    :ivar has_ended: whether the near end will send no more.
    :ivar full: what each write waits for, if anything: the test puts a Deferred here to have the
        far end take no more, and fires it to have it go on.
    """

    written: list[bytes] = field(factory=list, init=False)
    has_ended: bool = field(default=False, init=False)
    full: Deferred[None] | None = field(default=None, init=False)

    async def write(self, octets: bytes) -> None:
        """
        See L{IDuplex.write}.

        :param octets: noted at once, also after L{end}; only then is C{full} waited for.
        :raises Exception: that with which C{full} has failed.
        """
        self.written.append(octets)
        if self.full is not None:
            await self.full

    def end(self) -> None:
        """See L{IDuplex.end}."""
        self.has_ended = True


@implementer(IBody)
@define(eq=False)
class ScriptedBody:
    """
    A body that has all its octets from the start, and then the end.

    :ivar script: results of the reads to come, in order: octets of any kind of buffer, an error
        to raise, or a Deferred to wait for.  What follows C{b""} is read all the same.
    :ivar length: octets that it claims to have, or None for an unknown number.
    :ivar closes: how often its reader has closed it; once is right.
    """

    script: list[Item | Deferred[bytes]]
    length: int | None = None
    closes: int = field(default=0, init=False)

    @classmethod
    def of(cls, *script: Item | Deferred[bytes], length: int | None = None) -> ScriptedBody:
        """
        :param script: see L{ScriptedBody.script}.
        :return: a body of these.
        """
        return cls(list(script), length)

    @property
    def is_closed(self) -> bool:
        """:return: whether its reader has closed it, be it more than once."""
        return self.closes > 0

    async def read(self) -> Any:
        """
        See L{IBody.read}.

        :return: the next of the script, or C{b""} when it is over.
        :raises Exception: one that the script has, or with which a Deferred of it has failed.
        """
        entry = self.script.pop(0) if self.script else b""
        if isinstance(entry, Exception):
            raise entry
        return await entry if isinstance(entry, Deferred) else entry

    def close(self) -> None:
        """See L{IBody.close}."""
        self.closes += 1
