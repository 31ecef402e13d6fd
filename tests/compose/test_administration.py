"""Tests of L{trickster.compose.administration}: what there is to ask about a process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from twisted.internet.defer import maybeDeferred

from tests.compose.backendcase import BackendCase
from tests.compose.configurations import loaded
from trickster.admin.health import ProcessState
from trickster.admin.metricspage import MetricsPage
from trickster.bodies import read_all
from trickster.compose.administration import administration, health_check
from trickster.interfaces import IResponder
from trickster.messages import Request, Response
from trickster.observability.exposition import Exposition
from trickster.testing.doubles import at_once

TEXT = b"""
mgmt: {ping_handler_path: /alive, health_handler_path: /health, config_handler_path: /config}
backends:
  x: {provider: reverseproxycache, origin_url: 'http://origin.test',
      request_headers: {Authorization: hidden}}
"""


class AdministrationTests(BackendCase):
    """The endpoints of a process."""

    def setUp(self) -> None:
        """Have a backend, and what checks it."""
        super().setUp()
        backend = self.backend("reverseproxycache")
        self.check = health_check(backend, lambda: 0.0)
        self.made = administration(
            loaded(TEXT), {"x": (backend, self.check)},
            ProcessState(lambda: 0.0, lambda: ["cold"]),
            MetricsPage(Exposition(CollectorRegistry(), self.clock, maybeDeferred)))

    def answer(self, responder: IResponder, path: bytes) -> tuple[int, bytes]:
        """:return: status and body."""
        response: Response = at_once(responder.respond(Request(b"GET", path, authority=b"h")))
        return response.status, bytes(at_once(read_all(response.body, 1 << 20)))

    def test_health(self) -> None:
        """All backends, and the caches that do not work, are in the health report."""
        _, body = self.answer(self.made.on_metrics(), b"/health")
        for word in (b"reverseproxycache", b"cold"):
            self.assertIn(word, body)

    def test_configuration(self) -> None:
        """The configuration is the one in effect, without its secrets."""
        status, body = self.answer(self.made.on_mgmt(), b"/config")
        self.assertEqual(status, 200)
        self.assertIn(b"origin.test", body)
        self.assertNotIn(b"hidden", body)

    def test_paths(self) -> None:
        """Each endpoint is where the configuration says."""
        self.assertEqual(list(self.made.on_frontend()), ["/alive"])
        self.assertEqual(self.answer(self.made.on_metrics(), b"/alive")[0], 200)
        self.assertEqual(self.answer(self.made.on_metrics(), b"/ping")[0], 404)

    def test_metrics(self) -> None:
        """The metrics are shown where Prometheus looks for them."""
        self.assertEqual(self.answer(self.made.on_metrics(), b"/metrics")[0], 200)

    def test_one(self) -> None:
        """A backend that there is not cannot be probed."""
        self.assertEqual(self.answer(self.made.on_metrics(), b"/health/y")[0], 404)
