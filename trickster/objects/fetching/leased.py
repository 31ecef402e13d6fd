"""Fetches that one of the processes which share a store makes for all of them."""

from __future__ import annotations

from attrs import Factory, define, evolve, field
from cachetools import TTLCache

from trickster.collapsing.fills import Fill, Filled
from trickster.collapsing.leases.board import Claim, State
from trickster.collapsing.leases.failure import Failure
from trickster.collapsing.leases.lease import NO_LEASE, Lease
from trickster.collapsing.leases.leases import Alone, Ended, Leases, Wanted
from trickster.errors import Reason
from trickster.http.freshness import Use
from trickster.keys.cache_key import shared_key
from trickster.keys.selecting import matches
from trickster.messages import Engine, Outcome, Status
from trickster.objects.codec import Unreadable, from_octets
from trickster.objects.fetching.fetch import Fetch, Storage
from trickster.objects.fetching.fetcher import Fetcher
from trickster.objects.partial_responses import missing_spans
from trickster.objects.requests import Found, Lookup
from trickster.objects.reuse import FetchPlan, answers_waiter, plan_of, use_for
from trickster.objects.stored_response import StoredResponse

# Times that what another process has fetched turns out to be for other requests.
_MOST_TURNS = 8
# Keys that are remembered as changed; the one that was changed longest ago goes first.
_MOST_CHANGED = 10_000
# What is said of an answer that another process has fetched meanwhile.
_COLLAPSED = Outcome(Engine.OBJECT, Status.PROXY_HIT, Reason.COLLAPSED, "another-process")

_Fill = Fill[StoredResponse]


@define(eq=False)
class LeasedFetching:
    """
    Carries out fetches, each under a lease, or has another process carry them out.

    :ivar _leases: of the store; None where no other process shares it.
    :ivar _patience: seconds that a fetch waits for other processes.
    """

    _storage: Storage
    _fetcher: Fetcher
    _leases: Leases | None = None
    _patience: float = 60.0
    _changed: TTLCache[str, None] = field(init=False, default=Factory(
        lambda self: TTLCache(_MOST_CHANGED, self._patience, self._storage.clock.seconds),
        takes_self=True))

    def changed(self, key: str) -> None:
        """
        From now on, wait for no process that has begun earlier to fetch what has been changed.

        :param key: without a principal.
        """
        if self._leases is not None:
            self._changed[key] = None

    async def run(self, plan: FetchPlan, fill: _Fill) -> None:
        """
        Fetch what several requests wait for, maybe, while no other process does so.

        :param fill: is told what comes of it.
        :raises trickster.errors.RequestError: the origin gave no answer, and nothing stored may
            take its place.
        """
        until, known = self._storage.clock.seconds() + self._patience, 0
        for _ in range(_MOST_TURNS):
            turn = Alone.STORE if self._leases is None else await self._leases.turn(
                self._wanted(plan, until, known))
            if not isinstance(turn, Ended):
                await self._fetched(plan, fill, turn)
                return
            known = max(known, turn.claim.token)
            following = await self._after(turn, plan, fill)
            if following is None:
                return
            plan = following
        await self._fetched(plan, fill)

    async def run_alone(self, plan: FetchPlan, fill: _Fill) -> None:
        """
        Fetch for one request that waits for no other.

        :param fill: as for L{run}.
        :raises trickster.errors.RequestError: as L{run}.
        """
        if self._is_newer(plan.lookup):
            # What it brings is newer than what other processes fetch at present.
            await self.run(plan, fill)
        else:
            await self._fetched(plan, fill)

    async def _fetched(self, plan: FetchPlan, fill: _Fill, turn: Lease | Alone = Alone.PATIENCE
                       ) -> None:
        lease = turn if isinstance(turn, Lease) else NO_LEASE
        try:
            await self._fetcher.run(Fetch(plan, fill, self._storage, lease))
        except BaseException as error:
            lease.left(error)
            raise
        lease.left()

    def _wanted(self, plan: FetchPlan, until: float, known: int) -> Wanted:
        if plan.stored is not None:
            known = max(known, plan.stored.token)
        return Wanted(plan.slot, until, above=known, known=known,
                      is_newer=self._is_newer(plan.lookup))

    def _is_newer(self, lookup: Lookup) -> bool:
        """:return: whether what was asked for before this lookup came is of no use to it."""
        if b"no-store" in lookup.directives:
            return False
        return b"no-cache" in lookup.directives or (
            shared_key(lookup.key, lookup.request) in self._changed)

    # What another process has made of its fetch: each of these ends the fill, or gives what is to
    # be fetched.

    async def _after(self, ended: Ended, plan: FetchPlan, fill: _Fill) -> FetchPlan | None:
        claim = ended.claim
        if ended.is_known and claim.state is State.UNSHARED:
            await self._unshared(claim, plan, fill)
            return None
        if ended.is_known and claim.state is State.FAILED:
            return self._failed(claim, plan, fill)
        if ended.is_known and claim.state is State.GIVEN:
            await self._given(claim, plan, fill)
            return None
        return await self._stored(claim, plan, fill)

    async def _unshared(self, claim: Claim, plan: FetchPlan, fill: _Fill) -> None:
        reason = next((one for one in Reason if one.value.encode() == claim.result), None)
        if reason is None:
            await self._fetched(plan, fill)
            return
        self._storage.table.hit_for_pass.mark(plan.slot, reason)
        fill.release()

    def _failed(self, claim: Claim, plan: FetchPlan, fill: _Fill) -> FetchPlan | None:
        """:raises RequestError: what the other process had for an answer."""
        failure = Failure.decoded(claim.result)
        if failure is None:
            return plan
        error = failure.error
        status = failure.status or None if error is None else None
        if Fetch(plan, fill, self._storage).serve_stale(failure.reason, status):
            return None
        if error is None:
            return plan
        raise error

    async def _given(self, claim: Claim, plan: FetchPlan, fill: _Fill) -> None:
        lookup, options = plan.lookup, self._storage.policy.options
        try:
            given = from_octets(claim.result, options.freshness)
        except Unreadable:
            given = None
        if isinstance(given, StoredResponse) and matches(
                given.selecting, lookup.request.headers, given.headers, options.identity
                ) and answers_waiter(given, lookup, self._storage.clock.seconds()):
            fill.complete(Filled(given, _COLLAPSED))
        else:
            await self._fetched(plan, fill)

    async def _stored(self, claim: Claim, plan: FetchPlan, fill: _Fill) -> FetchPlan | None:
        lookup, storage = plan.lookup, self._storage
        found = await storage.variants.find(lookup.key, lookup.request.headers)
        stored = found.stored
        if stored is not None and self._answers(stored, claim, lookup):
            fill.complete(Filled(stored, _COLLAPSED))
            return None
        following = plan_of(evolve(lookup, mark=found.mark), found, storage.clock.seconds(),
                            storage.policy.options)
        if not _is_of(found, claim):
            return following
        # What it has brought has to be validated for each who asks: there is nothing to wait for.
        await self._fetched(following, fill)
        return None

    def _answers(self, stored: StoredResponse, claim: Claim, lookup: Lookup) -> bool:
        now, options = self._storage.clock.seconds(), self._storage.policy.options
        if missing_spans(stored, lookup.request, now, options.ranges):
            return False
        if use_for(stored, lookup, now, options) is Use.FRESH:
            return True
        return stored.token >= claim.token and answers_waiter(stored, lookup, now)


def _is_of(found: Found, claim: Claim) -> bool:
    return found.stored is not None and found.stored.token >= claim.token
