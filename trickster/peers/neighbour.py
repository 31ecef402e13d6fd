"""The way to another worker, which may be gone, or hang."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from trickster.bodies import drain
from trickster.errors import RequestError
from trickster.http.origin_url import OriginURL
from trickster.messages import NO_HEADERS, Octets, Request, Response
from trickster.peers.envelope import Order, encoded_order
from trickster.peers.replies import Refused, opened
from trickster.upstream.client import UpstreamClient
from trickster.upstream.forwarding.fields import ForwardedMode
from trickster.upstream.options import UpstreamOptions

_PLACE = OriginURL("http", "home", 80)
# The home knows how long the origin may take, and how much may be under way.
OPTIONS = UpstreamOptions(
    timeout=86_400.0, connect_timeout=1.0, max_idle_conns=64, max_concurrent_conns=0,
    max_conn_age=None, forwarded_headers=ForwardedMode.NONE)
# Seconds between two looks at whether a worker of which something is awaited answers at all.
_EVERY = 2.0
# Seconds after which one that does not is not waited for any more, and after which what it has
# begun to say is given up.
_PATIENCE, _LAST_PATIENCE = 5.0, 15.0
_LONGEST_WORD = 64 << 10  # octets of a reply that says nothing


class Connected(Protocol):
    """A client of another worker."""

    async def respond(self, request: Request) -> Response:
        """As in L{trickster.interfaces.IResponder}."""

    def stop(self) -> Deferred[None]:
        """As in L{UpstreamClient}."""

    def abort(self) -> None:
        """As in L{UpstreamClient}."""


def connected(reactor: Any, path: str) -> Connected:
    """
    :param reactor: connects to Unix sockets.
    :param path: of that of a worker.
    :return: its client.
    """
    def connector() -> UNIXClientEndpoint:
        return UNIXClientEndpoint(reactor, path, timeout=1)

    return UpstreamClient(_PLACE, OPTIONS, connector, reactor)


@define(eq=False)
class Neighbour:
    """
    Asks another worker.

    While something is awaited of it, it is looked at whether it answers at all.  One that does
    not has been stopped, or does something that never ends: what it was asked is given up then,
    and it is asked nothing more before it answers again.

    :ivar number: of the worker.
    :ivar connect: makes a client of it.
    :ivar clock: for delays.
    :ivar is_away: whether it is known to hang.
    """

    _log = Logger()

    number: int
    connect: Callable[[], Connected]
    clock: IReactorTime
    is_away: bool = field(default=False, init=False)
    _client: Connected = field(init=False)
    _under_way: int = field(default=0, init=False)
    _heads: set[Deferred[Response]] = field(factory=set, init=False)
    _look_later: IDelayedCall | None = field(default=None, init=False)
    _looking: Deferred[None] | None = field(default=None, init=False)
    _looked_at: float = field(default=float("-inf"), init=False)
    _heard_at: float = field(default=float("-inf"), init=False)

    def __attrs_post_init__(self) -> None:
        self._client = self.connect()

    async def asked(self, order: bytes, interim: Any = None) -> Response | None:
        """
        :param order: encoded.
        :param interim: as in L{Request}.
        :return: its answer; None where there is none, as it is gone, or hangs.
        :raises RequestError: it has no answer.
        """
        if self.is_away:
            self._look_again()
            return None
        waiting = Deferred.fromCoroutine(self._opened(order, interim))
        self._heads.add(waiting)
        try:
            return await waiting
        except Refused as refused:
            raise refused.error from None
        except (RequestError, ValueError):
            return None
        except CancelledError:
            if waiting in self._heads:
                raise  # who asked has left
            return None
        finally:
            self._heads.discard(waiting)

    async def told(self, order: bytes) -> None:
        """
        :param order: encoded.
        :raises RequestError: it is gone.
        """
        response = await self._client.respond(_post(order))
        await drain(response.body, _LONGEST_WORD)
        self._heard_at = self.clock.seconds()

    def stop(self) -> Deferred[None]:
        """
        Ask nothing more, and close connections as they come free.

        :return: fires when there are none left.
        """
        self._cancel_looks()
        return self._client.stop()

    async def _opened(self, order: bytes, interim: Any) -> Response:
        self._under_way += 1
        self._look_soon()
        try:
            response = await self._client.respond(_post(order, interim))
        except BaseException:
            self._over()
            raise
        if response.status != 200:
            response.body.close()
            self._over()
            raise ValueError("there is no such cache")
        response = await opened(response.body, self._over)
        self._heard_at = self.clock.seconds()
        return response

    def _over(self) -> None:
        self._under_way -= 1

    # Whether it answers at all.

    def _look_soon(self) -> None:
        if self._look_later is None and self._looking is None:
            self._look_later = self.clock.callLater(_EVERY, self._look)

    def _look_again(self) -> None:
        if self._looking is None and self.clock.seconds() - self._looked_at >= _EVERY:
            self._look()

    def _look(self) -> None:
        now, self._look_later = self.clock.seconds(), None
        if now - self._heard_at < _EVERY and not self.is_away:
            if self._under_way:
                self._look_soon()
            return
        self._looked_at = now
        self._looking = Deferred.fromCoroutine(self._looked())
        patience = self.clock.callLater(_PATIENCE, self._hangs)
        last = self.clock.callLater(_LAST_PATIENCE, self._abort)
        self._looking.addErrback(_forget)
        self._looking.addBoth(self._has_looked, patience, last)

    async def _looked(self) -> None:
        try:
            await self.told(_ARE_YOU_THERE)
        except RequestError:
            return  # it is gone, and so is all that it was to answer
        if self.is_away:
            self._log.info("Worker {number} answers again", number=self.number)

    def _has_looked(self, _: Any, *limits: IDelayedCall) -> None:
        self._looking, self.is_away = None, False
        for limit in limits:
            if limit.active():
                limit.cancel()
        if self._under_way:
            self._look_soon()

    def _hangs(self) -> None:
        if not self.is_away:
            self._log.warn("Worker {number} does not answer: what it is asked is asked of the "
                           "origins here", number=self.number)
        self.is_away = True
        heads, self._heads = self._heads, set()
        for waiting in heads:
            waiting.cancel()

    def _abort(self) -> None:
        before, self._client = self._client, self.connect()
        before.abort()
        # What was looking has ended with the connections.
        self.is_away = True

    def _cancel_looks(self) -> None:
        later, self._look_later = self._look_later, None
        if later is not None:
            later.cancel()
        if self._looking is not None:
            self._looking.cancel()


_ARE_YOU_THERE = encoded_order(Order())


def _post(octets: bytes, interim: Any = None) -> Request:
    return Request(b"POST", b"/", NO_HEADERS, Octets(octets), interim=interim)


def _forget(_: Any) -> None:
    """
    Looking is over, well or not.

    :param _: a failure.
    """
