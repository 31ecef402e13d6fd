"""An origin that says what it was asked, and answers with what its parameters tell it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from attrs import field, frozen


@frozen
class Asked:
    """A request as the origin saw it."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """:return: the values of a field as one list, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error."""


class ObeyingOrigin:
    """
    Answers 200 with the request as its body, or with samples on Prometheus's query paths; a
    path that ends with C{/live} is a stream with one event.

    Parameters, of the query or of a form, change that: C{cc} is the answer's Cache-Control,
    C{h} a field C{Name:value} (repeatable), C{status} its status, C{delay} milliseconds before
    it, C{hmax} the most octets of request fields before the answer is 400, C{only} the value
    that C{Authorization} must have before the answer is 401.

    :ivar asked: the requests that have come.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        origin = self

        class Handler(_Handler):
            asked = origin.asked

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[Asked]

    def do_GET(self) -> None:
        """Answer a request of any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(Asked(self.command, self.path, self.headers.items(), body))
        path, _, query = self.path.partition("?")
        said = parse_qs(query, keep_blank_values=True)
        if path.startswith("/api/") and body:
            said |= parse_qs(body.decode("latin-1"), keep_blank_values=True)
        if path.endswith("/live"):
            self._tell_once()
            return
        time.sleep(int(said.get("delay", ["0"])[0]) / 1000)
        status, octets = self._answer(path, said)
        self.send_response(status)
        for name, value in self._fields(said):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(octets)

    def _tell_once(self) -> None:
        """One event, and then nothing for as long as the client listens."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        self.connection.recv(1)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _answer(self, path: str, said: dict[str, list[str]]) -> tuple[int, bytes]:
        size = sum(len(name) + len(value) for name, value in self.headers.items())
        if "hmax" in said and size > int(said["hmax"][0]):
            return 400, b"too many octets of fields"
        if "only" in said and self.headers.get("Authorization") != said["only"][0]:
            return 401, b"not you"
        status = int(said.get("status", ["200"])[0])
        if path.endswith("/query_range"):
            return status, _matrix(said)
        if path.startswith("/api/v1/"):
            return status, b'{"status":"success","data":{"resultType":"vector","result":[]}}'
        lines = [f"{self.command} {self.path}", *(f"{k}: {v}" for k, v in self.headers.items())]
        return status, "\n".join(lines).encode("latin-1")

    def _fields(self, said: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
        yield "Content-Type", "application/json" if "/api/" in self.path else "text/plain"
        for value in said.get("cc", ()):
            yield "Cache-Control", value
        for line in said.get("h", ()):
            name, _, value = line.partition(":")
            yield name, value

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _matrix(said: dict[str, list[str]]) -> bytes:
    start, end, step = (int(float(said[name][0])) for name in ("start", "end", "step"))
    values = [[at, "1"] for at in range(start, end + 1, step)]
    return json.dumps({"status": "success", "data": {
        "resultType": "matrix", "result": [{"metric": {"a": "b"}, "values": values}]}},
        separators=(",", ":")).encode()
