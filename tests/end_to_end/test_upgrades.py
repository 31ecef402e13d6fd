"""The proxy path: changes of protocol, answers that come bit by bit, unusual methods."""

from __future__ import annotations

import random
import threading
import time

from tests.end_to_end.proxying import BACKENDS, ProxyCase
from tests.end_to_end.talking import (
    PATIENCE,
    Growth,
    Talk,
    eventually,
    request,
    sent_until_full,
)

MIB = 1 << 20
# The handshake of RFC 6455 section 1.3.
HANDSHAKE = [
    ("Upgrade", "websocket"), ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Protocol", "chat, superchat"), ("Origin", "http://a.test")]


class UpgradeTests(ProxyCase):
    """Connections that change to another protocol."""

    def upgraded(self, page: str, backend: str = "proxied") -> tuple[Talk, bytes]:
        """:return: a connection after the handshake, and the head of the answer."""
        talk = self.talk()
        talk.ask(f"/{backend}/{page}", HANDSHAKE)
        head = talk.until(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        return talk, head

    def test_handshake(self) -> None:
        """Both ends of an upgrade get the fields of the handshake that the other end sent."""
        for backend in BACKENDS:
            talk, head = self.upgraded("echo", backend)
            asked = self.origin.heads[-1].lower()
            for name, value in HANDSHAKE:
                self.assertIn(f"\r\n{name}: {value}\r\n".lower().encode(), asked)
            for line in (b"Upgrade: websocket", b"Connection: Upgrade",
                         b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="):
                self.assertIn(b"\r\n" + line + b"\r\n", head)
            self.assertNotIn(b"Content-Length", head)
            talk.send(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")  # "Hello", masked
            self.assertEqual(talk.exactly(11), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
            talk.close()

    def test_both_ways_at_once(self) -> None:
        """Eight MiB go there and come back at the same time, octet for octet."""
        octets = random.Random(8).randbytes(8 * MIB)
        talk, _ = self.upgraded("echo")
        sender = threading.Thread(target=talk.send, args=(octets,))
        sender.start()
        self.assertTrue(talk.exactly(len(octets)) == octets)
        sender.join(PATIENCE)
        talk.close()
        self.assertTrue(self.origin.is_left.wait(PATIENCE))

    def test_octets_with_the_handshake(self) -> None:
        """Octets that a client sends right behind the handshake reach the origin after it."""
        talk = self.talk()
        lines = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE)
        talk.send(f"GET /proxied/echo HTTP/1.1\r\nHost: a\r\n{lines}\r\nat once".encode())
        talk.until(b"\r\n\r\n")
        self.assertEqual(talk.exactly(7), b"at once")

    def test_origin_closes(self) -> None:
        """The origin's last octets reach the client, and then the end."""
        talk, _ = self.upgraded("bye")
        self.assertEqual(talk.rest(), b"goodbye")

    def test_client_finishes(self) -> None:
        """A client that has closed its sending side still gets the origin's octets."""
        talk, _ = self.upgraded("deaf")
        talk.send(b"some octets")
        talk.finish()
        self.origin.go_on.set()
        self.assertEqual(talk.rest(), b"11 in all")

    def test_client_vanishes(self) -> None:
        """The origin's connection is closed when the client leaves, whichever way it does."""
        for leave in (Talk.close, Talk.reset):
            self.origin.renew()
            talk, _ = self.upgraded("echo")
            talk.send(b"x")
            talk.exactly(1)
            leave(talk)
            self.assertTrue(self.origin.is_left.wait(PATIENCE))

    def test_deaf_origin(self) -> None:
        """An origin that does not read stops the client from sending, and memory stays bounded."""
        talk, _ = self.upgraded("deaf")
        growth = Growth(self.trickster)
        sent = sent_until_full(talk)
        self.assertLess(sent, 64 * MIB)
        self.assertLess(growth.peak, 16 * MIB)
        self.origin.go_on.set()
        talk.finish()
        self.assertEqual(talk.rest(), b"%d in all" % sent)

    def test_deaf_client(self) -> None:
        """A client that does not read stops the origin from sending."""
        growth = Growth(self.trickster)
        talk, _ = self.upgraded("flood")

        def is_stopped() -> bool:
            before = self.origin.moved
            time.sleep(0.3)
            return self.origin.moved == before

        self.assertTrue(eventually(is_stopped))
        self.assertLess(self.origin.moved, 64 * MIB)
        self.assertLess(growth.peak, 16 * MIB)
        talk.exactly(self.origin.moved)

    def test_refused(self) -> None:
        """A client whose upgrade is refused gets the response, and can go on."""
        for backend in BACKENDS:
            talk = self.talk()
            answer = talk.asked(f"/{backend}/refuse", HANDSHAKE)
            self.assertEqual((answer.status, answer.body), (403, b"not here"))
            self.assertEqual(talk.asked("/proxied/said").status, 200)

    def test_unasked(self) -> None:
        """An upgrade to a protocol that was not offered is an error."""
        for headers in (HANDSHAKE, []):
            answer = self.talk().asked("/proxied/unasked", headers)
            self.assertEqual(answer.status, 502)
            self.assertTrue(self.origin.is_left.wait(PATIENCE))

    def test_old_client(self) -> None:
        """An HTTP/1.0 client cannot upgrade."""
        talk = self.talk()
        talk.send(b"GET /proxied/said HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        self.assertIn(b" 200 OK\r\n", talk.rest())
        self.assertNotIn(b"upgrade", self.origin.heads[0].lower())


class StreamTests(ProxyCase):
    """Responses that come bit by bit."""

    def test_events(self) -> None:
        """
        Each event of a stream arrives at once through all middlewares, and the origin is left at
        last.
        """
        for backend in BACKENDS:
            self.origin.renew()
            talk = self.talk()
            talk.ask(f"/{backend}/events", [("Accept-Encoding", "gzip")])
            self.assertIn(b"text/event-stream", talk.until(b"\r\n\r\n"))
            talk.until(b"data: 1\n\n\r\n")
            self.origin.go_on.set()
            talk.until(b"data: 2\n\n\r\n0\r\n\r\n")
            self.assertEqual(talk.asked("/proxied/said").status, 200)

    def test_events_of_each(self) -> None:
        """Two clients of one event stream each have their own request."""
        for backend in BACKENDS:
            self.origin.renew()
            talks = [self.talk() for _ in range(2)]
            for talk in talks:
                talk.ask(f"/{backend}/events")
                talk.until(b"data: 1\n\n\r\n")
            self.assertEqual(len(self.origin.heads), 2)
            for talk in talks:
                talk.reset()
            self.assertTrue(self.origin.is_left.wait(PATIENCE))

    def test_trailers(self) -> None:
        """Trailers of a body do no harm, whether it is proxied or from the cache."""
        for backend in BACKENDS:
            talk = self.talk()
            for _ in range(2):
                self.assertEqual(talk.asked(f"/{backend}/trailers").body, b"hello")

    def test_interim(self) -> None:
        """Early hints are relayed to clients that can take them."""
        talk = self.talk()
        talk.ask("/proxied/hints")
        self.assertIn(b"103 Early Hints\r\nLink: </style.css>\r\n", talk.until(b"\r\n\r\n"))
        self.assertEqual(talk.answer().body, b"hinted")
        talk = self.talk()
        talk.send(b"GET /proxied/hints HTTP/1.0\r\n\r\n")
        self.assertNotIn(b" 103 ", talk.rest())


class MethodTests(ProxyCase):
    """Requests that are neither GET nor HEAD."""

    def test_passed_on(self) -> None:
        """OPTIONS, and unknown methods, are passed to the origin."""
        for backend in BACKENDS:
            for method in ("OPTIONS", "PATCH", "PROPFIND", "BREW"):
                self.check_passed_on(backend, method)

    def check_passed_on(self, backend: str, method: str) -> None:
        answer = request(f"{self.trickster.url}/{backend}/said?{method}", (), method)
        line = f"{method} /said?{method} HTTP/1.1"
        self.assertTrue(answer.body.startswith(line.encode()), (backend, method, answer.body))

    def test_trace(self) -> None:
        """TRACE is passed on where the configuration names it, and refused elsewhere."""
        self.check_passed_on("progressive", "TRACE")
        for backend in ("proxied", "cached"):
            answer = self.talk().asked(f"/{backend}/said", (), "TRACE")
            self.assertEqual(answer.status, 405)
            self.assertNotIn("TRACE", answer.headers["Allow"])
        self.assertEqual(len(self.origin.heads), 1)

    def test_server_wide(self) -> None:
        """C{OPTIONS *} is answered by Trickster itself."""
        answer = self.talk().asked("*", (), "OPTIONS")
        self.assertEqual((answer.status, self.origin.heads), (204, []))

    def test_last_hop(self) -> None:
        """A request with no hops left is answered by Trickster, without secrets."""
        headers = [("Max-Forwards", "0"), ("Authorization", "Basic c2VjcmV0"), ("X-Seen", "yes")]
        answer = self.talk().asked("/progressive/said", headers, "TRACE")
        self.assertIn(b"X-Seen: yes", answer.body)
        self.assertNotIn(b"c2VjcmV0", answer.body)
        self.assertEqual(self.origin.heads, [])

    def test_connect(self) -> None:
        """A CONNECT request is refused."""
        talk = self.talk()
        talk.send(b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\nSSH-2.0\r\n")
        self.assertTrue(talk.rest().startswith(b"HTTP/1.1 501 "))
        self.assertEqual(self.origin.heads, [])
