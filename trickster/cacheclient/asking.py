"""Asks the mgmt listener of a running Trickster."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.web.client import ResponseFailed
from twisted.web.iweb import IResponse

from trickster.cacheclient.tables import caches_table, entries_table, purged_table
from trickster.cacheclient.words import Question

# Octets of an answer, and seconds that one may take: a store may have a time limit of its own.
_MOST = 64 << 20
_PATIENCE = 60.0

Request = Callable[..., Deferred[Any]]
Collect = Callable[[IResponse, Callable[[bytes], None]], Deferred[None]]


class NoAnswer(Exception):
    """There was none that can be shown; says why."""


@frozen
class Asker:
    """
    Asks, and makes the answer readable.

    :ivar request: sends a request, as C{treq.request} does.
    :ivar collect: reads a body, as C{treq.collect} does.
    :ivar clock: for the time limit.
    """

    request: Request
    collect: Collect
    clock: Any

    async def told(self, question: Question) -> str:
        """
        :return: what is to be shown.
        :raises NoAnswer: nothing was answered, or no; the text says which.
        """
        asking = Deferred.fromCoroutine(self._answer(question))
        asking.addTimeout(_PATIENCE, self.clock)
        try:
            status, octets = await asking
        except (TimeoutError, CancelledError) as error:
            raise NoAnswer(f"{question.place} does not answer within {_PATIENCE:g} s") from error
        except (ConnectError, ConnectionClosed, DNSLookupError, ResponseFailed) as error:
            raise NoAnswer(f"{question.place} cannot be asked: {_explained(error)}") from error
        document = _document(question, status, octets)
        if status != 200:
            raise NoAnswer(_refused(question, status, document))
        if question.is_json:
            return json.dumps(document, indent=2) + "\n"
        try:
            return _table(question)(document)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise NoAnswer(f"{question.place} does not answer as Trickster does") from error

    async def _answer(self, question: Question) -> tuple[int, bytes]:
        order, url = question.order, question.place + question.target
        headers = {"Accept": "application/json"}
        if order is None:
            response = await self.request("GET", url, headers=headers, allow_redirects=False)
        else:
            response = await self.request(
                "POST", url, headers={**headers, "Content-Type": "application/json"},
                data=json.dumps(order).encode(), allow_redirects=False)
        return response.code, await self._body(response)

    async def _body(self, response: IResponse) -> bytes:
        found = bytearray()

        def take(octets: bytes) -> None:
            if len(found) + len(octets) > _MOST:
                raise NoAnswer("the answer is too large to be shown")
            found.extend(octets)

        await self.collect(response, take)
        return bytes(found)


def _document(question: Question, status: int, octets: bytes) -> Any:
    try:
        return json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"{question.place} answers {status} with something that is no JSON: is it "
                       "the mgmt listener of Trickster?") from error


def _refused(question: Question, status: int, document: Any) -> str:
    said = document.get("error") if isinstance(document, dict) else None
    return f"{question.place} answers {status}: {said or 'it does not say why'}"


def _table(question: Question) -> Callable[[Any], str]:
    if question.order is not None:
        return purged_table
    return entries_table if "/entries" in question.target else caches_table


def _explained(error: BaseException) -> str:
    if isinstance(error, ResponseFailed) and error.reasons:
        return str(error.reasons[0].value)
    return str(error)
