"""Tests for how connections are made, waited for, given up and closed."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError

from tests.upstream.scripted import (
    OK,
    ClientCase,
    ScriptedOrigin,
    a_client,
    a_request,
    answering,
    reading,
)
from trickster.errors import (
    Overloaded,
    Reason,
    UpstreamBroke,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from trickster.testing.bodies import PausedBody


class NameThatHangs(ScriptedOrigin):
    """Fails as endpoints of Twisted do when they are cancelled while they look up a name."""

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return Deferred(lambda deferred: deferred.errback(DNSLookupError("no such name")))


class ConnectingTests(ClientCase):
    def test_refused(self) -> None:
        """An origin that refuses is unreachable, and the detail says where and why."""
        self.origin.refusal = ConnectionRefusedError("not today")
        error = self.failureResultOf(self.asked(), UpstreamUnreachable).value
        self.assertEqual((error.status, error.reason), (502, Reason.ORIGIN_UNREACHABLE))
        self.assertRegex(error.detail, "^origin.test:9090: .*not today")
        self.assertEqual(self.client.stats.failed_total, 1)
        self.at_rest()

    def test_unknown_name(self) -> None:
        """An origin whose name is unknown is unreachable."""
        self.origin.refusal = DNSLookupError("no results")
        error = self.failureResultOf(self.asked(), UpstreamUnreachable).value
        self.assertIn("no results", error.detail)

    def test_no_connection_in_time(self) -> None:
        """An attempt to connect that takes longer than the timeout fails with UpstreamTimeout."""
        self.origin.hesitates = True
        asked = self.asked()
        self.clock.advance(10)
        error = self.failureResultOf(asked, UpstreamTimeout).value
        self.assertIn("origin.test:9090", error.detail)
        self.assertEqual(self.origin.cancelled, 1)
        self.at_rest()

    def test_name_that_hangs(self) -> None:
        """
        A name that is not found in time is a timeout, however its lookup reacts to cancelling.
        """
        asked = answering(a_client(NameThatHangs(), self.clock), a_request())
        self.clock.advance(10)
        self.failureResultOf(asked, UpstreamTimeout)
        self.at_rest()

    def test_next_request(self) -> None:
        """A failure to connect does not affect the next request."""
        self.origin.refusal = ConnectionRefusedError()
        self.failureResultOf(self.asked(), UpstreamUnreachable)
        self.origin.refusal = None
        self.assertEqual(self.answered(OK).status, 200)

    def test_slow_start(self) -> None:
        """The time to connect is not taken from the time to answer."""
        self.origin.hesitates = True
        asked = self.asked()
        self.clock.advance(9)
        self.origin.accept()
        self.clock.advance(59)
        self.origin.wire.sends(OK)
        self.successResultOf(asked)


class CancelTests(ClientCase):
    def test_while_connecting(self) -> None:
        """A client that goes away stops the attempt to connect."""
        self.origin.hesitates = True
        asked = self.asked()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((self.origin.cancelled, self.client.stats.failed_total), (1, 0))
        self.at_rest()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_waiting_for_an_answer(self) -> None:
        """A client that goes away stops the origin's work."""
        asked = self.asked()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_while_uploading(self) -> None:
        """A client that goes away within its body leaves nothing behind."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((body.cancels, body.closes), (1, 1))
        self.at_rest()

    def test_while_queueing(self) -> None:
        """A client that leaves while its request waits loses only its own place."""
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=1)
        first, second, third = self.asked(), self.asked(), self.asked()
        self.assertEqual(self.client.stats.waiting, 2)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.origin.wire.sends(OK)
        self.successResultOf(first)
        self.origin.wire.sends(OK)
        self.successResultOf(third)
        self.assertEqual(len(self.origin.wires), 1)
        self.at_rest(idle=1)


class QueueTests(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=2,
                               max_queued_requests=1, queue_timeout=5.0)

    def test_bounded(self) -> None:
        """Connections and waiting requests are limited to the configured numbers."""
        self.asked(), self.asked(), self.asked()
        self.assertEqual((len(self.origin.wires), self.client.stats.waiting), (2, 1))
        error = self.failureResultOf(self.asked(), Overloaded).value
        self.assertEqual(error.status, 503)

    def test_patience(self) -> None:
        """A request that waits too long for a connection is refused as an overload."""
        self.asked(), self.asked()
        third = self.asked()
        self.clock.advance(5)
        self.failureResultOf(third, Overloaded)
        self.assertEqual(self.client.stats.waiting, 0)

    def test_after_a_failure(self) -> None:
        """A connection that breaks makes room for a new one."""
        first = self.asked()
        self.asked()
        third = self.asked()
        self.origin.wires[0].resets()
        self.failureResultOf(first, UpstreamBroke)
        self.assertEqual(len(self.origin.wires), 3)
        self.origin.wire.sends(OK)
        self.successResultOf(third)

    def test_idle_bound(self) -> None:
        """No more idle connections are kept than configured."""
        self.client = a_client(self.origin, self.clock, max_idle_conns=1)
        asked = [self.asked() for _ in range(3)]
        for wire, waiting in zip(self.origin.wires, asked, strict=True):
            wire.sends(OK)
            self.successResultOf(waiting)
        self.at_rest(idle=1)

    def test_no_bound(self) -> None:
        """A limit of zero connections is no limit."""
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=0)
        for _ in range(50):
            self.asked()
        self.assertEqual(self.client.stats.active, 50)


class StopTests(ClientCase):
    def test_idle(self) -> None:
        """The stop closes unused connections."""
        self.answered(OK)
        self.successResultOf(self.client.stop())
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_never_used(self) -> None:
        """The stop of a client without connections is complete at once."""
        self.successResultOf(self.client.stop())

    def test_in_use(self) -> None:
        """The stop lets exchanges in progress end, and keeps no connection after them."""
        asked = self.asked()
        stopping = self.client.stop()
        self.assertNoResult(stopping)
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.successResultOf(stopping)
        self.at_rest()

    def test_afterwards(self) -> None:
        """After the stop, new requests are refused."""
        self.client.stop()
        self.failureResultOf(self.asked(), Overloaded)

    def test_abort(self) -> None:
        """An abort ends all exchanges at once."""
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=1)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        waiting = self.asked()
        stopping = self.client.stop()
        self.client.abort()
        self.failureResultOf(waiting, Overloaded)
        self.failureResultOf(reading(response.body), UpstreamBroke)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_abort_while_connecting(self) -> None:
        """An abort also cancels attempts to connect."""
        self.origin.hesitates = True
        asked = self.asked()
        self.client.abort()
        self.failureResultOf(asked, Overloaded)
        self.assertEqual((self.origin.cancelled, self.clock.getDelayedCalls()), (1, []))
        self.at_rest()
