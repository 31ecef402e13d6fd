"""One exchange with the origin for the object cache, from the request to the stored answer."""

from __future__ import annotations

from attrs import define, evolve, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.bodies import BodyTooLarge, read_all
from trickster.caching.asking import Question
from trickster.caching.documents import Document, aged, whole_part
from trickster.caching.fills import Fill, FillTable, Landed
from trickster.caching.objectoptions import Collapse, ObjectOptions
from trickster.caching.progressive import SharedBody
from trickster.caching.rfc9111 import (
    Policy,
    may_replace_error,
    not_storable,
    policy_of,
    vary_names,
)
from trickster.caching.selecting import selecting_values
from trickster.caching.shelf import Shelf
from trickster.caching.validation import still_selects, updated
from trickster.caching.wire import revised
from trickster.errors import Reason, RequestError, Undecodable, UpstreamBroke, UpstreamError
from trickster.interfaces import IResponder
from trickster.messages import (
    NO_HEADERS,
    Engine,
    Headers,
    Octets,
    Outcome,
    Request,
    Response,
    Status,
)


@frozen
class Errand:
    """
    What an exchange is for.

    :ivar slot: under which others find it.
    :ivar sent: the request for the origin.
    :ivar stored: what is known of the answer from before.
    :ivar reason: why what is stored does not do.
    """

    question: Question
    slot: str
    sent: Request
    stored: Document | None = None
    reason: Reason = Reason.KEY_MISS


