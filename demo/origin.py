"""Serves the demo origin over HTTP."""

from __future__ import annotations

from urllib.parse import unquote

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from demo.api import Account, Answer, Api
from demo.spelling import failure
from trickster.messages import Params

#: Octets of a request's form that are read.
_LARGEST_FORM = 1 << 20


class OriginResource(Resource):
    """Every path of the demo origin, for one kind of client."""

    isLeaf = True
    _log = Logger()

    def __init__(self, api: Api, account: Account) -> None:
        """
        :param account: what the requests count for.
        """
        super().__init__()
        self._api = api
        self._account = account

    def render(self, request: Request) -> int:
        """
        Answer later, unless the client goes away before.
        """
        answering = Deferred.fromCoroutine(self._api.answer(
            request.method, unquote(request.path.decode("ascii", "replace")),
            params_of(request), self._account))
        _ = request.notifyFinish().addErrback(lambda _: answering.cancel())
        _ = answering.addCallback(lambda answer: _send(request, answer)).addErrback(
            self._fail, request)
        return NOT_DONE_YET

    def _fail(self, reason: Failure, request: Request) -> None:
        if reason.check(CancelledError):
            return
        self._log.failure("The demo origin could not answer {path}", reason,
                          path=request.path)
        _send(request, Answer(500, failure("internal", reason.getErrorMessage())))


def params_of(request: Request) -> Params:
    """:return: what the target and the form say, forms first, as Go's servers read them."""
    pairs = [(name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
             for name, values in (request.args or {}).items() for value in values]
    return Params(tuple(pairs))


def _send(request: Request, answer: Answer) -> None:
    request.setResponseCode(answer.status)
    request.setHeader(b"content-type", answer.content_type)
    request.setHeader(b"content-length", b"%d" % len(answer.body))
    request.write(answer.body)
    request.finish()
