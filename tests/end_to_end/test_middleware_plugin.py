"""A stranger's middleware: built, installed beside Trickster, and driven through twistd."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Any

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.plugging import PluginCase, found_at
from tests.end_to_end.servers import Trickster, fetch

PLUGIN = Path(__file__).parents[2] / "examples" / "middleware_plugin"


class MiddlewarePluginTests(PluginCase):
    """A middleware plugin for request names that Trickster does not know."""

    plugin = PLUGIN

    def started(self, origin: ScriptedOrigin, listener: list[str], backend: list[str],
                path: list[str]) -> Trickster:
        """:return: a Trickster with these middlewares around listener, backend and path."""
        kinds: dict[str, Any] = {
            name: {"kind": "request_id", "request_id": {"header": header}}
            for name, header in (("outer", "X-Outer"), ("inner", "X-Inner"), ("own", "X-Own"))}
        with found_at(self.site):
            trickster = Trickster(
                Path(tempfile.mkdtemp(dir=self.directory.name)),
                {"web": {"provider": "reverseproxycache", "origin_url": origin.url,
                         "middlewares": backend,
                         "paths": [{"path": "/own", "match_type": "prefix",
                                    "handler": "proxycache", "middlewares": path}]}},
                {"middlewares": kinds}, listener={"middlewares": listener})
        self.addCleanup(trickster.stop)
        return trickster

    def test_by_configuration(self) -> None:
        """Listeners, backends and paths have the middlewares that they name, and no others."""
        asked: list[dict[str, str]] = []

        def answer(client: socket.socket, head: bytes) -> None:
            lines = head.decode("ascii").split("\r\n")[1:]
            asked.append({name.lower(): value.strip() for name, _, value in (
                line.partition(":") for line in lines)})
            client.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
                           b"Content-Length: 2\r\nConnection: close\r\n\r\nok")

        origin = ScriptedOrigin(answer)
        self.addCleanup(origin.stop)
        trickster = self.started(origin, ["outer"], ["inner"], ["own"])
        for path, names in (("/a", {"x-outer", "x-inner"}),
                            ("/own/a", {"x-outer", "x-inner", "x-own"})):
            first, again = (fetch(trickster.url + path) for _ in range(2))
            self.assertEqual((first.lookup, again.lookup), ("kmiss", "hit"))
            for name in ("x-outer", "x-inner", "x-own"):
                self.assertEqual(name in first.headers, name in names, (path, name))
                self.assertEqual(asked[-1].get(name), first.headers.get(name))
                if name in names:
                    self.assertNotEqual(first.headers[name], again.headers[name])
        self.assertEqual(len(asked), 2)

    def test_own_tests(self) -> None:
        """The plugin's own tests pass where it is installed."""
        self.assertOwnTestsPass("tests.test_request_id")
