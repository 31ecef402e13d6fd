"""One request to an origin and the answer to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Protocol

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from trickster.errors import (
    Overloaded,
    Reason,
    UpstreamBroke,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTimeout,
)
from trickster.http.h1.framing import Ending, kept_for
from trickster.http.h1.leniency import DOUBTFUL, Leniency
from trickster.http.h1.responses import ResponseHead
from trickster.http.hop_by_hop import connection_options, response_headers
from trickster.interfaces import IBody
from trickster.messages import (
    Engine,
    Headers,
    Octets,
    Outcome,
    Request,
    Response,
    passed_status,
)
from trickster.net.deadline import Deadline
from trickster.upstream.h1.answers import AnswerReader, NothingCame
from trickster.upstream.h1.arriving import ArrivingBody, UpgradedBody
from trickster.upstream.h1.outlet import Outlet
from trickster.upstream.h1.uploads import upload
from trickster.upstream.leniency import not_counted
from trickster.upstream.options import UpstreamOptions

# Server-sent events, pushed pictures, lines and records of JSON, remote calls that stream.
_STREAM_TYPES = frozenset((
    b"text/event-stream", b"multipart/x-mixed-replace", b"application/x-ndjson",
    b"application/ndjson", b"application/jsonl", b"application/x-json-stream",
    b"application/stream+json", b"application/json-seq", b"application/grpc",
    b"application/grpc-web", b"application/grpc-web-text"))
# Seconds that an origin has to say whether it wants a body; many never say.
_CONTINUE_WAIT = 1.0


@frozen(slots=True)
class Order:
    """
    One request, ready to be sent.

    :ivar head: up to and with the empty line, and the body after it where that is small
        and here.
    :ivar body: what is to be streamed after the head, or None.
    :ivar upgrade: the protocols that C{head} offers, in lower case.
    :ivar latest: the time of the clock by which all must be over, or None.
    :ivar is_asking: whether C{head} asks the origin to say if it wants C{body}.
    :ivar on_lenient: told once of each answer that was not quite HTTP/1.1.
    """

    request: Request
    head: bytes
    body: IBody | None = None
    upgrade: tuple[bytes, ...] = ()
    latest: float | None = None
    is_asking: bool = False
    on_lenient: Callable[[Iterable[Leniency]], None] = field(
        default=not_counted, eq=False, repr=False)


class Link(Protocol):
    """The connection, as the exchange on it sees it."""

    transport: Any
    deadline: Deadline
    kept_for: float

    def send(self, octets: bytes) -> None:
        """The beginning of a request, or all of it, is to go out."""

    def outlet(self, on_blocked: Callable[[bool], None]) -> Outlet:
        """More is to go out, bit by bit."""

    def now(self) -> float:
        """The clock's seconds."""

    def answering(self) -> None:
        """The head of the answer is here, and the body is on its way."""

    def uploading(self, is_on_its_way: bool) -> None:
        """The body of the request is on its way, or is sent."""

    def held(self, is_held: bool) -> None:
        """The reader of the body wants no more for now, or does again."""

    def set_apart(self) -> bool:
        """The answer lasts; :return: whether there is room for one more of that kind."""

    def over(self, is_reusable: bool) -> None:
        """The exchange needs it no more."""

    def hang_up(self) -> None:
        """The exchange needs it no more, except to send what has been written."""


