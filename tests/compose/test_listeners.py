"""Tests of L{trickster.compose.listeners}."""

from __future__ import annotations

import socket

from attrs import define
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource

from trickster.compose.listeners import ListenerPlace, listener, local_listener
from trickster.config.options.listeners import ListenerOptions
from trickster.frontend.limits import ListenerLimits, NoEvents
from trickster.frontend.tree import ResponderResource
from trickster.http.forwarded import Trusted
from trickster.http.h1.head_reader import HeadLimits
from trickster.testing.doubles import RecordingResponder

ROOT: IResource = ResponderResource(RecordingResponder())
OPTIONS = ListenerOptions(
    address="127.0.0.1", port=1, connections_limit=2, read_header_timeout=3.0,
    max_request_body_size_bytes=4, truncate_request_body_too_large=True, idle_timeout=5.0,
    body_timeout=6.0, min_body_rate=7, write_timeout=8.0, trusted_proxies=("192.0.2.0/24",),
    max_request_line_bytes=1025, max_header_bytes=1026, drain_timeout=9.0)


class Taken(Exception):
    """No socket is to be had."""


@define
class Taking:
    """
    Has no socket for any listener.

    :ivar asked: how often one was wanted.
    """

    asked: int = 0

    def socket(self) -> socket.socket:
        """Fail as an address that is taken."""
        self.asked += 1
        raise Taken


class ListenerTests(SynchronousTestCase):
    """What a listener is made of."""

    def setUp(self) -> None:
        """Have a place where nothing can listen."""
        self.clock, self.taking = Clock(), Taking()
        self.place = ListenerPlace(self.clock, lambda: 1_700_000_000.0, self.taking.socket)

    def test_limits(self) -> None:
        """Each option of a listener becomes its limit."""
        made = listener(OPTIONS, ROOT, self.place, NoEvents())
        self.assertEqual(made.site.limits, ListenerLimits(
            head=HeadLimits(1025, 1026), connections=2, body=4, truncate=True, header_timeout=3.0,
            idle_timeout=5.0, body_timeout=6.0, body_rate=7.0, write_timeout=8.0,
            trusted=Trusted.of(("192.0.2.0/24",))))

    def test_served(self) -> None:
        """A listener serves the given resource, and reports its connections to the given events."""
        events = NoEvents()
        made = listener(OPTIONS, ROOT, self.place, events)
        self.assertIs(made.site.resource, ROOT)
        self.assertIs(made.site.events, events)

    def test_own(self) -> None:
        """
        A listener of our own endpoints is not counted, and has descriptors where clients have
        taken all of theirs.
        """
        own, other = (listener(OPTIONS, ROOT, self.place, events)
                      for events in (None, NoEvents()))
        self.assertIsInstance(own.site.events, NoEvents)
        self.assertGreater(own.site.limits.reserve, other.site.limits.reserve)

    def test_socket(self) -> None:
        """The socket of a listener is asked for at its start only."""
        made = listener(OPTIONS, ROOT, self.place)
        self.assertEqual(self.taking.asked, 0)
        for start in (made.privilegedStartService, made.startService):
            self.assertRaises(Taken, start)
        self.assertEqual(self.taking.asked, 2)
        self.assertIsNone(made.address)

    def test_nothing_left(self) -> None:
        """A listener that could not start stops at once, and leaves no delayed call."""
        made = listener(OPTIONS, ROOT, self.place)
        self.assertRaises(Taken, made.startService)
        self.successResultOf(made.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_local(self) -> None:
        """
        A listener for processes of the same user has the limits of the options, and listens at a
        path.
        """
        reactor = MemoryReactorClock()
        made = local_listener(OPTIONS, ROOT, reactor, reactor.seconds, "/run/x")
        self.assertEqual(made.site.limits, listener(OPTIONS, ROOT, self.place, NoEvents()).site.limits)
        self.assertIs(made.site.resource, ROOT)
        made.startService()
        self.assertEqual([(path, site) for path, site, *_ in reactor.unixServers],
                         [("/run/x", made.site)])
