"""Tests for L{trickster.upstream.resolving}: a name that hangs holds up no other."""

from __future__ import annotations

import socket
import threading
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.upstream.resolving import (
    LookupThreads,
    Names,
    SharedResolver,
    shared_resolver,
)

FOUND = [
    (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 80, 0, 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)),
    (socket.AF_UNIX, socket.SOCK_STREAM, 6, "", "/nowhere"),
]


class Receiver:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        self.told.append(resolutionInProgress.name)

    def addressResolved(self, address: Any) -> None:
        self.told.append(address)

    def resolutionComplete(self) -> None:
        self.told.append("end")


class SharedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[tuple[tuple[Any, ...], Deferred[Any]]] = []
        self.resolver = SharedResolver(self.look_up)

    def look_up(self, *question: Any) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        self.asked.append((question, deferred))
        return deferred

    def resolving(self, *arguments: Any) -> list[Any]:
        receiver = Receiver()
        self.resolver.resolveHostName(receiver, *arguments)
        return receiver.told

    def test_interface(self) -> None:
        """It can take the place of any resolver."""
        verifyObject(IHostnameResolver, self.resolver)

    def test_found(self) -> None:
        """All addresses of the internet that a lookup finds are told, in its order."""
        told = self.resolving("a.test", 80)
        self.assertEqual(self.asked[0][0], ("a.test", 80, socket.AF_UNSPEC, socket.SOCK_STREAM))
        self.assertEqual(told, ["a.test"])
        self.asked[0][1].callback(FOUND)
        self.assertEqual(told, ["a.test", IPv6Address("TCP", "::1", 80, 0, 0),
                                IPv4Address("TCP", "127.0.0.1", 80), "end"])

    def test_not_found(self) -> None:
        """A name without addresses ends at once."""
        told = self.resolving("a.test", 80)
        self.asked[0][1].callback(())
        self.assertEqual(told, ["a.test", "end"])

    def test_shared(self) -> None:
        """Equal questions wait for one lookup; another one is a lookup of its own."""
        first, second = self.resolving("a.test", 80), self.resolving("a.test", 80)
        self.resolving("b.test", 80)
        self.resolving("a.test", 80, (IPv4Address,))
        self.assertEqual([question[:3] for question, _ in self.asked], [
            ("a.test", 80, socket.AF_UNSPEC), ("b.test", 80, socket.AF_UNSPEC),
            ("a.test", 80, socket.AF_INET)])
        self.asked[0][1].callback(FOUND)
        self.assertEqual(first, second)
        self.assertEqual(first[-1], "end")

    def test_anew(self) -> None:
        """What was found is not remembered: names move."""
        self.resolving("a.test", 80)
        self.asked[0][1].callback(FOUND)
        self.resolving("a.test", 80)
        self.assertEqual(len(self.asked), 2)


class ThreadTests(SynchronousTestCase):
    def looked_up(self, getaddrinfo: Any) -> Any:
        results: list[Any] = []
        done = threading.Event()

        def told(success: bool, result: Any) -> None:
            results.append((success, result))
            done.set()

        LookupThreads().callInThreadWithCallback(told, getaddrinfo, "a.test")
        self.assertTrue(done.wait(20))
        return results[0]

    def test_found(self) -> None:
        """A lookup runs in a thread of its own."""
        success, thread = self.looked_up(lambda name: threading.current_thread())
        self.assertTrue(success)
        self.assertTrue(thread.daemon)
        self.assertIsNot(thread, threading.current_thread())

    def test_unknown(self) -> None:
        """A name that the system does not know, or cannot even spell, has no addresses."""
        for error in (socket.gaierror("no such name"), UnicodeError("label too long")):
            def fail(name: str, error: Exception = error) -> None:
                raise error

            self.assertEqual(self.looked_up(fail), (True, ()))


class NamesTests(SynchronousTestCase):
    def test_while_running(self) -> None:
        """The reactor looks names up with it while the service runs, and only then."""
        reactor: Any = MemoryReactorClock()
        before = reactor.nameResolver
        resolver = shared_resolver(reactor)
        names = Names(reactor, resolver)
        names.startService()
        self.assertIs(reactor.nameResolver, resolver)
        names.stopService()
        self.assertIs(reactor.nameResolver, before)

    def test_endpoint(self) -> None:
        """An endpoint of Twisted's connects to what was found."""
        reactor: Any = MemoryReactorClock()
        lookup: Deferred[Any] = Deferred()
        Names(reactor, SharedResolver(lambda *_: lookup)).startService()
        HostnameEndpoint(reactor, "a.test", 80).connect(Factory())
        lookup.callback(FOUND)
        self.assertEqual(reactor.tcpClients[0][:2], ("::1", 80))

    def test_endpoint_without_addresses(self) -> None:
        """Without addresses it says that the lookup failed."""
        reactor: Any = MemoryReactorClock()
        lookup: Deferred[Any] = Deferred()
        Names(reactor, SharedResolver(lambda *_: lookup)).startService()
        connecting = HostnameEndpoint(reactor, "a.test", 80).connect(Factory())
        lookup.callback(())
        self.failureResultOf(connecting, DNSLookupError)
