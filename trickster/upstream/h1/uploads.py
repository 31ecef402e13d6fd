"""Request bodies on their way to an origin."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from trickster.errors import BadRequest, UpstreamBroke
from trickster.http.h1.encoding import LAST_CHUNK, chunk_head
from trickster.interfaces import IBody
from trickster.net.states import StateMachine
from trickster.net.tracebacks import without_frames
from trickster.upstream.h1.link import OriginLink
from trickster.upstream.h1.outlet import Outlet
from trickster.upstream.h1.states import Sending


@define(eq=False)
class Upload:
    """
    The body of a request that is not sent with its head.

    :ivar _ended: called once, with None when the body is sent whole, else with why it is not;
        never after L{stop}.
    """

    _link: OriginLink
    _body: IBody
    _ended: Callable[[Exception | None], None]
    _state: StateMachine[Sending] = field(init=False, factory=lambda: StateMachine(Sending.HELD))
    _outlet: Outlet | None = field(default=None, init=False)
    _running: Deferred[None] | None = field(default=None, init=False)

    @property
    def is_held(self) -> bool:
        """
        :return: whether nothing was sent or read yet, since the origin is to ask first (RFC 9110
            section 10.1.1).
        """
        return self._state.now is Sending.HELD

    @property
    def is_sent(self) -> bool:
        """:return: whether all of it, its end included, has gone to the transport."""
        return self._state.now is Sending.SENT

    def await_asking(self) -> None:
        """Leave the origin time to ask for it."""
        self._link.patience.await_continue()

    def start(self) -> None:
        """Send it as it comes."""
        self._state.enter(Sending.ON_ITS_WAY)
        self._link.patience.upload_began()
        self._link.flow.begin()
        self._outlet = self._link.outflow.open()
        self._running = Deferred.fromCoroutine(upload(self._body, self._outlet))
        self._running.addCallbacks(self._sent, self._failed)

    def refuse(self) -> None:
        """The origin has answered; a body that it has not asked for stays unsent."""
        if self._state.now is Sending.HELD:
            self._state.enter(Sending.UNWANTED)

    def stop(self, keeps_body: bool = False) -> None:
        """
        The exchange is over, and with it what was still to be sent.

        :param keeps_body: whether the body, of which nothing was read, will be sent another way.
        """
        self._state.enter(Sending.STOPPED)
        self._link.flow.end()
        self._close_outlet()
        if self._running is not None:
            self._running.cancel()
        if not keeps_body:
            self._body.close()

    def _sent(self, _: None) -> None:
        if self._state.now is Sending.ON_ITS_WAY:
            self._state.enter(Sending.SENT)
            self._link.patience.upload_ended()
            self._close_outlet()
            self._ended(None)

    def _failed(self, failure: Failure) -> None:
        without_frames(failure)
        if self._state.now is Sending.ON_ITS_WAY:
            error = failure.value
            self._ended(error if isinstance(error, Exception) else UpstreamBroke(str(error)))

    def _close_outlet(self) -> None:
        if self._outlet is not None:
            outlet, self._outlet = self._outlet, None
            outlet.close()


async def upload(body: IBody, outlet: Outlet) -> None:
    """
    Send a body as it comes: counted where its length is known, else chunked.

    :param body: read to its end, and closed by the caller.
    :param outlet: an open one; it stays open.
    :raises BadRequest: it is not as long as it was said to be.  What the origin has got by then
        is not a request, and the connection is of no use any more.
    :raises UpstreamBroke: the connection is gone.
    """
    if body.length is None:
        await _upload_chunks(body, outlet)
    else:
        await _upload_counted(body, body.length, outlet)


async def _upload_chunks(body: IBody, outlet: Outlet) -> None:
    while octets := await body.read():
        await outlet.write(b"".join((chunk_head(len(octets)), octets, b"\r\n")))
    await outlet.write(LAST_CHUNK)


async def _upload_counted(body: IBody, length: int, outlet: Outlet) -> None:
    left = length
    while octets := await body.read():
        left -= len(octets)
        if left < 0:
            raise BadRequest("the request body is longer than it was said to be")
        await outlet.write(bytes(octets))
    if left:
        raise BadRequest("the request body is shorter than it was said to be")
