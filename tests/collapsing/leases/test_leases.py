"""Tests of L{trickster.collapsing.leases.leases}: which of several processes fetches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.collapsing.leases.board import Board, State
from trickster.collapsing.leases.lease import Lease
from trickster.collapsing.leases.leases import Alone, Ended, Leases, Turn, Wanted
from trickster.collapsing.leases.records import Records
from trickster.errors import Reason, StoreError
from trickster.keys.lease_key import lease_key
from trickster.stores.guard import guarded
from trickster.testing.doubles import PeekingStore, SharedStore

SECONDS, UNTIL = 3.0, 1000.0


@define(eq=False)
class Counting(SharedStore):
    """
    A store that counts.

    :ivar operations: by name.
    """

    operations: list[str] = field(factory=list)

    async def get(self, key: str) -> bytes | None:
        """Count, and get."""
        self.operations.append("get")
        return await super().get(key)

    async def replace(self, *args: Any) -> bool:
        """Count, and replace."""
        self.operations.append("replace")
        found = await SharedStore.get(self, args[0])
        if found != args[3]:
            return False
        await self.put(*args[:3])
        return True


class LeasesCase(SynchronousTestCase):
    """Processes that share a store."""

    def setUp(self) -> None:
        """None yet."""
        self.clock = Clock()
        self.store: Any = PeekingStore(self.clock)
        self.counted: list[str] = []

    def process(self, number: int = 0, wall: Callable[[], float] | None = None) -> Leases:
        """:return: the leases of one of them."""
        safe = guarded(self.store, "c", self.clock)
        return Leases(Records(safe, self.clock, SECONDS), self.clock, wall or self.clock.seconds,
                      lambda: number / 64, SECONDS, self.counted.append)

    def turn(self, leases: Leases, slot: str = "k", **wanted: Any) -> Deferred[Turn]:
        """:return: what becomes of a wish."""
        return Deferred.fromCoroutine(leases.turn(Wanted(slot, **{"until": UNTIL, **wanted})))

    def leased(self, turn: Deferred[Turn]) -> Lease:
        """:return: the lease that it is."""
        lease = self.successResultOf(turn)
        assert isinstance(lease, Lease), lease
        return lease

    def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps."""
        for _ in range(int(seconds / 0.02) + 1):
            self.clock.advance(0.02)


