"""Requests for L{twisted.web} resources, such as those of metrics exporters."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.web.error import UnsupportedMethod
from twisted.web.resource import IResource
from twisted.web.server import Request

from trickster.errors import RequestError
from trickster.frontend.exchange import Exchange
from trickster.frontend.requestbody import RequestBody
from trickster.http.h1.faults import Malformed
from trickster.http.h1.requests import RequestHead
from trickster.interfaces import IBody, IResponder
from trickster.messages import Octets

if TYPE_CHECKING:
    from trickster.frontend.channel import ProxyChannel

# These resources are ours, and none of them is sent much.
_MOST_BODY = 1 << 20


class ResourceRequest(Request):
    """
    A request as L{twisted.web.resource.IResource} providers expect it.

    Its body is read whole before the resource is asked.
    """

    channel: ProxyChannel
    _receiving: Deferred[None] | None = None
    _octets = b""

    def __init__(self, channel: ProxyChannel, head: RequestHead,
                 streamed: RequestBody | None) -> None:
        super().__init__(channel)
        self._head = head
        self._streamed = streamed

    def run(self, body: IBody) -> None:
        """Read the body, then have the resource render itself."""
        self._receiving = receiving = Deferred.fromCoroutine(self._receive(body))
        receiving.addErrback(self._failed)

    def must_close(self) -> bool:
        """:return: whether the connection ends with this answer."""
        streamed = self._streamed
        return not self._head.persistent or self.channel.is_draining or (
            streamed is not None and not streamed.is_complete)

    def lost(self) -> None:
        """The client has gone."""
        if self._receiving is not None:
            self._receiving.cancel()
        self.connectionLost(Failure(ConnectionLost()))

    def fail(self, error: RequestError) -> None:
        """The request has turned out not to be one."""
        if self._receiving is not None:
            self._receiving.cancel()
        self.channel.refuse(Malformed(error.status, error.detail))

    def respond_with(self, responder: IResponder) -> None:
        """Leave the answer to a responder."""
        exchange = Exchange(self.channel, self._head, Octets(self._octets))
        self.channel.hand_over(exchange)
        exchange.run(responder)

    def process(self) -> None:
        """Find the resource, and render it."""
        self.site = self.channel.site
        self.setHeader(b"Date", self.site.date())
        self.prepath = []
        self.postpath = [unquote_to_bytes(part) for part in self.path[1:].split(b"/")]
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:  # noqa: BLE001 - a resource may be a plugin's
            self.processingFailed(Failure())

    def render(self, resrc: IResource) -> None:
        """Have a resource make the answer; one that does not know the method is a 405."""
        try:
            body = resrc.render(self)
        except UnsupportedMethod as error:
            if self.method == b"HEAD":
                super().render(resrc)
                return
            self.setResponseCode(405)
            self.setHeader(b"Allow", b", ".join(error.allowedMethods))
            self.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
            body = b"method not allowed\n"
        if isinstance(body, bytes):
            self.setHeader(b"Content-Length", b"%d" % len(body))
            self.write(body)
            self.finish()

    async def _receive(self, body: IBody) -> None:
        pieces = []
        size = 0
        while piece := await body.read():
            pieces.append(piece)
            size += len(piece)
            if size > _MOST_BODY:
                raise RequestError("the request body is too large", status=413)
        self._receiving = None
        self._octets = b"".join(pieces)
        for name, value in self._head.headers:
            self.requestHeaders.addRawHeader(name, value)
        self.content = BytesIO()
        self.content.write(self._octets)
        self.parseCookies()
        self.requestReceived(self._head.method, self._head.target, self._head.version)

    def _failed(self, failure: Failure) -> None:
        self._receiving = None
        if self._disconnected or failure.check(CancelledError):
            return
        error = failure.value
        if isinstance(error, RequestError):
            self.channel.refuse(Malformed(error.status, error.detail))
        else:
            self._log.failure("A resource could not be asked", failure)
            self.channel.refuse(Malformed(500, ""))
