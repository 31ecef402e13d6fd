"""Tests of C{trickster.stores.redis.cluster.cluster}."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.cluster.clustered import (
    A,
    B,
    C,
    D,
    FakeServers,
    is_slots,
    key_in,
)
from trickster.errors import StoreError
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.cluster import Cluster
from trickster.stores.redis.cluster.peers import Peers
from trickster.stores.redis.cluster.slot_map import SlotMap
from trickster.stores.redis.commands import Commands
from trickster.stores.redis.errors import ErrorReply, NoAnswer
from trickster.testing.runtime import FakeRuntime

# Of slots 0, 8000 and 16000.
LOW, MIDDLE, HIGH = (key_in(slot) for slot in (0, 8000, 16000))
THIRDS = ((0, 5000, [A]), (5001, 10000, [B]), (10001, 16383, [C]))


class ClusterCase(SynchronousTestCase):
    """A cluster of three servers, each with a third of the slots."""

    def setUp(self) -> None:
        """Have the servers, and nothing started."""
        self.servers, self.runtime = FakeServers(), FakeRuntime()
        self.servers.own(*THIRDS)
        self.moved: list[frozenset[int]] = []
        peers = Peers(self.servers.make)
        slots = SlotMap(peers, (A, B), self.runtime, on_moved=self.moved.append)
        self.cluster = Cluster(peers, slots, self.runtime)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.cluster.stop()))

    def started(self) -> Cluster:
        """:return: the cluster, which knows the map."""
        self.cluster.start()
        self.moved.clear()
        for server in self.servers.servers.values():
            server.commands.clear()
        return self.cluster

    def asked(self, *command: Any) -> Deferred[Any]:
        """:return: the reply to a command, by way of the cluster."""
        return _deferred(executed(self.cluster, *command))

    def got(self, *command: Any) -> Any:
        """:return: the reply, which is there at once."""
        return self.successResultOf(self.asked(*command))

    def failed(self, *command: Any) -> StoreError:
        """:return: what a command fails with, at once."""
        failure = self.failureResultOf(self.asked(*command), StoreError)
        assert isinstance(failure.value, StoreError)
        return failure.value

    def commands(self, address: Address) -> list[tuple[Any, ...]]:
        """:return: those about keys that a server has got."""
        return [one for one in self.servers[address].commands if not is_slots(one)]


async def executed(cluster: Cluster, *command: Any) -> Any:
    """:return: the reply to a command about a key, by way of a cluster."""
    async def ask(server: Commands) -> Any:
        return await server.execute(*command)

    return await cluster.at(command[1], ask)


def _deferred(work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
    return Deferred.fromCoroutine(work)


class ExecuteTests(ClusterCase):
    """Where commands go."""

    def test_owners(self) -> None:
        """A command goes to the master of its key's slot, and to no other server."""
        self.started()
        for key in (LOW, MIDDLE, HIGH):
            self.assertEqual(self.got(b"SET", key, b"1"), b"OK")
        self.assertEqual([list(self.servers[address].values) for address in (A, B, C)],
                         [[LOW], [MIDDLE], [HIGH]])
        self.assertEqual(self.servers.asked(is_slots), [])

    def test_before_map(self) -> None:
        """What is asked before the map is known waits for it; the map is asked for once."""
        self.servers[A].held = []
        self.cluster.start()
        waiting = [self.asked(b"GET", key) for key in (LOW, HIGH)]
        for one in waiting:
            self.assertNoResult(one)
        self.servers[A].let_go()
        self.assertEqual([self.successResultOf(one) for one in waiting], [None, None])
        self.assertEqual(self.servers.asked(is_slots), [A])

    def test_no_map(self) -> None:
        """While no server tells the map, commands fail at once, and say why; later they work."""
        for address in (A, B, C):
            self.servers[address].failure = NoAnswer("is away")
        self.cluster.start()
        self.assertIn("10.0.0.1:7002: is away", str(self.failed(b"GET", LOW)))
        self.servers[B].failure, self.servers[A].held = None, []
        self.runtime.clock.advance(1.0)
        self.assertIn("is away", str(self.failed(b"GET", LOW)))
        self.runtime.clock.advance(1.5)
        self.assertIsNone(self.got(b"GET", MIDDLE))

    def test_lying_seed(self) -> None:
        """A server that says what cannot be so is passed over for another."""
        self.servers[A].slots_answer = [[0, 20000, [b"h", 1]]]
        self.started()
        self.assertIsNone(self.got(b"GET", LOW))

    def test_silent_seed(self) -> None:
        """A server that does not answer is waited for a little, and then another is asked."""
        self.servers[A].held = []
        self.cluster.start()
        asked = self.asked(b"GET", MIDDLE)
        self.runtime.clock.advance(1.4)
        self.assertNoResult(asked)
        self.runtime.clock.advance(0.2)
        self.assertIsNone(self.successResultOf(asked))

    def test_other_error(self) -> None:
        """Errors that are about the command are for the one who gave it."""
        self.started()
        self.servers[A].errors = ["WRONGTYPE Operation against a key"]
        error = self.failed(b"GET", LOW)
        assert isinstance(error, ErrorReply)
        self.assertEqual(error.code, "WRONGTYPE")
        self.assertEqual(len(self.commands(A)), 1)

    def test_cancelled(self) -> None:
        """A command can be cancelled wherever it is: the cluster goes on."""
        self.started()
        self.servers[A].held = []
        self.servers[B].errors = ["TRYAGAIN x"]
        for key in (LOW, MIDDLE):
            asked = self.asked(b"GET", key)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
        self.servers[A].let_go()
        self.assertIsNone(self.got(b"GET", LOW))

    def test_stopped(self) -> None:
        """Once it is stopped, there are no connections, and what is asked fails."""
        self.started()
        self.successResultOf(_deferred(self.cluster.stop()))
        self.assertEqual(self.servers.open_to(), [])
        self.assertIn("not running", str(self.failed(b"GET", LOW)))
        self.runtime.clock.advance(1000.0)
        self.assertEqual(self.runtime.clock.getDelayedCalls(), [])

    def test_stopped_while_asking(self) -> None:
        """What waits for the map when the cluster is stopped is told so."""
        self.servers[A].held = []
        self.cluster.start()
        asked = self.asked(b"GET", LOW)
        _deferred(self.cluster.stop())
        self.assertIn("not running",
                      str(self.failureResultOf(asked, StoreError).value))


