"""An origin that answers in the forms of Prometheus, with what it was asked."""

from __future__ import annotations

import json
import socket
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.answering import Body, plain
from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.servers import Trickster
from tests.end_to_end.standing import Standing


class EchoingOrigin:
    """
    Says yes to everything.  A parameter C{h} of the query is a field of the answer; a
    request that has C{X-Refused} is refused.

    :ivar heads: of the requests that have come.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._origin = ScriptedOrigin(self._serve)
        self.url = self._origin.url

    def stop(self) -> None:
        """Listen no more."""
        self._origin.stop()

    def values(self, name: bytes) -> list[bytes | None]:
        """:return: what each request had for a field, given in lower case."""
        return [_fields(head).get(name) for head in self.heads]

    def _serve(self, peer: socket.socket, head: bytes) -> None:
        self.heads.append(head)
        Body(peer, head).read()
        target = urllib.parse.urlsplit(head.split(b" ")[1].decode("latin-1"))
        asked = dict(urllib.parse.parse_qsl(target.query))
        said = _fields(head)
        host = repr(said.get(b"x-forwarded-host") or said.get(b"forwarded"))
        body = json.dumps(_answer(target.path, asked, host)).encode()
        field = f"{asked['h']}\r\n".encode("latin-1") if "h" in asked else b""
        peer.sendall(plain(body, fields=b"Content-Type: application/json\r\n" + field))


def _answer(path: str, asked: dict[str, str], host: str) -> object:
    if path.endswith(("/labels", "/series")):
        return {"status": "success", "data": [host]}
    values: list[object] = []
    if path.endswith("/query_range"):
        start, end, step = (int(float(asked[name])) for name in ("start", "end", "step"))
        values = [[at, "1"] for at in range(start, end + 1, step)]
    series = {"metric": {"host": host}, "values": values}
    return {"status": "success", "data": {"resultType": "matrix", "result": [series]}}


def _fields(head: bytes) -> dict[bytes, bytes]:
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}


class EchoCase(Standing):
    """
    One Trickster for all tests of a class, in front of an origin that says what it saw.

    :cvar backends: by name; an C{origin_url} is what stands behind the origin's own.
    """

    listener: ClassVar[Mapping[str, Any]] = {}
    backends: ClassVar[Mapping[str, Mapping[str, Any]]]
    origin: ClassVar[EchoingOrigin]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        """Start the origin and Trickster."""
        cls.origin = cls.kept(EchoingOrigin())
        cls.trickster = cls.kept(Trickster(
            root / "trickster",
            {name: {**more, "origin_url": cls.origin.url + more.get("origin_url", "")}
             for name, more in cls.backends.items()},
            {"logging": {"access_log": True}}, listener=cls.listener))

    def setUp(self) -> None:
        self.origin.heads.clear()