class TurnTests(LeasesCase):
    """Turns."""

    def test_costs(self) -> None:
        """Where no other process is at work, a fetch costs one change before it and one after."""
        self.store = Counting(self.clock)
        lease = self.leased(self.turn(self.process()))
        self.assertEqual(self.store.operations, ["replace"])
        lease.stored()
        self.assertEqual(self.store.operations, ["replace", "replace"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_ends(self) -> None:
        """Those who wait are told how a fetch ended, once."""
        ends: list[tuple[Callable[[Lease], None], State, bytes]] = [
            (lambda lease: lease.stored(), State.STORED, b""),
            (lambda lease: lease.unshared(), State.UNSHARED, b""),
            (lambda lease: lease.unshared(Reason.PRIVATE), State.UNSHARED, b"private"),
            (lambda lease: lease.given(b"octets"), State.GIVEN, b"octets"),
            (lambda lease: lease.given(bytes(1 << 17)), State.UNSHARED, b"")]
        for number, (end, state, result) in enumerate(ends):
            slot = f"k{number}"
            lease = self.leased(self.turn(self.process(1), slot))
            waiting = self.turn(self.process(2), slot)
            self.pass_time(1)
            self.assertNoResult(waiting)
            end(lease)
            lease.left(ValueError())
            self.assertFalse(lease.is_told)
            self.pass_time(0.1)
            ended = self.successResultOf(waiting)
            assert isinstance(ended, Ended)
            self.assertEqual((ended.is_known, ended.claim.state, ended.claim.result),
                             (True, state, result))

    def test_others(self) -> None:
        """What is apart from one another is fetched at the same time."""
        self.leased(self.turn(self.process(1), "k", spans=[(0, 5)]))
        self.leased(self.turn(self.process(2), "k", spans=[(6, 9)]))
        self.leased(self.turn(self.process(2), "other"))
        waiting = self.turn(self.process(3), "k", spans=[(5, 6)])
        self.pass_time(1)
        self.assertNoResult(waiting)

    def test_given_up(self) -> None:
        """Where a fetch is given up, those who wait look again."""
        lease = self.leased(self.turn(self.process(1)))
        waiting = self.turn(self.process(2))
        lease.left()
        self.pass_time(0.1)
        ended = self.successResultOf(waiting)
        assert isinstance(ended, Ended)
        self.assertFalse(ended.is_known)
        again = self.leased(self.turn(self.process(2)))
        self.assertGreater(again.token, lease.token)

    def test_stored_before(self) -> None:
        """What was stored under a token that is not known yet, is to be looked at first."""
        lease = self.leased(self.turn(self.process(1)))
        lease.stored()
        ended = self.successResultOf(self.turn(self.process(2)))
        assert isinstance(ended, Ended)
        self.assertEqual(ended.claim.token, lease.token)
        self.leased(self.turn(self.process(2), known=lease.token))

    def test_earlier_errors(self) -> None:
        """How earlier fetches have failed makes no difference."""
        for end in (lambda lease: lease.unshared(Reason.PRIVATE), lambda lease: lease.left()):
            end(self.leased(self.turn(self.process(1))))
        self.leased(self.turn(self.process(2)))

    def test_no_patience(self) -> None:
        """Who waits no longer, is alone."""
        self.leased(self.turn(self.process(1)))
        waiting = self.turn(self.process(2), until=self.clock.seconds() + 7)
        self.pass_time(6.9)
        self.assertNoResult(waiting)
        self.pass_time(0.2)
        self.assertIs(self.successResultOf(waiting), Alone.PATIENCE)

    def test_clock_behind(self) -> None:
        """A clock that is behind another one's makes no token smaller than what is known."""
        lease = self.leased(self.turn(self.process(1, lambda: 5e9)))
        lease.stored()
        again = self.leased(self.turn(self.process(2, lambda: 1.0), above=lease.token,
                                      known=lease.token))
        self.assertGreater(again.token, lease.token)
        self.pass_time(4 * SECONDS)
        again.stored()
        self.pass_time(4 * SECONDS)
        third = self.leased(self.turn(self.process(3, lambda: 1.0), above=again.token))
        self.assertGreater(third.token, again.token)

    def test_polls(self) -> None:
        """A store that does not tell at once is asked less and less often."""
        self.store = Counting(self.clock)
        self.leased(self.turn(self.process(1)))
        self.turn(self.process(2))
        self.store.operations.clear()
        for _ in range(900):
            self.clock.advance(0.001)
        self.assertLess(self.store.operations.count("get"), 16)

    def test_no_room(self) -> None:
        """What cannot be said is fetched without a lease."""
        turn = self.turn(self.process(), spans=[(0, 1 << 70)])
        self.assertIs(self.successResultOf(turn), Alone.STORE)
        self.assertEqual(self.counted, ["failed"])


class PausedClaims(PeekingStore):
    """A store whose changes of leases wait until the test says so, or fail."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.pause: Deferred[None] | None = None
        self.refuses = False

    __hash__ = object.__hash__

    async def replace(self, *args: Any) -> bool:
        """Wait, and replace."""
        if self.pause is not None:
            await self.pause
        if self.refuses:
            raise StoreError("full")
        return await super().replace(*args)


@define(eq=False)
class HangingClaims(SharedStore):
    """
    A store whose changes of leases hang.

    :ivar held: fire to have each of them go on.
    """

    held: list[Deferred[None]] = field(factory=list)
    hangs: bool = True

    async def replace(self, *args: Any) -> bool:
        """Hang, and replace."""
        if self.hangs:
            self.held.append(Deferred())
            await self.held[-1]
        return await super().replace(*args)


class LateTests(LeasesCase):
    """Claims that the store takes too late."""

    def test_late(self) -> None:
        """A claim of which nothing is heard in time is none, and is taken back once it is there."""
        self.store = PausedClaims(self.clock)
        self.store.pause = pause = Deferred[None]()
        turn = self.turn(self.process(1))
        self.pass_time(0.3)
        self.assertIs(self.successResultOf(turn), Alone.STORE)
        self.store.pause = None
        pause.callback(None)
        self.assertEqual(Board.decoded(self.store.entries[lease_key("k")][0]).claims, ())
        self.leased(self.turn(self.process(2)))

    def test_tried(self) -> None:
        """
        Nor is one that is made while it is tried whether a store works again, for which no request
        waits: this process does not wait for itself then.
        """
        self.store = HangingClaims(self.clock)
        process = self.process(1)
        self.turn(process, "k0")
        self.pass_time(4)  # it is left alone
        asked = len(self.store.held)
        self.pass_time(10)
        self.assertIs(self.successResultOf(self.turn(process)), Alone.STORE)
        self.assertEqual(len(self.store.held), asked + 1)
        self.store.hangs = False
        self.store.held[-1].callback(None)
        self.leased(self.turn(process))

    def test_cancelled(self) -> None:
        """Nor is one whose client has left."""
        self.store = PausedClaims(self.clock)
        self.store.pause = pause = Deferred[None]()
        turn = self.turn(self.process(1))
        turn.addErrback(lambda _: None)
        turn.cancel()
        self.store.pause = None
        pause.callback(None)
        self.assertEqual(Board.decoded(self.store.entries[lease_key("k")][0]).claims, ())

    def test_cancelled_waiting(self) -> None:
        """Who is cancelled while it waits for another process, waits for nothing any more."""
        self.leased(self.turn(self.process(1)))
        turn = self.turn(self.process(2))
        turn.addErrback(lambda _: None)
        calls = len(self.clock.getDelayedCalls())
        turn.cancel()
        self.assertEqual(len(self.clock.getDelayedCalls()), calls - 1)


class UntoldTests(LeasesCase):
    """Ends that the store does not take, such as one whose disk is full."""

    def setUp(self) -> None:
        """Have a lease."""
        super().setUp()
        self.store = PausedClaims(self.clock)
        self.one, self.other = self.process(1), self.process(2)
        self.lease = self.leased(self.turn(self.one))

    def end(self) -> None:
        """End the fetch, of which the store hears nothing."""
        self.store.refuses = True
        self.lease.stored()

    def test_own(self) -> None:
        """A request of the same process, which knows of the end, waits for nothing."""
        self.end()
        turn = self.turn(self.one)
        self.pass_time(0.1)
        self.assertIs(self.successResultOf(turn), Alone.STORE)
        self.store.refuses = False
        self.leased(self.turn(self.one))

    def test_others(self) -> None:
        """Other processes are told as soon as the store takes it."""
        waiting = self.turn(self.other)
        self.end()
        self.pass_time(SECONDS * 0.5)
        self.assertNoResult(waiting)
        self.store.refuses = False
        self.pass_time(SECONDS * 0.3)
        ended = self.successResultOf(waiting)
        assert isinstance(ended, Ended)
        self.assertEqual((ended.is_known, ended.claim.state), (True, State.STORED))

    def test_given_up(self) -> None:
        """No one is told any more of what the store has forgotten."""
        self.end()
        self.pass_time(SECONDS * 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.one.untold, set())

    def test_many(self) -> None:
        """There is a bound on how many ends are told again at a time."""
        leases = [self.leased(self.turn(self.one, f"k{number}")) for number in range(1_100)]
        self.store.refuses = True
        for lease in leases:
            lease.stored()
        self.assertEqual(len(self.one.untold), 1_000)


STEPS = st.lists(st.tuples(st.sampled_from(("ask", "end", "drop", "die", "time", "time")),
                           st.integers(0, 3), st.integers(0, 7)), max_size=30)


class ModelTests(LeasesCase):
    """Leases against a model."""

    @given(STEPS)
    @settings(max_examples=60, deadline=None)
    def test_one_holder(self, steps: list[tuple[str, int, int]]) -> None:
        """
        At any time one process holds what is wanted, but for those that have died; where one
        waits, one holds, or has died less than a lease ago; and tokens grow.
        """
        self.setUp()
        processes = [self.process(number) for number in range(4)]
        held: list[Lease] = []
        newest, waiting = 0, list[Deferred[Turn]]()
        died = -SECONDS
        for what, which, more in steps:
            if what == "ask":
                waiting.append(self.turn(processes[which], known=newest))
            elif what == "time":
                self.pass_time(more / 2)
            elif held:
                lease = held.pop()
                if what == "die":
                    died = self.clock.seconds()
                    assert lease._timer is not None
                    lease._timer.cancel()
                else:
                    (lease.stored if what == "end" else lease.left)()
            for turn in [turn for turn in waiting if turn.called]:
                waiting.remove(turn)
                got = self.successResultOf(turn)
                self.assertIsNot(got, Alone.STORE)
                if isinstance(got, Lease):
                    self.assertGreater(got.token, newest)
                    newest = got.token
                    held.append(got)
            self.assertLessEqual(len(held), 1)
        self.pass_time(SECONDS + 0.5)
        alive = bool(held) or any(turn.called for turn in waiting)
        self.assertTrue(alive or not waiting, died)
