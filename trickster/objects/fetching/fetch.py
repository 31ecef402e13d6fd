"""A fetch under way: the exchanges with the origin, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.bodies import BodyTooLarge
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.fills import Fill, Filled, FillTable
from trickster.collapsing.leases.board import MOST_RESULT
from trickster.collapsing.leases.failure import Failure
from trickster.collapsing.leases.lease import NO_LEASE, Unleased
from trickster.errors import Reason, UpstreamBroke, UpstreamError
from trickster.interfaces import IResponder
from trickster.messages import Engine, Outcome, Request, Response, Status, passed_status
from trickster.objects.codec import as_octets
from trickster.objects.options import Collapse
from trickster.objects.requests import Lookup
from trickster.objects.reuse import (
    FetchPlan,
    plan_anew,
    plan_missing,
    plan_whole,
    replaces_error,
)
from trickster.objects.storage_policy import StoragePolicy
from trickster.objects.stored_response import Arrival, StoredResponse
from trickster.objects.variant_store import VariantStore


@frozen
class Exchange:
    """
    A request that was sent, and what the origin answered.

    :ivar response: its body belongs to the holder of this.
    :ivar arrival: when it began to arrive.
    """

    sent: Request
    response: Response
    arrival: Arrival

    @property
    def is_first_hand(self) -> bool:
        """
        :return: whether the origin may have made the response for this very request: no cache on
            the way says otherwise, with an C{Age} (RFC 9111 section 5.1).
        """
        return b"age" not in self.response.headers


@define(eq=False)
class Exchanges:
    """
    Asks the origin.

    :ivar _wall: seconds since the epoch, for dates.
    :ivar _in_flight: bounds what bodies take that are needed whole.
    :ivar _most: octets of one of these.
    """

    _origin: IResponder
    _clock: IReactorTime
    _wall: Callable[[], float]
    _in_flight: ByteBudget
    _most: int

    async def made(self, request: Request) -> Exchange:
        """
        :param request: sent as it is.
        :return: the exchange, once its response begins to arrive.
        :raises trickster.errors.RequestError: the origin gives no answer.
        """
        sent_at = self._clock.seconds()
        response = await self._origin.respond(request)
        at = self._clock.seconds()
        arrival = Arrival(at, self._wall(), max(0.0, at - sent_at))
        return Exchange(request, response, arrival)

    async def whole(self, response: Response) -> bytes:
        """
        :return: the body of a response, whole.
        :raises UpstreamError: it is too large.
        :raises trickster.errors.Overloaded: there is no room for it.
        :raises UpstreamBroke: it is cut short.
        """
        expected = response.body.length
        try:
            octets = bytes(await self._in_flight.read_all(response.body, self._most))
        except BodyTooLarge as error:
            raise error.refusal(UpstreamError("too large to be changed as configured",
                                              Reason.TOO_LARGE)) from error
        if expected is not None and len(octets) != expected:
            raise UpstreamBroke(f"{len(octets)} octets of a body of {expected}")
        return octets


@frozen(eq=False)
class Storage:
    """
    Where the fetches of a path put what they bring.

    :ivar table: of the fetches on their way.
    :ivar backend: its name, by which purges know what is stored.
    """

    table: FillTable[StoredResponse]
    variants: VariantStore
    policy: StoragePolicy
    clock: IReactorTime
    backend: str = ""

    async def keep(self, lookup: Lookup, stored: StoredResponse) -> bool:
        """
        Store a response, unless it is of no use any more.

        :param lookup: under whose key.
        :param stored: replaces the one with the same selecting fields; kept for
            L{StoragePolicy.ttl}.
        :return: whether it is stored, as far as the store says.
        """
        route = self.policy.options.route
        label = lookup.label(self.backend, stored.headers, route.statement)
        labelled = evolve(stored, label=label, mark=lookup.mark)
        return await self.variants.keep(lookup.key, labelled, self.policy.ttl(stored))

    async def keep_freshened(self, lookup: Lookup, fresh: StoredResponse, stored: StoredResponse
                             ) -> bool:
        """
        Put a response in the place of an older one.

        :param fresh: the older one with new fields; if they say that it may not be stored, none
            is in its place.
        :param stored: the older one, as it was found.
        :return: whether it is stored, as far as the store says.
        """
        if self.policy.stays_storable(lookup, fresh):
            return await self.keep(lookup, fresh)
        await self.drop(lookup, stored, fresh.token)
        return False

    async def drop(self, lookup: Lookup, stored: StoredResponse, token: int = 0) -> None:
        """
        Forget one variant.

        :param stored: as in L{VariantStore.drop_one}, like C{token}.
        """
        await self.variants.drop_one(lookup.key, stored, token)


@frozen(eq=False)
class Fetch:
    """
    A fetch for one lookup, and perhaps for others that wait for the same.

    Its plan may change on the way (L{anew}, L{whole}, L{missing}).  It ends with one of
    L{serve_stale}, L{complete}, L{freshen} and L{release}; before the end a body may stream.

    :ivar fill: what others wait for.
    :ivar lease: under which it is, for all processes that share the store.
    """

    plan: FetchPlan
    fill: Fill[StoredResponse]
    _storage: Storage
    lease: Unleased = NO_LEASE

    @property
    def lookup(self) -> Lookup:
        """:return: of the request that it was begun for; others that wait have theirs."""
        return self.plan.lookup

    @property
    def now(self) -> float:
        """:return: seconds of the clock that ages are counted by, at this moment."""
        return self._storage.clock.seconds()

    # What else is asked of the origin.

    async def anew(self) -> Fetch:
        """:return: the fetch that goes on as if nothing were stored: what was is of no use."""
        if self.plan.stored is not None:
            await self._storage.drop(self.lookup, self.plan.stored, self.lease.token)
        return evolve(self, plan=plan_anew(self.plan, self._storage.policy.options))

    def whole(self) -> Fetch:
        """:return: the fetch that goes on for all of the response, and leaves what is stored."""
        return evolve(self, plan=plan_whole(self.plan, self._storage.policy.options))

    async def missing(self, stored: StoredResponse) -> Fetch:
        """
        :param stored: found to be still good, but not whole.
        :return: the fetch that goes on for what is missing of it.
        """
        plan = plan_missing(self.plan, stored, self.now, self._storage.policy.options)
        return await self.anew() if plan is None else evolve(self, plan=plan)

    # How it ends.

    def outcome(self, status: Status, response: Response, reason: Reason | None = None) -> Outcome:
        """
        :param reason: another one than that of the plan.
        :return: how an answer came about for which the origin gave a response.
        """
        return Outcome(Engine.OBJECT, status, self.plan.reason if reason is None else reason,
                       origin_status=response.status)

    def serve_stale(self, reason: Reason, status: int | None = None) -> bool:
        """
        End with what is stored, in the place of an error (RFC 5861).

        :param status: of the error, if the origin gave one.
        :return: whether that is allowed; if not, nothing has happened.
        """
        stored, options = self.plan.stored, self._storage.policy.options
        if stored is None or not replaces_error(stored, self.lookup, self.now, options):
            return False
        self.fill.complete(Filled(stored, Outcome(
            Engine.OBJECT, Status.HIT, Reason.STALE, "stale-if-error", origin_status=status,
            cause=reason)))
        self.lease.failed(Failure.of_status(reason, status))
        return True

    def share(self, stored: StoredResponse, outcome: Outcome, is_first_hand: bool = False) -> None:
        """
        Answer all who wait; to store the answer is up to the caller.

        :param stored: has every octet that the lookup wants, or is the 304 to its condition.
        :param is_first_hand: as in L{Filled}.
        """
        self.fill.complete(Filled(stored, outcome, is_first_hand))

    def share_unstored(self, stored: StoredResponse, outcome: Outcome, is_first_hand: bool) -> None:
        """
        End: answer all who wait, also in other processes, with what is not stored.

        :param stored: as in L{share}, like the others.
        """
        self.share(stored, outcome, is_first_hand)
        self._gave(stored, False)

    async def complete(self, stored: StoredResponse, outcome: Outcome, is_first_hand: bool
                       ) -> None:
        """
        End: answer all who wait, then store, unless the key was outdated on the way, or what was
        asked for later has been stored.

        :param stored: has every octet that the lookup wants; too large a one is not stored.
        :param outcome: is told here whether the response is stored.
        :param is_first_hand: as in L{Filled}.
        """
        policy = self._storage.policy
        fits = policy.fits(stored.held)
        is_stored = fits and policy.is_of_use(stored) and self.fill.turn.is_open
        outcome = evolve(outcome, stored=is_stored)
        if not fits:
            outcome = evolve(outcome, reason=Reason.TOO_LARGE)
        self.share(stored, outcome, is_first_hand)
        if fits and self.fill.turn.take():
            leased = self._leased(stored)
            self._gave(leased, await self._storage.keep(self.lookup, leased))
            self._storage.table.stored(self.lookup.key)
        self.lease.unshared()

    async def freshen(self, fresh: StoredResponse, outcome: Outcome) -> None:
        """
        End with a stored response that is still good (RFC 9111 section 4.3.4).

        :param fresh: the plan's stored response, with its fields brought up to date.
        :param outcome: as in L{complete}.
        """
        stored, policy = self.plan.stored, self._storage.policy
        assert stored is not None
        is_stored = (policy.stays_storable(self.lookup, fresh) and policy.is_of_use(fresh)
                     and self.fill.turn.is_open)
        self.share(fresh, evolve(outcome, stored=is_stored))
        if self.fill.turn.take():
            leased = self._leased(fresh)
            self._gave(leased, await self._storage.keep_freshened(self.lookup, leased, stored))
            self._storage.table.stored(self.lookup.key)
        self.lease.unshared()

    def _leased(self, stored: StoredResponse) -> StoredResponse:
        token = self.lease.token
        return evolve(stored, token=token) if token else stored

    def _gave(self, stored: StoredResponse, is_stored: bool) -> None:
        """Tell other processes what all who wait in this one have been given."""
        if is_stored:
            self.lease.stored()
        elif self.lease.is_told and stored.held <= MOST_RESULT:
            self.lease.given(as_octets(stored))

    async def release(self, response: Response, reason: Reason) -> None:
        """
        End: give an answer to the one who asked first, and let the others ask themselves.

        :param reason: why it is not stored.
        """
        self.stop_collecting()
        is_lasting = reason is not Reason.REQUEST_NO_STORE
        if is_lasting:
            self.mark_hit_for_pass(reason)
        plan = self.plan
        if plan.stored is not None and _outdates(plan.reason, response, reason):
            # The origin has another answer now: the older one must not be used again.
            await self._storage.drop(self.lookup, plan.stored, self.lease.token)
        self.lease.unshared(reason if is_lasting else None)
        status = passed_status(response.status) if response.status >= 400 else Status.KEY_MISS
        outcome = self.outcome(status, response, reason)
        self.fill.release(response.with_outcome(evolve(outcome, missed=plan.reason)))

    def outgrow(self, stream: Callable[[], None]) -> None:
        """
        The body is larger than may be stored: only those who read it as it comes get it.

        :param stream: begins to give it to them.
        """
        self.stop_collecting()
        self.fill.is_background = False
        if self.fill.body is None:
            stream()
        is_basic = self._storage.policy.options.collapse is Collapse.BASIC
        self.lease.unshared(Reason.TOO_LARGE if is_basic else None)
        if is_basic:
            self.mark_hit_for_pass(Reason.TOO_LARGE)
            self.fill.release()

    def stop_collecting(self) -> None:
        """What is not kept is a client's to read, for as long as it may last."""
        if self.plan.request.collecting is not None:
            self.plan.request.collecting.end()

    def mark_hit_for_pass(self, reason: Reason) -> None:
        """
        Have requests for the same not wait for one another for a while.

        :param reason: why this answer cannot be shared.
        """
        self._storage.table.hit_for_pass.mark(self.plan.slot, reason)

    def clear_hit_for_pass(self) -> None:
        """The answer can be shared after all."""
        self._storage.table.hit_for_pass.clear(self.plan.slot)


def _outdates(fetched_for: Reason, response: Response, reason: Reason) -> bool:
    """
    :param fetched_for: why the origin was asked.
    :param reason: why its answer is not stored.
    :return: whether what is stored must not be used any more because of it.
    """
    if fetched_for is not Reason.REQUEST_NO_CACHE:
        return response.status < 500
    # It is fresh still.  What the origin has against this request, or has for this client
    # alone, says nothing about it.
    return (response.status < 400 or response.status in (404, 410)) and (
        reason not in (Reason.SET_COOKIE, Reason.AUTHORIZATION))
