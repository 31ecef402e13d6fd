"""Tests of L{trickster.compose.threads}."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from queue import Queue
from threading import Event, current_thread
from threading import enumerate as enumerate_threads
from typing import Any
from weakref import ref

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.threads import OwnThreads, Threads
from trickster.errors import NotATimeRange, Reason, UpstreamBroke


@define
class Pool:
    """A reactor and its pool: what is called there has its result when the test says so."""

    calls: list[Callable[[], None]] = field(factory=list)

    def getThreadPool(self) -> Pool:
        return self

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        function(*arguments)

    def callInThreadWithCallback(self, told: Callable[[bool, Any], None],
                                 function: Callable[..., Any], *arguments: Any) -> None:
        """Call it as Twisted's pool does, which keeps a failure in the frame of the call."""
        def call() -> None:
            try:
                result, is_good = function(*arguments), True
            except Exception:  # noqa: BLE001 - as in the pool
                result, is_good = Failure(), False
            told(is_good, result)

        self.calls.append(call)

    def go_on(self) -> None:
        while self.calls:
            self.calls.pop(0)()


class Large:
    """What a function is given."""


def _foreseen(_: Large) -> None:
    try:
        raise KeyError("a")
    except KeyError as error:
        raise NotATimeRange(Reason.UNPARSABLE_PARAMETER, "a") from error


def _defect(_: Large) -> None:
    raise ZeroDivisionError


class ThreadsTests(SynchronousTestCase):
    """Results of calls in a thread are given to the reactor's thread."""

    def setUp(self) -> None:
        self.pool = Pool()
        self.threads = Threads(self.pool)

    def test_result(self) -> None:
        """The result of a call in a thread is given to the caller once it is there."""
        asked = self.threads.deferred(divmod, 7, 2)
        self.assertNoResult(asked)
        self.pool.go_on()
        self.assertEqual(self.successResultOf(asked), (3, 1))

    def test_errors(self) -> None:
        """An error of a thread is raised at its caller, an unforeseen one with its traceback."""
        asked = self.threads.deferred(_foreseen, Large())
        self.pool.go_on()
        error = self.failureResultOf(asked, NotATimeRange).value
        self.assertIsInstance(error.__cause__, KeyError)
        asked = self.threads.deferred(_defect, Large())
        self.pool.go_on()
        self.assertIn("_defect", self.failureResultOf(asked, ZeroDivisionError).getTraceback())

    def test_nothing_is_kept(self) -> None:
        """After an error, what the function was given is free without the collector of cycles."""
        async def ask(function: Callable[..., Any], large: Large) -> str:
            try:
                await self.threads.call(function, large)
            except (NotATimeRange, ZeroDivisionError) as error:
                return type(error).__name__
            return "nothing"

        was_enabled = gc.isenabled()
        gc.disable()
        self.addCleanup(gc.enable if was_enabled else gc.disable)
        for function in (_foreseen, _defect):
            large = Large()
            is_there = ref(large)
            asked = Deferred.fromCoroutine(ask(function, large))
            del large
            self.pool.go_on()
            self.assertNotEqual(self.successResultOf(asked), "nothing")
            del asked
            self.assertIsNone(is_there(), function)


class ChainTests(SynchronousTestCase):
    """Causes of an error keep no frames."""

    def test_causes(self) -> None:
        """A foreseen error drops the frames of its causes as well."""
        pool = Pool()
        asked = Threads(pool).deferred(_chained, UpstreamBroke("b"))
        pool.go_on()
        error = self.failureResultOf(asked, UpstreamBroke).value
        self.assertIsNone(error.__cause__.__traceback__)
        self.assertIsNone(error.__cause__.__cause__.__traceback__)


def _chained(last: Exception) -> None:
    try:
        _foreseen(Large())
    except NotATimeRange as error:
        raise last from error


@define
class Reactor:
    """Calls what threads ask for when the test waits for it."""

    asked: Queue[Callable[[], None]] = field(factory=Queue)

    def callFromThread(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.asked.put(partial(function, *arguments))

    def result(self, deferred: Deferred[Any]) -> Any:
        """:return: what a call in a thread gives."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        while not results:
            self.asked.get(timeout=30)()
        return results[0]


class OwnThreadsTests(SynchronousTestCase):
    """The threads of one store."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.threads = OwnThreads(self.reactor, "disk")

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.threads.call(function, *arguments))

    def test_result(self) -> None:
        """A call is made in a thread that is named after the cache and ends with the process."""
        self.addCleanup(self.threads.stop)
        thread = self.reactor.result(self.ask(current_thread))
        self.assertIn("store-disk", thread.name)
        self.assertTrue(thread.daemon)
        failure = self.reactor.result(self.ask(divmod, 1, 0))
        self.assertIsInstance(failure.value, ZeroDivisionError)

    def test_stop(self) -> None:
        """To stop them waits for no call; they end when theirs have."""
        begun, going_on = Event(), Event()
        self.addCleanup(going_on.set)
        self.ask(lambda: (begun.set(), going_on.wait(30), current_thread()))
        self.assertTrue(begun.wait(30))
        thread = self.reactor.result(self.ask(current_thread))
        self.threads.stop()
        self.assertFalse(going_on.is_set())
        thread.join(30)
        self.assertFalse(thread.is_alive())

    def test_never_asked(self) -> None:
        """A store that calls nothing in threads has none."""
        OwnThreads(self.reactor, "unasked").stop()
        self.assertEqual([each for each in enumerate_threads() if "unasked" in each.name], [])
