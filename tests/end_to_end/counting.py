"""A plain HTTP server between Trickster and an origin that counts, or misbehaves on purpose."""

from __future__ import annotations

import socket
import socketserver
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.end_to_end.servers import fetch

Asked = tuple[str, int, int]


class CountingProxy:
    """
    Passes requests on to an origin, and remembers which instants were asked for.

    :ivar asked: query, and each instant asked of it in nanoseconds, once for each time.
    :ivar requests: how many there were.
    """

    def __init__(self, origin_url: str) -> None:
        self.origin_url = origin_url
        self.asked: list[tuple[str, int]] = []
        self.requests = 0
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._pass(None)

            def do_POST(self) -> None:
                self._pass(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

            def _pass(self, body: bytes | None) -> None:
                proxy.note(self.path, body or b"")
                kind = self.headers.get("Content-Type")
                answer = fetch(proxy.origin_url + self.path, body,
                               {"Content-Type": kind} if kind else {})
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, path: str, body: bytes) -> None:
        """Remember a request."""
        with self._lock:
            self.requests += 1
            target = urllib.parse.urlsplit(path)
            if not target.path.endswith("/query_range"):
                return
            params = dict(urllib.parse.parse_qsl(target.query) +
                          urllib.parse.parse_qsl(body.decode()))
            start, end, step = (int(float(params[n]) * 1000) for n in ("start", "end", "step"))
            self.asked += [(params["query"], at) for at in range(start, end + 1, step)]

    def stop(self) -> None:
        """Listen no more."""
        self.server.shutdown()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """Clients may go away at any time."""


class ScriptedOrigin:
    """
    Gives each connection to a function, octet for octet.

    :ivar serve: called with the socket, once a request head has been read, and that head.
    """

    def __init__(self, serve: Callable[[socket.socket, bytes], None]) -> None:
        self.serve = serve
        origin = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = b""
                while b"\r\n\r\n" not in head:
                    more = self.request.recv(65536)
                    if not more:
                        return
                    head += more
                origin.serve(self.request, head)

        class Listening(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: Any) -> None:
                """Clients may go away at any time."""

        self.server = Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self.server.shutdown()
        self.server.server_close()
