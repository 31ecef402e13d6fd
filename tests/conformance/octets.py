"""HTTP/1.1 as this suite needs it, read and written without any code of the product."""

from __future__ import annotations

from asyncio import IncompleteReadError, StreamReader
from collections.abc import Iterable

from attrs import field, frozen


@frozen
class Message:
    """
    A request or an answer.

    :ivar line: the first.
    :ivar fields: names in lower case, values, in order.
    """

    line: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = field(default=b"", repr=False)

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.line.split(" ")[1])

    @property
    def method(self) -> str:
        """Of a request."""
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        """Of a request."""
        return self.line.split(" ")[1]

    def get(self, name: str) -> str | None:
        """
        :param name: in any case.
        :return: all values of that name as one, or None.
        """
        found = [value for key, value in self.fields if key == name.lower()]
        return ", ".join(found) if found else None


async def read_head(reader: StreamReader) -> Message | None:
    """:return: a message without its body; None where the connection has ended."""
    try:
        octets = await reader.readuntil(b"\r\n\r\n")
    except (IncompleteReadError, ConnectionError):
        return None
    line, *lines = octets.decode("latin-1").rstrip("\r\n").split("\r\n")
    split = (one.partition(":") for one in lines)
    return Message(line, tuple((name.lower(), value.strip()) for name, _, value in split))


async def read_body(reader: StreamReader, head: Message, *, to_end: bool) -> bytes:
    """
    :param to_end: whether a body without a length goes on to the end of the connection.
    """
    if "chunked" in (head.get("transfer-encoding") or ""):
        return await _read_chunks(reader)
    length = head.get("content-length")
    if length is not None:
        return await reader.readexactly(int(length))
    return await reader.read() if to_end else b""


async def _read_chunks(reader: StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
    while (await reader.readuntil(b"\r\n")).strip():
        pass
    return body


def written(line: str, fields: Iterable[str], body: bytes = b"") -> bytes:
    """
    :param fields: lines.
    :return: a message.
    """
    return "\r\n".join((line, *fields, "", "")).encode("latin-1") + body
