"""One request and its answer on a connection."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ClassVar, Protocol

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from trickster.errors import Reason, RequestError, UpstreamMalformed
from trickster.frontend.link import Output
from trickster.frontend.pump import PIECE, BodyPump
from trickster.frontend.refusals import refusal_of
from trickster.frontend.request_body import RequestBody
from trickster.frontend.tunnel import Tunnel
from trickster.http.h1.encoding import (
    BodyFraming,
    UnsendableHead,
    interim_head,
    response_head,
    upgrade_head,
)
from trickster.http.h1.requests import RequestHead
from trickster.http.hop_by_hop import without_nominated
from trickster.interfaces import IBody, IDuplex, IResponder
from trickster.messages import Headers, Octets, Peer, Request, Response
from trickster.net.first_step import Suspended, first_step
from trickster.net.tracebacks import forget_traceback
from trickster.observability.refusals import refusal
from trickster.spans import Span

# Up to here copying the body behind its head is cheaper than a second buffer.
_JOINED = 32 * 1024
_MOST_INTERIM = 64
# Members of an enum are slow to look up, and every request asks.
_LENGTH = BodyFraming.LENGTH


class Line(Protocol):
    """
    The connection, as an exchange needs it.

    :ivar peer: the client.
    :ivar output: what is written goes there.
    :ivar is_draining: whether the answer is to be the last.
    :ivar date: gives the present, as an HTTP date.
    """

    @property
    def is_over(self) -> bool:
        """:return: whether nothing more is sent; the exchange may not have been told yet."""

    peer: Peer
    output: Output
    is_draining: bool
    date: Callable[[], bytes]

    def turn(self) -> Deferred[None]:
        """:return: fires when all other connections have had a turn; may be cancelled."""

    def tunnel(self) -> RequestBody:
        """
        Have nothing more of what the client sends taken for HTTP.

        :return: all that it sends from now on, and what is here of that already.
        """

    def put_off(self, tell: Callable[[], None]) -> bool:
        """
        :param tell: sends a refusal.
        :return: whether it will be called later, unless the connection is lost before; if not,
            the refusal is to be sent now.
        """

    def exchange_ended(self, closing: bool) -> None:
        """
        The answer is whole.

        :param closing: whether the connection closes; if not, it is ready for the next request,
            which may be answered within this call.
        """

    def cut_off(self, at_once: bool) -> None:
        """
        End the connection in the middle of an answer.

        :param at_once: whether to drop what was written and is not sent yet.
        """


@define(eq=False)
class Exchange:
    """
    Has a request answered, and sends the answer under back pressure.

    A responder that need not wait is run, and its answer sent, without any L{Deferred}.

    :ivar streamed: the request's body, where it was not here whole at the start.
    """

    _log: ClassVar[Logger] = Logger()

    _line: Line
    _head: RequestHead
    _body: IBody
    streamed: RequestBody | None = None
    _running: Deferred[None] | None = field(default=None, init=False)
    _failure: RequestError | None = field(default=None, init=False)
    _pump: BodyPump | None = field(default=None, init=False)
    _is_sent: bool = field(default=False, init=False)
    _is_lost: bool = field(default=False, init=False)
    _was_put_off: bool = field(default=False, init=False)
    _interims: int = field(default=0, init=False)

    def run(self, responder: IResponder) -> None:
        """
        Ask for the answer, and send it when it is there; to be called once.

        :param responder: cancelled when the client goes.  What it raises is answered with a
            refusal, an unexpected error with a 500.
        """
        head, peer = self._head, self._line.peer
        if head.client:
            peer = evolve(peer, client=head.client)
        request = Request(
            head.method, head.target, without_nominated(head.headers), self._body,
            head.authority, peer, head.version,
            self.interim if head.version == b"HTTP/1.1" else None, span=Span())
        try:
            suspended = first_step(responder.respond(request))
        except StopIteration as done:
            self._answer(done.value)
        except Exception as error:  # noqa: BLE001 - a responder may be a plugin's
            self._answer(refusal_of(error, self._log))
        else:
            self._go_on(self._answer_later(suspended))

    def lost(self) -> None:
        """The client has gone: the answer is not needed."""
        self._is_lost = True
        if self._pump is not None:
            self._pump.is_cut = True
        if self._running is not None:
            self._running.cancel()

    def fail(self, error: RequestError) -> None:
        """
        The request has turned out not to be one: tell the client instead of an answer.

        :param error: what to tell.  Where the responder waits for the body, it gets the error
            there, and may say it in its own way; else it is cancelled.  Where the answer has
            begun already, the connection is cut off.
        """
        if self._has_begun or self._running is None:
            self._line.cut_off(at_once=True)
            self.lost()
        elif self.streamed is None or not self.streamed.fail(error):
            self._failure = error
            self._running.cancel()

    def interim(self, status: int, headers: Headers) -> None:
        """
        Relay an interim answer, where the client has seen nothing of the final one and takes what
        was sent before.

        :param status: 102 to 199 are relayed: a 100 is for us to send, and a 101 is no interim
            answer here (RFC 9110 section 15.2).  Of one request at most 64 are.
        :param headers: those that concern one hop are not sent.
        """
        if self._has_begun or self._is_lost or not 102 <= status < 200:
            return
        self._interims += 1
        output = self._line.output
        if self._interims <= _MOST_INTERIM and not output.is_full:
            try:
                output.send(interim_head(status, headers))
            except UnsendableHead:
                self._log.debug("An interim answer cannot be relayed")

    @property
    def _has_begun(self) -> bool:
        return self._is_sent or (self._pump is not None and self._pump.has_begun)

    def _go_on(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._running = running = Deferred.fromCoroutine(coroutine)
        running.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._log.failure("An answer could not be sent", failure)
        self._line.cut_off(at_once=True)

    async def _answer_later(self, suspended: Suspended[Response]) -> None:
        try:
            response = await suspended
        except Exception as error:  # noqa: BLE001 - a responder may be a plugin's
            if self._is_lost:
                forget_traceback(error)
                return
            # The responder was cancelled, unless it failed by itself at the same time.
            response = refusal_of(self._failure or error, self._log)
        if self._is_lost:
            response.body.close()
            return
        if self._failure is not None:
            response.body.close()
            response = refusal(self._failure)
        rest = self._begin(response)
        if rest is not None:
            await rest

    def _answer(self, response: Response) -> None:
        rest = self._begin(response)
        if rest is not None:
            self._go_on(_finish(rest))

    def _begin(self, response: Response) -> Suspended[None] | None:
        """:return: what is left to do of sending the answer."""
        body = response.body
        if type(body) is Octets and len(body.octets) <= PIECE and response.status >= 200:
            self._send_whole(response, body.octets)
            return None
        try:
            suspended = first_step(self._send(response))
        except StopIteration:
            return None
        if self._pump is not None:
            self._pump.send_head()
        return suspended

    def _must_close(self) -> bool:
        streamed = self.streamed
        return not self._head.persistent or self._line.is_draining or (
            streamed is not None and not streamed.is_complete)

    def _send_whole(self, response: Response, octets: bytes) -> None:
        if response.status == 503 and self._is_put_off(response, octets):
            return
        closing = self._must_close()
        line = self._line
        try:
            head = response_head(self._head.method, self._head.version, response,
                                 line.date(), closing)
        except UnsendableHead:
            self._send_instead()
            return
        self._is_sent = True
        if head.framing is not _LENGTH:
            line.output.write(head.octets)
        elif len(octets) <= _JOINED:
            line.output.write(head.octets + octets)
        else:
            line.output.send(head.octets, octets)
        line.exchange_ended(closing)

    def _is_put_off(self, response: Response, octets: bytes) -> bool:
        if self._was_put_off or response.outcome.reason is not Reason.OVERLOADED:
            return False
        self._was_put_off = True
        return self._line.put_off(partial(self._send_late, response, octets))

    def _send_late(self, response: Response, octets: bytes) -> None:
        if not self._is_lost:
            self._send_whole(response, octets)

    def _send_instead(self) -> None:
        self._log.error("The answer to {method} {target} has header fields that cannot be sent",
                        method=self._head.method, target=self._head.target)
        broken = refusal(UpstreamMalformed("the answer has malformed header fields"))
        assert isinstance(broken.body, Octets)
        self._send_whole(broken, broken.body.octets)

    async def _send(self, response: Response) -> None:
        closing = self._must_close()
        try:
            if response.status < 200:
                await self._send_upgraded(response)
                return
            head = response_head(self._head.method, self._head.version, response,
                                 self._line.date(), closing)
        except UnsendableHead:
            response.body.close()
            self._send_instead()
            return
        self._pump = pump = BodyPump(self._line.output, self._line, head.framing, head.octets)
        try:
            if head.framing is not BodyFraming.NONE:
                await pump.write(response.body)
        except Exception as error:  # noqa: BLE001 - a body may be a plugin's
            self._broke(error, pump)
            return
        finally:
            response.body.close()
        pump.end()
        self._line.exchange_ended(closing or head.framing is BodyFraming.CLOSE)

    def _broke(self, error: Exception, pump: BodyPump) -> None:
        if self._is_lost:
            forget_traceback(error)
            return
        if not pump.has_begun:
            self._pump = None
            self._answer(refusal_of(self._failure or error, self._log))
            return
        if not isinstance(error, RequestError | CancelledError):
            self._log.failure("The body of an answer broke")
        # Only a reset tells a reader of an unframed body that something is missing.
        self._line.cut_off(at_once=pump.framing is BodyFraming.CLOSE)

    async def _send_upgraded(self, response: Response) -> None:
        duplex: Any = response.body
        if self._line.is_over:
            duplex.close()
            return
        if not self._may_upgrade(response):
            duplex.close()
            self._answer(refusal(UpstreamMalformed("an interim answer for a final one")))
            return
        head = upgrade_head(response, self._line.date())
        self._pump = pump = BodyPump(self._line.output, self._line, BodyFraming.CLOSE, head)
        tunnel = Tunnel(self._line.tunnel(), duplex)
        tunnel.open(self._tunnel_broke)
        try:
            await pump.write(duplex)
        except Exception as error:  # noqa: BLE001 - a body may be a plugin's
            self._broke(error, pump)
        else:
            pump.send_head()
            self._line.exchange_ended(closing=True)
        finally:
            duplex.close()
            tunnel.close()

    def _may_upgrade(self, response: Response) -> bool:
        # Before the request's end, what comes next would be taken for the other protocol's.
        is_whole = self.streamed is None or self.streamed.is_complete
        return (is_whole and response.status == 101 and IDuplex.providedBy(response.body)
                and self._head.version == b"HTTP/1.1")

    def _tunnel_broke(self) -> None:
        self._line.cut_off(at_once=True)
        self.lost()


async def _finish(rest: Suspended[None]) -> None:
    await rest
