"""A Trickster to be asked what it tells of itself."""

from __future__ import annotations

import socket
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.installation import spelled
from tests.end_to_end.servers import TWISTD, Answer, Trickster, fetch, free_port

NOW = int(time.time()) // 60 * 60
SECRET = "correct-horse"
_PARTIAL = b'{"status":"success","warnings":["slow"],"data":{"resultType":"matrix","result":[]}}'


def origin(peer: socket.socket, head: bytes) -> None:
    """An origin that has one series for every question, unless the question has a wish."""
    target = urllib.parse.urlsplit(head.split(b" ", 2)[1].decode())
    params = dict(urllib.parse.parse_qsl(target.query))
    status, body = 200, b'{"status":"success","data":[]}'
    if "fail" in params.get("query", ""):
        status, body = 503, b"no"
    elif "warn" in params.get("query", ""):
        body = _PARTIAL
    elif target.path.endswith("query_range"):
        times = range(int(params["start"]), int(params["end"]) + 1, int(params["step"]))
        values = ",".join(f'[{at},"{at % 7}"]' for at in times)
        body = (b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":'
                b'{"a":"b"},"values":[%b]}]}}' % values.encode())
    peer.sendall(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                 b"Connection: close\r\n\r\n%b" % (status, len(body), body))


class Reporting(SynchronousTestCase):
    """Trickster with a well-behaved backend, and one whose origin is down."""

    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    origin: ClassVar[ScriptedOrigin]
    trickster: ClassVar[Trickster]
    form: ClassVar[tuple[str, ...]] = TWISTD
    logging: ClassVar[dict[str, Any]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        cls.origin = ScriptedOrigin(origin)
        common = {"provider": "prometheus", "fast_forward_disable": True}
        root = Path(cls.directory.name)
        logging = {name: value.format(root=root) if isinstance(value, str) else value
                   for name, value in cls.logging.items()}
        cls.trickster = Trickster(root, {
            "good": {**common, "is_default": True,
                     "origin_url": cls.origin.url,
                     "max_query_range": "1d",
                     "paths": [{"path": "/own", "methods": ["GET"], "handler": "proxy",
                                "request_headers": {"Authorization": f"Bearer {SECRET}"}}],
                     "healthcheck": {"interval": "100ms", "recovery_threshold": 1}},
            "down": {**common, "origin_url": f"http://127.0.0.1:{free_port()}",
                     "healthcheck": {"interval": "100ms", "failure_threshold": 1}},
            "unchecked": {**common, "origin_url": cls.origin.url},
        }, {"logging": logging}, form=cls.form)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.origin.stop()
        cls.directory.cleanup()

    def ask(self, query: str, start: int, end: int, backend: str = "good",
            headers: dict[str, str] | None = None) -> Answer:
        return fetch(f"{self.trickster.url}/{backend}" + spelled("/api/v1/query_range", {
            "query": query, "start": NOW + start, "end": NOW + end, "step": 60}),
            headers=headers)
