"""A responder in a tree of C{twisted.web} resources, for listeners that are not proxies."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET
from twisted.web.server import Request as WebRequest
from zope.interface import implementer

from trickster.bodies import read_all
from trickster.interfaces import IResponder
from trickster.messages import Headers, Request

_LARGEST_ANSWER = 256 << 20


@implementer(IResource)
class AnswersResource:
    """
    A leaf that has a responder answer, for every path below it and every method.

    Small answers only: they are written in one piece.
    """

    isLeaf = True

    _log = Logger()

    def __init__(self, responder: IResponder) -> None:
        self._responder = responder

    def getChildWithDefault(self, name: bytes, request: WebRequest) -> IResource:
        """:return: itself."""
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        Add nothing: what is below is the responder's.

        :raises TypeError: always.
        """
        raise TypeError("a leaf has no children")

    def render(self, request: WebRequest) -> int:
        """Have a request answered, as long as the client waits."""
        answering = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        answering.addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _answer(self, request: WebRequest) -> None:
        response = await self._responder.respond(_value(request))
        octets = await read_all(response.body, _LARGEST_ANSWER)
        request.setResponseCode(response.status)
        for name, value in response.headers.pairs:
            request.responseHeaders.addRawHeader(name, value)
        request.setHeader(b"Content-Length", b"%d" % len(octets))
        request.write(bytes(octets))
        request.finish()

    def _failed(self, failure: Failure, request: WebRequest) -> None:
        if failure.check(CancelledError):
            return
        self._log.failure("An administrative request failed", failure)
        request.setResponseCode(500)
        request.setHeader(b"Content-Length", b"0")
        request.finish()


def _value(request: WebRequest) -> Request:
    pairs = tuple((name, value) for name, values in request.requestHeaders.getAllRawHeaders()
                  for value in values)
    return Request(request.method, request.uri, Headers(pairs))