@define
class Fetcher:
    """Asks the origin, tells a L{Fill} what comes of it, and stores what may be stored."""

    _inner: IResponder
    _clock: IReactorTime
    _shelf: Shelf
    _table: FillTable
    _options: ObjectOptions

    async def fetch(self, fill: Fill, errand: Errand) -> None:
        """
        :raises trickster.errors.RequestError: the origin gave no answer, and nothing stored
            may take its place.
        """
        sent = self._clock.seconds()
        try:
            response = await self._inner.respond(errand.sent)
        except RequestError as error:
            if self._lands_stale(fill, errand, error.reason):
                return
            raise
        if response.status >= 500 and self._lands_stale(
                fill, errand, Reason.ORIGIN_STATUS, response.status):
            response.body.close()
        elif response.status == 304:
            await self._not_modified(fill, errand, response, sent)
        else:
            await self._answered(fill, errand, response, sent)

    def _lands_stale(self, fill: Fill, errand: Errand, reason: Reason,
                     status: int | None = None) -> bool:
        """Use what is stored in the place of an error, if that is allowed (RFC 5861)."""
        stored = errand.stored
        if stored is None or not stored.is_whole or not may_replace_error(
                stored.policy, stored.age(self._clock.seconds()), self._options.stale_if_error):
            return False
        fill.land(Landed(stored, Outcome(
            Engine.OBJECT, Status.HIT, reason, "stale-if-error", origin_status=status)))
        return True

    async def _not_modified(self, fill: Fill, errand: Errand, response: Response,
                            sent: float) -> None:
        response.body.close()
        stored = errand.stored
        if stored is None:
            # The client's own condition: what it has is good, but nobody else is answered.
            head = self._head(errand, response, sent)
            outcome = self._outcome(Status.KEY_MISS, errand.reason, response)
            fill.land(Landed(head, outcome, first_hand=True))
        elif still_selects(stored.headers, response.headers):
            await self._freshened(fill, errand, stored, response, sent)
        else:
            # It speaks of a representation that nobody here has.
            again = errand.sent.headers.without(b"if-none-match", b"if-modified-since")
            await self._shelf.drop_one(errand.question.key, stored)
            await self.fetch(fill, evolve(errand, stored=None, reason=Reason.STALE,
                                          sent=_repeated(errand, again)))

    async def _freshened(self, fill: Fill, errand: Errand, stored: Document,
                         response: Response, sent: float) -> None:
        received = self._clock.seconds()
        headers = updated(stored.headers, response.headers)
        if b"date" not in response.headers:
            headers = headers.without(b"date")
        fresh = revised(aged(stored, headers, sent, received), self._options.rules)
        fresh = evolve(fresh, selecting=self._selecting(errand, fresh.headers))
        outcome = self._outcome(Status.REVALIDATED, Reason.REVALIDATED, response)
        reason = not_storable(errand.sent.headers, fresh.status, fresh.headers, fresh.policy)
        fill.land(Landed(fresh, evolve(outcome, stored=reason is None)))
        if reason is None:
            await self.keep(fill, errand, fresh)
        else:
            await self._shelf.drop_one(errand.question.key, stored)

    async def _answered(self, fill: Fill, errand: Errand, response: Response,
                        sent: float) -> None:
        head = self._head(errand, response, sent)
        reason = self._why_not_stored(errand, response, head.policy)
        if reason is None and self._is_transformed(response):
            await self._transform(fill, errand, response, head)
        elif reason is None:
            await self._stream(fill, errand, response, head)
        else:
            await self._release(fill, errand, response, reason)

    def _head(self, errand: Errand, response: Response, sent: float) -> Document:
        received = self._clock.seconds()
        policy = policy_of(response.status, response.headers, received, self._options.rules)
        head = Document(
            response.status, NO_HEADERS, (), response.body.length, policy, 0.0, received,
            self._selecting(errand, response.headers), response.phrase)
        return aged(head, response.headers, sent, received)

    def _selecting(self, errand: Errand, headers: Headers) -> tuple[
            tuple[bytes, bytes | None], ...]:
        names = self._options.identity
        if self._options.route.ttl is None:
            names = names | vary_names(headers) - {b"*"}
        return selecting_values(names, errand.question.request.headers)

    def _why_not_stored(self, errand: Errand, response: Response, policy: Policy
                        ) -> Reason | None:
        if response.status == 206:
            return Reason.STATUS_NOT_STORABLE
        options = self._options
        if options.route.ttl is not None:
            if not policy.forced:
                return Reason.ORIGIN_STATUS
            return Reason.SET_COOKIE if b"set-cookie" in response.headers else None
        return not_storable(errand.sent.headers, response.status, response.headers, policy)

    async def _release(self, fill: Fill, errand: Errand, response: Response,
                       reason: Reason) -> None:
        """Give an answer to the one who asked first, and let the others ask themselves."""
        until = self._clock.seconds() + self._options.pass_seconds
        self._table.pass_until(errand.slot, until)
        if errand.stored is not None and response.status < 500:
            # The origin has another answer now: the older one must not be used again.
            await self._shelf.drop_one(errand.question.key, errand.stored)
        status = Status.PROXY_ERROR if response.status >= 400 else Status.KEY_MISS
        fill.release(evolve(response, outcome=self._outcome(status, reason, response)))

    async def _stream(self, fill: Fill, errand: Errand, response: Response,
                      head: Document) -> None:
        """Pass an answer on as it comes, and store it when it is whole."""
        self._table.share_again(errand.slot)
        length = response.body.length
        fits = length is None or length <= self._options.max_object_size_bytes
        body = SharedBody(
            response.body, self._options.spread, overflowed=lambda: self._too_large(fill, errand),
            left=fill.check, in_haste=fill.is_waited_for)
        outcome = self._outcome(
            Status.KEY_MISS, errand.reason if fits else Reason.TOO_LARGE, response)
        outcome = evolve(outcome, stored=fits)
        fill.go_live(head, body, outcome, _is_first_hand(response))
        await body.pump()
        if body.is_kept:
            document = evolve(head, parts=whole_part(body.buffers()), length=body.size)
            fill.land(Landed(document, outcome, _is_first_hand(response)))
            await self.keep(fill, errand, document)

    def _too_large(self, fill: Fill, errand: Errand) -> None:
        fill.is_detached = False
        if self._options.collapse is Collapse.BASIC:
            until = self._clock.seconds() + self._options.pass_seconds
            self._table.pass_until(errand.slot, until)
            fill.release()

    def _is_transformed(self, response: Response) -> bool:
        return (self._options.route.transform is not None and response.status == 200
                and b"content-encoding" not in response.headers)

    async def _transform(self, fill: Fill, errand: Errand, response: Response,
                         head: Document) -> None:
        transform = self._options.route.transform
        assert transform is not None
        octets = bytes(await self._whole(response))
        outcome = self._outcome(Status.KEY_MISS, errand.reason, response)
        try:
            changed = transform(octets)
        except Undecodable as error:
            passed = evolve(response, body=Octets(octets))
            await self._release(fill, errand, passed, error.reason)
            return
        document = evolve(head, parts=whole_part((changed,) if changed else ()),
                          length=len(changed))
        fits = len(changed) <= self._options.max_object_size_bytes
        outcome = evolve(outcome, stored=fits)
        if not fits:
            outcome = evolve(outcome, reason=Reason.TOO_LARGE)
        fill.land(Landed(document, outcome, _is_first_hand(response)))
        if fits:
            await self.keep(fill, errand, document)

    async def _whole(self, response: Response) -> bytes | bytearray:
        expected = response.body.length
        try:
            octets = await read_all(response.body, self._options.max_capture_bytes)
        except BodyTooLarge as error:
            raise UpstreamError("too large to be changed as configured",
                                Reason.TOO_LARGE) from error
        if expected is not None and len(octets) != expected:
            raise UpstreamBroke(f"{len(octets)} octets of a body of {expected}")
        return octets

    async def keep(self, fill: Fill, errand: Errand, document: Document) -> None:
        """Store a document, unless it was outdated while it came."""
        if fill.may_be_kept:
            await self._shelf.keep(errand.question.key, document, self._ttl(document))

    def _ttl(self, document: Document) -> float:
        """How long a document is of use, in seconds from its arrival."""
        options, policy = self._options, document.policy
        uses = [policy.lifetime]
        if not policy.forced and (b"etag" in document.headers
                                  or b"last-modified" in document.headers):
            uses += [policy.lifetime * options.revalidation_factor, options.validation_ttl]
        if not policy.must_revalidate:
            swr, sie = policy.stale_while_revalidate, policy.stale_if_error
            uses.append(policy.lifetime + (options.stale_while_revalidate if swr is None else swr))
            uses.append(policy.lifetime + (options.stale_if_error if sie is None else sie))
        return min(max(uses), options.max_ttl) - (0.0 if policy.forced else document.initial_age)

    def _outcome(self, status: Status, reason: Reason, response: Response) -> Outcome:
        return Outcome(Engine.OBJECT, status, reason, origin_status=response.status)


def _repeated(errand: Errand, headers: Headers) -> Request:
    body = errand.question.body
    return evolve(errand.sent, headers=headers,
                  body=Octets() if body is None else Octets(bytes(body)))


def _is_first_hand(response: Response) -> bool:
    return b"age" not in response.headers
