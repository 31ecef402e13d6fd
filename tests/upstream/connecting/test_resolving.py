"""Tests for L{trickster.upstream.connecting.resolving}: a name that hangs holds up no other."""

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

from trickster.upstream.connecting.resolving import (
    LookupThreads,
    Names,
    SharedResolver,
    shared_resolver,
    why_not_found,
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
        """A shared resolver provides IHostnameResolver."""
        verifyObject(IHostnameResolver, self.resolver)

    def test_found(self) -> None:
        """All internet addresses that a lookup finds are given, in its order."""
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

    def test_failed(self) -> None:
        """A lookup that fails ends at once; why is kept until the name is found."""
        told = self.resolving("a.test", 80)
        self.asked[0][1].errback(socket.gaierror(socket.EAI_AGAIN, "Try later"))
        self.assertEqual(told, ["a.test", "end"])
        self.assertIn("Try later", self.resolver.why_not_found("a.test") or "")
        self.assertIsNone(self.resolver.why_not_found("b.test"))
        self.resolving("a.test", 80)
        self.asked[1][1].callback(())
        self.assertEqual(self.resolver.why_not_found("a.test"), "there is no such name")
        self.resolving("a.test", 80)
        self.asked[2][1].callback(FOUND)
        self.assertIsNone(self.resolver.why_not_found("a.test"))

    def test_not_begun(self) -> None:
        """A lookup that cannot begin fails at once, and the next one begins anew."""
        resolver, receiver, found = SharedResolver(self.no_thread), Receiver(), Receiver()
        resolver.resolveHostName(receiver, "a.test", 80)
        self.assertEqual(receiver.told, ["a.test", "end"])
        self.assertIn("no more threads", resolver.why_not_found("a.test") or "")
        resolver.look_up = self.look_up
        resolver.resolveHostName(found, "a.test", 80)
        self.asked[0][1].callback(FOUND)
        self.assertEqual(found.told[-1], "end")
        self.assertEqual(len(found.told), 4)

    def no_thread(self, *question: Any) -> Deferred[Any]:
        raise RuntimeError("no more threads")

    def test_shared(self) -> None:
        """Equal lookups at the same time share one; a different name is a lookup of its own."""
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
        """A name that was found is looked up again the next time, since names move."""
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

    def test_failed(self) -> None:
        """Any error that a lookup raises is passed on, without the frames of the thread."""
        for error in (socket.gaierror("no such name"), UnicodeError("label too long"),
                      MemoryError()):
            def fail(name: str, error: Exception = error) -> None:
                raise error

            success, failure = self.looked_up(fail)
            self.assertFalse(success)
            self.assertIs(failure.value, error)
            self.assertIsNone(error.__traceback__)


class WhyTests(SynchronousTestCase):
    """The reasons why a name was not found."""

    def test_unknown(self) -> None:
        """A name is unknown if the resolver says so, or finds no address."""
        for error in (None, socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
                      socket.gaierror(-5, "No address associated with hostname")):
            self.assertEqual(why_not_found(error), "there is no such name")

    def test_no_name(self) -> None:
        """A host that cannot be encoded is reported as one that cannot be a name."""
        self.assertEqual(why_not_found(UnicodeError("label too long")), "it cannot be a name")

    def test_cannot_tell(self) -> None:
        """
        A failure that says nothing of the name is given in the words of the resolver or the system.
        """
        for error, why in (
                (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
                 "Temporary failure in name resolution"),
                (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"),
                 "Non-recoverable failure"),
                (socket.gaierror("odd"), "odd"), (OSError(24, "Too many open files"),
                                                  "Too many open files"),
                (RuntimeError("can't start new thread"), "can't start new thread"),
                (MemoryError(), "MemoryError")):
            self.assertEqual(why_not_found(error),
                             f"it cannot be told now whether there is such a name: {why}")


class NamesTests(SynchronousTestCase):
    def test_while_running(self) -> None:
        """The reactor uses the resolver while the service runs, and only then."""
        reactor: Any = MemoryReactorClock()
        before = reactor.nameResolver
        resolver = shared_resolver(reactor)
        names = Names(reactor, resolver)
        names.startService()
        self.assertIs(reactor.nameResolver, resolver)
        names.stopService()
        self.assertIs(reactor.nameResolver, before)

    def test_endpoint(self) -> None:
        """An endpoint of Twisted's connects to the address that the resolver found."""
        reactor: Any = MemoryReactorClock()
        lookup: Deferred[Any] = Deferred()
        Names(reactor, SharedResolver(lambda *_: lookup)).startService()
        HostnameEndpoint(reactor, "a.test", 80).connect(Factory())
        lookup.callback(FOUND)
        self.assertEqual(reactor.tcpClients[0][:2], ("::1", 80))

    def test_endpoint_without_addresses(self) -> None:
        """An endpoint whose resolver finds no address fails with a lookup error."""
        reactor: Any = MemoryReactorClock()
        lookup: Deferred[Any] = Deferred()
        Names(reactor, SharedResolver(lambda *_: lookup)).startService()
        connecting = HostnameEndpoint(reactor, "a.test", 80).connect(Factory())
        lookup.callback(())
        self.failureResultOf(connecting, DNSLookupError)
