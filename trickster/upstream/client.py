"""Answers requests by asking an origin."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.errors import BadRequest, Reason, RequestError
from trickster.http.h1.encoding import encode_fields, encode_head
from trickster.http.hop_by_hop import upgrade_of
from trickster.http.methods import IDEMPOTENT, WITH_BODY
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IBody, IResponder
from trickster.messages import Octets, Pair, Request, Response, octets_of
from trickster.net.callbacks import ignore
from trickster.upstream.connecting.endpoints import Connector
from trickster.upstream.forwarding.fields import OutgoingFields
from trickster.upstream.forwarding.max_forwards import counted_down
from trickster.upstream.h1.answers import NothingCame
from trickster.upstream.h1.outgoing import OutgoingRequest
from trickster.upstream.leniency import LeniencyLog
from trickster.upstream.options import UpstreamOptions
from trickster.upstream.pooling.pool import Pool, PoolStats
from trickster.upstream.retries import RetryBudget

# A body up to this size is sent in one piece with the head.
_SMALL = 64 * 1024


@implementer(IResponder)
@define(eq=False)
class UpstreamClient:
    """
    The way to one origin.

    :ivar connector: makes an endpoint of the origin; called for each connection.
    :ivar random: numbers between 0 and 1, which keep connections from ending all at once.
    :ivar on_lenient: called with each kind of deviation from HTTP/1.1 in each answer that was
        taken all the same.
    """

    origin: OriginURL
    options: UpstreamOptions
    connector: Connector
    clock: IReactorTime
    random: Callable[[], float] = SystemRandom().random
    on_lenient: Callable[[str], None] = ignore
    _leniencies: LeniencyLog = field(init=False)
    _pool: Pool = field(init=False)
    _budget: RetryBudget = field(factory=RetryBudget, init=False)
    _fields: OutgoingFields = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pool = Pool(self.origin, self.options, self.connector, self.clock, self.random)
        self._leniencies = LeniencyLog(self.origin.place, self.clock, self.on_lenient)
        self._fields = OutgoingFields(self.origin.authority, self.options.forwarded_headers,
                                      self.options.server_name)

    @property
    def stats(self) -> PoolStats:
        """
        :return: how the connections to the origin are used now; a value, which stays as it is.
        """
        return self._pool.stats

    async def respond(self, request: Request) -> Response:
        """
        Ask the origin.  Redirects and errors of the origin are answers like any other.

        :param request: its body is read at most once, and goes to the origin as it comes.
        :return: the answer, once its head is here; its body may still be on its way.
        :raises BadRequest: the request cannot be passed on as it is.
        :raises RequestError: it is a CONNECT, which is not for a reverse proxy (501).
        :raises UpstreamError: there is no answer, or none that is clear.
        :raises Overloaded: too many requests wait for this origin.
        """
        counted = counted_down(request)
        if isinstance(counted, Response):
            return counted
        return await self._ask(counted)

    async def _ask(self, request: Request) -> Response:
        self._pool.admit()
        latest = self._latest()
        outgoing = self._outgoing(request, latest)
        self._budget.pay_in()
        connection = self._pool.take_idle() or await self._pool.acquire()
        was_reused = connection.is_reused
        try:
            response = await connection.exchange(outgoing)
            if not (response.status == 408 and was_reused and self._may_retry(request, False)):
                return response
            # What an origin says on a connection that has been idle for too long, and which
            # has crossed the request on its way (RFC 9110 section 15.5.9).
            response.body.close()
        except NothingCame as error:
            if not (was_reused and self._may_retry(request, error.is_body_unread)):
                if error.is_body_unread:
                    request.body.close()
                raise
        connection = await self._pool.acquire(is_fresh=True)
        return await connection.exchange(self._outgoing(request, latest))

    def stop(self) -> Deferred[None]:
        """
        Take no more requests, and close connections as they come free.

        :return: fires when there are none left.
        """
        return self._pool.stop()

    def abort(self) -> None:
        """Close all connections at once, also those with an answer on its way."""
        self._pool.abort()

    def _latest(self) -> float | None:
        total = self.options.total_timeout
        return None if total is None else self.clock.seconds() + total

    def _may_retry(self, request: Request, is_body_unread: bool) -> bool:
        # RFC 9112 section 9.3.1: on a connection that was kept, silence may only mean that
        # the origin had closed it.
        is_repeatable = request.method in IDEMPOTENT and (
            is_body_unread or octets_of(request.body) is not None)
        return is_repeatable and self._budget.take()

    def _outgoing(self, request: Request, latest: float | None) -> OutgoingRequest:
        fields, octets, body = _framed(request)
        is_asking = body is not None and _is_asking(request)
        if is_asking:
            fields.append((b"Expect", b"100-continue"))
        upgrade = upgrade_of(request)
        if not upgrade and not self.options.max_idle_conns:
            fields.append((b"Connection", b"close"))
        lines = self._fields.lines(request)
        if fields:
            lines += encode_fields(fields)
        head = encode_head(request.method, self._target(request), lines) + octets
        offered = tuple(upgrade.lower().split(b", ")) if upgrade else ()
        return OutgoingRequest(request, head, body, offered, latest, is_asking, self._leniencies.note)

    def _target(self, request: Request) -> bytes:
        if request.method == b"CONNECT":
            raise RequestError("CONNECT is not for a reverse proxy", Reason.METHOD_NOT_ALLOWED,
                               501)
        if request.target.startswith(b"/"):
            return self.origin.prefix + request.target
        if request.target == b"*" and request.method == b"OPTIONS":
            return request.target
        raise BadRequest("the target of a request begins with a slash")


def _is_asking(request: Request) -> bool:
    """:return: whether the client has sent nothing of the body, and waits to be asked for it."""
    said = request.headers.joined(b"expect")
    return (said is not None and said.lower() == b"100-continue"
            and request.version != b"HTTP/1.0" and octets_of(request.body) is None)


def _framed(request: Request) -> tuple[list[Pair], bytes, IBody | None]:
    """
    :return: the fields that frame the body, the octets to send with the head, and the body
        to stream after it.
    """
    octets = octets_of(request.body)
    if octets is None:
        return _framed_stream(request)
    if not octets:
        needed = request.method in WITH_BODY
        return [(b"Content-Length", b"0")] if needed else [], b"", None
    fields = [(b"Content-Length", b"%d" % len(octets))]
    return (fields, octets, None) if len(octets) <= _SMALL else (fields, b"", Octets(octets))


def _framed_stream(request: Request) -> tuple[list[Pair], bytes, IBody | None]:
    length = request.body.length
    if length is None:
        return [(b"Transfer-Encoding", b"chunked")], b"", request.body
    return [(b"Content-Length", b"%d" % length)], b"", request.body
