"""How the supervisor asks its workers: over the Unix sockets at which they have endpoints."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.admin.endpoints import own_json, own_text
from trickster.bodies import BodyTooLarge, drain, read_all
from trickster.errors import (
    Overloaded,
    RequestError,
    RequestTooLarge,
    UpstreamError,
    UpstreamUnreachable,
)
from trickster.http.methods import IDEMPOTENT
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IResponder
from trickster.messages import Octets, Request, Response, octets_of
from trickster.net.waiters import settled
from trickster.upstream.client import UpstreamClient
from trickster.upstream.forwarding.fields import ForwardedMode
from trickster.upstream.options import UpstreamOptions
from trickster.workers.process import State, WorkerProcess

# What they are called in Host; a worker does not look at it.
_PLACE = OriginURL("http", "worker", 80)
# Seconds that a worker has for an answer of an endpoint, and for its part of one of all.
_ANSWER, _PART = 60.0, 5.0
# Octets of an answer that is read whole.
_LARGEST = 64 << 20
# Octets of an order that several workers get; as many as one takes.
_LARGEST_ORDER = 64 << 10
_BROWSERS = frozenset((b"origin", b"sec-fetch-site"))
_OPTIONS = UpstreamOptions(timeout=_ANSWER, connect_timeout=_PART,
                           forwarded_headers=ForwardedMode.NONE)


@define(eq=False)
class Crew:
    """
    The workers that serve, and the ways to their endpoints.

    :ivar reactor: connects to Unix sockets.
    """

    reactor: Any
    _clients: dict[WorkerProcess, Mapping[str, UpstreamClient]] = field(factory=dict, init=False)

    @property
    def number(self) -> int:
        """:return: of workers that serve."""
        return sum(worker.state is State.SERVING for worker in self._clients)

    def changed(self, worker: WorkerProcess) -> None:
        """
        See whether a worker can be asked.

        :param worker: has begun to serve, or is gone.
        """
        if worker.state is State.SERVING:
            self._clients[worker] = {name: self._client(path)
                                     for name, path in worker.assignment.own.items()}
        else:
            for client in self._clients.pop(worker, {}).values():
                client.abort()

    def ways(self, listener: str) -> Sequence[tuple[WorkerProcess, IResponder]]:
        """
        :param listener: C{metrics} or C{mgmt}.
        :return: the workers that can be asked, and how: those that serve before those that
            answer their last requests, and then those that have served for the longest time.
        """
        ways = [(worker, clients[listener]) for worker, clients in self._clients.items()
                if listener in clients]
        return sorted(ways, key=lambda way: way[0].state is not State.SERVING)

    def ways_by_caches(self, listener: str) -> Sequence[Sequence[tuple[WorkerProcess, IResponder]]]:
        """
        :param listener: as for L{ways}.
        :return: the same, those together that have the same caches: all but in a reload.
        """
        groups: list[list[tuple[WorkerProcess, IResponder]]] = []
        for way in self.ways(listener):
            alike = (group for group in groups
                     if group[0][0].assignment.has_caches_of(way[0].assignment))
            group = next(alike, None)
            if group is None:
                groups.append(group := [])
            group.append(way)
        return groups

    async def asked(self, listener: str, request: Request) -> Mapping[WorkerProcess, Response]:
        """
        Ask all workers the same.

        :param request: without a body.
        :return: the answers of those that have given one in time, read whole.
        """
        ways = self.ways(listener)
        asking = [Deferred.fromCoroutine(_whole(way, request)).addTimeout(_PART, self.reactor)
                  for _, way in ways]
        # The list would ask for no more than the first failure.
        results = await DeferredList(asking, consumeErrors=True)
        return {worker: answer for (worker, _), (is_good, answer) in
                zip(ways, results, strict=True) if is_good and not isinstance(answer, Failure)}

    async def metrics(self) -> Mapping[Hashable, bytes]:
        """:return: the metrics of those workers that have told them in time, as text."""
        answers = await self.asked("metrics", Request(b"GET", b"/metrics"))
        return {worker: octets_of(answer.body) or b"" for worker, answer in answers.items()
                if answer.status == 200}

    def _client(self, path: str) -> UpstreamClient:
        def connector() -> UNIXClientEndpoint:
            return UNIXClientEndpoint(self.reactor, path, timeout=_PART)

        return UpstreamClient(_PLACE, _OPTIONS, connector, self.reactor)


async def _whole(way: IResponder, request: Request) -> Response:
    response: Response = await way.respond(request)
    whole = await read_all(response.body, _LARGEST)
    return response.with_body(Octets(bytes(whole)))


def no_answer() -> Response:
    """:return: what is answered where no worker does."""
    return own_text(503, "no worker answers\n")


def no_document() -> Response:
    """:return: the same where a document is expected."""
    return own_json(503, {"error": "no worker answers"})


@implementer(IResponder)
@define(eq=False)
class AnyWorker:
    """
    Has one of the workers answer: all would say the same.

    :ivar listener: whose endpoints are asked for.
    """

    crew: Crew
    listener: str

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: the answer of the first worker that gives one; a 503 where none does.
        :raises RequestError: the request cannot be passed on, to any worker.
        """
        response = await _first_answer(self.crew.ways(self.listener), request)
        return response or no_answer()


