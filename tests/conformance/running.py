"""Runs cases, many at a time, against one running program."""

from __future__ import annotations

import asyncio
import time
from asyncio import Semaphore
from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

from tests.conformance.dates import rendered
from tests.conformance.judging import Exchange, complaints
from tests.conformance.model import Case, Group, Step, Weight
from tests.conformance.octets import Message, read_body, read_head, written
from tests.conformance.origin import STEP, Origin, Run

_AT_A_TIME = 16
_TIMEOUT = 20.0
# What clients send without being asked for it.
_USUAL = ("Host: cached.example", "User-Agent: conformance", "Accept: */*",
          "Accept-Encoding: gzip, deflate, br")


@frozen
class Result:
    """
    What came of a case.

    :ivar complaints: in words; none where it passed.
    """

    group: Group
    case: Case
    complaints: tuple[str, ...]

    @property
    def name(self) -> str:
        """Group and rule."""
        return f"{self.group.name}: {self.case.rule}"

    def __str__(self) -> str:
        return f"{self.name}\n    " + "\n    ".join(self.complaints)


# Interim answers, and the final one if it came.
_Got = tuple[tuple[Message, ...], Message | None]


@define
class Runner:
    """
    :ivar port: of the program, on loopback.
    """

    port: int
    _origin: Origin = field(factory=Origin)
    _turns: Semaphore = field(factory=lambda: Semaphore(_AT_A_TIME))

    async def run(self, groups: Sequence[Group], origin_port: int) -> list[Result]:
        """:return: what came of every case, in order."""
        server = await asyncio.start_server(self._origin.serve, "127.0.0.1", origin_port)
        async with server:
            results = await asyncio.gather(*(
                self._ran(f"c{number}", group, case)
                for number, (group, case) in enumerate(_flat(groups))))
            await self._origin.end()
        return results

    async def _ran(self, path: str, group: Group, case: Case) -> Result:
        async with self._turns:
            run = self._origin.runs[path] = Run(case, int(time.time()))
        found: list[str] = []
        for number, step in enumerate(case.steps, 1):
            if step.after:
                await asyncio.sleep(step.after)
            async with self._turns:
                exchange = await self._exchanged(run, path, number, group.prefix + path)
            found += (f"step {number}: {one}" for one in complaints(exchange))
        return Result(group, case, tuple(found))

    async def _exchanged(self, run: Run, path: str, number: int, target: str) -> Exchange:
        step = run.case.steps[number - 1]
        try:
            async with asyncio.timeout(_TIMEOUT):
                interims, got = await self._asked(_request(step, run, number, target), step.method)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            interims, got = (), None
        return Exchange(run, path, number, got, interims, tuple(run.seen_in(number)))

    async def _asked(self, octets: bytes, method: str) -> _Got:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(octets)
            interims: list[Message] = []
            while (head := await read_head(reader)) is not None and head.status < 200:
                interims.append(head)
            if head is None:
                return tuple(interims), None
            has_body = method != "HEAD" and head.status not in (204, 304)
            body = await read_body(reader, head, to_end=True) if has_body else b""
            return tuple(interims), Message(head.line, head.fields, body)
        finally:
            writer.close()
            await writer.wait_closed()


def _flat(groups: Sequence[Group]) -> Iterator[tuple[Group, Case]]:
    for group in groups:
        for case in group.cases:
            yield group, case


def _request(step: Step, run: Run, number: int, target: str) -> bytes:
    lines = [rendered(line, run.start) for line in step.asks]
    names = {line.partition(":")[0].lower() for line in lines}
    lines += [f"{STEP}: {number}", "Connection: close"]
    lines += [line for line in _USUAL if line.partition(":")[0].lower() not in names]
    if step.sends or step.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(step.sends)}")
    return written(f"{step.method} {target}{step.to} HTTP/1.1", lines, step.sends.encode())


def summary(results: Sequence[Result]) -> str:
    """:return: how many cases of each weight passed."""
    parts = []
    for weight in Weight:
        those = [one for one in results if one.case.weight is weight]
        passed = sum(not one.complaints for one in those)
        parts.append(f"{weight.value} {passed}/{len(those)}")
    return ", ".join(parts)
