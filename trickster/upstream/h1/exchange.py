"""One request to an origin and the response to it."""

from __future__ import annotations

from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from trickster.errors import (
    Overloaded,
    TricksterError,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTimeout,
)
from trickster.http.h1.framing import kept_for
from trickster.http.h1.responses import ResponseHead
from trickster.http.hop_by_hop import response_headers
from trickster.messages import Octets, Response
from trickster.net.states import WrongTransition
from trickster.net.tracebacks import forget_traceback
from trickster.upstream.h1.answers import AnswerReader, NothingCame
from trickster.upstream.h1.arriving import ArrivingBody, UpgradedBody
from trickster.upstream.h1.link import OriginLink
from trickster.upstream.h1.outgoing import OutgoingRequest
from trickster.upstream.h1.responses import check_upgrade, is_event_stream, response_of
from trickster.upstream.h1.states import Phase
from trickster.upstream.h1.uploads import Upload

# Members of an enum are slow to look up, and every request asks.
_OVER = Phase.OVER


class Line(Protocol):
    """
    The connection, as an exchange needs it.

    :ivar kept_for: seconds for which the origin will keep it idle, by its own word.
    """

    kept_for: float

    def set_apart(self) -> bool:
        """
        Count the connection among those that last, since the response is a tunnel or a stream.

        :return: whether there was room for it; where not, the exchange is to fail.
        """

    def over(self, is_reusable: bool) -> None:
        """
        The exchange needs the connection no more.

        :param is_reusable: whether request and response were whole, so that another exchange can
            follow; if not, the connection is to be closed.
        """

    def hang_up(self) -> None:
        """The exchange needs it no more, except to send what has been written."""


