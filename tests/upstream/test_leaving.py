"""Tests that a client which goes gives back what it had, at any stage of its request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tests.upstream.scripted import OK, ClientCase, a_client, a_request, reading
from trickster.messages import Request
from trickster.testing.bodies import PausedBody

EVENTS = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
          b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
          b"Upgrade: websocket\r\n\r\n")
PLAIN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\nx"

Leave = Callable[[], None]


def an_upgrade() -> Request:
    return a_request(b"GET", b"/ws", (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))


class LeavingTests(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=1)
        self.uploads: list[PausedBody] = []

    def cancelling(self, asked: Deferred[Any]) -> Leave:
        def leave() -> None:
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
        return leave

    # One for each state; what it gives back is how the client goes.

    def queued(self) -> Leave:
        first = self.asked()
        leave = self.cancelling(self.asked())
        self.assertEqual(self.client.stats.waiting, 1)

        def both() -> None:
            leave()
            self.assertEqual(self.client.stats.waiting, 0)
            self.origin.wire.sends(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            self.successResultOf(first)
        return both

    def connecting(self) -> Leave:
        """Looking up the name belongs to it."""
        self.origin.hesitates = True
        leave = self.cancelling(self.asked())
        self.origin.hesitates = False
        return leave

    def sending(self) -> Leave:
        return self.cancelling(self.asked(self.upload()))

    def sending_while_blocked(self) -> Leave:
        asked = self.asked(self.upload())
        self.origin.wire.producer.pauseProducing()
        self.uploads[-1].feed(b"x")
        return self.cancelling(asked)

    def waiting(self) -> Leave:
        return self.cancelling(self.asked())

    def reading_the_head(self) -> Leave:
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 O")
        return self.cancelling(asked)

    def answering_again(self) -> Leave:
        """A second attempt, as the connection of the first one was stale."""
        self.answered(OK)
        asked = self.asked()
        self.origin.wires[0].resets()
        self.assertEqual(len(self.origin.wires), 2)
        return self.cancelling(asked)

    def reading(self) -> Leave:
        return self.answered(SIZED).body.close

    def reading_on(self) -> Leave:
        body = self.answered(SIZED).body
        self.successResultOf(reading(body))
        waiting = reading(body)

        def leave() -> None:
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
            body.close()
        return leave

    def paused(self) -> Leave:
        body = self.answered(SIZED + b"x" * 300_000).body
        self.assertFalse(self.origin.wire.is_read)
        return body.close

    def streaming(self) -> Leave:
        return self.answered(EVENTS).body.close

    def quiet(self) -> Leave:
        body = self.answered(PLAIN).body
        self.clock.advance(1000)
        return body.close

    def long(self) -> Leave:
        body = self.answered(SIZED).body
        self.clock.advance(6)
        self.cancelling(self.asked())()
        self.assertEqual(self.client.stats.lasting, 1)
        return body.close

    def upgraded(self) -> Leave:
        body = self.answered(SWITCH, request=an_upgrade()).body

        def leave() -> None:
            body.close()
            self.origin.wire.closes()
        return leave

    def writing(self) -> Leave:
        body: Any = self.answered(SWITCH, request=an_upgrade()).body
        self.origin.wire.producer.pauseProducing()
        writing = Deferred.fromCoroutine(body.write(b"x"))

        def leave() -> None:
            writing.cancel()
            self.failureResultOf(writing, CancelledError)
            body.close()
            self.origin.wire.closes()
        return leave

    def upgraded_and_lost(self) -> Leave:
        """The client goes when it hears that the origin has."""
        body = self.answered(SWITCH, request=an_upgrade()).body
        reading(body).addCallback(lambda _: body.close())
        return self.origin.wire.closes

    def upload(self) -> Any:
        self.uploads.append(PausedBody())
        return a_request(b"POST", b"/", body=self.uploads[-1])

    def test_everything_is_given_back(self) -> None:
        """
        A client that leaves gives back its slot, connection and timers, and the next one is served.
        """
        for state in (self.queued, self.connecting, self.sending, self.sending_while_blocked,
                      self.waiting, self.reading_the_head, self.answering_again, self.reading,
                      self.reading_on, self.paused, self.streaming, self.quiet, self.long,
                      self.upgraded, self.writing, self.upgraded_and_lost):
            with self.subTest(state.__name__):
                self.setUp()
                state()()
                stats = self.client.stats
                self.assertEqual((stats.active, stats.idle, stats.waiting, stats.lasting),
                                 (0, 0, 0, 0))
                self.assertFalse(any(wire.is_open for wire in self.origin.wires))
                self.assertTrue(all(body.closes == 1 for body in self.uploads))
                self.assertEqual(self.clock.getDelayedCalls(), [])
                self.assertEqual(self.answered(OK).status, 200)
                self.assertTrue(self.client.stop().called)
