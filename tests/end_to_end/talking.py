"""Clients on raw sockets, which can do what libraries do not."""

from __future__ import annotations

import http.client
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Self

from tests.end_to_end.servers import Answer, Server, fetch
from tests.end_to_end.waiting import PATIENCE

Field = tuple[str, str]


class Talk:
    """A connection to a server on loopback, from the client's side."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        """
        :param receive_buffer: octets that the kernel takes for a client that does not read.
        """
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self._method = "GET"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.socket.sendall(octets)

    def ask(self, target: str, headers: Iterable[Field] = (), method: str = "GET",
            body: bytes = b"") -> None:
        """Send a request."""
        self._method = method
        lines = [f"{method} {target} HTTP/1.1", "Host: a.test"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def response(self) -> http.client.HTTPResponse:
        """:return: the answer, its head read, its body still to be read."""
        response = http.client.HTTPResponse(self.socket, method=self._method)
        response.begin()
        return response

    def answer(self) -> Answer:
        """
        :return: the answer, read to its end.
        :raises http.client.IncompleteRead: the connection ended before.
        """
        response = self.response()
        body = response.read()
        return Answer(response.status, response.headers, body)

    def asked(self, target: str, headers: Iterable[Field] = (), method: str = "GET",
              body: bytes = b"") -> Answer:
        """:return: the answer to a request."""
        self.ask(target, headers, method, body)
        return self.answer()

    def until(self, mark: bytes) -> bytes:
        """:return: what comes, up to and with some octets; no more is read."""
        got = bytearray()
        while not got.endswith(mark):
            octet = self.socket.recv(1)
            if not octet:
                raise AssertionError(f"ended before {mark!r}: {bytes(got)!r}")
            got += octet
        return bytes(got)

    def exactly(self, size: int) -> bytes:
        """:return: so many octets."""
        got = bytearray()
        while len(got) < size:
            piece = self.socket.recv(min(262144, size - len(got)))
            if not piece:
                raise AssertionError(f"ended after {len(got)} octets of {size}")
            got += piece
        return bytes(got)

    def rest(self) -> bytes:
        """:return: all that comes until the other side closes, or resets."""
        got = bytearray()
        with suppress(ConnectionError):
            while piece := self.socket.recv(262144):
                got += piece
        return bytes(got)

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End it in good order."""
        self.socket.close()

    def reset(self) -> None:
        """End it the hard way."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def request(url: str, headers: Iterable[Field] = (), method: str = "GET",
            body: bytes = b"") -> Answer:
    """:return: the answer to a request on a connection of its own."""
    port, _, target = url.removeprefix("http://127.0.0.1:").partition("/")
    with Talk(int(port)) as talk:
        return talk.asked("/" + target, headers, method, body)


def sent_until_full(talk: Talk, piece: bytes = bytes(65536), most: int = 128 << 20) -> int:
    """:return: how many octets could be sent until no more were taken for a while."""
    sent = 0
    talk.socket.settimeout(0.5)
    with suppress(TimeoutError):
        while sent < most:
            sent += talk.socket.send(piece)
    talk.socket.settimeout(PATIENCE)
    return sent


def gauges(metrics_url: str, *names: str) -> dict[str, float]:
    """:return: the sum of each metric over all of its labels."""
    text = fetch(f"{metrics_url}/metrics").body.decode()
    return {name: sum(_values(text, name)) for name in names}


def _values(text: str, name: str) -> Iterator[float]:
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if head.partition("{")[0] == f"trickster_{name}":
            yield float(value)


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """:return: whether something becomes true in time; it is asked again and again."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Growth:
    """How much more memory a server has come to need than it had at the beginning."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = server.resident_bytes()
        server.forget_peak()

    @property
    def peak(self) -> int:
        """Octets, at the worst moment since."""
        return self._server.peak_bytes() - self._before

    @property
    def now(self) -> int:
        """Octets, at present."""
        return self._server.resident_bytes() - self._before
