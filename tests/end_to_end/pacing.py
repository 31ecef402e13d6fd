"""An origin that sends as fast, and as far, as a test lets it; and a crowd that reads along."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from attrs import define, field, frozen

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.talking import PATIENCE

_PIECE = 65536


@frozen
class Script:
    """
    How a body is sent.

    :ivar rate: octets a second.
    :ivar hold_at: offset at which to wait until the test says so; below 0 before the head.
    :ivar die_at: offset at which to close the connection; below 0 before the head.
    """

    body: bytes
    is_chunked: bool = False
    rate: float = float("inf")
    hold_at: int | None = None
    die_at: int | None = None
    headers: bytes = b"Cache-Control: max-age=600\r\nETag: \"it\"\r\n"


@define(eq=False)
class Run:
    """
    What has come of a script.

    :ivar heads: of the requests that have come.
    :ivar go_on: the test sets it to end all waiting.
    :ivar is_held: is set once the place to wait has been reached.
    :ivar is_left: is set once the other side has closed a connection that waited.
    :ivar sent: octets of bodies, in all answers.
    """

    script: Script
    heads: list[bytes] = field(factory=list)
    go_on: threading.Event = field(factory=threading.Event)
    is_held: threading.Event = field(factory=threading.Event)
    is_left: threading.Event = field(factory=threading.Event)
    sent: int = 0

    def serve(self, peer: socket.socket, head: bytes) -> None:
        """Answer a request."""
        self.heads.append(head)
        with suppress(OSError):
            self._hold(peer, -1)
            if self.script.die_at != -1:
                peer.sendall(_head(self.script))
                self._send(peer, self.script)

    def _send(self, peer: socket.socket, script: Script) -> None:
        began, at, size = time.monotonic(), 0, len(script.body)
        stops = sorted({size, *(n for n in (script.hold_at, script.die_at) if n is not None)})
        while at < size:
            self._hold(peer, at)
            if at == script.die_at:
                return
            stop = min(at + _PIECE, *(n for n in stops if n > at))
            piece = script.body[at:stop]
            peer.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if script.is_chunked else piece)
            at, self.sent = stop, self.sent + len(piece)
            time.sleep(max(0.0, began + at / script.rate - time.monotonic()))
        if script.is_chunked:
            peer.sendall(b"0\r\n\r\n")

    def _hold(self, peer: socket.socket, at: int) -> None:
        if at != self.script.hold_at or self.go_on.is_set():
            return
        self.is_held.set()
        threading.Thread(target=self._watch, args=(peer,), daemon=True).start()
        self.go_on.wait(PATIENCE)

    def _watch(self, peer: socket.socket) -> None:
        with suppress(OSError):
            if peer.recv(1):
                return
        self.is_left.set()
        self.go_on.set()


class PacedOrigin:
    """
    Answers every request by the same script.

    :ivar run: what has come of it.
    """

    def __init__(self, script: Script) -> None:
        self.run = Run(script)
        self._origin = ScriptedOrigin(lambda peer, head: self.run.serve(peer, head))
        self.url = self._origin.url

    def follow(self, script: Script) -> Run:
        """From now on, go by another script."""
        self.run = Run(script)
        return self.run

    def stop(self) -> None:
        """Listen no more."""
        self.run.go_on.set()
        self._origin.stop()


def _head(script: Script) -> bytes:
    framing = (b"Transfer-Encoding: chunked" if script.is_chunked
               else b"Content-Length: %d" % len(script.body))
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
            b"Connection: close\r\n" + script.headers + framing + b"\r\n\r\n")


@define(eq=False)
class Reader:
    """One of a crowd: compares each octet with what it ought to be."""

    socket: socket.socket
    body: bytes
    head: bytes = b""
    at: int = 0
    is_wrong: bool = False

    def read(self, buffer: bytearray) -> bool:
        """:return: whether there may be more."""
        if b"\r\n\r\n" not in self.head:
            self.head += self.socket.recv(4096)
            self.head, found, rest = self.head.partition(b"\r\n\r\n")
            self.head += found
            return self._compare(memoryview(rest)) if found else bool(self.head)
        size = self.socket.recv_into(buffer)
        return bool(size) and self._compare(memoryview(buffer)[:size])

    def _compare(self, octets: memoryview) -> bool:
        expected = memoryview(self.body)[self.at:self.at + len(octets)]
        self.is_wrong = self.is_wrong or octets != expected
        self.at += len(octets)
        return self.at < len(self.body)


@define
class Crowd:
    """
    Clients that ask for the same, one after the other, and read at the same time.

    :ivar begun: is called with how many have got octets of the body, when there are more.
    """

    port: int
    target: str
    body: bytes
    begun: Callable[[int], None]
    readers: list[Reader] = field(factory=list, init=False)

    def run(self, number: int, seconds: float) -> list[Reader]:
        """
        :param seconds: over which they come.
        :return: the readers, when all have everything, or the connections have ended.
        """
        selector = selectors.DefaultSelector()
        buffer, before = bytearray(262144), 0
        start, deadline = time.monotonic(), time.monotonic() + 2 * PATIENCE
        while len(self.readers) < number or selector.get_map():
            assert time.monotonic() < deadline, "it takes too long"
            now = time.monotonic() - start
            if len(self.readers) < number and now >= len(self.readers) * seconds / number:
                selector.register(self._come().socket, selectors.EVENT_READ, self.readers[-1])
            for key, _ in selector.select(0.002):
                if not key.data.read(buffer):
                    selector.unregister(key.fileobj)
                    key.data.socket.close()
            have = sum(reader.at > 0 for reader in self.readers)
            if have > before:
                before = have
                self.begun(have)
        return self.readers

    def _come(self) -> Reader:
        reader = Reader(socket.create_connection(("127.0.0.1", self.port)), self.body)
        reader.socket.sendall(f"GET {self.target} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
        self.readers.append(reader)
        return reader
