"""Answers that say why there is no other answer."""

from __future__ import annotations

from http import HTTPStatus

from twisted.logger import Logger

from trickster.errors import Reason, RequestError
from trickster.messages import Outcome, Response, Status, text_response


def refusal(error: RequestError) -> Response:
    """:return: what a client is told of an error: its status and its detail."""
    outcome = Outcome(status=Status.ERROR, reason=error.reason, detail=error.detail)
    return text_response(error.status, (error.detail or phrase_of(error.status)) + "\n", outcome)


def refusal_of(error: BaseException, log: Logger) -> Response:
    """
    :param error: what a responder raised.
    :param log: gets the traceback of what nobody foresaw.
    :return: an answer, which tells nothing of our insides.
    """
    if isinstance(error, RequestError):
        return refusal(error)
    log.failure("A request could not be answered")
    return text_response(500, phrase_of(500) + "\n",
                         Outcome(status=Status.ERROR, reason=Reason.INTERNAL))


def phrase_of(status: int) -> str:
    """:return: the registered reason phrase, or a general one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no answer"
