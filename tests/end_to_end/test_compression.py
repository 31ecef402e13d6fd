"""Clients that take content codings, through the whole program: they all see the same bodies."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.servers import Answer, Trickster
from tests.middleware.decoding import CODINGS, decoded, is_installed

STEP = 15
SMALL = b"a small text, " * 200
LARGE = b"".join(b"line %d of a large text\n" % n for n in range(40_000))
TAG = '"strong"'


def matrix(query: Mapping[str, list[str]]) -> bytes:
    """:return: what Prometheus would answer, with as many series as the query says."""
    start, end, step = (int(float(query[name][0])) for name in ("start", "end", "step"))
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {"__name__": "m", "i": str(i)},
         "values": [[at, str(at * (i + 7) % 9973 / 7)] for at in range(start, end + 1, step)]}
        for i in range(int(query["query"][0]))]}}, separators=(",", ":")).encode()


class _Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path.endswith("query_range"):
            self.answer(matrix(urllib.parse.parse_qs(url.query)), "application/json")
        elif url.path == "/chunked":
            self.chunked()
        elif self.headers.get("If-None-Match", "").removeprefix("W/") == TAG:
            self.answer(b"", "text/plain", 304)
        else:
            kind = "image/png" if "png" in url.path else "text/plain"
            self.answer(LARGE if "large" in url.path else SMALL, kind)

    do_HEAD = do_GET

    def answer(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("ETag", TAG)
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Accept-Ranges", "bytes")
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunked(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(LARGE), 50_000):
            piece = LARGE[at:at + 50_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that end with the program under test."""


class CompressionTests(SynchronousTestCase):
    """The program before an origin that codes nothing itself."""

    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    origin: ClassVar[ThreadingHTTPServer]
    trickster: ClassVar[Trickster]

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        cls.origin = _Server(("127.0.0.1", 0), _Origin)
        threading.Thread(target=cls.origin.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{cls.origin.server_port}"
        cls.trickster = Trickster(Path(cls.directory.name), {
            "prom": {"provider": "prometheus", "origin_url": url, "fast_forward_disable": True},
            "cached": {"provider": "rpc", "origin_url": url, "max_object_size_bytes": 8 << 20},
            "raw": {"provider": "proxy", "origin_url": url, "is_default": True},
            "plain": {"provider": "rpc", "origin_url": url, "compressible_types": []},
        })

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.origin.shutdown()
        cls.origin.server_close()
        cls.directory.cleanup()

    def ask(self, target: str, accept: str | None = None, method: str = "GET",
            **headers: str) -> Answer:
        """:return: the answer, its body as it came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.trickster.port, timeout=60)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            fields["Accept-Encoding"] = accept
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def assert_all_alike(self, target: str, lookup: str = "") -> bytes:
        """With any codings accepted, a client gets the same body; twice each."""
        plain = self.ask(target)
        self.assertNotIn("Content-Encoding", plain.headers)
        self.assertEqual(plain.headers["Vary"], "Accept-Encoding")
        for name in filter(is_installed, CODINGS):
            for _ in range(2):
                answer = self.ask(target, f"{name}, *;q=0")
                self.assertEqual(answer.headers["Content-Encoding"], name)
                self.assertEqual(answer.headers["Vary"], "Accept-Encoding")
                self.assertEqual(decoded(name, answer.body), plain.body)
                self.assertLess(len(answer.body), len(plain.body) * 0.7)
                if lookup:
                    self.assertEqual(answer.lookup, lookup, answer.result)
        return plain.body

    def range_target(self, series: int, rows: int = 360) -> str:
        last = int(time.time() - 3600) // STEP * STEP
        return "/prom/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": series, "start": last - (rows - 1) * STEP, "end": last, "step": STEP})

    def test_range_queries(self) -> None:
        """Hits of the delta cache are compressed, from one small series up to some megaoctets."""
        for series in (1, 8, 100, 500):
            target = self.range_target(series)
            body = self.assert_all_alike(target, "hit")
            asked = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
            self.assertEqual(json.loads(body), json.loads(matrix(asked)))

    def test_first_and_partial_answers(self) -> None:
        """Responses fetched from the origin are compressed like hits."""
        for rows in (300, 360):
            target = self.range_target(101, rows)
            answer = self.ask(target, "gzip")
            asked = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
            self.assertEqual(json.loads(decoded("gzip", answer.body)), json.loads(matrix(asked)))

    def test_objects(self) -> None:
        """Hits of the object cache are compressed, in one go and in pieces."""
        for path, body in (("/small", SMALL), ("/large", LARGE)):
            self.ask("/cached" + path)
            self.assertEqual(self.assert_all_alike("/cached" + path, "hit"), body)

    def test_proxied(self) -> None:
        """Proxied bodies are compressed, of known length and in chunks."""
        for path, body in (("/small", SMALL), ("/large", LARGE), ("/chunked", LARGE)):
            self.assertEqual(self.assert_all_alike("/raw" + path), body)

    def test_entity_tags(self) -> None:
        """A coded answer has a weak entity tag, and that is enough for a 304."""
        for backend in ("/cached/small?tag", "/raw/small"):
            coded, plain = self.ask(backend, "gzip"), self.ask(backend)
            self.assertEqual(coded.headers["ETag"], "W/" + TAG)
            self.assertNotIn("Accept-Ranges", coded.headers)
            self.assertEqual(plain.headers["ETag"], TAG)
            for answer in (coded, plain):
                tag = answer.headers["ETag"]
                again = self.ask(backend, "gzip", If_None_Match=tag)
                self.assertEqual((again.status, again.headers["ETag"], again.body),
                                 (304, tag, b""))

    def test_ranges(self) -> None:
        """Ranges are parts of the uncompressed body."""
        self.ask("/cached/large?parts")
        answer = self.ask("/cached/large?parts", "gzip", Range="bytes=5-700", If_Range=TAG)
        self.assertEqual((answer.status, answer.body), (206, LARGE[5:701]))
        self.assertEqual(answer.headers["Vary"], "Accept-Encoding")
        coded = self.ask("/cached/large?parts", "gzip", Range="bytes=5-700",
                         If_Range="W/" + TAG)
        self.assertEqual((coded.status, decoded("gzip", coded.body)), (200, LARGE))

    def test_head(self) -> None:
        """
        A response to HEAD has the fields of GET, without a length that the compressed body would
        not have.
        """
        kinds = ("Content-Encoding", "Vary", "Content-Type")
        fields = (*kinds, "ETag", "Accept-Ranges")
        for target, names in (("/cached/small?head", fields), ("/raw/small", fields),
                              ("/raw/png", fields), (self.range_target(90), kinds)):
            for accept in (None, "gzip"):
                get = self.ask(target, accept)
                head = self.ask(target, accept, "HEAD")
                for name in names:
                    self.assertEqual(head.headers[name], get.headers[name], (target, name))
                if "Content-Encoding" in head.headers:
                    self.assertNotIn("Content-Length", head.headers)
                self.assertEqual(head.body, b"")

    def test_left_alone(self) -> None:
        """Responses of other types, and of backends without types, are not compressed."""
        for target in ("/cached/png", "/plain/large"):
            answer = self.ask(target, "zstd, br, gzip, deflate")
            self.assertNotIn("Content-Encoding", answer.headers)
            self.assertNotIn("Vary", answer.headers)
            self.assertEqual(answer.headers["ETag"], TAG)

    def test_who_accepts_nothing(self) -> None:
        """A client that refuses even the identity coding gets the body as it is."""
        answer = self.ask("/cached/small", "identity;q=0, gzip;q=0")
        self.assertEqual((answer.status, answer.body), (200, SMALL))