@define(eq=False)
class Exchange:
    """
    Sends a request, reads the answer, and holds the two against each other.

    :ivar answer: fires with the answer when its head is here; the body may still be on its
        way.  Cancelling ends the exchange.
    """

    _link: Link
    _options: UpstreamOptions
    _order: Order
    answer: Deferred[Response] = field(init=False)
    _reader: AnswerReader = field(init=False)
    _body: ArrivingBody | None = field(default=None, init=False)
    _outlet: Outlet | None = field(default=None, init=False)
    _uploading: Deferred[None] | None = field(default=None, init=False)
    _is_stream: bool = field(default=False, init=False)
    _is_sent: bool = field(default=False, init=False)
    _is_asking: bool = field(default=False, init=False)
    _is_paused: bool = field(default=False, init=False)
    _is_blocked: bool = field(default=False, init=False)
    _is_over: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.answer = Deferred(self._cancelled)
        self._reader = AnswerReader(self._order.request.method,
                                    self._options.max_response_header_bytes)

    def start(self) -> None:
        """Send the request, or as much of it as is here."""
        self._link.send(self._order.head)
        if self._order.body is None:
            self._is_sent = True
            self._await_more()
        elif self._order.is_asking:
            self._is_asking = True
            self._link.deadline.move(_CONTINUE_WAIT)
        else:
            self._start_upload(self._order.body)

    # What the connection says.

    def feed(self, octets: bytes) -> None:
        """
        :param octets: from the origin.
        """
        try:
            self._reader.feed(octets)
            self._relay_interims()
            self._check_upgrade()
        except UpstreamMalformed as error:
            self.fail(error)
            return
        if self._is_over or self._reader.head is None:
            return
        # A final answer says that the body is not wanted (RFC 9110 section 10.1.1).
        self._is_asking = False
        if self._reader.is_complete:
            self._complete()
        else:
            self._continue(self._reader.head)

    def ended(self, is_clean: bool) -> None:
        """
        The origin sends no more.

        :param is_clean: whether it closed the connection in an orderly way.
        """
        if isinstance(self._body, UpgradedBody) and is_clean:
            self._body.finish()
            return
        try:
            self._reader.end(is_clean)
        except UpstreamError as error:
            self.fail(error)
        else:
            self._complete()

    def expired(self) -> None:
        """The time for what the exchange waits for is over."""
        if self._is_asking and self._order.body is not None:
            # RFC 9110 section 10.1.1: no client has to wait for ever to be asked for a body.
            self._start_upload(self._order.body)
            return
        if self._body is not None and not self._is_stream and self._is_passed_on \
                and not self._is_late():
            # A cache has let go of it since its time was measured.
            self._is_stream = True
            self._await_more()
            return
        stage = "to answer" if self._body is None else "within its answer"
        self.fail(UpstreamTimeout(f"the origin took too long {stage}"))

    def fail(self, error: Exception) -> None:
        """
        Give up; the caller that waits gets the error.

        :param error: why.
        """
        if self._is_over:
            return
        is_unread = self._is_asking and isinstance(error, NothingCame)
        if isinstance(error, NothingCame):
            error.is_body_unread = is_unread
        self._leave(False, keeps_body=is_unread)
        if self._body is None:
            self.answer.errback(error)
            return
        self._body.push(self._reader.take())
        self._body.finish(error)

    # What the body says.

    def pause_reading(self) -> None:
        """The reader of the body is slow; the origin cannot be blamed."""
        if not self._is_over:
            self._is_paused = True
            self._link.held(True)
            self._await_nothing()
            self._link.transport.pauseProducing()

    def resume_reading(self) -> None:
        """The reader of the body wants more."""
        if not self._is_over:
            self._link.held(False)
            self._await_more()
            self._read_on()

    def written_to(self) -> None:
        """The client of an upgraded connection says something."""
        if not self._is_over and not self._is_blocked:
            self._await_more()

    def abandon(self) -> None:
        """The body is not read; what was written after an upgrade is still sent."""
        if self._is_over:
            return
        if not isinstance(self._body, UpgradedBody):
            self._leave(False)
            return
        self._is_over = True
        self._close_outlet()
        self._link.hang_up()

    # The answer.

    def _relay_interims(self) -> None:
        interims, relay = self._reader.take_interims(), self._order.request.interim
        if self._is_asking and any(head.status == 100 for head in interims):
            assert self._order.body is not None
            self._start_upload(self._order.body)
        if relay is not None:
            for head in interims:
                relay(head.status, response_headers(head.headers, True))

    def _check_upgrade(self) -> None:
        if self._body is None and self._reader.head and self._reader.head.status == 101:
            if not self._is_sent:
                raise UpstreamMalformed("an upgrade before the request was whole")
            check_upgrade(self._reader.head, self._order.upgrade)

    def _continue(self, head: ResponseHead) -> None:
        if self._body is None:
            self._begin(head)
        else:
            self._await_more()
            self._body.push(self._reader.take())

    def _begin(self, head: ResponseHead) -> None:
        """Give the answer out, while its body is still on its way."""
        self._link.answering()
        is_lasting = head.status == 101 or (
            self._reader.length is None and is_event_stream(head.headers))
        if is_lasting and not self._link.set_apart():
            self.fail(Overloaded("there are too many streams from the origin"))
            return
        self._is_stream = is_lasting or self._is_passed_on
        self._body = self._upgraded() if head.status == 101 else self._arriving()
        self._await_more()
        self._body.push(self._reader.take())
        self.answer.callback(self._response(head, self._body))

    @property
    def _is_passed_on(self) -> bool:
        """Whether the answer's length is unknown, and it goes to a client as it comes."""
        collecting = self._order.request.collecting
        return self._reader.length is None and (collecting is None or not collecting.is_on)

    def _arriving(self) -> ArrivingBody:
        return ArrivingBody(self, self._reader.length)

    def _upgraded(self) -> UpgradedBody:
        # Who talks when is now for the two ends to know; a full pipe is timed, and silence
        # only where that is configured.
        self._link.deadline.lift()
        self._outlet = self._link.outlet(self._blocked)
        self._outlet.open()
        return UpgradedBody(self, self._outlet)

    def _complete(self) -> None:
        head, pieces = self._reader.head, self._reader.take()
        if head is not None:
            self._link.kept_for = kept_for(head.headers)
        self._leave(self._reader.is_reusable and self._is_sent)
        if self._body is not None:
            self._body.push(pieces)
            self._body.finish()
        elif head is not None:
            body = Octets(b"".join(pieces))
            self.answer.callback(self._response(head, body))

    def _response(self, head: ResponseHead, body: IBody) -> Response:
        response = response_of(head, self._reader.ending, body)
        if DOUBTFUL.isdisjoint(self._reader.leniencies):
            return response
        return evolve(response, is_doubtful=True)

    # The request's body.

    def _start_upload(self, body: IBody) -> None:
        self._is_asking = False
        self._await_nothing()
        self._link.uploading(True)
        self._outlet = self._link.outlet(self._blocked)
        self._outlet.open()
        self._uploading = Deferred.fromCoroutine(upload(body, self._outlet))
        self._uploading.addCallbacks(self._uploaded, self._upload_failed)

    def _uploaded(self, _: None) -> None:
        self._is_sent = True
        self._close_outlet()
        if not self._is_over:
            if self._body is None:
                self._link.uploading(False)
            self._await_more()

    def _upload_failed(self, failure: Failure) -> None:
        error = failure.value
        self.fail(error if isinstance(error, Exception) else UpstreamBroke(str(error)))

    def _blocked(self, is_blocked: bool) -> None:
        if self._is_over:
            return
        self._is_blocked = is_blocked
        if is_blocked:
            self._link.deadline.move(self._options.timeout, self._latest)
        elif isinstance(self._body, UpgradedBody):
            self._await_more()
        else:
            self._await_nothing()

    # Time, and the end.

    def _await_more(self) -> None:
        # While a request body is on its way, its sender decides how long that takes.
        is_sending = self._uploading is not None and not self._is_sent
        if is_sending:
            return
        if self._is_stream and self._options.stream_idle_timeout is None:
            self._await_nothing()
        else:
            self._link.deadline.move(self._patience, self._latest)

    @property
    def _patience(self) -> float:
        """Seconds for which the origin may be silent."""
        idle = self._options.stream_idle_timeout
        return idle if self._is_stream and idle is not None else self._options.timeout

    def _await_nothing(self) -> None:
        if self._latest is None:
            self._link.deadline.lift()
        else:
            self._link.deadline.move(float("inf"), self._latest)

    @property
    def _latest(self) -> float | None:
        # How long an upgraded connection lasts in all is for its two ends to know.
        return None if isinstance(self._body, UpgradedBody) else self._order.latest

    def _is_late(self) -> bool:
        return self._latest is not None and self._link.now() >= self._latest

    def _cancelled(self, _: Deferred[Response]) -> None:
        self._leave(False)

    def _leave(self, is_reusable: bool, keeps_body: bool = False) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._reader.leniencies:
            self._order.on_lenient(self._reader.leniencies)
        self._close_outlet()
        if self._uploading is not None and not self._is_sent:
            self._uploading.cancel()
        if self._order.body is not None and not keeps_body:
            self._order.body.close()
        if is_reusable:
            self._read_on()
        self._link.over(is_reusable)

    def _read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._link.transport.resumeProducing()

    def _close_outlet(self) -> None:
        if self._outlet is not None:
            outlet, self._outlet = self._outlet, None
            outlet.close()


