"""Origins that are spoken to over TLS: believed only when they prove who they are."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from tests.end_to_end.servers import Answer, Trickster, fetch
from tests.end_to_end.standing import Standing
from tests.end_to_end.talking import eventually
from trickster.testing.certificates import Authority


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        peer = self.connection.getpeercert()  # type: ignore[attr-defined]
        body = str(dict(x[0] for x in peer["subject"])["commonName"] if peer else "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that do not believe us go away."""


class TlsOriginTests(Standing):
    """An HTTPS origin, with backends that trust its certificate or do not."""

    server: ClassVar[_Server]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        authority = Authority.make("Test Authority")
        trusted = root / "authority.pem"
        trusted.write_bytes(authority.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.identity("origin.test", "127.0.0.1").save(root, "origin"))
        context.load_verify_locations(trusted)
        context.verify_mode = ssl.CERT_OPTIONAL
        cls.server = _Server(("127.0.0.1", 0), _Quiet)
        cls.running.callback(cls.server.server_close)
        cls.running.callback(cls.server.shutdown)
        cls.server.socket = context.wrap_socket(cls.server.socket, server_side=True)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        ours = [str(file) for file in authority.identity("trickster.test").save(root, "ours")]
        port = cls.server.server_address[1]
        believed = {"certificate_authority_paths": [str(trusted)]}
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            name: {"provider": "proxy", "origin_url": f"https://{host}:{port}", "tls": tls}
            for name, host, tls in (
                ("default", "127.0.0.1", {}),
                ("believed", "127.0.0.1", believed),
                ("named", "localhost", believed),
                ("careless", "127.0.0.1", {"insecure_skip_verify": True}),
                ("known", "127.0.0.1", {**believed, "client_cert_path": ours[0],
                                        "client_key_path": ours[1]}))}))

    def ask(self, backend: str) -> Answer:
        return fetch(f"{self.trickster.url}/{backend}/")

    def test_strangers_are_not_believed(self) -> None:
        """A certificate of an unknown authority gives 502, and the log says why."""
        answer = self.ask("default")
        self.assertEqual(answer.status, 502)
        self.assertIn("reason=origin-unreachable", answer.result)
        self.assertNotIn(b"certificate", answer.body)
        log = self.trickster.log
        self.assertTrue(eventually(lambda: "certificate" in log.read_text()))

    def test_own_authority(self) -> None:
        """A certificate of a configured authority is accepted."""
        self.assertEqual(self.ask("believed").status, 200)

    def test_wrong_name(self) -> None:
        """A certificate for another name is refused."""
        self.assertEqual(self.ask("named").status, 502)

    def test_careless(self) -> None:
        """Any certificate is accepted only where that is configured."""
        self.assertEqual(self.ask("careless").status, 200)

    def test_health(self) -> None:
        """Health checks use TLS as requests do, and say why they fail."""
        for backend, status, detail in (
                ("believed", 200, ""), ("careless", 200, ""), ("known", 200, ""),
                ("default", 503, "TLS: certificate verify failed"),
                ("named", 503, "TLS: the certificate is not for this name")):
            answer = fetch(f"{self.trickster.metrics_url}/trickster/health/{backend}")
            self.assertEqual(answer.status, status)
            self.assertIn(detail, answer.headers.get("Trk-HC-Detail", ""))

    def test_our_certificate(self) -> None:
        """The origin sees the certificate that the configuration names."""
        self.assertEqual(self.ask("known").body, b"trickster.test")
        self.assertEqual(self.ask("believed").body, b"")