class MovedTests(ClusterCase):
    """Slots that have moved."""

    def move(self, slot: int, address: Address) -> None:
        """Have a slot moved, with its keys, as all servers know."""
        owners = [(start, end, [address] if start == end == slot else nodes)
                  for one, last, nodes in self.servers[A].owners
                  for start, end in ((one, slot - 1), (slot, slot), (slot + 1, last))
                  if one <= slot <= last and start <= end] + [
                      row for row in self.servers[A].owners if not row[0] <= slot <= row[1]]
        before = next(nodes[0] for start, end, nodes in self.servers[A].owners
                      if start <= slot <= end)
        self.servers[address].values.update(self.servers[before].values)
        self.servers[before].values.clear()
        self.servers.own(*owners)
        self.servers[address].failure = None

    def test_followed(self) -> None:
        """MOVED is followed; from then on the slot is looked for where it is."""
        self.started()
        self.got(b"SET", LOW, b"1")
        self.move(0, B)
        self.assertEqual([self.got(b"GET", LOW) for _ in range(3)], [b"1"] * 3)
        self.assertEqual((len(self.commands(A)), len(self.commands(B))), (2, 3))
        self.assertEqual(self.moved, [{0}])

    def test_map_asked_once(self) -> None:
        """However many slots have moved, the map is asked for once, soon, and not again at once."""
        self.started()
        self.servers.own((0, 16383, [D]))
        self.servers[C].held = []
        for key in (LOW, MIDDLE):
            self.assertIsNone(self.got(b"GET", key))
        self.assertEqual(self.servers.asked(is_slots), [])
        self.runtime.clock.advance(1.0)
        self.assertEqual(len(self.servers.asked(is_slots)), 1)
        self.assertIsNone(self.got(b"GET", HIGH))
        self.assertEqual(self.commands(C), [])

    def test_no_longer_named(self) -> None:
        """A server that the cluster names no more is closed, once nothing is under way there."""
        self.started()
        for key in (LOW, MIDDLE, HIGH):
            self.got(b"GET", key)
        self.servers[C].held = []
        late = self.asked(b"GET", HIGH)
        self.servers.own((0, 16383, [A]))
        self.got(b"GET", MIDDLE)
        self.runtime.clock.advance(1.0)
        self.assertEqual(self.servers.open_to(), [A, C])
        self.servers[C].let_go()
        self.assertIsNone(self.successResultOf(late))
        self.assertEqual(self.servers.open_to(), [A])

    def test_elsewhere(self) -> None:
        """A server that tells of another slot than was asked for is not believed."""
        self.started()
        self.servers[A].errors = ["MOVED 1 10.0.0.1:7002"]
        self.assertIn("not asked for", str(self.failed(b"GET", LOW)))
        self.assertEqual(self.moved, [])

    def test_to_and_fro(self) -> None:
        """Servers that send to each other are followed five times, and no further."""
        self.started()
        self.servers[A].errors = ["MOVED 0 10.0.0.1:7002"] * 9
        self.servers[B].errors = ["ASK 0 10.0.0.1:7001"] * 9
        self.assertIn("send to each other", str(self.failed(b"GET", LOW)))
        self.assertEqual(len(self.commands(A)) + len(self.commands(B)), 6)

    def test_nowhere(self) -> None:
        """A redirection that cannot be is a failure, as is one to a server that is not there."""
        self.started()
        self.servers[A].errors = ["MOVED 0 10.0.0.1:99999"]
        self.assertIn("99999", str(self.failed(b"GET", LOW)))
        self.servers[A].errors = ["MOVED 0 10.0.0.1:7009"]
        self.assertIn("refused", str(self.failed(b"GET", LOW)))

    def test_ever_others(self) -> None:
        """A server that sends to ever other servers does not fill the process with connections."""
        self.started()
        errors = []
        for number in range(1200):
            self.servers[A].errors = [f"ASK 0 10.0.1.1:{1000 + number}"]
            errors.append(self.failed(b"GET", LOW))
        self.assertIn("names more than", str(errors[-1]))
        self.assertLess(len(self.servers.open_to()), 1200)
        self.runtime.clock.advance(100.0)
        self.assertLess(len(self.servers.open_to()), 4)

    def test_host_missing(self) -> None:
        """Where a server names no host, it is its own."""
        self.started()
        self.servers[A].errors = ["MOVED 0 :7002"]
        self.servers[B].errors = ["ASK 0 ?:7003"]
        self.servers[C].importing = {0}
        self.assertIsNone(self.got(b"GET", LOW))


