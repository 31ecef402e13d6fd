"""An origin whose answers fill memory in every way, as large as its paths say."""

from __future__ import annotations

import base64
import json
import random
import socket
import threading
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from tests.end_to_end.counting import ScriptedOrigin

_FRESH = b"Cache-Control: max-age=3600\r\n"


class FillingOrigin:
    """
    Answers C{/octets/SIZE/NAME} and C{/text/SIZE/NAME}, to be kept; C{/half/SIZE/NAME}, without
    the last octet, and C{/hang/NAME}, not at all, until it is stopped; and range queries such as
    C{s100_NAME} with so many series.

    :ivar hanging: how many answers it has not ended.
    """

    def __init__(self) -> None:
        self._go_on = threading.Event()
        self.hanging = 0
        self._origin = ScriptedOrigin(self._serve)
        self.url = self._origin.url

    def stop(self) -> None:
        """Listen no more."""
        self._go_on.set()
        self._origin.stop()

    def _serve(self, peer: socket.socket, head: bytes) -> None:
        target = urlsplit(head.split(b" ")[1].decode())
        kind, *rest = target.path.strip("/").split("/")
        with suppress(OSError):
            if kind == "api":
                asked = {name: values[0] for name, values in parse_qs(target.query).items()}
                _send(peer, _json(asked, rest[-1]), b"application/json")
            elif kind in ("octets", "text"):
                body = _octets(kind, int(rest[0]), rest[1])
                _send(peer, body, b"text/plain" if kind == "text" else b"image/png")
            else:
                self._hang(peer, int(rest[0]) if kind == "half" else 0)

    def _hang(self, peer: socket.socket, size: int) -> None:
        if size:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n%bContent-Length: %d\r\n"
                         b"\r\n" % (_FRESH, size) + bytes(size - 1))
        self.hanging += 1
        self._go_on.wait()


def _send(peer: socket.socket, body: bytes, kind: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n"
                 b"Connection: close\r\n\r\n" % (kind, _FRESH, len(body)) + body)


def _octets(kind: str, size: int, name: str) -> bytes:
    chosen = random.Random(name)
    if kind == "octets":
        return chosen.randbytes(size)
    return base64.b64encode(chosen.randbytes(size))[:size]


def _json(asked: dict[str, str], endpoint: str) -> bytes:
    """:return: what Prometheus's API has for a query."""
    series = int(asked["query"][1:].partition("_")[0])
    metrics = [{"__name__": asked["query"], "instance": f"host-{number:05}.example:9100"}
               for number in range(series)]
    if endpoint == "query":
        at = float(asked["time"])
        result = [{"metric": metric, "value": [at, str(at % 1000)]} for metric in metrics]
        kind = "vector"
    else:
        start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
        instants = [start + n * step for n in range(int((end - start) // step) + 1)]
        values = [[int(at), str(at % 1000)] for at in instants]
        result = [{"metric": metric, "values": values} for metric in metrics]
        kind = "matrix"
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}},
                      separators=(",", ":")).encode()
