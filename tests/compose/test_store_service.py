"""Tests of L{trickster.compose.store_service}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.compose.logged import LoggedTestCase
from trickster.compose.store_service import StoreService
from trickster.errors import BrokenPlugin


class Scripted(Service):
    """A store that starts and stops as the test says."""

    def __init__(self, start: Callable[[], Any] = lambda: None,
                 stop: Callable[[], Any] = lambda: None) -> None:
        self._start, self._stop = start, stop

    def startService(self) -> Any:
        """:return: what the test says."""
        super().startService()
        return self._start()

    def stopService(self) -> Any:
        """:return: what the test says."""
        super().stopService()
        return self._stop()


def _raising(error: BaseException) -> Callable[[], Any]:
    def function() -> Any:
        raise error

    return function


async def _stubborn() -> None:
    while True:
        try:
            await Deferred()
        except CancelledError:
            continue


class StoreServiceTests(LoggedTestCase):
    """A store that is a service."""

    def setUp(self) -> None:
        """Time passes when the test says so."""
        super().setUp()
        self.clock = Clock()
        self.let_go: list[None] = []

    def service(self, **scripts: Callable[[], Any]) -> tuple[StoreService, Scripted]:
        """:return: what stands before a store, and the store."""
        store = Scripted(**scripts)
        return StoreService(store, "disk", self.clock, lambda: self.let_go.append(None)), store

    def test_started(self) -> None:
        """The store is started and stopped with it."""
        service, store = self.service()
        service.privilegedStartService()
        service.startService()
        self.assertTrue(store.running)
        self.assertIsNone(self.successResultOf(service.stopService()))
        self.assertFalse(store.running)
        self.assertEqual(len(self.let_go), 1)
        self.assertEqual((self.logged(), self.clock.getDelayedCalls()), ([], []))

    def test_not_started(self) -> None:
        """A store that cannot be started is told with its cache, and why."""
        for error, told in ((OSError("disk\n full"), "OSError: disk full"),
                            (SystemExit(3), "SystemExit: 3")):
            service, _ = self.service(start=_raising(error))
            said = self.assertRaises(BrokenPlugin, service.startService)
            self.assertEqual(str(said), f"the store of cache 'disk' cannot be started: {told}")
            self.assertFalse(service.running)

    def test_not_started_privileged(self) -> None:
        """Nor can one that fails before privileges are given up."""
        service, store = self.service()
        store.privilegedStartService = _raising(OSError("x"))
        self.assertRaises(BrokenPlugin, service.privilegedStartService)

    def test_start_is_not_awaited(self) -> None:
        """A start that wants to be waited for is refused, since listeners would not wait."""

        async def later() -> None:
            """Is not done."""

        for start in (later, Deferred, lambda: fail(OSError("x")), lambda: succeed(None)):
            service, _ = self.service(start=start)
            self.assertIn("its startService gives ",
                          str(self.assertRaises(BrokenPlugin, service.startService)))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stop_later(self) -> None:
        """A store may take its time to stop, and say so with a Deferred or a coroutine."""
        until: list[Deferred[None]] = []

        def stop() -> Deferred[None]:
            until.append(Deferred())
            return until[-1]

        async def stop_awaiting() -> None:
            await stop()

        for way in (stop, stop_awaiting):
            service, _ = self.service(stop=way)
            service.startService()
            waiting = service.stopService()
            self.assertNoResult(waiting)
            until[-1].callback(None)
            self.successResultOf(waiting)
        self.assertEqual((self.logged(), self.clock.getDelayedCalls()), ([], []))

    def test_not_stopped(self) -> None:
        """What fails to stop keeps no others from stopping, and a line has its name."""
        for stop in (_raising(OSError("x")), lambda: fail(OSError("x"))):
            service, _ = self.service(stop=stop)
            service.startService()
            self.successResultOf(service.stopService())
        self.assertEqual(self.logged(), ["The store of cache disk did not stop: OSError: x"] * 2)

    def test_hangs(self) -> None:
        """Nor does one that never stops, whatever it does when it is cancelled."""
        for stop in (Deferred, _stubborn):
            service, _ = self.service(stop=stop)
            service.startService()
            waiting = service.stopService()
            self.clock.advance(4)
            self.assertNoResult(waiting)
            self.assertEqual(self.let_go, [])
            self.clock.advance(1)
            self.assertEqual(self.let_go.pop(), None)
            self.successResultOf(waiting)
        self.assertEqual(
            self.logged(),
            ["The store of cache disk did not stop: StoreTimeout: no answer in 5 s"] * 2)