class MigratingTests(ClusterCase):
    """Slots that are being moved, whose keys are partly here and partly there."""

    def test_ask(self) -> None:
        """ASK is followed with ASKING, for this once: the next command goes to the old server."""
        self.started()
        self.servers[A].migrating, self.servers[B].importing = {0: B}, {0}
        self.got(b"SET", LOW, b"1")
        self.assertEqual(self.servers[B].values, {LOW: b"1"})
        self.assertEqual(self.got(b"GET", LOW), b"1")
        self.assertEqual(self.commands(B), [(b"ASKING", b"SET", LOW, b"1"),
                                            (b"ASKING", b"GET", LOW)])
        self.assertEqual((len(self.commands(A)), self.moved), (2, []))

    def test_script_missing(self) -> None:
        """An error about the command itself comes back from the new server as well."""
        self.started()
        self.servers[A].migrating, self.servers[B].importing = {0: B}, {0}
        self.servers[B].errors = ["NOSCRIPT No matching script."]
        error = self.failed(b"EVALSHA", LOW, b"1")
        assert isinstance(error, ErrorReply)
        self.assertEqual(error.code, "NOSCRIPT")

    def test_again(self) -> None:
        """TRYAGAIN, CLUSTERDOWN and their like are heeded: after a short wait it is asked again."""
        self.started()
        for text in ("TRYAGAIN x", "CLUSTERDOWN x", "LOADING x", "MASTERDOWN x"):
            self.servers[A].errors = [text] * 3
            asked = self.asked(b"GET", LOW)
            self.assertNoResult(asked)
            self.runtime.clock.pump([0.05] * 4)
            self.assertIsNone(self.successResultOf(asked))

    def test_again_and_again(self) -> None:
        """It is not waited for longer than a second, and then the server's words are the failure."""
        self.started()
        self.servers[A].errors = ["CLUSTERDOWN The cluster is down"] * 99
        asked = self.asked(b"GET", LOW)
        self.runtime.clock.pump([0.05] * 20)
        self.assertIn("CLUSTERDOWN", str(self.failureResultOf(asked, StoreError).value))
        self.assertLess(len(self.commands(A)), 15)

    def test_again_elsewhere(self) -> None:
        """Whoever is sent away for a while looks the slot up anew: it may have moved meanwhile."""
        self.started()
        self.servers[A].errors = ["CLUSTERDOWN x"]
        asked = self.asked(b"GET", LOW)
        self.servers.own((0, 16383, [D]))
        self.runtime.clock.pump([0.05] * 20)
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(len(self.commands(D)), 1)


