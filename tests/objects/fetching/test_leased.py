"""Tests of L{trickster.objects.fetching.leased}: processes that share a store fetch once."""

from __future__ import annotations

from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.collapsing.fakespool import FakeSpool
from tests.objects.sharedworlds import SECONDS, Processes
from trickster.errors import (
    Overloaded,
    Reason,
    StoreError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from trickster.interfaces import ICompareAndSetStore
from trickster.objects.options import Collapse
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import BrokenOctetStore, PeekingStore, SharedStore, at_once

FRESH = {"Cache_Control": "max-age=60"}


class LeasedTests(SynchronousTestCase):
    """One process fetches, and the others wait for what it stores."""

    def setUp(self) -> None:
        """Two processes."""
        self.processes = Processes()
        self.one, self.two = self.processes.worlds

    def test_one_exchange(self) -> None:
        """Requests that come to several processes at the same time make one fetch."""
        for store in (SharedStore, None):
            processes = Processes(4, **({} if store is None else {"store": store}))
            clients = [world.ask() for world in processes.worlds for _ in range(5)]
            self.assertEqual(processes.asked, 1)
            processes.pass_time(1)
            processes.origin.answer(clients and processes.worlds[0].answer(**FRESH))
            processes.pass_time(0.2)
            self.assertEqual({client.octets for client in clients}, {b"hello"})
            self.assertEqual([client.result for client in clients],
                             ["kmiss"] + ["proxy-hit"] * 19)
            self.assertEqual({client.outcome.reason for client in clients[1:]},
                             {Reason.COLLAPSED})
            self.assertEqual(processes.asked, 1)
            self.assertEqual(sorted(processes.counted), ["taken"] + ["waited"] * 3)

    def test_nothing_is_left(self) -> None:
        """A while after a fetch nothing tells of it any more; hits leave nothing."""
        self.one.given(self.one.answer(**FRESH))
        self.one.ask()
        self.assertEqual(len(self.processes.leases), 1)
        self.processes.pass_time(SECONDS + 1)
        self.assertEqual(self.two.ask().result, "hit")
        self.assertEqual(self.processes.leases, [])
        self.assertEqual(self.processes.clock.getDelayedCalls(), [])

    def test_stored_meanwhile(self) -> None:
        """What another process has stored after it was looked for, is not fetched again."""
        processes = Processes(2, _SlowlyRead)
        one, two = processes.worlds
        processes.store.pause = Deferred()
        second = two.ask()
        late, processes.store.pause = processes.store.pause, None
        one.given(one.answer(**FRESH))
        self.assertEqual(one.ask().octets, b"hello")
        late.callback(None)
        self.assertEqual((second.octets, second.result, processes.asked),
                         (b"hello", "proxy-hit", 1))

    def test_stored_and_gone(self) -> None:
        """Where that is not there any more, it is fetched once more."""
        self.one.given(self.one.answer(**FRESH))
        self.one.ask()
        for key in [key for key in self.processes.store.entries
                    if key not in ("~purges", *self.processes.leases)]:
            del self.processes.store.entries[key]
        self.two.given(self.two.answer(body=b"again", **FRESH))
        self.assertEqual(self.two.ask().octets, b"again")

    def test_long_fetch(self) -> None:
        """A holder that is at work is waited for, however long a lease lasts."""
        self.one.ask()
        waiter = self.two.ask()
        self.processes.pass_time(6 * SECONDS)
        self.assertEqual(self.processes.asked, 1)
        self.processes.origin.answer(self.one.answer(**FRESH))
        self.processes.pass_time(0.2)
        self.assertEqual((waiter.octets, waiter.result), (b"hello", "proxy-hit"))

    def test_patience(self) -> None:
        """A fetch waits for others no longer than the origin may take; then it is one itself."""
        self.one.ask()
        waiter = self.two.ask()
        self.processes.pass_time(61)
        self.assertEqual(self.processes.asked, 2)
        self.processes.origin.answer(self.one.answer(body=b"mine", **FRESH), 1)
        self.assertEqual(waiter.octets, b"mine")

    def test_uncacheable(self) -> None:
        """What cannot be shared, each process fetches itself, as soon as that is known."""
        clients = [self.one.ask(), self.two.ask(), self.two.ask()]
        self.processes.origin.answer(self.one.answer(Cache_Control="no-store", body=b"first"))
        self.processes.pass_time(0.1)
        self.assertEqual(self.processes.asked, 3)
        for body in (b"second", b"third"):
            self.processes.origin.answer(self.one.answer(Cache_Control="no-store", body=body))
        self.assertEqual([one.octets for one in clients], [b"first", b"second", b"third"])
        # What is not shared a moment later either, is marked so.
        self.two.ask(), self.two.ask()
        self.assertEqual(self.processes.asked, 5)

    def test_too_large(self) -> None:
        """Others are told that a body is too large when it is, and not at its end."""
        processes = Processes(max_object_size_bytes=4)
        one, two = processes.worlds
        first, second = one.ask(), two.ask()
        body = PausedBody()
        processes.origin.answer(one.answer(body=body, **FRESH))
        body.feed(b"abcdef")
        processes.pass_time(0.1)
        self.assertEqual((processes.asked, first.octets), (2, b"abcdef"))
        self.assertIsNone(second.response)

    def test_progressive(self) -> None:
        """Clients of the process that fetches read as it comes, those of others at its end."""
        processes = Processes(collapse=Collapse.PROGRESSIVE, spool=FakeSpool)
        one, two = processes.worlds
        clients = [one.ask(), one.ask(), two.ask()]
        body = PausedBody()
        processes.origin.answer(one.answer(body=body, **FRESH))
        body.feed(b"abc")
        processes.pass_time(0.1)
        self.assertEqual([client.octets for client in clients], [b"abc", b"abc", b""])
        body.feed(b"d")
        body.feed(b"")
        processes.pass_time(0.1)
        self.assertEqual({client.octets for client in clients}, {b"abcd"})
        self.assertEqual(processes.asked, 1)

    def test_error(self) -> None:
        """Those who wait get the error that the other process had for an answer."""
        clients = [self.one.ask(), self.two.ask(), self.two.ask()]
        self.processes.origin.answer(UpstreamTimeout("too late", retry_after=2.0))
        self.processes.pass_time(0.1)
        for client in clients:
            assert isinstance(client.error, UpstreamTimeout)
            self.assertEqual((client.error.detail, client.error.status, client.error.retry_after),
                             ("too late", 504, 2.0))
        self.assertEqual(self.processes.asked, 1)

    def test_our_own_error(self) -> None:
        """What only one process has no room for, another one fetches."""
        first, second = self.one.ask(), self.two.ask()
        self.processes.origin.answer(Overloaded("no room"))
        self.processes.pass_time(0.1)
        self.assertIsInstance(first.error, Overloaded)
        self.processes.origin.answer(self.one.answer(**FRESH))
        self.assertEqual((second.octets, self.processes.asked), (b"hello", 2))

    def test_stale_instead_of_an_error(self) -> None:
        """Where a stored response takes the place of an error, it does so for those who wait."""
        said = {"Cache_Control": "max-age=5, stale-if-error=600"}
        for failure, cause in ((UpstreamUnreachable("gone"), Reason.ORIGIN_UNREACHABLE),
                               (self.one.answer(503), Reason.ORIGIN_STATUS)):
            processes = Processes()
            one, two = processes.worlds
            one.given(one.answer(**said))
            one.ask()
            processes.pass_time(10)
            clients = [one.ask(), two.ask()]
            self.assertEqual(processes.asked, 2)
            processes.origin.answer(failure)
            processes.pass_time(0.1)
            self.assertEqual([client.octets for client in clients], [b"hello"] * 2)
            self.assertEqual([client.outcome.cause for client in clients], [cause] * 2)
            self.assertEqual(processes.asked, 2)

    def test_revalidated(self) -> None:
        """A stored response that is still good is freshened once for all."""
        self.one.given(self.one.answer(ETag='"a"', **FRESH))
        self.one.ask()
        self.processes.pass_time(61)
        clients = [self.one.ask(), self.two.ask()]
        self.processes.origin.answer(self.one.answer(304, b"", ETag='"a"', **FRESH))
        self.processes.pass_time(0.1)
        self.assertEqual([client.octets for client in clients], [b"hello"] * 2)
        self.assertEqual([client.result for client in clients], ["rhit", "proxy-hit"])
        self.assertEqual(self.processes.asked, 2)

    def test_of_no_use_in_the_store(self) -> None:
        """What all may have, but is not worth storing, goes to those who wait as well."""
        clients = [self.one.ask(), self.two.ask()]
        self.processes.origin.answer(self.one.answer(
            Cache_Control="max-age=5, must-revalidate", Age="5", body=b"brief"))
        self.processes.pass_time(0.1)
        self.assertEqual([client.octets for client in clients], [b"brief"] * 2)
        self.assertEqual(self.processes.asked, 1)

    def test_validated_by_each(self) -> None:
        """What has to be validated for each who asks is so at once, by all processes."""
        processes = Processes(3)
        clients = [world.ask() for world in processes.worlds]
        processes.origin.answer(processes.worlds[0].answer(
            Cache_Control="no-cache", ETag='"a"', body=b"x"))
        processes.pass_time(0.1)
        self.assertEqual(len(processes.origin.waiting), 2)
        for _ in range(2):
            processes.origin.answer(processes.worlds[0].answer(
                304, b"", Cache_Control="no-cache", ETag='"a"'))
        self.assertEqual([client.octets for client in clients], [b"x"] * 3)

    def test_other_variant(self) -> None:
        """Where what came is for other requests, those who wait fetch theirs."""
        clients = [self.one.ask(Accept="a"), self.two.ask(Accept="b"), self.two.ask(Accept="a")]
        self.processes.origin.answer(self.one.answer(Vary="Accept", body=b"a", **FRESH))
        self.processes.pass_time(0.1)
        self.assertEqual(self.processes.asked, 2)
        self.processes.origin.answer(self.one.answer(Vary="Accept", body=b"b", **FRESH))
        self.processes.pass_time(0.1)
        self.assertEqual([client.octets for client in clients], [b"a", b"b", b"a"])
        self.assertEqual(self.processes.asked, 2)


class TakenOverTests(SynchronousTestCase):
    """A process that is not heard of costs others no more than the lease."""

    def setUp(self) -> None:
        """Three processes, of which one has stopped while it was fetching."""
        self.processes = Processes(3)
        self.one, self.two, self.three = self.processes.worlds
        self.first = self.one.ask()
        # What it would do next, it does not.
        self.stopped = self.processes.clock.getDelayedCalls()
        for call in self.stopped:
            call.reset(10_000)

    def test_taken_over_once(self) -> None:
        """After the lease one of those who wait fetches, and the others wait for that."""
        clients = [self.two.ask(), self.three.ask()]
        self.processes.pass_time(SECONDS - 0.1)
        self.assertEqual(self.processes.asked, 1)
        self.processes.pass_time(0.3)
        self.assertEqual(self.processes.asked, 2)
        self.processes.origin.answer(self.one.answer(body=b"two", **FRESH), 1)
        self.processes.pass_time(0.2)
        self.assertEqual([client.octets for client in clients], [b"two"] * 2)
        self.assertIn("taken-over", self.processes.counted)
        self.assertEqual(self.processes.asked, 2)

    def test_late_result(self) -> None:
        """What a process brings whose lease was taken over does not replace what is newer."""
        second = self.two.ask()
        self.processes.pass_time(SECONDS + 0.2)
        self.processes.origin.answer(self.one.answer(body=b"newer", **FRESH), 1)
        self.processes.pass_time(0.2)
        self.processes.origin.answer(self.one.answer(body=b"older", **FRESH))
        self.assertEqual((self.first.octets, second.octets), (b"older", b"newer"))
        for world in self.processes.worlds:
            self.assertEqual(world.ask().octets, b"newer")

    def test_late_result_of_a_variant(self) -> None:
        """That is so for each variant, too."""
        said = {"Vary": "Accept", **FRESH}
        processes = Processes(2)
        one, two = processes.worlds
        for accept in ("x", "y"):
            one.given(one.answer(body=accept.encode(), **said))
            one.ask(Accept=accept)
        processes.pass_time(61)
        late = one.ask(Accept="x")
        for call in processes.clock.getDelayedCalls():
            call.reset(10_000)
        two.ask(Accept="x")
        processes.pass_time(SECONDS + 0.2)
        processes.origin.answer(one.answer(body=b"newer", **said), 1)
        processes.pass_time(0.2)
        processes.origin.answer(one.answer(body=b"older", **said))
        self.assertEqual(late.octets, b"older")
        self.assertEqual([world.ask(Accept="x").octets for world in processes.worlds],
                         [b"newer"] * 2)

    def test_late_loss(self) -> None:
        """Nor does it remove what is newer, where the origin has nothing for it."""
        self.two.ask()
        self.processes.pass_time(SECONDS + 0.2)
        self.processes.origin.answer(self.one.answer(body=b"newer", **FRESH), 1)
        self.processes.pass_time(0.2)
        self.processes.origin.answer(self.one.answer(404, b"", Cache_Control="no-store"))
        self.assertEqual(self.three.ask().octets, b"newer")

    def test_late_beat(self) -> None:
        """A process that goes on learns that it has lost its lease, and tells no more of it."""
        self.two.ask()
        self.processes.pass_time(SECONDS + 0.2)
        for call in self.stopped:
            call.reset(0.001)
        self.processes.pass_time(0.1)
        self.assertIn("lost", self.processes.counted)
        self.processes.origin.answer(self.one.answer(body=b"older", **FRESH))
        self.processes.pass_time(SECONDS)
        third = self.three.ask()
        self.assertEqual(third.octets, b"older")


class LeavingTests(SynchronousTestCase):
    """Clients leave, and caches change, while processes wait for one another."""

    def setUp(self) -> None:
        """Two processes."""
        self.processes = Processes()
        self.one, self.two = self.processes.worlds

    def test_clients_of_the_holder_leave(self) -> None:
        """Where the last client of a fetch leaves, another process fetches at once."""
        first, second = self.one.ask(), self.two.ask()
        first.leave()
        self.processes.pass_time(0.1)
        self.assertEqual(self.processes.asked, 2)
        self.processes.origin.answer(self.one.answer(**FRESH))
        self.assertEqual(second.octets, b"hello")

    def test_clients_that_wait_leave(self) -> None:
        """Where the last client leaves that waits for another process, nothing goes on."""
        first, second = self.one.ask(), self.two.ask()
        self.processes.pass_time(0.1)
        second.leave()
        self.assertEqual(self.two.fetches, 0)
        self.processes.origin.answer(self.one.answer(**FRESH))
        self.assertEqual(first.octets, b"hello")
        self.assertEqual(self.processes.clock.getDelayedCalls(), [])

    def test_asks_for_no_cache(self) -> None:
        """A request that wants a new answer waits for none that was asked for earlier."""
        first, second = self.one.ask(), self.two.ask(Cache_Control="no-cache")
        self.assertEqual(self.processes.asked, 2)
        self.processes.origin.answer(self.one.answer(body=b"newer", **FRESH), 1)
        self.processes.origin.answer(self.one.answer(body=b"older", **FRESH))
        self.assertEqual((first.octets, second.octets), (b"older", b"newer"))
        self.assertEqual([world.ask().octets for world in self.processes.worlds], [b"newer"] * 2)

    def test_many_that_ask_for_no_cache(self) -> None:
        """They do not keep those waiting who wait for an earlier fetch."""
        self.one.ask()
        waiter = self.two.ask()
        for _ in range(5):
            self.one.ask(Cache_Control="no-cache")
        self.processes.pass_time(0.1)
        self.processes.origin.answer(self.one.answer(**FRESH))
        self.processes.pass_time(0.1)
        self.assertEqual(waiter.octets, b"hello")

    def test_changed_by_a_client(self) -> None:
        """What a process was told to be invalid, its clients get from no earlier fetch."""
        self.one.ask()
        self.two.given(self.two.answer(204, b""))
        self.two.ask(method=b"POST")
        after = self.two.ask()
        self.assertEqual(self.processes.asked, 3)
        self.processes.origin.answer(self.one.answer(body=b"after", **FRESH), 1)
        self.processes.origin.answer(self.one.answer(body=b"before", **FRESH))
        self.assertEqual(after.octets, b"after")
        self.assertEqual([world.ask().octets for world in self.processes.worlds], [b"after"] * 2)

    def test_clock_that_was_far_ahead(self) -> None:
        """What was stored while a clock was ahead is replaced when it is right again."""
        leases = self.one.runtime and self.one.runtime.leases
        assert leases is not None
        leases._wall = lambda: self.processes.clock.seconds() + 10**9
        self.one.given(self.one.answer(body=b"old", **FRESH))
        self.one.ask()
        self.processes.pass_time(61)
        self.two.given(self.two.answer(body=b"new", **FRESH))
        self.assertEqual(self.two.ask().octets, b"new")
        self.assertEqual(self.one.ask().octets, b"new")

    def test_background(self) -> None:
        """A stale response is refreshed by one process, and no client waits."""
        said = {"Cache_Control": "max-age=5, stale-while-revalidate=600"}
        self.one.given(self.one.answer(**said))
        self.one.ask()
        self.processes.pass_time(10)
        clients = [world.ask() for world in self.processes.worlds for _ in range(3)]
        self.assertEqual([client.octets for client in clients], [b"hello"] * 6)
        self.assertEqual(self.processes.asked, 2)
        self.processes.origin.answer(self.one.answer(body=b"new", **said))
        self.processes.pass_time(0.1)
        self.assertEqual([world.ask().octets for world in self.processes.worlds], [b"new"] * 2)
        self.assertEqual((self.processes.asked, self.two.fetches), (2, 0))


class StoreTests(SynchronousTestCase):
    """Without a store that works, each process collapses by itself."""

    def collapsed_locally(self, processes: Processes) -> None:
        """Check that each process fetches once."""
        clients = [world.ask() for world in processes.worlds for _ in range(3)]
        processes.pass_time(1)
        self.assertEqual(processes.asked, 2)
        for _ in range(2):
            processes.origin.answer(processes.worlds[0].answer(**FRESH))
        self.assertEqual([client.octets for client in clients], [b"hello"] * 6)
        self.assertIn("failed", processes.counted)

    def test_store_that_fails(self) -> None:
        """Where the store fails, no process waits for another one."""
        self.collapsed_locally(Processes(2, lambda clock: _BrokenStore()))

    def test_store_that_fails_to_write(self) -> None:
        """So it is where the store can be read and takes nothing."""
        self.collapsed_locally(Processes(2, _ReadOnlyStore))

    def test_store_that_hangs_writing(self) -> None:
        """A store that does not answer a claim costs a quarter of a second."""
        processes = Processes(2, _HangingStore)
        processes.worlds[0].ask()
        self.assertEqual(processes.asked, 0)
        processes.pass_time(0.25)
        self.assertEqual(processes.asked, 1)

    def test_store_that_fails_meanwhile(self) -> None:
        """Who waits for another process when the store fails, fetches itself."""
        processes = Processes(2)
        clients = [world.ask() for world in processes.worlds]
        processes.store.entries = _Lost()
        processes.pass_time(0.1)
        self.assertEqual(processes.asked, 2)
        for _ in range(2):
            processes.origin.answer(processes.worlds[0].answer(**FRESH))
        self.assertEqual([client.octets for client in clients], [b"hello"] * 2)

    def test_forgotten_lease(self) -> None:
        """Where what tells of a fetch is lost, at most one more process fetches."""
        processes = Processes(3)
        clients = [world.ask() for world in processes.worlds]
        for key in processes.leases:
            del processes.store.entries[key]
        processes.pass_time(0.1)
        self.assertEqual(processes.asked, 2)
        for body in (b"b", b"a"):
            processes.origin.answer(processes.worlds[0].answer(body=body, **FRESH))
        processes.pass_time(0.1)
        self.assertLessEqual({client.octets for client in clients}, {b"a", b"b"})
        self.assertEqual(processes.asked, 2)

    def test_foreign_octets(self) -> None:
        """What is not ours where a lease belongs is none."""
        processes = Processes(2)
        key = processes.worlds[0].ask() and processes.leases[0]
        processes.store.entries[key] = (b"anything", processes.clock.seconds() + 1000)
        processes.worlds[1].ask()
        self.assertEqual(processes.asked, 2)

    def test_no_leases(self) -> None:
        """Leases are no entries: they are neither counted nor purged as such."""
        processes = Processes(1)
        world = processes.worlds[0]
        world.ask()
        world.given(world.answer(204, b""))
        self.assertEqual(len(processes.leases), 1)
        entries = world.cache._storage.variants
        self.assertEqual(at_once(entries.purge("")), 1)  # what is kept of purges
        self.assertEqual(len(processes.leases), 1)


@implementer(ICompareAndSetStore)
class _BrokenStore(BrokenOctetStore):
    async def replace(self, *_: object) -> bool:
        self._fail("replace")
        return False


class _ReadOnlyStore(PeekingStore):
    async def replace(self, *_: object) -> bool:
        raise StoreError("read only")

    async def put(self, *_: object) -> None:
        raise StoreError("read only")


class _HangingStore(PeekingStore):
    async def replace(self, key: str, *rest: Any) -> bool:
        if key.endswith("~lease"):
            await Deferred()
        return await super().replace(key, *rest)


@define(eq=False)
class _SlowlyRead(PeekingStore):
    """
    :ivar pause: what comes of the next reads of entries waits for this.
    """

    pause: Deferred[None] | None = None

    async def get(self, key: str) -> bytes | None:
        found, pause = await super().get(key), self.pause
        if pause is not None and "opc" in key and not key.endswith("~lease"):
            await pause
        return found


class _Lost(dict[str, Any]):
    def get(self, *_: object) -> Any:
        raise StoreError("gone")
