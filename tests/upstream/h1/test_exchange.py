"""Tests for L{trickster.upstream.h1.exchange} after an upgrade."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.upstream.scripted import OK, ClientCase, a_request, reading
from trickster.errors import (
    UpstreamBroke,
    UpstreamMalformed,
    UpstreamTimeout,
)
from trickster.interfaces import IDuplex
from trickster.messages import Request
from trickster.testing.bodies import PausedBody


class UpgradeTests(ClientCase):
    SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
              b"Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")

    def request(self, protocol: bytes = b"websocket") -> Request:
        return a_request(b"GET", b"/ws", (b"Connection", b"keep-alive, Upgrade"),
                         (b"Upgrade", protocol))

    def upgraded(self, more: bytes = b"") -> Any:
        response = self.answered(self.SWITCH + more, request=self.request())
        self.assertEqual(response.status, 101)
        self.origin.wire.asked()
        return response.body

    def test_request(self) -> None:
        """A request's Upgrade is sent to the origin."""
        self.asked(self.request())
        asked = self.origin.wire.asked()
        self.assertTrue(asked.endswith(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))

    def test_answer(self) -> None:
        """A 101 response says which protocol it changes to, and its body goes both ways."""
        response = self.answered(self.SWITCH, request=self.request())
        self.assertEqual(response.headers.pairs, (
            (b"Sec-WebSocket-Accept", b"x"), (b"Connection", b"Upgrade"),
            (b"Upgrade", b"websocket")))
        verifyObject(IDuplex, response.body)

    def test_both_ways(self) -> None:
        """Octets of an upgraded connection go in both directions, for as long as it takes."""
        body = self.upgraded(b"first")
        self.assertEqual(self.successResultOf(reading(body)), b"first")
        self.clock.advance(100_000)
        self.successResultOf(Deferred.fromCoroutine(body.write(b"hello")))
        self.assertEqual(self.origin.wire.asked(), b"hello")
        read = reading(body)
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(self.successResultOf(read), b"HTTP/1.1 200 OK\r\n\r\n")
        self.clock.advance(100_000)
        self.assertEqual(self.client.stats.lasting, 1)

    def test_back_pressure(self) -> None:
        """Writing waits for an origin that does not read, but not for ever."""
        body = self.upgraded()
        self.origin.wire.producer.pauseProducing()
        writing = Deferred.fromCoroutine(body.write(b"hello"))
        self.assertNoResult(writing)
        self.origin.wire.producer.resumeProducing()
        self.successResultOf(writing)
        self.origin.wire.producer.pauseProducing()
        writing = Deferred.fromCoroutine(body.write(b"hello"))
        self.clock.advance(60)
        self.failureResultOf(writing, UpstreamBroke)
        self.failureResultOf(reading(body), UpstreamTimeout)
        self.at_rest()

    def test_origin_ends(self) -> None:
        """When the origin has closed its side of an upgraded connection, the client may go on."""
        body = self.upgraded()
        self.origin.wire.protocol.readConnectionLost()
        self.assertEqual(self.successResultOf(reading(body)), b"")
        self.successResultOf(Deferred.fromCoroutine(body.write(b"more")))
        self.assertEqual(self.origin.wire.asked(), b"more")
        body.close()
        self.assertTrue(self.origin.wire.disconnecting)
        self.origin.wire.closes()
        self.at_rest()

    def test_client_ends(self) -> None:
        """When the client has closed its side of an upgraded connection, the origin may go on."""
        body = self.upgraded()
        body.end()
        self.origin.wire.sends(b"more")
        self.assertEqual(self.successResultOf(reading(body)), b"more")
        self.failureResultOf(Deferred.fromCoroutine(body.write(b"x")), UpstreamBroke)

    def test_close(self) -> None:
        """A closed upgraded connection sends what was written last, and is closed in time."""
        body = self.upgraded()
        self.successResultOf(Deferred.fromCoroutine(body.write(b"bye")))
        body.close()
        self.assertTrue(self.origin.wire.disconnecting)
        self.assertFalse(self.origin.wire.is_aborted)
        self.at_rest()
        self.clock.advance(60)
        self.assertTrue(self.origin.wire.is_aborted)

    def test_broken(self) -> None:
        """A connection that breaks is an error to both directions."""
        body = self.upgraded()
        self.origin.wire.resets()
        self.failureResultOf(reading(body), UpstreamBroke)
        self.failureResultOf(Deferred.fromCoroutine(body.write(b"x")), UpstreamBroke)
        self.at_rest()

    def test_refused(self) -> None:
        """An origin may answer a request for an upgrade without upgrading."""
        response = self.answered(OK, request=self.request())
        self.assertEqual((response.status, self.client.stats.idle), (200, 1))

    def test_another_protocol(self) -> None:
        """An upgrade to a protocol that was not asked for is no answer."""
        for answer in (self.SWITCH.replace(b"websocket", b"tls/1.3"),
                       self.SWITCH.replace(b"Connection: Upgrade\r\n", b""),
                       self.SWITCH.replace(b"Upgrade: websocket\r\n", b"")):
            asked = self.asked(self.request())
            self.origin.wire.sends(answer)
            self.failureResultOf(asked, UpstreamMalformed)
            self.at_rest()

    def test_too_early(self) -> None:
        """An upgrade before the request was sent whole is malformed."""
        request = evolve(self.request(), method=b"POST", body=PausedBody())
        asked = self.asked(request)
        self.origin.wire.sends(self.SWITCH)
        self.failureResultOf(asked, UpstreamMalformed)
        self.at_rest()

    def test_http2(self) -> None:
        """An Upgrade to HTTP/2 is not offered to the origin."""
        self.asked(self.request(b"h2c"))
        self.assertNotIn(b"pgrade", self.origin.wire.asked())
