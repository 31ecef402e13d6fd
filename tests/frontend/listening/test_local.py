"""Tests of L{trickster.frontend.listening.local}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.frontend.connection import Connection
from trickster.frontend.listening.local import LocalListener
from trickster.frontend.site import ProxySite
from trickster.frontend.tree import ResponderResource
from trickster.testing.doubles import PausedOrigin, RecordingResponder


class Port:
    """
    A port that listens nowhere.

    :ivar stopped: fires when the test says that it does so no more.
    """

    def __init__(self) -> None:
        self.stopped: Deferred[None] = Deferred()

    def stopListening(self) -> Deferred[None]:
        """:return: see above."""
        return self.stopped


class Reactor(MemoryReactorClock):
    """A reactor whose ports are of the test."""

    def __init__(self) -> None:
        super().__init__()
        self.port: Any = Port()

    def listenUNIX(self, *arguments: Any, **more: Any) -> Any:
        """:return: the port."""
        super().listenUNIX(*arguments, **more)
        return self.port


class LocalListenerTests(SynchronousTestCase):
    """A listener for processes of the same user."""

    def setUp(self) -> None:
        """Make one; it is not started."""
        self.reactor, self.origin = Reactor(), PausedOrigin()
        self.site = ProxySite(ResponderResource(self.origin), self.reactor)
        self.listener = LocalListener(self.reactor, self.site, "/run/x")

    def test_listens(self) -> None:
        """It listens once it is started, and only the user of the process may connect."""
        self.listener.privilegedStartService()
        self.assertEqual(self.reactor.unixServers, [])
        self.listener.startService()
        [(path, factory, backlog, mode, _)] = self.reactor.unixServers
        self.assertGreater(backlog, 1000)
        self.assertEqual((path, factory, mode), ("/run/x", self.site, 0o600))

    def test_stopped(self) -> None:
        """When it stops, it takes no more connections, and then waits for requests."""
        self.listener.startService()
        connection = Connection(RecordingResponder(), site=self.site)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        stopped = self.listener.stopService()
        self.assertEqual(connection.ending, "open")
        self.reactor.port.stopped.callback(None)
        self.assertNoResult(stopped)
        self.listener.abort()
        connection.leave()
        self.successResultOf(stopped)

    def test_idle(self) -> None:
        """Connections without a request are closed when it stops."""
        self.listener.startService()
        connection = Connection(RecordingResponder(), site=self.site)
        stopped = self.listener.stopService()
        self.reactor.port.stopped.callback(None)
        self.assertEqual(connection.ending, "closed")
        connection.leave()
        self.successResultOf(stopped)

    def test_not_started(self) -> None:
        """One that was not started stops at once."""
        self.successResultOf(self.listener.stopService())

    def test_again(self) -> None:
        """One that has stopped can be started again, and keeps its connections."""
        for count in (1, 2):
            self.reactor.port = Port()
            self.listener.startService()
            self.assertEqual(len(self.reactor.unixServers), count)
            connection = Connection(RecordingResponder(), site=self.site)
            self.assertEqual(connection.ending, "open")
            stopped = self.listener.stopService()
            self.reactor.port.stopped.callback(None)
            connection.leave()
            self.successResultOf(stopped)