def is_event_stream(headers: Headers) -> bool:
    """:return: whether an answer is of a type whose next part comes when there is news."""
    media_type = (headers.get(b"content-type") or b"").partition(b";")[0]
    return media_type.strip().lower() in _STREAM_TYPES


def check_upgrade(head: ResponseHead, offered: tuple[bytes, ...]) -> None:
    """
    :param offered: protocols that the client wants to change to, in lower case.
    :raises UpstreamMalformed: a 101 answer changes to something else (RFC 9110 section 7.8).
    """
    chosen = head.headers.get_all(b"upgrade")
    if len(chosen) != 1 or chosen[0].lower() not in offered:
        raise UpstreamMalformed("an upgrade to a protocol that was not asked for")
    if b"upgrade" not in connection_options(head.headers):
        raise UpstreamMalformed("an upgrade that Connection does not name")


def response_of(head: ResponseHead, ending: Ending, body: IBody) -> Response:
    """
    :param ending: of the body; where there is none by nature, C{Content-Length} stays.
    :return: what the client may see.
    """
    has_length_of_its_own = ending is not Ending.NO_BODY or head.status == 204
    headers = response_headers(head.headers, has_length_of_its_own)
    if ending is Ending.UPGRADED:
        upgrade = head.headers.get(b"upgrade") or b""
        headers = headers.with_added((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    return Response(head.status, headers, body, _outcome(head.status), head.phrase)


@lru_cache(maxsize=600)
def _outcome(status: int) -> Outcome:
    reason = Reason.ORIGIN_STATUS if status >= 400 else Reason.PROXY_PATH
    return Outcome(Engine.PROXY, passed_status(status), reason, origin_status=status)
