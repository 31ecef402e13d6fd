"""The origin server: answers each request as its step says, and remembers what it saw."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from attrs import define, evolve, field, frozen

from tests.conformance.dates import rendered
from tests.conformance.model import Answer, Case, Framing
from tests.conformance.octets import Message, read_body, read_head, written

# In requests: which step of a case it is.  In answers: for which step they were made.
STEP = "Case-Step"
MADE_FOR = "Made-For-Step"

_BODILESS = frozenset((204, 304))


@define
class Run:
    """
    A case that is being run.

    :ivar start: seconds since the epoch, from which its dates count.
    :ivar seen: step and request, for each request that reached the origin.
    """

    case: Case
    start: int
    seen: list[tuple[int, Message]] = field(factory=list)

    def seen_in(self, step: int) -> list[Message]:
        """:return: the requests that reached the origin in one step."""
        return [message for number, message in self.seen if number == step]


def body_of(answer: Answer, path: str, step: int) -> str:
    """:return: what an answer has for its body."""
    return f"{path}, step {step}" if answer.body is None else answer.body


@define
class Origin:
    """
    :ivar runs: by the first segment of their paths.
    """

    runs: dict[str, Run] = field(factory=dict)
    _open: dict[asyncio.Task[None], StreamWriter] = field(factory=dict, init=False)

    async def end(self) -> None:
        """Close the connections that are still open."""
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*self._open)

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer what comes on a connection until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            while (head := await read_head(reader)) is not None:
                request = evolve(head, body=await read_body(reader, head, to_end=False))
                octets = await self._answered(request)
                writer.write(octets.whole)
                await writer.drain()
                if octets.is_last:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            del self._open[task]
            writer.close()

    async def _answered(self, request: Message) -> _Sent:
        path = re.split("[/?-]", request.target.removeprefix("/prefix"))[1]
        run = self.runs.get(path)
        step = int(request.get(STEP) or 0)
        if run is None or not 1 <= step <= len(run.case.steps):
            return _Sent(written("HTTP/1.1 421 No Such Case", ["Content-Length: 0"]))
        run.seen.append((step, request))
        answer = run.case.steps[step - 1].gets
        if answer.on_range is not None and request.get("range") is not None:
            answer = answer.on_range
        await asyncio.sleep(answer.delay)
        if answer.hangs_up:
            return _Sent(b"", is_last=True)
        return _Sent(self._written(request, answer, run, path, step),
                     answer.framing not in (Framing.LENGTH, Framing.CHUNKED))

    def _written(self, request: Message, answer: Answer, run: Run, path: str, step: int) -> bytes:
        status = answer.status
        if status == 304 and not (request.get("if-none-match") or request.get("if-modified-since")):
            status = 200
        body = b"" if status in _BODILESS else body_of(answer, path, step).encode()
        places = {"{here}": f"/{path}", "{origin}": request.get("host") or ""}
        lines = [_placed(rendered(line, run.start), places) for line in answer.fields]
        names = {line.partition(":")[0].lower() for line in lines}
        if answer.is_dated and "date" not in names:
            lines.append(rendered("Date: {0}", int(time.time())))
        if body and "content-type" not in names:
            lines.append("Content-Type: text/plain")
        if status != 304 and request.method != "HEAD":
            lines.append(f"{MADE_FOR}: {step}")
        if status not in _BODILESS and "content-length" not in names:
            lines += _FRAMED[answer.framing](len(body))
        interims = b"".join(written(_line(one.status), one.fields) for one in answer.interims)
        sent = b"" if request.method == "HEAD" else _in_chunks(body, answer.framing)
        return interims + written(_line(status), lines, sent)


def _placed(line: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        line = line.replace(name, value)
    return line


@frozen
class _Sent:
    """
    :ivar is_last: whether the connection ends with it.
    """

    whole: bytes
    is_last: bool = False


_FRAMED: Mapping[Framing, Callable[[int], list[str]]] = MappingProxyType({
    Framing.LENGTH: lambda length: [f"Content-Length: {length}"],
    Framing.CHUNKED: lambda length: ["Transfer-Encoding: chunked"],
    Framing.CLOSE: lambda length: ["Connection: close"],
    Framing.SHORT: lambda length: [f"Content-Length: {length + 10}"],
    Framing.UNENDED: lambda length: ["Transfer-Encoding: chunked"],
})


def _in_chunks(body: bytes, framing: Framing) -> bytes:
    if framing not in (Framing.CHUNKED, Framing.UNENDED):
        return body
    chunk = b"%x\r\n%b\r\n" % (len(body), body)
    return chunk + b"0\r\n\r\n" if framing is Framing.CHUNKED else chunk


def _line(status: int) -> str:
    known = {one.value for one in HTTPStatus}
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status in known else 'Unknown'}"