class AwayTests(ClusterCase):
    """Servers that are away."""

    def test_one_away(self) -> None:
        """Commands to a server that is away fail as they do there; the others work."""
        self.started()
        self.servers[A].failure = NoAnswer("is away")
        self.assertIn("is away", str(self.failed(b"GET", LOW)))
        self.assertIsNone(self.got(b"GET", HIGH))
        self.assertEqual(len(self.commands(A)), 1)

    def test_promoted(self) -> None:
        """Once another server has taken the slots, it is found within two seconds."""
        self.servers.own((0, 5000, [A, D]), *THIRDS[1:])
        self.started()
        self.servers[A].failure = NoAnswer("is away")
        self.failed(b"GET", LOW)
        self.runtime.clock.pump([0.5] * 8)
        self.servers.own((0, 5000, [D]), *THIRDS[1:])
        self.runtime.clock.pump([0.5] * 4)
        self.assertIsNone(self.got(b"GET", LOW))
        self.assertEqual(len(self.commands(D)), 1)
        self.assertEqual(len(self.moved), 1)
        self.assertEqual(len(self.moved[0]), 5001)

    def test_asked_rarely(self) -> None:
        """While a server is away, the map is asked for about once a second, however much is failing."""
        self.started()
        self.servers[A].failure = NoAnswer("is away")
        for _ in range(100):
            self.failed(b"GET", LOW)
            self.runtime.clock.advance(0.1)
        self.assertLess(len(self.servers.asked(is_slots)), 14)
        self.assertNotIn(A, self.servers.asked(is_slots))

    def test_quiet(self) -> None:
        """While all is well, the map is asked for about once a minute, never at the same times."""
        self.started()
        self.runtime.drawn = [0.0] * 10 + [0.99]
        self.runtime.clock.pump([1.0] * 600)
        self.assertIn(len(self.servers.asked(is_slots)), range(7, 13))

    def test_no_owner(self) -> None:
        """A slot that no server has is looked for a while; commands for others go on."""
        self.servers.own((1, 16383, [A]))
        self.started()
        asked = self.asked(b"GET", LOW)
        self.assertIsNone(self.got(b"GET", HIGH))
        self.runtime.clock.pump([0.05] * 25)
        self.assertIn("no server has slot 0", str(self.failureResultOf(asked, StoreError).value))

    def test_all_were_away(self) -> None:
        """Where no server that was known answers any more, those of the configuration are asked."""
        self.servers.own((0, 16383, [C]))
        self.started()
        self.servers[C].failure = NoAnswer("is away")
        self.servers.own((0, 16383, [D]))
        self.failed(b"GET", LOW)
        self.runtime.clock.advance(2.0)
        self.assertIsNone(self.got(b"GET", LOW))


