"""Tests for connections that an origin has given up."""

from __future__ import annotations

from tests.upstream.scripted import OK, ClientCase, a_request


class GivenUpTests(ClientCase):
    LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def test_while_idle(self) -> None:
        """A 408 on an idle connection means that the connection is closed."""
        self.answered(OK)
        self.origin.wire.sends(self.LATE)
        self.at_rest()
        self.answered(OK)
        self.assertEqual(len(self.origin.wires), 2)

    def test_crossed(self) -> None:
        """
        A late response that crosses a request on its way is not taken as the response to that
        request.
        """
        self.answered(OK)
        asked = self.asked()
        self.origin.wires[0].sends(self.LATE)
        self.assertNoResult(asked)
        self.origin.wires[1].sends(OK)
        self.assertEqual(self.successResultOf(asked).status, 200)

    def test_crossed_unsafe(self) -> None:
        """
        A 408 that crosses a request which may not be sent twice is the response to that request.
        """
        self.answered(OK)
        self.assertEqual(self.answered(self.LATE, request=a_request(b"POST")).status, 408)

    def test_first(self) -> None:
        """A 408 on a connection that was never used is a response."""
        self.assertEqual(self.answered(self.LATE).status, 408)

    def test_said_to_close(self) -> None:
        """A connection is not used again after a response that says close, of any status."""
        for status in (b"408", b"503", b"200"):
            self.answered(b"HTTP/1.1 " + status + b" X\r\nConnection: close\r\n"
                          b"Content-Length: 0\r\n\r\n", request=a_request(b"POST"))
            self.assertTrue(self.origin.wire.is_aborted)
            self.at_rest()

    def test_all_dead(self) -> None:
        """Requests succeed even if all kept connections have been closed by the origin."""
        asked = [self.asked() for _ in range(20)]
        for wire, waiting in zip(self.origin.wires, asked, strict=True):
            wire.sends(OK)
            self.successResultOf(waiting)
        for wire in list(self.origin.wires):
            wire.is_open = False  # and we have not been told
        again = self.asked()
        self.origin.wires[19].is_open = True
        self.origin.wires[19].resets()
        self.origin.wire.sends(OK)
        self.assertEqual(self.successResultOf(again).status, 200)
        self.assertEqual(self.client.stats.active, 0)
