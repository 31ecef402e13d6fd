"""Tests of L{trickster.compose.listeners}."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource

from trickster.compose.listeners import listener
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
class FakeProcess:
    """
    A process without sockets.

    :ivar asked: the options of which sockets were wanted, at the time.
    """

    reactor: Clock = field(factory=Clock)
    asked: list[ListenerOptions] = field(factory=list)

    def wall(self) -> float:
        """:return: seconds since the epoch."""
        return 1_700_000_000.0

    def listening(self, options: ListenerOptions) -> Callable[[], socket.socket]:
        """:return: fails as an address that is taken."""
        def taken() -> socket.socket:
            self.asked.append(options)
            raise Taken
        return taken


class ListenerTests(SynchronousTestCase):
    """What a listener is made of."""

    def setUp(self) -> None:
        """Have a process."""
        self.process: Any = FakeProcess()

    def test_limits(self) -> None:
        """Each option of a listener becomes its limit."""
        made = listener(OPTIONS, ROOT, self.process, NoEvents())
        self.assertEqual(made.site.limits, ListenerLimits(
            head=HeadLimits(1025, 1026), connections=2, body=4, truncate=True, header_timeout=3.0,
            idle_timeout=5.0, body_timeout=6.0, body_rate=7.0, write_timeout=8.0,
            trusted=Trusted.of(("192.0.2.0/24",))))

    def test_served(self) -> None:
        """A listener serves the given resource, and reports its connections to the given events."""
        events = NoEvents()
        made = listener(OPTIONS, ROOT, self.process, events)
        self.assertIs(made.site.resource, ROOT)
        self.assertIs(made.site.events, events)

    def test_own(self) -> None:
        """
        A listener of our own endpoints is not counted, and has descriptors where clients have
        taken all of theirs.
        """
        own, other = (listener(OPTIONS, ROOT, self.process, events)
                      for events in (None, NoEvents()))
        self.assertIsInstance(own.site.events, NoEvents)
        self.assertGreater(own.site.limits.reserve, other.site.limits.reserve)

    def test_socket(self) -> None:
        """The socket of a listener is made of its options, and only at its start."""
        made = listener(OPTIONS, ROOT, self.process)
        self.assertEqual(self.process.asked, [])
        for start in (made.privilegedStartService, made.startService):
            self.assertRaises(Taken, start)
        self.assertEqual(self.process.asked, [OPTIONS] * 2)
        self.assertIsNone(made.address)

    def test_nothing_left(self) -> None:
        """A listener that could not start stops at once, and leaves no delayed call."""
        made = listener(OPTIONS, ROOT, self.process)
        self.assertRaises(Taken, made.startService)
        self.successResultOf(made.stopService())
        self.assertEqual(self.process.reactor.getDelayedCalls(), [])
