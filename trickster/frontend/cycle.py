"""One request after the other of a connection: from its head to the end of its answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from attrs import Factory, define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from trickster.errors import BadRequest, Reason, RequestError, RequestTooLarge
from trickster.frontend.exchange import Exchange
from trickster.frontend.limits import ListenerLimits
from trickster.frontend.link import ClientLink, Output
from trickster.frontend.overload import Overload
from trickster.frontend.postponing import Postponed
from trickster.frontend.refusals import PreparedRefusals, Refused, refuse_malformed, too_much
from trickster.frontend.request_body import BodyIntake, RequestBody, endless_body
from trickster.frontend.states import State
from trickster.http.h1.faults import Malformed, MalformedBody
from trickster.http.h1.framing import request_body_reader
from trickster.http.h1.requests import RequestHead
from trickster.interfaces import IBody, IRefuser, IResponder
from trickster.messages import Octets, Peer
from trickster.net.callbacks import ignore
from trickster.net.pace import Pace

# Members of an enum are slow to look up, and every request asks.
_ANSWERING = State.ANSWERING
_IDLE = State.IDLE


class Served(Protocol):
    """
    What all connections of a listener share.

    :ivar reactor: for time.
    :ivar limits: what clients may do.
    :ivar overload: tells when the process has too much to do; None to answer all the same.
    :ivar refusals: of requests that are refused then.
    """

    reactor: IReactorTime
    limits: ListenerLimits
    overload: Overload | None
    refusals: PreparedRefusals

    def responder(self, head: RequestHead) -> IResponder:
        """
        :param head: of the request, whose target decides.
        :return: what answers it.  Where that also provides L{IRefuser}, as all but the
            listener's own endpoints do, it may be asked for a refusal instead.
        """

    def date(self) -> bytes:
        """:return: the present, as an HTTP date (RFC 9110 section 5.6.7)."""


@define(eq=False)
class RequestCycle:
    """
    Has the request answered whose turn it is.

    To its exchange it is the connection (L{trickster.frontend.exchange.Line}).

    :ivar answered: called when a request is answered, the connection stays, and no reading of
        heads is under way that goes on by itself.
    :ivar is_reading: whether there is one.
    :ivar is_draining: whether the answer in the making is to be the last.
    :ivar date: gives the present, as an HTTP date.
    """

    _served: Served
    _link: ClientLink
    answered: Callable[[], None]
    is_reading: bool = field(default=False, init=False)
    is_draining: bool = field(default=False, init=False)
    date: Callable[[], bytes] = field(init=False, default=Factory(
        lambda self: self._served.date, takes_self=True))
    peer: Peer = field(init=False, default=Factory(
        lambda self: self._link.peer, takes_self=True))
    output: Output = field(init=False, default=Factory(
        lambda self: self._link.output, takes_self=True))
    _exchange: Exchange | None = field(default=None, init=False)
    _body: RequestBody | None = field(default=None, init=False)
    _intake: BodyIntake = field(init=False)
    _put_off: Postponed | None = field(default=None, init=False)

    # From the head to the answer.

    def serve(self, head: RequestHead, rest: bytes) -> None:
        """
        Have a request answered.

        :param rest: octets that have come after its head.
        """
        link = self._link
        # The deadline for the head stays: while a whole request is answered, its end is nothing.
        if head.length == 0:
            link.inbox.octets = rest
            link.state.enter(_ANSWERING)
            self._start(head, Octets(), None)
        else:
            self._serve_with_body(head, rest)

    def _serve_with_body(self, head: RequestHead, rest: bytes) -> None:
        limits, length, link = self._served.limits, head.length, self._link
        if length is not None and 0 <= limits.body < length:
            if not limits.truncate:
                self._refuse_unread(head, RequestTooLarge("the request body is too large"))
                return
            length = limits.body
        intake = BodyIntake(link, self._served.reactor, Pace(limits.body_timeout, limits.body_rate),
                            head.expects_continue and not rest)
        body = RequestBody(length, request_body_reader(head.length), intake, limits.body,
                           limits.truncate)
        try:
            link.inbox.octets = body.arrived(rest)
        except (MalformedBody, RequestTooLarge) as error:
            self._refuse_unread(head, _as_request_error(error))
            return
        if body.is_complete:
            link.state.enter(_ANSWERING)
            self._start(head, Octets(body.taken()), None)
            return
        # The body has a deadline of its own, or none.
        link.deadline.lift()
        self._body, self._intake = body, intake
        link.state.enter(State.BODY)
        self._start(head, body, body)

    def _start(self, head: RequestHead, body: IBody, streamed: RequestBody | None) -> None:
        overload = self._served.overload
        if overload is not None and overload.refuses() and self._is_shed(head, streamed):
            overload.refused()
            return
        exchange = self._exchange = Exchange(self, head, body, streamed)
        exchange.run(self._served.responder(head))

    # Refusing.

    def _refuse_unread(self, head: RequestHead, error: RequestError) -> None:
        """
        Refuse a request whose head is good, and close: its body is not read to its end.

        :param error: why; as plain text, and observed by no metric, where the request is for one
            of the listener's own endpoints.
        """
        responder: Any = self._served.responder(head)
        if not IRefuser.providedBy(responder):
            refuse_malformed(self._link, Malformed(error.status, error.detail), self.date())
            return
        intake = self._intake = BodyIntake(self._link, self._served.reactor)
        # A body that never becomes complete.
        body = self._body = RequestBody(head.length, request_body_reader(head.length), intake)
        self._link.state.enter(State.BODY)
        # In the form that the backend's clients know.
        exchange = self._exchange = Exchange(self, head, body, body)
        exchange.run(Refused(responder, error))

    def _is_shed(self, head: RequestHead, streamed: RequestBody | None) -> bool:
        """:return: whether a request was refused, at little cost, instead of being answered."""
        if streamed is not None:
            responder: Any = self._served.responder(head)
            # The listener's own endpoints always answer.
            is_refused = IRefuser.providedBy(responder)
            if is_refused:
                exchange = self._exchange = Exchange(self, head, streamed, streamed)
                exchange.run(Refused(responder, too_much()))
            return is_refused
        octets = self._prepared(head)
        if octets is None:
            return False
        tell = partial(self._shed, octets, head)
        if not self.put_off(tell):
            tell()
        return True

    def _prepared(self, head: RequestHead) -> bytes | None:
        served = self._served
        return served.refusals.octets(head, served.responder(head), served.date())

    def _shed(self, octets: bytes, head: RequestHead) -> None:
        if self._link.state.now.is_over:
            return
        if self.is_draining and head.persistent:
            # Perhaps only since the refusal was made.
            head = evolve(head, persistent=False)
            octets = self._prepared(head) or octets
        self.output.send(octets)
        self.exchange_ended(not head.persistent)

    def put_off(self, tell: Callable[[], None]) -> bool:
        """
        :param tell: sends a refusal.
        :return: whether it will be called later, unless the connection is lost before; if not,
            the refusal is to be sent now.
        """
        overload = self._served.overload
        if overload is not None:
            self._put_off = overload.put_off(partial(self._tell, tell))
        return self._put_off is not None

    def _tell(self, tell: Callable[[], None]) -> None:
        self._put_off = None
        tell()

    # What the client does meanwhile.

    def received(self, data: bytes) -> None:
        """
        Octets have come: of the request's body, or of what is to be answered after it.

        :param data: of a body as it was framed, and beyond its end.  A body that cannot be
            read fails the request, and is the last that is read of the connection.
        """
        body, inbox = self._body, self._link.inbox
        if body is None:
            inbox.keep(data)
            return
        self._intake.brought(len(data))
        try:
            rest = body.arrived(data)
        except (MalformedBody, RequestTooLarge) as error:
            # What comes now is no request any more: it stays unread until we close.
            self._body_ended(data)
            self._fail(_as_request_error(error))
            return
        if body.is_complete:
            self._body_ended(rest)
        body.deliver()

    def _body_ended(self, rest: bytes) -> None:
        self._body, self._link.inbox.octets = None, rest
        self._link.deadline.lift()
        self._link.state.enter(_ANSWERING)

    def sends_no_more(self) -> None:
        """The client has closed its side; only from a tunnel's client is that no farewell."""
        if self._link.state.now is State.TUNNEL and self._body is not None:
            self._body.ended()
        elif self._put_off is not None:
            self.is_draining = True
            self._put_off.hurry()
        else:
            self._link.abort()

    def too_slow(self) -> None:
        """What the client was to send of the request's body has not come in time."""
        body = self._body
        if body is not None and body.is_wanted and self._intake.is_too_slow():
            self._fail(RequestError("the request body took too long", Reason.REQUEST_TIMEOUT,
                                    408))

    def lost(self) -> None:
        """The connection is over."""
        exchange, self._exchange, self._body = self._exchange, None, None
        put_off, self._put_off, self.answered = self._put_off, None, ignore
        if put_off is not None:
            put_off.drop()
        if exchange is not None:
            exchange.lost()

    def _fail(self, error: RequestError) -> None:
        if self._put_off is not None:
            self._put_off.hurry()
        elif self._exchange is not None:
            self._exchange.fail(error)

    # What the exchange needs.

    @property
    def is_over(self) -> bool:
        """:return: whether nothing more is sent: the exchange is told by L{lost}, or will be."""
        return self._link.state.now.is_over

    def turn(self) -> Deferred[None]:
        """:return: fires when all other connections have had a turn; may be cancelled."""
        return deferLater(self._served.reactor, 0)

    def tunnel(self) -> RequestBody:
        """
        From now on what the client sends is not HTTP, and is not timed.

        :return: all of it, beginning with what is here already; it ends where the client
            sends no more.
        """
        self._link.state.enter(State.TUNNEL)
        intake = self._intake = BodyIntake(self._link, self._served.reactor)
        body = self._body = endless_body(intake)
        body.arrived(self._link.inbox.taken())
        return body

    def exchange_ended(self, closing: bool) -> None:
        """
        An answer is whole, as far as we are concerned.

        :param closing: whether the connection ends with it; else the next request may be
            answered within this call, if it is here.
        """
        link = self._link
        if link.state.now.is_over:
            return
        is_unread = self._body is not None
        self._exchange = self._body = None
        if closing:
            link.close(is_unread or bool(link.inbox.octets))
        else:
            link.state.enter(_IDLE)
            if not self.is_reading:
                self.answered()

    def cut_off(self, at_once: bool) -> None:
        """
        End in the middle of an answer.

        :param at_once: whether to reset the connection, and drop what is not sent yet; only that
            tells a client that an answer without framing is not whole (RFC 9112 section 8).
        """
        self._exchange = self._body = None
        if at_once:
            self._link.abort()
        else:
            self._link.close()


def _as_request_error(error: MalformedBody | RequestTooLarge) -> RequestError:
    if isinstance(error, MalformedBody):
        return BadRequest(error.malformed.detail, status=error.malformed.status)
    return error