class EachTests(ClusterCase):
    """What is asked of every master."""

    def each(self) -> Deferred[Any]:
        """:return: how many keys each server has got."""
        async def ask(server: Any) -> int:
            await server.execute(b"CLUSTER", b"NODES")
            return len(server.server.values)

        return _deferred(self.cluster.each(ask))

    def fill(self) -> None:
        """Have a key on each server."""
        self.started()
        for key in (LOW, MIDDLE, HIGH):
            self.got(b"SET", key, b"1")

    def test_masters(self) -> None:
        """Each master is asked once, and replicas are not."""
        self.servers.own((0, 5000, [A, D]), *THIRDS[1:])
        self.fill()
        self.assertEqual(self.successResultOf(self.each()), [1, 1, 1])
        self.assertNotIn(D, self.servers.open_to())

    def test_one_away(self) -> None:
        """Where one is away, the whole fails: it is never only a part that is told."""
        self.fill()
        self.servers[B].failure = NoAnswer("is away")
        self.assertIn("is away", str(self.failureResultOf(self.each(), StoreError).value))

    def test_one_away_others_slow(self) -> None:
        """The others are not waited for then."""
        self.fill()
        self.servers[A].held = []
        self.servers[C].failure = NoAnswer("is away")
        each = self.each()
        self.runtime.clock.advance(2.0)  # A does not tell the map
        self.assertIn("is away", str(self.failureResultOf(each, StoreError).value))

    def test_new_master(self) -> None:
        """The map is asked for before: what has moved unnoticed is not missed."""
        self.fill()
        self.servers.own((0, 5000, [D]), *THIRDS[1:])
        self.servers[D].values = {b"x": b"", b"y": b"", LOW: b"1"}
        self.assertEqual(sorted(self.successResultOf(self.each())), [1, 1, 3])

    def test_no_owner(self) -> None:
        """Where a slot has no master, nobody can say what is in it: that is a failure."""
        self.servers.own((1, 16383, [A]))
        self.started()
        self.assertIn("slot 0", str(self.failureResultOf(self.each(), StoreError).value))

    def test_moving(self) -> None:
        """While slots are moved, each is asked twice: a key may arrive behind the back of a scan."""
        self.fill()
        self.servers[A].migrating = {0: B}
        self.assertEqual(self.successResultOf(self.each()), [1, 1, 1] * 2)

    def test_moved_meanwhile(self) -> None:
        """So it is where slots have moved meanwhile."""
        self.fill()

        async def ask(server: Any) -> int:
            self.servers.own((0, 16383, [A]))
            return len(server.server.values)

        found: Any = self.successResultOf(_deferred(self.cluster.each(ask)))
        self.assertEqual(found, [1, 1, 1, 1])

    def test_cancelled(self) -> None:
        """It can be cancelled."""
        self.fill()
        self.servers[B].held = []
        each = self.each()
        each.cancel()
        self.failureResultOf(each, CancelledError)

    def test_grouped(self) -> None:
        """No command names two keys, even of one slot: while it is moved they may be on two servers."""
        self.assertEqual(self.cluster.grouped([b"{a}1", b"{a}2"]), [[b"{a}1"], [b"{a}2"]])

    def test_node_of(self) -> None:
        """The server of a key is known at once, or not."""
        self.assertIsNone(self.cluster.node_of(LOW))
        self.fill()
        found: Any = [self.cluster.node_of(key) for key in (LOW, HIGH)]
        self.assertEqual([node.server.address for node in found], [A, C])