@implementer(IResponder)
@define(eq=False)
class EachCache:
    """
    Has workers change all caches that there are: while a reload goes on, the workers before it and
    those after it may have others.

    :ivar listener: whose endpoints are asked for.
    :ivar none: what is answered where none does.
    """

    crew: Crew
    listener: str
    none: Callable[[], Response]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: that it is done, where it is everywhere; a 503 where no worker answers for some of
            the caches.
        :raises RequestError: the request cannot be passed on, to any worker.
        """
        groups = self.crew.ways_by_caches(self.listener)
        if len(groups) == 1:
            return await _first_answer(groups[0], request) or self.none()
        try:
            octets = await read_all(request.body, _LARGEST_ORDER)
        except BodyTooLarge as error:
            raise RequestTooLarge(f"more than {_LARGEST_ORDER} octets") from error
        whole = request.with_body(Octets(bytes(octets)))
        answers = await settled([
            Deferred.fromCoroutine(_first_answer(group, whole)) for group in groups])
        return self._of_all(groups, answers)

    def _of_all(self, groups: Sequence[Sequence[tuple[WorkerProcess, IResponder]]],
                answers: Sequence[Response | Failure | None]) -> Response:
        # What the last worker with a cache had is of no use to anyone any more.
        found = [answer for group, answer in zip(groups, answers, strict=True) if answer is not None
                 or any(worker.state is not State.GONE for worker, _ in group)]
        # What one of them does not have, such as a backend, is a matter of the others.
        worst = max(found, key=_badness, default=None)
        chosen = worst if worst is None or _badness(worst) > _UNKNOWN else min(found, key=_badness)
        for answer in found:
            if isinstance(answer, Response) and answer is not chosen:
                answer.body.close()
        if isinstance(chosen, Failure):
            chosen.raiseException()
        return chosen if isinstance(chosen, Response) else self.none()


# An answer by which something is done, one by which it cannot be, and one that is a failure.
_DONE, _UNKNOWN, _FAILED = range(3)


def _badness(answer: Response | Failure | None) -> int:
    if not isinstance(answer, Response) or answer.status >= 500:
        return _FAILED
    return _DONE if answer.status < 300 else _UNKNOWN


async def _first_answer(ways: Iterable[tuple[WorkerProcess, IResponder]], request: Request
                        ) -> Response | None:
    """:return: the answer of the first worker that gives one; None where none does."""
    for _, way in ways:
        try:
            response: Response = await way.respond(request)
        except (UpstreamError, Overloaded) as error:
            if not _may_ask_another(request, error):
                break
        else:
            return response
    await drain(request.body, 0)
    return None


def _may_ask_another(request: Request, error: RequestError) -> bool:
    # To one that cannot be reached nothing was sent; another may have done what it was told.
    return isinstance(error, (UpstreamUnreachable, Overloaded)) or (
        request.method in IDEMPOTENT and octets_of(request.body) is not None)


@implementer(IResponder)
@frozen
class Vetted:
    """
    Passes requests on without what browsers tell of the page that has asked.  The worker would
    refuse them, as it knows nothing of the host that the page is of.

    :ivar inner: comes after what looks at these fields.
    """

    inner: IResponder

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        See L{IResponder.respond}.

        :return: as the inner responder.
        """
        return self.inner.respond(request.with_headers(request.headers.excluding(_BROWSERS)))


@implementer(IResponder)
@define(eq=False)
class Merged:
    """
    Has all workers answer with a document, and makes one of them.

    :ivar listener: whose endpoints are asked for.
    :ivar merge: makes one document of those that have come, the first one first, and of how many
        have not.
    """

    crew: Crew
    listener: str
    merge: Callable[[Sequence[Any], int], Any]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :param request: a GET, or HEAD.
        :return: a 200 with the document; where it says what is wrong, the status that the workers
            give it; a 503 where none answers.
        """
        asked = Request(b"GET", request.target, request.headers.excluding(_BROWSERS),
                        authority=request.authority)
        count = len(self.crew.ways(self.listener))
        answers = (await self.crew.asked(self.listener, asked)).values()
        told = [(document, answer.status) for answer in answers
                if (document := _document(answer)) is not None]
        if not told:
            return no_document()
        merged = self.merge([document for document, _ in told], count - len(told))
        return own_json(told[0][1] if "error" in merged else 200, merged, indent=None)


def _document(answer: Response) -> Any:
    """:return: None where it is none: the process may be about to end."""
    try:
        return json.loads(octets_of(answer.body) or b"")
    except ValueError:
        return None


@implementer(IResponder)
@define
class Ready:
    """
    Answers 200 as long as requests are taken, then 503.

    :ivar is_draining: whether no more are.
    """

    crew: Crew
    is_draining: Callable[[], bool]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: a 200 where a worker serves; else, and from the moment at which the last requests
            are answered, a 503.
        """
        if self.is_draining():
            return own_text(503, "draining\n")
        if not self.crew.number:
            return own_text(503, "no worker serves\n")
        return own_text(200, "ready\n")
