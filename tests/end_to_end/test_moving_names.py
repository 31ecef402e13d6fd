"""Origins whose names move to other addresses, while the old ones live on."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from tests.end_to_end.names import Names
from tests.end_to_end.servers import TWISTD, Trickster
from tests.end_to_end.standing import Standing
from tests.end_to_end.talking import eventually, request

OLD, NEW = "127.0.0.1", "127.0.0.2"


class _Handler(BaseHTTPRequestHandler):
    """Says at which address it was asked, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        body = self.connection.getsockname()[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Origins:
    """Two origins on one port of two addresses."""

    def __init__(self) -> None:
        self._servers = [ThreadingHTTPServer((OLD, 0), _Handler)]
        self.port = self._servers[0].server_address[1]
        try:
            self._servers.append(ThreadingHTTPServer((NEW, self.port), _Handler))
        except OSError:
            self._servers[0].server_close()
            raise
        for server in self._servers:
            server.daemon_threads = True
            Thread(target=server.serve_forever, daemon=True).start()

    @classmethod
    def somewhere(cls) -> _Origins:
        """:return: two on a port that is free on both addresses."""
        for _ in range(20):
            try:
                return cls()
            except OSError:
                continue
        raise AssertionError("no port is free on two addresses")

    def stop(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class MovingNameTests(Standing):
    """Continuous traffic to a name that moves."""

    names: ClassVar[Names]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        """Start the origins and Trickster."""
        origins = cls.kept(_Origins.somewhere())
        cls.names = Names(root / "names")
        common = {"provider": "reverseproxy", "origin_url": f"http://moving:{origins.port}"}
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            "aged": {**common, "max_conn_age": "1s"},
            "ageless": {**common, "max_conn_age": "0s"},
        }, form=TWISTD, environment=cls.names.environment))

    def asked(self, backend: str) -> str:
        """:return: which origin answers."""
        answer = request(f"{self.trickster.url}/{backend}/x")
        self.assertEqual(answer.status, 200)
        return answer.body.decode()

    def test_moves(self) -> None:
        """
        A name is looked up anew once a connection is of the greatest age, though the old address
        would still answer, and no request fails meanwhile. Without such an age, a connection in
        constant use stays.
        """
        self.names.move(moving=OLD)
        self.assertEqual([self.asked(name) for name in ("aged", "ageless")], [OLD, OLD])
        self.names.move(moving=NEW)

        def has_moved() -> bool:
            self.assertEqual(self.asked("ageless"), OLD)
            return self.asked("aged") == NEW

        self.assertTrue(eventually(has_moved))
        self.names.move(moving=OLD)
        self.assertTrue(eventually(lambda: self.asked("aged") == OLD))

    def test_unknown_meanwhile(self) -> None:
        """A name that is unknown for a while gives failures then, and none afterwards."""
        self.names.move(moving=NEW)
        self.assertTrue(eventually(lambda: self.asked("aged") == NEW))
        self.names.move(moving="no-such-name.invalid")
        self.assertTrue(eventually(
            lambda: request(f"{self.trickster.url}/aged/x").status == 502))
        self.names.move(moving=OLD)
        self.assertTrue(eventually(
            lambda: request(f"{self.trickster.url}/aged/x").body.decode() == OLD))
