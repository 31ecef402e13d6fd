"""Tests of L{trickster.config.checks.endpoints}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, CheckCase, told_by
from trickster.config.checks.endpoints import check_endpoints
from trickster.config.options.model import MgmtOptions


class EndpointTests(CheckCase):
    """Paths of the built-in endpoints."""

    def test_none(self) -> None:
        """An endpoint with an empty path is on no listener."""
        self.assertTold(ONE + "mgmt: {ping_handler_path: '', health_handler_path: '', "
                        "config_handler_path: ''}")

    def test_paths(self) -> None:
        """Two endpoints with one path are refused, as is a path that begins with no slash."""
        self.assertTold(
            ONE + "mgmt: {ping_handler_path: ping, health_handler_path: /trickster/config}",
            "mgmt.ping_handler_path: 'ping' is not a path; expected one that begins with /",
            "mgmt.health_handler_path: /trickster/config is that of config_handler_path too; "
            "expected a path of its own")
        self.assertTold(
            ONE + "mgmt: {config_handler_path: /health, ping_handler_path: /metrics, "
            "health_handler_path: /health/}",
            "mgmt.ping_handler_path: /metrics is that of the metrics too; expected a path of "
            "its own",
            "mgmt.health_handler_path: /health/ is that of config_handler_path too; expected a "
            "path of its own")

    def test_where(self) -> None:
        """YAML's switch C{off} is read as the name of no listener."""
        self.assertTold(ONE + "mgmt: {config_handler_listener: off}")


class OptionsTests(SynchronousTestCase):
    """Options that were not read from a file."""

    def test_defaults(self) -> None:
        """The default paths differ from each other; a slash at the end makes no other path."""
        self.assertEqual(told_by(check_endpoints, MgmtOptions()), ())
        [told] = told_by(check_endpoints, MgmtOptions(ping_handler_path="/trickster/health/"))
        self.assertTrue(told.startswith("mgmt.health_handler_path: /trickster/health is that of "))
