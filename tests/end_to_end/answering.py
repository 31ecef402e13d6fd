"""An origin with a page for everything that plain web servers seldom do."""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.talking import PATIENCE

_SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n"
           b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def plain(body: bytes, status: bytes = b"200 OK", fields: bytes = b"") -> bytes:
    """:return: an answer of known length, after which the connection closes, as it says."""
    return b"HTTP/1.1 %b\r\n%bConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (
        status, fields, len(body), body)


class Body:
    """The body of a request, read as it comes."""

    def __init__(self, peer: socket.socket, head: bytes) -> None:
        head, _, rest = head.partition(b"\r\n\r\n")
        self._fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self._file = peer.makefile("rb")
        self._rest = rest
        self.size = self.sum = 0
        self.trailers = b""

    def read(self) -> Body:
        """Read all of it."""
        if b"transfer-encoding" in self._fields:
            self._chunks()
        else:
            self._take(int(self._fields.get(b"content-length", b"0")))
        return self

    def _chunks(self) -> None:
        while size := int(self._line(), 16):
            self._take(size)
            self._line()
        while (line := self._line()).strip():
            self.trailers += line

    def _line(self) -> bytes:
        line, found, rest = self._rest.partition(b"\n")
        self._rest = rest
        return line + (found or self._file.readline())

    def _take(self, size: int) -> None:
        while size:
            piece, self._rest = self._rest[:size], self._rest[size:]
            piece = piece or self._file.read1(min(size, 262144))
            if not piece:
                raise ConnectionError("the body has ended early")
            size -= len(piece)
            self.size += len(piece)
            self.sum = zlib.crc32(piece, self.sum)


class AnsweringOrigin:
    """
    Serves by path; see the methods.

    :ivar heads: of the requests that have come.
    :ivar go_on: the test sets it to end all waiting.
    :ivar is_left: is set when the other side has closed a connection on which we listened.
    :ivar moved: octets that went to, or came from, who does not keep up.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.go_on, self.is_left = threading.Event(), threading.Event()
        self.moved = 0
        self._origin = ScriptedOrigin(self._serve)
        self.url = self._origin.url

    def stop(self) -> None:
        """Listen no more."""
        self.go_on.set()
        self._origin.stop()

    def renew(self) -> None:
        """Forget what has been."""
        self.heads, self.go_on, self.is_left = [], threading.Event(), threading.Event()
        self.moved = 0

    def _serve(self, peer: socket.socket, head: bytes) -> None:
        # What has come of the body with it is no head.
        self.heads.append(head[:head.index(b"\r\n\r\n") + 4])
        name = head.split(b" ")[1].partition(b"?")[0].rpartition(b"/")[2].decode()
        page: Callable[[socket.socket, bytes], None] = getattr(self, f"do_{name}", self.do_said)
        with suppress(OSError):
            page(peer, head)

    def do_said(self, peer: socket.socket, head: bytes) -> None:
        """Say what the request was."""
        body = Body(peer, head).read()
        peer.sendall(plain(head.partition(b"\r\n\r\n")[0] + b"\n%d" % body.size))

    def do_upload(self, peer: socket.socket, head: bytes) -> None:
        """Say how many octets came, and which."""
        body = Body(peer, head).read()
        peer.sendall(plain(b"%d %d %b" % (body.size, body.sum, body.trailers)))

    def do_later(self, peer: socket.socket, head: bytes) -> None:
        """The same, but read nothing at first."""
        self.go_on.wait(PATIENCE)
        self.do_upload(peer, head)

    def do_listen(self, peer: socket.socket, head: bytes) -> None:
        """Read all that comes, for ever."""
        self._listen(peer)

    def do_early(self, peer: socket.socket, head: bytes) -> None:
        """Refuse, without having read the body."""
        peer.sendall(plain(b"no", b"403 Forbidden"))
        self._listen(peer)

    def do_expect(self, peer: socket.socket, head: bytes) -> None:
        """Send the interim answer for a body first."""
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.do_upload(peer, head)

    def do_trailers(self, peer: socket.socket, head: bytes) -> None:
        """Send fields behind the body."""
        peer.sendall(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nCache-Control: max-age=60\r\n"
                     b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")

    def do_hints(self, peer: socket.socket, head: bytes) -> None:
        """Send an early hint before the answer."""
        peer.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" + plain(b"hinted"))

    def do_events(self, peer: socket.socket, head: bytes) -> None:
        """Send one event, and another one later."""
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        threading.Thread(target=self._listen, args=(peer,), daemon=True).start()
        self.go_on.wait(PATIENCE)
        peer.sendall(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

    def do_lines(self, peer: socket.socket, head: bytes) -> None:
        """Send a line of plain text, and another one later; nothing says that it goes on."""
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                     b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n")
        self.go_on.wait(PATIENCE)
        peer.sendall(b"4\r\ntwo\n\r\n0\r\n\r\n")

    def do_echo(self, peer: socket.socket, head: bytes) -> None:
        """Change to a protocol in which everything is sent back, until the other's end."""
        rest = self._switched(peer, head)
        while rest:
            peer.sendall(rest)
            rest = peer.recv(65536)
        self.is_left.set()

    def do_bye(self, peer: socket.socket, head: bytes) -> None:
        """Change protocols, say one thing, and close."""
        self._switch(peer, head)
        peer.sendall(b"goodbye")

    def do_deaf(self, peer: socket.socket, head: bytes) -> None:
        """Change protocols, read nothing at first, and say at the end how much there was."""
        self.moved = len(self._switch(peer, head))
        self.go_on.wait(PATIENCE)
        while piece := peer.recv(262144):
            self.moved += len(piece)
        peer.sendall(b"%d in all" % self.moved)

    def do_flood(self, peer: socket.socket, head: bytes) -> None:
        """Change protocols, and send for ever."""
        self._switch(peer, head)
        while True:
            self.moved += peer.send(bytes(65536))

    def do_unasked(self, peer: socket.socket, head: bytes) -> None:
        """Change to a protocol that was not offered."""
        peer.sendall(_SWITCH % b"surprise")
        self._listen(peer)

    def do_refuse(self, peer: socket.socket, head: bytes) -> None:
        """Answer instead of changing."""
        peer.sendall(plain(b"not here", b"403 Forbidden"))

    def do_nothing(self, peer: socket.socket, head: bytes) -> None:
        """Close."""

    def do_half(self, peer: socket.socket, head: bytes) -> None:
        """Close in the middle of the answer."""
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    def _switch(self, peer: socket.socket, head: bytes) -> bytes:
        peer.sendall(_SWITCH % b"websocket")
        return head.partition(b"\r\n\r\n")[2]

    def _switched(self, peer: socket.socket, head: bytes) -> bytes:
        return self._switch(peer, head) or peer.recv(65536)

    def _listen(self, peer: socket.socket) -> None:
        with suppress(OSError):
            while peer.recv(262144):
                pass
        self.is_left.set()
