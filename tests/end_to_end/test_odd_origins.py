"""Origins that do not quite keep to HTTP: what Trickster makes of them, and what nginx does."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import Answer, Nginx, Trickster, fetch
from tests.end_to_end.talking import Talk

HELLO = b"Content-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"\r\n5\r\nhello\r\n0\r\n\r\n"

# Both give the body, octet for octet.
TAKEN = (
    b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello",
    OK + b"Content-Length: 5\r\n" + HELLO,
    OK + b"Content-Length: 05\r\n\r\nhello",
    OK + b"Content-Length: 5\r\n" + CHUNKED + CHUNKS,
    OK + CHUNKED + b"Content-Length: 5\r\n" + CHUNKS,
    OK + CHUNKED + CHUNKED + CHUNKS,
    OK + b"Transfer-Encoding: Chunked\r\n" + CHUNKS,
    OK + b"Transfer-Encoding: identity\r\n" + HELLO,
    OK + b"Transfer-Encoding:\r\n" + HELLO,
    b"HTTP/1.0 200 OK\r\n" + CHUNKED + CHUNKS,
    OK + CHUNKED + b"\r\n5  \r\nhello\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n5\t\r\nhello\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n0005\r\nhello\r\n000\r\n\r\n",
    OK + CHUNKED + b"\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n5 ; x\r\nhello\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n5\nhello\n0\n\n",
    OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    OK + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 999 Odd\r\n" + HELLO,
    b"HTTP/1.1 600 Odd\r\n" + HELLO,
    b"HTTP/1.1 200\r\n" + HELLO,
    b"HTTP/1.1 200 \r\n" + HELLO,
    b"HTTP/1.1  200 OK\r\n" + HELLO,
    b"HTTP/1.1 200  OK\r\n" + HELLO,
    b"HTTP/1.1\t200 OK\r\n" + HELLO,
    b"HTTP/1.0 200 OK\r\n\r\nhello",
    b"HTTP/1.0 200 OK\r\n" + HELLO,
    b"HTTP/1.2 200 OK\r\n" + HELLO,
    b"HTTP/1.10 200 OK\r\n" + HELLO,
    b"HTTP/2.0 200 OK\r\n" + HELLO,
    b"HTTP/0.9 200 OK\r\n" + HELLO,
    b"http/1.1 200 OK\r\n" + HELLO,
    OK + b"X_a: a\r\n" + HELLO,
    OK + b"X(a): a\r\n" + HELLO,
    OK + b"X\xe4: a\r\n" + HELLO,
    OK + b"nocolon\r\n" + HELLO,
    OK + b"X:\r\n" + HELLO,
    OK + b"X: \xe4\xff\r\n" + HELLO,
    OK + b"X: a\x01b\r\n" + HELLO,
    OK + b"X: a\x7fb\r\n" + HELLO,
    OK + HELLO + b"extra",
    OK + b"\r\nhello",
)
# Refused by nginx as well.
REFUSED = (
    OK + b" X: a\r\n" + HELLO,
    OK + b"Xa b: a\r\n" + HELLO,
    OK + b": a\r\n" + HELLO,
    OK + b"X: a\0b\r\n" + HELLO,
    OK + b"X: a\rb\r\n" + HELLO,
)
# Taken by us alone, as RFC 9112 sections 5.1 and 5.2 have it of a proxy.
ONLY_OURS = (
    OK + b"X: a\r\n b\r\n" + HELLO,
    OK + b"X : a\r\n" + HELLO,
    OK + b"Content-Length : 5\r\n\r\nhello",
    b"\r\n" + OK + HELLO,
)
# Refused by us alone: there is more than one thing that they may be.
ONLY_NGINX = (
    OK + b"Content-Length: 6\r\n" + HELLO,
    OK + b"Content-Length: 5,6\r\n\r\nhello",
    OK + b"Content-Length: +5\r\n\r\nhello",
    OK + b"Content-Length: 0x5\r\n\r\nhello",
    OK + b"Content-Length:\r\n\r\nhello",
    OK + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS,
    b"HTTP/1.1 200OK\r\n" + HELLO,
    b"HTTP/1.1 20 Odd\r\n" + HELLO,
    b"HTTP/1.1 1000 Odd\r\n" + HELLO,
    b"HTTP/1.1 200 O\x00K\r\n" + HELLO,
)
# The body breaks off, and the client is told so.
BROKEN = (
    OK + CHUNKED + b"\r\n  5\r\nhello\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n5\r\nhello\r\nxyz\r\n",
    OK + CHUNKED + b"\r\n5\r\nhelloX\r\n0\r\n\r\n",
    OK + CHUNKED + b"\r\n5\r\nhello\r\n",
    OK + b"Content-Length: 5\r\n\r\nhell",
)
TABLE = (*TAKEN, *REFUSED, *ONLY_OURS, *ONLY_NGINX, *BROKEN)


class OddOriginTests(SynchronousTestCase):
    """An origin with odd responses behind Trickster and nginx."""

    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    origin: ClassVar[ScriptedOrigin]
    nginx: ClassVar[Nginx]
    trickster: ClassVar[Trickster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        root = Path(cls.directory.name)
        cls.origin = ScriptedOrigin(_serve)
        (root / "nginx").mkdir()
        cls.nginx = Nginx(root / "nginx", f"location / {{ proxy_pass {cls.origin.url}; "
                          "proxy_http_version 1.1; proxy_set_header Connection ''; }")
        cls.trickster = Trickster(root / "trickster", {
            "plain": {"provider": "reverseproxy", "origin_url": cls.origin.url},
            "cached": {"provider": "reverseproxycache", "origin_url": cls.origin.url,
                       "paths": [{"path": "/", "match_type": "prefix", "handler": "proxycache",
                                  "ttl": "60s"}]},
        })

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.nginx.stop()
        cls.origin.stop()
        cls.directory.cleanup()

    def asked(self, octets: bytes, backend: str = "plain") -> Answer:
        with Talk(self.trickster.port) as talk:
            return talk.asked(f"/{backend}/{TABLE.index(octets)}")

    def through_nginx(self, octets: bytes) -> bytes:
        """:return: what nginx says, as it is: it passes on heads that no library reads."""
        with Talk(int(self.nginx.url.rpartition(":")[2])) as talk:
            talk.send(b"GET /%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                      % TABLE.index(octets))
            return talk.rest()

    def test_as_lenient_as_nginx(self) -> None:
        """A deviation that nginx accepts, and that has one reading, is accepted."""
        for octets in TAKEN:
            self.assertTrue(b"hello" in self.through_nginx(octets), octets)
            answer = self.asked(octets)
            self.assertEqual(answer.body, b"hello", octets)
            words = octets.split()
            self.assertEqual(answer.status, int(words[1]), octets)

    def test_as_strict_as_nginx(self) -> None:
        """A deviation that nginx refuses is refused."""
        for octets in REFUSED:
            self.assertIn(b" 502 ", self.through_nginx(octets), octets)
            self.assertEqual(self.asked(octets).status, 502, octets)

    def test_where_we_differ(self) -> None:
        """Each difference from nginx is in the documentation with its reason."""
        for octets in ONLY_OURS:
            self.assertFalse(self.through_nginx(octets).startswith(b"HTTP/1.1 200 "), octets)
            self.assertEqual(self.asked(octets).body, b"hello", octets)
        for octets in ONLY_NGINX:
            self.assertIn(b"hello", self.through_nginx(octets), octets)
            answer = self.asked(octets)
            self.assertEqual(answer.status, 502, octets)
            self.assertIn("reason=origin-malformed", answer.result)

    def test_broken_off(self) -> None:
        """A body that breaks off is never given for a whole one."""
        for octets in BROKEN:
            with Talk(self.trickster.port) as talk:
                talk.ask(f"/plain/{TABLE.index(octets)}", [("Connection", "close")])
                said = talk.rest()
            is_refused = said.startswith(b"HTTP/1.1 502 ")
            is_whole = said.endswith((b"\r\n0\r\n\r\n", b"\r\n\r\nhello"))
            self.assertTrue(is_refused or not is_whole, (octets, said))

    def test_what_is_kept(self) -> None:
        """Only responses that all servers read alike are stored, and the others say why not."""
        for octets, is_kept in (
                (TAKEN[0], True), (TAKEN[2], True), (TAKEN[11], True), (TAKEN[4], False),
                (b"HTTP/1.0 200 OK\r\n" + CHUNKED + CHUNKS, False),
                (OK + b"X(a): a\r\n" + HELLO, False), (OK + b"X: a\x01b\r\n" + HELLO, True)):
            first, second = (self.asked(octets, "cached") for _ in range(2))
            self.assertEqual((first.lookup, second.lookup),
                             ("kmiss", "hit" if is_kept else "kmiss"), (octets, second.result))
            self.assertEqual("origin-doubtful" in second.result, not is_kept)

    def test_counted(self) -> None:
        """Deviations are counted by kind in a metric, and logged once a minute."""
        for _ in range(2):
            self.asked(TAKEN[0])
        metrics = fetch(f"{self.trickster.metrics_url}/metrics").body.decode()
        found = [line for line in metrics.splitlines() if line.startswith(
            'trickster_origin_leniencies_total{backend_name="plain",kind="line-feed"}')]
        self.assertGreaterEqual(float(found[0].rpartition(" ")[2]), 2)
        log = self.trickster.log.read_text()
        self.assertEqual(log.count("does not keep to HTTP/1.1"), log.count("not used again"))
        self.assertGreaterEqual(log.count("does not keep to HTTP/1.1"), 1)


def _serve(peer: socket.socket, head: bytes) -> None:
    number = int(head.split(b" ")[1].rpartition(b"/")[2])
    with contextlib.suppress(OSError):
        peer.sendall(TABLE[number])
        peer.shutdown(socket.SHUT_WR)