class Storm(RuleBasedStateMachine):
    """Slots that move to and fro, half and whole, while keys are read and written."""

    keys = (LOW, MIDDLE, HIGH)

    def __init__(self) -> None:
        super().__init__()
        self.servers, self.runtime = FakeServers(), FakeRuntime()
        self.owner: dict[int, Address] = {0: A, 8000: B, 16000: C}
        self.tell()
        peers = Peers(self.servers.make)
        self.cluster = Cluster(peers, SlotMap(peers, (A,), self.runtime), self.runtime)
        self.cluster.start()
        self.values: dict[bytes, bytes] = {}

    def tell(self) -> None:
        """Have all servers know who has what."""
        for address in (A, B, C, D):
            self.servers[address].failure = None
        self.servers.own(*((slot, slot, [address]) for slot, address in self.owner.items()))

    def done(self, work: Coroutine[Any, Any, Any]) -> Any:
        """:return: the result, which is there at once."""
        results: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(results.append)
        assert results, "the command waits"
        return results[0]

    @rule(number=st.integers(0, 2), value=st.binary(max_size=2))
    def write(self, number: int, value: bytes) -> None:
        """Write a key."""
        key = self.keys[number]
        assert self.done(executed(self.cluster, b"SET", key, value)) == b"OK"
        self.values[key] = value

    @rule(number=st.integers(0, 2))
    def read(self, number: int) -> None:
        """A read gives what was written last."""
        key = self.keys[number]
        assert self.done(executed(self.cluster, b"GET", key)) == self.values.get(key)

    @rule(number=st.integers(0, 2), to=st.sampled_from((A, B, C, D)))
    def begin(self, number: int, to: Address) -> None:
        """Begin to move a slot."""
        slot = (0, 8000, 16000)[number]
        source = self.servers[self.owner[slot]]
        if source.address != to and slot not in source.migrating:
            source.migrating[slot] = to
            self.servers[to].importing.add(slot)

    @rule(number=st.integers(0, 2))
    def carry(self, number: int) -> None:
        """Move a key of a slot that is being moved."""
        slot, key = (0, 8000, 16000)[number], self.keys[number]
        source = self.servers[self.owner[slot]]
        if slot in source.migrating and key in source.values:
            self.servers[source.migrating[slot]].values[key] = source.values.pop(key)

    @rule(number=st.integers(0, 2))
    def end(self, number: int) -> None:
        """End the move of a slot."""
        self.carry(number)
        slot = (0, 8000, 16000)[number]
        source = self.servers[self.owner[slot]]
        if slot in source.migrating:
            to = source.migrating.pop(slot)
            self.servers[to].importing.discard(slot)
            self.owner[slot] = to
            self.tell()

    @rule(seconds=st.sampled_from((0.0, 0.5, 2.0, 100.0)))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.runtime.clock.advance(seconds)


class StormTests(SynchronousTestCase):
    """Any order of moves and commands."""

    def test_no_wrong_answer(self) -> None:
        """However slots move, every command gets what it would get from one server."""
        run_state_machine_as_test(Storm)


class LyingTests(ClusterCase):
    """Servers that say anything at all."""

    @given(st.lists(st.sampled_from(("MOVED 0 ", "ASK 0 ", "MOVED 7 ", "TRYAGAIN", "CLUSTERDOWN",
                                     "ERR")).flatmap(
        lambda word: st.sampled_from(("10.0.0.1:7001", "10.0.0.1:7002", ":7003", "", "x", "é:1"))
        .map(lambda rest: word + rest)), max_size=12))
    def test_any_errors(self, texts: list[str]) -> None:
        """Every command ends, with a reply or a StoreError, and in time."""
        self.setUp()
        self.started()
        for address in (A, B, C):
            self.servers[address].errors = list(texts)
        results: list[Any] = []
        asked = self.asked(b"GET", LOW)
        asked.addBoth(results.append)
        self.runtime.clock.pump([0.1] * 12)
        self.assertEqual(len(results), 1)
        if results[0] is not None:
            results[0].trap(StoreError)
        _deferred(self.cluster.stop())