@define(eq=False)
class Exchange:
    """
    Sends a request, reads the response, and holds the two against each other.

    :ivar answer: fires with the response when its head is here; the body may still be on its
        way.  Cancelling ends the exchange.
    """

    _line: Line
    _link: OriginLink
    _outgoing: OutgoingRequest
    _reader: AnswerReader
    answer: Deferred[Response] = field(init=False)
    _phase: Phase = field(default=Phase.HEAD, init=False)
    _upload: Upload | None = field(default=None, init=False)
    _body: ArrivingBody | None = field(default=None, init=False)

    @answer.default
    def _unanswered(self) -> Deferred[Response]:
        return Deferred(self._cancelled)

    def start(self) -> None:
        """Send the request, or as much of it as is here."""
        link, outgoing = self._link, self._outgoing
        link.patience.begin(outgoing.latest)
        link.outflow.send(outgoing.head)
        if outgoing.body is None:
            link.patience.await_origin()
            return
        upload = self._upload = Upload(link, outgoing.body, self._upload_ended)
        if outgoing.is_asking:
            upload.await_asking()
        else:
            upload.start()

    # What the connection says.

    def feed(self, octets: bytes) -> None:
        """
        Take what the origin sends.  The answer fires, or fails, as soon as this can be told; what
        is malformed ends the exchange.

        :param octets: the next, in portions of any size.
        """
        reader = self._reader
        try:
            reader.feed(octets)
            if reader.interims:
                self._relay_interims()
            head = reader.head
            if head is not None and head.status == 101:
                self._check_upgrade(head)
        except UpstreamMalformed as error:
            self.fail(error)
            return
        if head is None or self._phase is _OVER:
            return
        if self._upload is not None:
            # A final answer says that the body is not wanted (RFC 9110 section 10.1.1).
            self._upload.refuse()
        if reader.is_complete:
            self._complete()
        elif self._body is None:
            self._begin(head)
        else:
            self._link.patience.await_origin()
            self._body.push(reader.take())

    def ended(self, is_clean: bool) -> None:
        """
        The origin sends no more.

        :param is_clean: whether it closed the connection in an orderly way.
        """
        if self._phase is Phase.TUNNEL and is_clean:
            assert self._body is not None
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
        patience = self._link.patience
        if self._upload is not None and self._upload.is_held:
            # RFC 9110 section 10.1.1: no client has to wait for ever to be asked for a body.
            self._upload.start()
        elif self._phase is Phase.BODY and self._is_passed_on() and not patience.is_late():
            # A cache has let go of it since its time was measured.
            self._enter(Phase.STREAM)
            patience.allow_stream()
            patience.await_origin()
        else:
            stage = "to answer" if self._phase is Phase.HEAD else "within its answer"
            self.fail(UpstreamTimeout(f"the origin took too long {stage}"))

    def fail(self, error: Exception) -> None:
        """
        Give up; the caller that waits gets the error.

        :param error: why.
        """
        if self._phase is _OVER:
            return
        is_unread = False
        if isinstance(error, NothingCame):
            is_unread = self._upload is not None and self._upload.is_held
            error.is_body_unread = is_unread
        if isinstance(error, TricksterError):
            # It came through a frame of ours, and the body keeps it.
            forget_traceback(error)
        self._let_go(keeps_body=is_unread)
        self._line.over(False)
        if self._body is None:
            self.answer.errback(error)
        else:
            self._body.push(self._reader.take())
            self._body.finish(error)

    # What the body of the request says, and the reader of the other one.

    def _upload_ended(self, error: Exception | None) -> None:
        if error is not None:
            self.fail(error)
            return
        if self._phase is Phase.HEAD:
            # The origin is at work now.
            self._link.flow.end()
        self._link.patience.await_origin()

    def _abandon(self) -> None:
        """The body is not read; what was written after an upgrade is still sent."""
        is_tunnel = self._phase is Phase.TUNNEL
        self._let_go()
        if is_tunnel:
            self._line.hang_up()
        else:
            self._line.over(False)

    def _cancelled(self, _: Deferred[Response]) -> None:
        if self._phase is not _OVER:
            self._let_go()
            self._line.over(False)

    # The response.

    def _relay_interims(self) -> None:
        interims, relay = self._reader.take_interims(), self._outgoing.request.interim
        upload = self._upload
        if upload is not None and upload.is_held and any(head.status == 100 for head in interims):
            upload.start()
        if relay is not None:
            for head in interims:
                relay(head.status, response_headers(head.headers, True))

    def _check_upgrade(self, head: ResponseHead) -> None:
        if self._phase is Phase.HEAD:
            if self._upload is not None and not self._upload.is_sent:
                raise UpstreamMalformed("an upgrade before the request was whole")
            check_upgrade(head, self._outgoing.upgrade)

    def _begin(self, head: ResponseHead) -> None:
        """
        Give the response out, while its body is still on its way.  Where it lasts, and as many as
        may do already, the exchange fails instead.

        :param head: of the final response, be it a 101.
        """
        link, reader = self._link, self._reader
        link.flow.begin()
        is_tunnel = head.status == 101
        is_lasting = is_tunnel or (reader.length is None and is_event_stream(head.headers))
        if is_lasting and not self._line.set_apart():
            self.fail(Overloaded("there are too many streams from the origin"))
            return
        if is_tunnel:
            body = self._open_tunnel()
        else:
            body = self._open_body(is_lasting or self._is_passed_on())
        link.patience.await_origin()
        body.push(reader.take())
        self.answer.callback(response_of(reader, head, body))

    def _open_tunnel(self) -> ArrivingBody:
        self._enter(Phase.TUNNEL)
        self._link.patience.allow_tunnel()
        body = self._body = UpgradedBody(self._link, self._abandon, self._link.outflow.open())
        return body

    def _open_body(self, is_stream: bool) -> ArrivingBody:
        self._enter(Phase.STREAM if is_stream else Phase.BODY)
        if is_stream:
            self._link.patience.allow_stream()
        body = self._body = ArrivingBody(self._link, self._abandon, self._reader.length)
        return body

    def _is_passed_on(self) -> bool:
        """:return: whether the length is unknown, and it goes to a client as it comes."""
        collecting = self._outgoing.request.collecting
        return self._reader.length is None and (collecting is None or not collecting.is_on)

    def _complete(self) -> None:
        reader, upload = self._reader, self._upload
        head, pieces = reader.head, reader.take()
        if head is not None:
            self._line.kept_for = kept_for(head.headers)
        is_reusable = reader.is_reusable and (upload is None or upload.is_sent)
        self._let_go()
        self._line.over(is_reusable)
        if self._body is not None:
            self._body.push(pieces)
            self._body.finish()
        elif head is not None:
            self.answer.callback(response_of(reader, head, Octets(b"".join(pieces))))

    # The end.

    def _let_go(self, keeps_body: bool = False) -> None:
        self._enter(_OVER)
        if self._reader.leniencies:
            self._outgoing.on_lenient(self._reader.leniencies)
        if self._upload is not None:
            upload, self._upload = self._upload, None
            upload.stop(keeps_body)
        if self._body is not None:
            self._body.release()
            self._link.flow.end()

    def _enter(self, phase: Phase) -> None:
        """
        The one place where the phase changes.

        :param phase: the one from now on.
        :raises WrongTransition: it cannot follow the present one.
        """
        if phase not in self._phase.following:
            raise WrongTransition(f"{self._phase.name} is not followed by {phase.name}")
        self._phase = phase
