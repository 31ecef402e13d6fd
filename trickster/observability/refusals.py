"""Answers that say why there is no other answer."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil

from twisted.logger import Logger

from trickster.errors import NotCached, Reason, RequestError, UpstreamError
from trickster.interfaces import IRefusalFormat
from trickster.messages import (
    Engine,
    Headers,
    Octets,
    Outcome,
    Pair,
    Response,
    Status,
    text_response,
)
from trickster.routes import StaticResponse

# What clients are told of an origin that fails.  More is in the log: addresses, and what
# libraries say, are not for clients.
_SENTENCES = {
    Reason.ORIGIN_UNREACHABLE: "the origin cannot be reached",
    Reason.ORIGIN_TIMEOUT: "the origin did not answer in time",
    Reason.ORIGIN_BROKE: "the origin went away before its answer was whole",
    Reason.ORIGIN_MALFORMED: "the origin's answer is not valid HTTP",
    Reason.TOO_LARGE: "the origin's answer is too large",
}

_log = Logger()


class SpelledRefusal(RequestError):
    """
    No answer can be given, and how that is told is known.

    :ivar response: the answer instead.
    """

    def __init__(self, error: RequestError, response: Response) -> None:
        super().__init__(error.detail, error.reason, error.status)
        self.response = response


def refusal(error: RequestError, path: bytes = b"",
            spelling: IRefusalFormat | None = None) -> Response:
    """
    :param path: that was asked for, as the origin knows it.
    :param spelling: the origin's; None where no origin is known, or it has none of its own.
    :return: the answer that tells a client what an error says.
    """
    text = sentence(error)
    spelled = _spelled(spelling, path, error, text) if spelling is not None else None
    if spelled is None:
        return text_response(error.status, text + "\n", _outcome(error), _fields(error))
    headers = Headers((*spelled.headers.pairs, *_fields(error)))
    return Response(error.status, headers, Octets(spelled.body), _outcome(error))


def defect(path: bytes, spelling: IRefusalFormat | None = None) -> Response:
    """
    :param path: that was asked for, as the origin knows it.
    :return: the answer where a fault of ours keeps a request from being answered.
    """
    return refusal(RequestError(phrase_of(500)), path, spelling)


def sentence(error: RequestError) -> str:
    """:return: what a client is told."""
    if isinstance(error, UpstreamError):
        return _SENTENCES.get(error.reason) or phrase_of(error.status)
    return error.detail or phrase_of(error.status)


def phrase_of(status: int) -> str:
    """:return: the registered reason phrase, or a general one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no answer can be given"


def _spelled(spelling: IRefusalFormat, path: bytes, error: RequestError,
             text: str) -> StaticResponse | None:
    try:
        return spelling.spelled_refusal(path, error.status, error.reason, text)
    except Exception:  # noqa: BLE001 - a stranger's spelling must not cost the client the answer
        _log.failure("An origin type failed to spell a refusal")
        return None


def _fields(error: RequestError) -> tuple[Pair, ...]:
    if error.retry_after is None:
        return error.fields
    return (*error.fields, (b"Retry-After", b"%d" % max(1, ceil(error.retry_after))))


def _outcome(error: RequestError) -> Outcome:
    if isinstance(error, NotCached):
        return Outcome(Engine.OBJECT, Status.KEY_MISS, error.reason)
    status = Status.PROXY_ERROR if isinstance(error, UpstreamError) else Status.ERROR
    return Outcome(status=status, reason=error.reason, detail=error.detail)
