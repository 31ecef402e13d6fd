"""Tests of L{trickster.workers.supervisor}."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from prometheus_client import CollectorRegistry
from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.logged import LoggedTestCase
from tests.workers.doubles import Addresses, Child, Children, ProcessReactor
from tests.workers.plans import ALL, loaded_of
from trickster import __version__
from trickster.config.load import Loaded
from trickster.config.options.model import Configuration
from trickster.errors import PluginError
from trickster.observability.metrics import Metrics
from trickster.workers import supervisor as supervising
from trickster.workers.places import Places
from trickster.workers.process import Launcher
from trickster.workers.sockets import Address
from trickster.workers.supervisor import Outside, Supervisor, plan_of, supervised, workers_of
from trickster.workers.workers import Surroundings, Workers

NOT = "The configuration is not reloaded: "
KEPT = ("logging.log_file, logging.log_level, logging.format, main.instance_id: the supervisor logs "
        "as it did at the start; restart it to have that changed")


@define(eq=False)
class Own:
    """
    Listeners of the process that serve nothing.

    :ivar error: raised where something is to be prepared.
    :ivar ending: what is waited for where something is followed; None not to wait.
    :ivar followed: what was.
    """

    error: Exception | None = None
    ending: Deferred[None] | None = None
    followed: list[Configuration] = field(factory=list)

    def prepared(self, configuration: Configuration) -> Any:
        """:return: the configuration."""
        if self.error is not None:
            raise self.error
        return configuration

    async def follow(self, prepared: Any) -> None:
        """Note it, and wait."""
        self.followed.append(prepared)
        if self.ending is not None:
            await self.ending


class SupervisorCase(LoggedTestCase):
    """Has a supervisor of two workers, whose processes do what the test says."""

    def setUp(self) -> None:
        """Start it; both serve."""
        super().setUp()
        self.clock, self.children, self.addresses = Clock(), Children(), Addresses()
        self.own, self.text = Own(), ALL
        place = Path(self.mktemp()).absolute()
        place.mkdir()
        places = Places(lambda: (str(place),))
        self.addCleanup(places.close)
        loaded = loaded_of(ALL)
        self.registry = CollectorRegistry()
        own: Any = self.own
        outside = Outside(self.clock, lambda: 1e9 + self.clock.seconds(), self.again,
                          bind=self.addresses.bind, places=places)
        plan = plan_of(loaded, self.clock)
        self.supervisor = Supervisor(plan, outside, Metrics(self.registry, __version__), own)
        around = Surroundings(self.clock, lambda: 0.0, Launcher(self.children.spawn, {}), places,
                              lambda line: None)
        self.workers = self.supervisor.workers = Workers(
            plan, lambda: self.supervisor.sockets, around, lambda process: None)

    def again(self) -> Loaded:
        """:return: what the file says now."""
        return loaded_of(self.text)

    def start(self) -> list[Child]:
        """:return: the children; they serve."""
        self.supervisor.privilegedStartService()
        self.supervisor.startService()
        self.workers.startService()
        for child in self.children.all:
            child.serves()
        return list(self.children.all)

    def stop(self) -> Deferred[Any]:
        """:return: fires when all has ended, which is told as a program does."""
        self.supervisor.stopService()
        return self.workers.stopService()

    def replace(self, *befores: Child) -> None:
        """Have these be replaced, one after the other, by others that serve."""
        for before in befores:
            self.children.latest.serves()
            before.exits()

    def reload(self, text: str) -> None:
        """Have a file with that text followed."""
        self.text = text
        self.supervisor.reload()

    def reloads(self, name: str = "last_reload_successful") -> float | None:
        """:return: what a metric of reloads tells."""
        return self.registry.get_sample_value(f"trickster_config_{name}")

    def counts(self) -> list[int]:
        """:return: how often each socket was closed."""
        return [each.closed for each in self.addresses.bound]

    def told(self) -> list[str]:
        """:return: what is logged of reloads."""
        return [str(line) for line in self.logged() if "configuration" in str(line)]


class SocketTests(SupervisorCase):
    """The sockets of all listeners."""

    def test_privileged(self) -> None:
        """All are bound before privileges are given up, those of the process too."""
        self.supervisor.privilegedStartService()
        self.assertEqual(self.addresses.ports, [1, 2, 3, 4])

    def test_first_asked(self) -> None:
        """They are bound once, whichever is asked for first."""
        self.assertEqual(self.supervisor.sockets.address("mgmt"), Address("127.0.0.1", 4))
        self.supervisor.privilegedStartService()
        self.assertEqual(self.addresses.ports, [1, 2, 3, 4])

    def test_taken(self) -> None:
        """Where one is taken, that is told, and none stays open."""
        self.addresses.taken[3] = CannotListenError("", 3, OSError("taken"))
        self.assertRaises(CannotListenError, self.supervisor.privilegedStartService)
        self.assertEqual(self.addresses.ports, [])
        self.supervisor.stopService()

    def test_stopped(self) -> None:
        """
        They are closed at once when the supervisor stops, each once: workers have theirs as long
        as they accept, and after that clients are refused.
        """
        children = self.start()
        stopped = self.stop()
        self.assertEqual(self.counts(), [1, 1, 1, 1])
        for child in children:
            child.exits()
        self.successResultOf(stopped)
        self.supervisor.stopService()
        self.assertEqual(self.counts(), [1, 1, 1, 1])

    def test_again(self) -> None:
        """What has stopped can be started again, with other sockets."""
        for _ in range(2):
            self.start()
            self.assertEqual(self.addresses.ports, [1, 2, 3, 4])
            self.stop()
            for child in self.children.living:
                child.exits()
        self.assertEqual(self.counts(), [1] * 8)


class ReloadTests(SupervisorCase):
    """The configuration is read again."""

    changed = ALL.replace("port: 2", "port: 5").replace("port: 3", "port: 6")

    def test_followed(self) -> None:
        """All workers have the new one, and the listeners of the process follow them."""
        children = self.start()
        self.clock.advance(10.0)
        self.reload(self.changed)
        self.assertEqual((self.own.followed, self.told()), ([], []))
        self.replace(*children)
        [followed] = self.own.followed
        self.assertEqual(followed.opened["metrics"].port, 6)
        self.assertEqual(self.told(), ["The configuration is reloaded: all workers have it"])
        self.assertEqual((self.reloads(), self.reloads("last_reload_success_time_seconds")),
                         (1.0, 1e9 + 10.0))

    def test_sockets(self) -> None:
        """
        New sockets are bound first, and old ones closed last: when the workers that accept from
        them are gone, and the listeners of the process have others.
        """
        children = self.start()
        self.own.ending = Deferred()
        self.reload(self.changed)
        self.assertEqual(self.addresses.ports, [1, 2, 3, 4, 5, 6])
        self.replace(*children)
        self.assertEqual(self.addresses.ports, [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.supervisor.sockets.address("metrics"), Address("", 6))
        self.own.ending.callback(None)
        self.assertEqual(self.addresses.ports, [1, 4, 5, 6])
        self.assertEqual(sorted(self.counts()), [0, 0, 0, 0, 1, 1])

    def test_exchanged(self) -> None:
        """Listeners that exchange their ports bind nothing, and close nothing."""
        children = self.start()
        self.reload(ALL.replace("port: 1", "port: x").replace("port: 2", "port: 1").replace(
            "port: x", "port: 2"))
        self.replace(*children)
        self.assertEqual(self.counts(), [0, 0, 0, 0])
        self.assertEqual(self.supervisor.sockets.address("more"), Address("", 1))

    def failed(self, text: str, *lines: str) -> None:
        """Nothing is changed by a file, which is told so."""
        before = list(self.children.all)
        self.reload(text)
        self.assertEqual(self.told(), [f"{NOT}{line}" for line in lines])
        self.assertEqual((self.children.all, self.own.followed), (before, []))
        self.assertEqual(self.counts(), [0, 0, 0, 0])
        self.assertEqual(self.reloads(), 0.0)

    def test_unusable(self) -> None:
        """A file with problems changes nothing, and all of them are told."""
        self.start()
        self.failed(ALL + "main: 1\nbackends: 2\n",
                    "t.yaml:4:1: main: the key is given twice; the first is in line 2",
                    "t.yaml:5:1: backends: the key is given twice; the first is in line 1")

    def test_good_again(self) -> None:
        """A file that is good again is followed."""
        children = self.start()
        self.reload(ALL + "foo: 1\n")
        self.assertEqual(self.reloads(), 0.0)
        self.reload(self.changed)
        self.replace(*children)
        self.assertEqual((self.reloads(), len(self.own.followed)), (1.0, 1))

    def test_taken(self) -> None:
        """An address that cannot be had changes nothing; what was bound for it is closed."""
        self.start()
        self.addresses.taken[5] = CannotListenError("", 5, OSError("the port is taken"))
        self.reload(self.changed)
        [line] = self.told()
        self.assertIn("is not reloaded: Couldn't listen on any:5: the port is taken", line)
        self.assertEqual((self.counts(), len(self.children.all)), ([0, 0, 0, 0, 1], 2))
        self.assertEqual(self.reloads(), 0.0)

    def test_broken_middleware(self) -> None:
        """A middleware of the listeners of the process that cannot be used changes nothing."""
        self.start()
        self.own.error = PluginError("cannot be used")
        self.failed(ALL, "cannot be used")

    def test_not_serving(self) -> None:
        """Where the first worker does not serve, nothing is changed, and new sockets are closed."""
        children = self.start()
        self.reload(self.changed)
        self.children.latest.exits(1)
        self.assertEqual(self.told(), [f"{NOT}Worker 1 (process 1002) ended with status 1"])
        self.assertEqual((self.counts(), self.own.followed), ([0, 0, 0, 0, 1, 1], []))
        self.assertEqual((self.children.living, self.reloads()), (children, 0.0))

    def test_unforeseen(self) -> None:
        """An error that was not foreseen is told with its traceback, and ends no reload for good."""
        children = self.start()
        self.own.error = KeyError("oddly")
        self.reload(self.changed)
        [event] = [each for each in self.events if "log_failure" in each]
        self.assertEqual(event["log_format"], "The configuration could not be followed")
        self.assertEqual((self.reloads(), self.counts()), (0.0, [0, 0, 0, 0, 1, 1]))
        self.flushLoggedErrors(KeyError)
        self.own.error = None
        self.supervisor.reload()
        self.replace(*children)
        self.assertEqual(self.reloads(), 1.0)

    def test_asked_again(self) -> None:
        """
        Where it is asked for during a reload, however often, it is done once more after it: with
        what the file says then.
        """
        children = self.start()
        self.reload(self.changed)
        for _ in range(3):
            self.reload(ALL)
        self.assertEqual(len(self.children.all), 3)
        self.replace(*children)
        self.assertEqual(len(self.children.all), 5)
        self.replace(*self.children.all[2:4])
        self.assertEqual(len(self.children.all), 6)
        self.assertEqual([each.opened["more"].port for each in self.own.followed], [5, 2])
        self.assertEqual(self.addresses.ports, [1, 2, 3, 4])

    def test_asked_again_after_failure(self) -> None:
        """The same where that reload fails."""
        self.start()
        self.reload(self.changed)
        self.reload(ALL + "foo: 1\n")
        self.children.latest.dies()
        self.assertEqual(len(self.told()), 2)

    def test_not_running(self) -> None:
        """What is not running reads nothing."""
        self.reload("no file at all: [")
        self.start()
        self.stop()
        self.reload("no file at all: [")
        self.assertEqual(self.told(), [])

    def test_notices(self) -> None:
        """What the operator should read of the configuration is told, once it is followed."""
        children = self.start()
        text = ALL.replace("main: {", "main: {server_name: 'my proxy', ").replace(
            "port: 1", "port: 1, connections_limit: 1")
        self.reload(text)
        self.assertNotIn("my-proxy", str(self.logged()))
        self.replace(*children)
        self.assertIn("main.server_name is sent as 'my-proxy'", str(self.logged()))
        self.assertIn("limits of less than 1 for each of 2 workers", str(self.logged()))

    def test_log(self) -> None:
        """What of the log stays as it was at the start is told, until it is so again."""
        self.start()
        changed = ALL.replace("main: {", "main: {instance_id: 2, ") + (
            "logging: {log_file: other.log, log_level: warn, format: json, access_log: false}\n")
        for text, said in ((changed, [KEPT]), (changed, [KEPT]), (ALL, [])):
            self.events.clear()
            children = self.children.living
            self.reload(text)
            self.replace(*children)
            self.assertEqual([line for line in self.logged() if "restart it" in str(line)], said)

    def test_number(self) -> None:
        """The number of workers may change, to one even."""
        children = self.start()
        self.reload(ALL.replace("workers: 2", "workers: 1"))
        self.replace(*children[:1])
        children[1].exits()
        self.assertEqual((len(self.children.living), self.reloads()), (1, 1.0))


class StopTests(SupervisorCase):
    """The supervisor stops while it reloads."""

    changed = ReloadTests.changed

    def stopped(self, steps: int) -> None:
        """
        Stop after so many steps of a reload.  All sockets are closed at that moment, each once,
        and nothing is bound, started or followed after it.
        """
        first, second = self.start()
        self.reload(self.changed)
        for step in (lambda: self.children.latest.serves(), first.exits,
                     lambda: self.children.latest.serves(), second.exits)[:steps]:
            step()
        self.reload(ALL)
        followed = len(self.own.followed)
        stopped = self.stop()
        self.assertEqual(self.counts(), [1] * 6)
        count = len(self.children.all)
        while self.children.living:
            self.assertNoResult(stopped)
            self.children.living[0].exits()
        self.successResultOf(stopped)
        self.assertEqual((self.counts(), len(self.children.all), len(self.own.followed)),
                         ([1] * 6, count, followed))
        self.assertEqual((self.told(), self.clock.getDelayedCalls()), ([], []))

    def test_before_it_serves(self) -> None:
        """While the first worker is replaced."""
        self.stopped(0)

    def test_first_ends(self) -> None:
        """While the first worker ends."""
        self.stopped(1)

    def test_second(self) -> None:
        """While the second worker is replaced."""
        self.stopped(2)

    def test_second_ends(self) -> None:
        """While the last worker ends."""
        self.stopped(3)

    def test_own(self) -> None:
        """While the listeners of the process end."""
        self.own.ending = Deferred()
        self.stopped(4)


class OfTests(SynchronousTestCase):
    """What is known of workers before they are started."""

    def test_workers_of(self) -> None:
        """C{main.workers} says how many there are to be; C{auto} leaves it to the machine."""
        self.patch(supervising, "usable_cores", lambda: 3)
        for said, number in (("1", 1), ("4", 4), ("auto", 3)):
            text = ALL.replace("workers: 2", f"workers: {said}")
            self.assertEqual(workers_of(loaded_of(text).configuration), number)

    def test_plan(self) -> None:
        """A plan has all that the configuration was made of."""
        loaded = loaded_of(ALL)
        loaded = evolve(loaded, sources=evolve(loaded.sources, flags={"a": "b"},
                                               allows_ineffective=True))
        told = plan_of(loaded, MemoryReactorClock()).assignment
        self.assertEqual((told.workers, told.path, told.flags, told.allows_ineffective),
                         (2, "t.yaml", {"a": "b"}, True))
        self.assertEqual((told.files, told.reactor), (loaded.files, "twisted.internet.testing"))


class ProgramTests(LoggedTestCase):
    """The supervisor as a program."""

    def made(self, text: str = ALL) -> Any:
        """:return: it; nothing is started."""
        self.reactor, self.addresses = ProcessReactor(), Addresses()
        loaded = loaded_of(text)
        outside = Outside(self.reactor, self.reactor.seconds, lambda: loaded, environ={"A": "b"},
                          bind=self.addresses.bind)
        return supervised(loaded, outside)

    def test_opens_nothing(self) -> None:
        """A program that is made has opened nothing, and started nothing."""
        program = self.made()
        self.assertTrue(IService.providedBy(program))
        self.assertEqual((self.addresses.bound, self.reactor.children.all,
                          self.reactor.getDelayedCalls()), ([], [], []))

    def test_order(self) -> None:
        """The supervisor, which has the sockets, stops before the workers, and both end first."""
        kinds = [type(each).__name__ for each in self.made()]
        self.assertEqual(kinds, ["Logs", "HangUps", "StopSignals", "OwnListeners", "Supervisor",
                                 "Workers"])

    def test_middleware(self) -> None:
        """A middleware of the listeners of the process is told where it cannot be used."""
        text = ALL.replace("port: 3", "port: 3, middlewares: [m]") + (
            "middlewares: {m: {kind: rewriting}}\n")
        self.assertTrue(IService.providedBy(self.made(text)))


