"""Tests of L{trickster.workers.workers}."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import ENOMEM
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.logged import LoggedTestCase
from tests.workers.doubles import Addresses, Child, Children
from tests.workers.plans import ALL, plan
from trickster.workers.places import Places
from trickster.workers.process import Launcher, State, WorkerProcess
from trickster.workers.slot import NotReplaced
from trickster.workers.sockets import Sockets
from trickster.workers.workers import Plan, Surroundings, Workers


class PlanTests(SynchronousTestCase):
    """What the workers are to do."""

    def test_shared(self) -> None:
        """Workers share the listeners of backends, and not those of the process."""
        self.assertEqual(sorted(plan(ALL).shared), ["default", "more"])

    def test_in_memory(self) -> None:
        """Of the caches those are in memory that are of that kind."""
        caches = "caches: {default: {}, b: {provider: memory}, c: {provider: lmdb}}"
        self.assertEqual([*plan(ALL + caches).in_memory], ["default", "b"])

    def test_most_octets(self) -> None:
        """A cache in memory may have the smaller one of its limits; one of none counts nothing."""
        caches = ("caches: {default: {memory: {max_size_bytes: 1000}}, b: {index: {max_size_bytes: 20}},"
                  " c: {memory: {max_size_bytes: 3}, index: {max_size_bytes: 0}},"
                  " d: {memory: {max_size_bytes: 0}, index: {max_size_bytes: 0}},"
                  " e: {provider: lmdb}}")
        self.assertEqual(plan(ALL + caches).most_octets, 1023)

    def test_patience(self) -> None:
        """A worker has the longest time that requests have, and some more."""
        text = ALL.replace("port: 1", "port: 1, drain_timeout: 20s").replace(
            "port: 2", "port: 2, drain_timeout: 40s")
        self.assertEqual(plan(text).patience, 55.0)


class WorkersCase(LoggedTestCase):
    """Has two workers, whose processes do what the test says."""

    text = ALL

    def setUp(self) -> None:
        """Make them; they are not started."""
        super().setUp()
        self.clock, self.children, self.addresses = Clock(), Children(), Addresses()
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir()
        places = Places(lambda: (str(self.place),))
        self.addCleanup(places.close)
        self.watched: list[tuple[int, State]] = []
        self.plan, self.sockets = self.planned(self.text)
        around = Surroundings(self.clock, lambda: 0.0, Launcher(self.children.spawn, {}), places,
                              lambda line: None)
        self.workers = Workers(self.plan, lambda: self.sockets, around, self.watch)

    def planned(self, text: str) -> tuple[Plan, Sockets]:
        """:return: what workers are to do by a file, and its sockets."""
        made = plan(text)
        before = getattr(self, "sockets", Sockets())
        return made, before.following(made.configuration.opened, self.addresses.bind)

    def watch(self, process: WorkerProcess) -> None:
        """Note."""
        self.watched.append((process.assignment.number, process.state))

    def started(self) -> list[Child]:
        """:return: the children; they serve."""
        self.workers.startService()
        for child in self.children.all:
            child.serves()
        return list(self.children.all)

    def follow(self, text: str) -> Deferred[None]:
        """:return: fires when the workers follow a file."""
        return Deferred.fromCoroutine(self.workers.follow(*self.planned(text)))

    def numbers(self) -> list[int]:
        """:return: of the workers that serve."""
        return [process.assignment.number for process in self.workers.serving]

    def left(self, pattern: str = "trickster-workers-*") -> list[Path]:
        """:return: what there is in the place of directories."""
        return sorted(self.place.glob(pattern))


class StartTests(WorkersCase):
    """How workers are started."""

    def test_numbers(self) -> None:
        """As many are started as are wanted; they serve when they say so."""
        self.workers.startService()
        self.assertEqual([child.assignment.number for child in self.children.all], [1, 2])
        self.assertEqual(self.numbers(), [])
        for child in reversed(self.children.all):
            child.serves()
        self.assertEqual(self.numbers(), [1, 2])
        self.assertEqual(self.watched, [(2, State.SERVING), (1, State.SERVING)])

    def test_sockets(self) -> None:
        """Each has the sockets of all shared listeners, and knows which is which."""
        for child in self.started():
            sockets = {name: child.descriptors[number]
                       for name, number in child.assignment.sockets.items()}
            self.assertEqual(sockets, {name: self.sockets.descriptor(name)
                                       for name in ("default", "more")})

    def test_own(self) -> None:
        """Each is asked for the endpoints of the process at sockets of its own."""
        paths = [child.assignment.own for child in self.started()]
        self.assertEqual([sorted(each) for each in paths], [["metrics", "mgmt"]] * 2)
        self.assertEqual(len({path for each in paths for path in each.values()}), 4)
        self.assertEqual({os.path.dirname(path) for each in paths for path in each.values()},
                         {str(self.left()[0])})

    def test_own_closed(self) -> None:
        """A listener of the process that is closed has no socket in a worker either."""
        self.plan, self.sockets = self.planned(ALL.replace("port: 4", "port: 0"))
        self.workers.plan = self.plan
        self.assertEqual([[*child.assignment.own] for child in self.started()], [["metrics"]] * 2)

    def test_memory(self) -> None:
        """All have the memory of a cache in the same file; each cache has one of its own."""
        self.plan, self.sockets = self.planned(ALL + "caches: {default: {}, b: {}, c: {provider: lmdb}}")
        self.workers.plan = self.plan
        first, second = (child.assignment.memory for child in self.started())
        self.assertEqual(first, second)
        self.assertEqual((sorted(first), len(set(first.values()))), (["b", "default"], 2))

    def test_configuration(self) -> None:
        """Each makes the configuration of what the supervisor has read, in the same reactor."""
        [told, _] = (child.assignment for child in self.started())
        self.assertEqual((told.path, told.files, told.workers, told.reactor),
                         ("t.yaml", {"t.yaml": ALL.encode()}, 2, "builtins"))

    def test_homes(self) -> None:
        """Each knows where all are asked; a home is known by the process that serves."""
        first, second = (child.assignment for child in self.started())
        self.assertEqual((first.homes, len(set(first.homes))), (second.homes, 2))
        self.assertEqual([os.readlink(home) for home in first.homes],
                         [first.peers, second.peers])

    def test_homes_after_restart(self) -> None:
        """One that is started in the place of another is found at the same home."""
        first, second = self.started()
        first.dies()
        self.clock.advance(1.0)
        after = self.children.latest
        self.assertEqual(after.assignment.homes, second.assignment.homes)
        self.assertNotEqual(after.assignment.peers, first.assignment.peers)
        self.assertEqual(os.readlink(after.assignment.homes[0]), first.assignment.peers)
        after.serves()
        self.assertEqual(os.readlink(after.assignment.homes[0]), after.assignment.peers)

    def test_no_home(self) -> None:
        """Where others cannot be told of a worker, that is logged, and it serves all the same."""
        self.workers.startService()
        for path in self.left():
            path.rename(path.with_name("elsewhere"))
        self.children.latest.serves()
        self.assertEqual(self.numbers(), [2])
        self.assertIn("Worker 2 (process 1001) is not found by others", str(self.logged()))

    def test_sockets_of_killed(self) -> None:
        """What a worker has left of its sockets is removed once it is gone."""
        [first, second] = [child.assignment for child in self.started()]
        for told in (first, second):
            for path in (told.peers, *told.own.values()):
                Path(path).touch()
        self.children.all[0].dies()
        left = {str(path) for path in self.left("*/*")}
        self.assertEqual({*first.own.values(), first.peers} & left, set())
        self.assertTrue({*second.own.values(), second.peers} <= left)

    def test_restarts(self) -> None:
        """Those that were started in the place of one that died are counted."""
        for child in self.started():
            child.dies()
        self.assertEqual((self.workers.restarts, self.numbers()), (0, []))
        self.clock.advance(1.0)
        self.assertEqual(self.workers.restarts, 2)
        for child in self.children.living:
            child.serves()
        self.assertEqual(self.numbers(), [1, 2])
        self.assertIn((2, State.GONE), self.watched)

    def test_nowhere(self) -> None:
        """Where there is no place for what they share, none is started, and that is told."""
        self.place.rmdir()
        self.assertRaises(OSError, self.workers.startService)
        self.assertEqual(self.children.all, [])
        self.successResultOf(self.workers.stopService())


class StopTests(WorkersCase):
    """How workers end."""

    def stopped(self) -> list[Deferred[Any]]:
        """:return: fire when all have ended."""
        return [self.workers.stopService(), self.workers.stopService()]

    def test_stopped(self) -> None:
        """All are told to end at the same time, once, and their directory goes with the last."""
        children, stopped = self.started(), self.stopped()
        self.assertEqual([child.sent for child in children], [["end"], ["end"]])
        for child in children:
            self.assertEqual(len(self.left()), 1)
            for each in stopped:
                self.assertNoResult(each)
            child.exits()
        for each in stopped:
            self.successResultOf(each)
        self.assertEqual((self.left(), self.children.living, self.clock.getDelayedCalls()),
                         ([], [], []))

    def test_killed(self) -> None:
        """One that does not end is killed once requests have had their time."""
        children, stopped = self.started(), self.stopped()
        self.clock.advance(self.plan.patience)
        self.assertEqual([child.sent[1:] for child in children], [["SIGKILL"]] * 2)
        for child in children:
            child.dies()
        self.successResultOf(stopped[0])

    def test_hurry(self) -> None:
        """All that have not ended are told to hurry."""
        children = self.started()
        self.stopped()
        children[0].exits()
        self.workers.abort()
        self.assertEqual([child.sent for child in children], [["end"], ["end", "hurry"]])

    def test_not_started(self) -> None:
        """What was not started has stopped."""
        for each in self.stopped():
            self.successResultOf(each)

    def test_again(self) -> None:
        """What has stopped can be started again, and stopped."""
        for count in (2, 4):
            self.started()
            self.assertEqual((len(self.children.all), len(self.left())), (count, 1))
            stopped = self.stopped()
            self.assertNoResult(stopped[0])
            for child in self.children.living:
                child.exits()
            self.successResultOf(stopped[0])
            self.assertEqual(self.left(), [])


class FollowTests(WorkersCase):
    """Workers follow another configuration."""

    changed = ALL.replace("port: 2", "port: 5")

    def replace(self, *befores: Child) -> None:
        """Have these be replaced, one after the other, by others that serve."""
        for before in befores:
            self.children.latest.serves()
            self.assertEqual(before.sent, ["end"])
            before.exits()

    def ports(self, child: Child) -> list[int]:
        """:return: on which a worker has listeners."""
        places = {each.descriptor: each.place[1] for each in self.addresses.bound}
        return [places[child.descriptors[number]]
                for number in child.assignment.sockets.values()]

    def test_one_by_one(self) -> None:
        """One after the other is replaced: there is never more than one that does not serve."""
        first, second = self.started()
        followed = self.follow(self.changed)
        self.assertEqual(len(self.children.living), 3)
        self.replace(first)
        self.assertEqual((len(self.children.living), second.sent, self.numbers()),
                         (3, [], [1, 2]))
        self.assertNoResult(followed)
        self.replace(second)
        self.successResultOf(followed)
        self.assertEqual([self.ports(child) for child in self.children.living], [[1, 5]] * 2)
        self.assertEqual((self.numbers(), self.workers.restarts), ([1, 2], 0))
        self.assertIs(self.workers.plan.configuration.opened["more"].port, 5)

    def test_patience(self) -> None:
        """Those before have the time that they had by their own configuration."""
        before = self.started()[0]
        self.follow(self.changed.replace("default: {", "default: {drain_timeout: 1s, "))
        self.children.latest.serves()
        self.clock.advance(self.plan.patience - 0.1)
        self.assertEqual(before.sent, ["end"])
        self.clock.advance(0.1)
        self.assertEqual(before.sent, ["end", "SIGKILL"])

    def test_first_fails(self) -> None:
        """Where the first one does not serve, nothing is changed, also for those that die later."""
        first, second = self.started()
        followed = self.follow(self.changed)
        second.dies()
        self.clock.advance(1.0)
        self.assertEqual(self.ports(self.children.latest), [1, 2])
        self.children.all[2].exits(1)
        self.failureResultOf(followed, NotReplaced)
        self.assertIs(self.workers.plan, self.plan)
        first.dies()
        self.clock.advance(1.0)
        self.assertEqual([self.ports(child) for child in self.children.living], [[1, 2]] * 2)
        homes = {child.assignment.homes for child in self.children.living}
        self.assertEqual(homes, {first.assignment.homes})

    def test_not_started(self) -> None:
        """The same where no process can be started."""
        self.started()
        self.children.error = OSError(ENOMEM, "no memory")
        followed = self.follow(self.changed)
        self.clock.advance(0)
        self.failureResultOf(followed, NotReplaced)
        self.assertEqual(self.numbers(), [1, 2])

    def test_turn_not_come(self) -> None:
        """One that dies before its turn is followed by one that is as it was, and replaced then."""
        first, second = self.started()
        followed = self.follow(self.changed)
        self.children.latest.serves()
        second.dies()
        self.clock.advance(1.0)
        again = self.children.latest
        again.serves()
        self.assertEqual(self.ports(again), [1, 2])
        first.exits()
        self.replace(again)
        self.successResultOf(followed)
        self.assertEqual([self.ports(child) for child in self.children.living], [[1, 5]] * 2)

    def test_later_one_fails(self) -> None:
        """
        A later one that does not serve is tried again without the one before: what serves in one
        place will in the other, and all are to do the same.
        """
        first, second = self.started()
        followed = self.follow(self.changed)
        self.replace(first)
        self.children.latest.dies()
        self.successResultOf(followed)
        self.assertEqual(second.sent, ["end"])
        second.exits()
        self.assertEqual([self.ports(child) for child in self.children.living], [[1, 5]] * 2)
        self.assertIn("Worker 2 (process 1003) was ended by SIGKILL; it is tried again",
                      self.logged())

    def test_own_sockets(self) -> None:
        """A process that takes another one's place is asked at other sockets, at other homes."""
        before = self.started()[0].assignment
        self.follow(self.changed)
        after = self.children.latest.assignment
        self.assertEqual({*before.own.values()} & {*after.own.values()}, set())
        self.assertEqual({*before.homes} & {*after.homes}, set())

    def test_homes(self) -> None:
        """The homes of workers before are removed when all have followed; others stay."""
        children = self.started()
        failed = self.follow(ALL)
        self.children.latest.dies()
        self.failureResultOf(failed, NotReplaced)
        followed = self.follow(ALL)
        self.assertEqual(len(self.left("*/home-*")), 2)
        self.replace(*children)
        self.successResultOf(followed)
        self.assertEqual([path.name for path in self.left("*/home-*")], ["home-3-1", "home-3-2"])

    def test_more(self) -> None:
        """Where there are to be more workers, these are started after the others."""
        children = self.started()
        followed = self.follow(self.changed.replace("workers: 2", "workers: 4"))
        self.replace(*children)
        self.successResultOf(followed)
        self.assertEqual([child.assignment.number for child in self.children.living], [1, 2, 3, 4])
        self.assertEqual({len(child.assignment.homes) for child in self.children.living}, {4})
        self.children.latest.serves()
        self.assertEqual(self.numbers(), [1, 2, 4])

    def test_fewer(self) -> None:
        """Where there are to be fewer, the last ones end, and are not followed."""
        first, second = self.started()
        followed = self.follow(self.changed.replace("workers: 2", "workers: 1"))
        self.replace(first)
        self.assertEqual((second.sent, len(self.children.living)), (["end"], 2))
        self.assertNoResult(followed)
        second.exits()
        self.successResultOf(followed)
        self.clock.advance(100.0)
        self.assertEqual((self.numbers(), len(self.children.living)), ([1], 1))

    def test_fewer_and_more(self) -> None:
        """Numbers that were given up are given again."""
        first, second = self.started()
        followed = self.follow(ALL.replace("workers: 2", "workers: 1"))
        self.children.latest.serves()
        first.exits()
        second.exits()
        self.successResultOf(followed)
        [only] = self.children.living
        followed = self.follow(ALL)
        self.replace(only)
        self.successResultOf(followed)
        self.assertEqual([child.assignment.number for child in self.children.living], [1, 2])

    def test_memory_kept(self) -> None:
        """The memory of a cache that is as it was is kept, and that of others is removed."""
        caches = "caches: {default: {}, b: {memory: {max_size_bytes: 1000}}, c: {}}\n"
        self.plan, self.sockets = self.planned(ALL + caches)
        self.workers.plan = self.plan
        children = self.started()
        before = children[0].assignment.memory
        for path in before.values():
            Path(path).touch()
            Path(f"{path}-lock").touch()
        followed = self.follow(ALL + caches.replace("1000", "2000").replace("c:", "d:"))
        self.assertEqual(len(self.left("*/*.memory")), 3)
        after = self.children.latest.assignment.memory
        self.assertEqual([after["default"] == before["default"], after["b"] == before["b"]], [True, False])
        self.replace(*children)
        self.successResultOf(followed)
        self.assertEqual([str(each.absolute()) for each in self.left("*/*.memory*")],
                         [os.path.abspath(before["default"] + end) for end in ("", "-lock")])


