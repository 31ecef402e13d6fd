"""After any fault of an origin: a correct error, nothing stored, and the next request fine."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import Answer, Trickster, fetch, free_port
from tests.end_to_end.standing import Standing
from tests.end_to_end.waiting import eventually

NOW = int(time.time()) // 60 * 60
GOOD = (b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},'
        b'"values":[[%d,"1"],[%d,"2"]]}]}}' % (NOW - 60, NOW))
Serve = Callable[[socket.socket], None]


def answering(head: bytes, body: bytes = GOOD, length: int | None = None) -> Serve:
    """:return: a server of one answer, after which it closes the connection."""
    claimed = len(body) if length is None else length

    def serve(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % (head, claimed) + body)

    return serve


def hanging(octets: bytes) -> Serve:
    """:return: a server that sends some octets and then nothing for a while."""
    def serve(peer: socket.socket) -> None:
        peer.sendall(octets)
        peer.settimeout(5)
        with contextlib.suppress(OSError):
            peer.recv(1)  # until Trickster has had enough

    return serve


FINE = answering(b"200 OK")
_PARTIAL = b'"isPartial":true,"status":"success"'
FAULTS: dict[str, tuple[Serve, tuple[int, ...], str]] = {
    "error 500": (answering(b"500 Internal Server Error", b"oops"), (500,), "proxy-error"),
    "error 429": (answering(b"429 Too Many Requests", b"later"), (429,), "proxy-only"),
    "error 503": (answering(b"503 Service Unavailable", b"{}"), (503,), "proxy-error"),
    "error 422": (answering(b"422 Unprocessable Entity", b'{"status":"error"}'), (422,),
                  "proxy-only"),
    "dies before the head": (lambda peer: None, (502,), "proxy-error"),
    "dies in the head": (lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\nContent-"), (502,),
                         "proxy-error"),
    "dies in the body": (answering(b"200 OK", GOOD[:50], len(GOOD)), (502,), "proxy-error"),
    "dies between chunks": (lambda peer: peer.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + GOOD[:16] + b"\r\n"),
        (502,), "proxy-error"),
    "claims too short a length": (answering(b"200 OK", GOOD, 40), (200,), "proxy-only"),
    "conflicting lengths": (lambda peer: peer.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), (502,),
        "proxy-error"),
    "truncated JSON": (answering(b"200 OK", GOOD[:-2]), (200,), "proxy-only"),
    "garbage": (answering(b"200 OK", b"\x00\xff<html>"), (200,), "proxy-only"),
    "an empty body": (answering(b"200 OK", b""), (200,), "proxy-only"),
    "an error inside a 200": (answering(
        b"200 OK", b'{"status":"error","errorType":"internal","error":"x"}'), (200,),
        "proxy-only"),
    "warnings": (answering(b"200 OK", GOOD[:-1] + b',"warnings":["w"]}'), (200,), "proxy-only"),
    "partial data": (answering(b"200 OK", GOOD.replace(b'"status":"success"', _PARTIAL)), (200,),
                     "proxy-only"),
    "a vector": (answering(b"200 OK", GOOD.replace(b"matrix", b"vector")), (200,), "proxy-only"),
    "rows out of order": (answering(b"200 OK", b'{"status":"success","data":{"resultType":'
                                    b'"matrix","result":[{"metric":{},"values":[[%d,"1"],'
                                    b'[%d,"2"]]}]}}' % (NOW, NOW - 60)), (200,), "proxy-only"),
    "hangs before the head": (hanging(b""), (504,), "proxy-error"),
    "hangs in the body": (hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), (504,),
                          "proxy-error"),
    "speaks no HTTP": (lambda peer: peer.sendall(b"SSH-2.0-OpenSSH_9\r\n"), (502,),
                       "proxy-error"),
}


class FaultTests(Standing):
    """An origin that is scripted octet for octet."""

    origin: ClassVar[ScriptedOrigin]
    trickster: ClassVar[Trickster]
    down: ClassVar[int]

    @classmethod
    def started(cls, root: Path) -> None:
        cls.origin = cls.kept(ScriptedOrigin(lambda peer, head: FINE(peer)))
        cls.down = free_port()
        common = {"provider": "prometheus", "fast_forward_disable": True, "timeout": "1s"}
        cls.trickster = cls.kept(Trickster(root, {
            "prom": {**common, "origin_url": cls.origin.url, "is_default": True},
            "down": {**common, "origin_url": f"http://127.0.0.1:{cls.down}"},
            "brief": {**common, "origin_url": cls.origin.url, "total_timeout": "700ms"},
        }))

    def ask(self, query: str, backend: str = "prom") -> Answer:
        params = urllib.parse.urlencode(
            {"query": query, "start": NOW - 60, "end": NOW, "step": 60})
        return fetch(f"{self.trickster.url}/{backend}/api/v1/query_range?{params}")

    def serve(self, script: Serve) -> None:
        self.origin.serve = lambda peer, head: script(peer)

    def test_faults(self) -> None:
        """
        Each fault gives its error, or the origin's own octets, and the next request is answered
        well.
        """
        for name, (script, statuses, lookup) in FAULTS.items():
            query = f'up{{fault="{name}"}}'
            self.serve(script)
            answer = self.ask(query)
            told = f"{name}: {answer.status} {answer.result}"
            self.assertIn(answer.status, statuses, told)
            self.assertEqual(answer.lookup, lookup, told)
            self.assertIn("reason=", answer.result, told)
            self.serve(FINE)
            again = self.ask(query)
            self.assertEqual((again.status, again.body), (200, GOOD), f"{name}: {again.result}")
            self.assertNotEqual(again.lookup, "hit", f"{name}: {again.result}")

    def test_a_good_answer_is_stored(self) -> None:
        """A response of the origin without a fault is stored."""
        self.serve(FINE)
        self.assertEqual([self.ask("fine").lookup for _ in range(2)], ["kmiss", "hit"])

    def test_an_origin_that_is_down(self) -> None:
        """A refused connection to the origin gives 502, with the address in the log only."""
        answer = self.ask("x", "down")
        self.assertEqual(answer.status, 502)
        self.assertIn("origin-unreachable", answer.result)
        self.assertNotIn(str(self.down).encode(), answer.body)
        line = f"Origin 127.0.0.1:{self.down} of backend down fails: "
        eventually(lambda: line in self.trickster.log.read_text())

    def test_an_answer_that_never_ends(self) -> None:
        """A response that keeps trickling is ended by the total timeout with status 504."""
        def dripping(peer: socket.socket) -> None:
            with contextlib.suppress(OSError):
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
                for _ in range(100):
                    time.sleep(0.1)
                    peer.sendall(b" ")

        self.serve(dripping)
        answer = self.ask("endless", "brief")
        self.assertEqual((answer.status, answer.lookup), (504, "proxy-error"))
        self.assertIn("reason=origin-timeout", answer.result)

    def test_a_fault_leaves_what_was_stored(self) -> None:
        """A failing refresh removes nothing from the cache."""
        self.serve(FINE)
        self.ask("kept")
        self.serve(FAULTS["error 500"][0])
        wider = urllib.parse.urlencode(
            {"query": "kept", "start": NOW - 600, "end": NOW, "step": 60})
        self.assertEqual(fetch(f"{self.trickster.url}/api/v1/query_range?{wider}").status, 500)
        self.assertEqual(self.ask("kept").lookup, "hit")