class FollowAndStopTests(WorkersCase):
    """Workers end while they follow another configuration."""

    def setUp(self) -> None:
        """Have two that serve, and the first of two that take their places."""
        super().setUp()
        self.befores = self.started()
        self.followed = self.follow(self.text)

    def stopped(self, how: Callable[[], None] = lambda: None) -> Deferred[Any]:
        """:return: fires when all have ended, which they do."""
        how()
        stopped = self.workers.stopService()
        while self.children.living:
            self.assertNoResult(stopped)
            self.children.living[-1].exits()
        return stopped

    def assertAllOver(self, stopped: Deferred[Any], *errors: type[Exception]) -> None:
        """Nothing runs, or is started ever again; no process was told twice to end."""
        self.successResultOf(stopped)
        if errors:
            self.failureResultOf(self.followed, *errors)
        else:
            self.successResultOf(self.followed)
        self.assertEqual((self.children.living, self.clock.getDelayedCalls(), self.left()),
                         ([], [], []))
        self.assertEqual({len(child.sent) for child in self.children.all} - {0, 1}, set())
        self.assertEqual([line for line in self.logged() if "serves" not in str(line)], [])

    def test_before_it_serves(self) -> None:
        """While the first one is replaced, all end, the one that was to replace it too."""
        self.assertAllOver(self.stopped(), NotReplaced)
        self.assertEqual(len(self.children.all), 3)

    def test_between(self) -> None:
        """While the first one ends, no other is replaced any more."""
        self.children.latest.serves()
        self.assertAllOver(self.stopped())
        self.assertEqual(len(self.children.all), 3)

    def test_second(self) -> None:
        """While the second one is replaced, nothing is tried again."""
        self.children.latest.serves()
        self.befores[0].exits()
        self.assertAllOver(self.stopped())
        self.assertEqual(len(self.children.all), 4)

    def test_cancelled(self) -> None:
        """Where following is given up at any of these moments, the same holds."""
        for steps in range(4):
            self.setUp()
            for step in range(steps):
                if step % 2:
                    self.befores[step // 2].exits()
                else:
                    self.children.latest.serves()
            self.assertAllOver(self.stopped(self.followed.cancel), CancelledError)

    def test_hurry(self) -> None:
        """All that there are are told to hurry."""
        self.workers.stopService()
        self.workers.abort()
        self.assertEqual([child.sent for child in self.children.all],
                         [["end", "hurry"], ["end", "hurry"], ["SIGTERM", "SIGTERM"]])


class FewerAndStopTests(WorkersCase):
    """Workers end while one of them ends as there are to be fewer."""

    def test_one_too_many(self) -> None:
        """That one is told to hurry with all others, and waited for."""
        first, second = self.started()
        self.follow(ALL.replace("workers: 2", "workers: 1"))
        self.children.latest.serves()
        first.exits()
        self.assertEqual(second.sent, ["end"])
        stopped = self.workers.stopService()
        self.workers.abort()
        self.assertEqual([child.sent for child in self.children.living],
                         [["end", "hurry"], ["end", "hurry"]])
        self.children.latest.exits()
        self.assertNoResult(stopped)
        second.exits()
        self.successResultOf(stopped)
        self.assertEqual(self.left(), [])
