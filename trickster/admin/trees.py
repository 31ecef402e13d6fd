"""Which administrative endpoints are on which listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from trickster.admin.configuration import ConfigurationText
from trickster.admin.endpoints import Endpoints, ReadOnly
from trickster.admin.health import HealthOfAll, HealthOfOne, Ready
from trickster.admin.metricspage import MetricsPage
from trickster.admin.ping import Ping
from trickster.interfaces import IResponder

_METRICS_PATH = "/metrics"
_READY_PATH = "/-/ready"


@frozen
class Administration:
    """
    All there is to ask about the process.

    :ivar paths: where the endpoints are (C{trickster.config.options.model.MgmtOptions}).
    :ivar configuration: makes the running configuration's YAML, all secrets masked.
    :ivar more: other endpoints of the mgmt listener, by path; they see to methods
        themselves.
    :ivar more_below: the same for all that is below a path.
    """

    paths: Any
    configuration: Callable[[], str]
    health: HealthOfAll
    probes: HealthOfOne
    metrics: MetricsPage
    more: Mapping[str, IResponder] = field(factory=dict)
    more_below: Mapping[str, IResponder] = field(factory=dict)

    def on_frontend(self) -> Mapping[str, IResponder]:
        """:return: what every frontend listener answers itself, by path."""
        path = self.paths.ping_handler_path
        return {path: ReadOnly(Ping())} if path else {}

    def on_metrics(self) -> Endpoints:
        """:return: what the metrics listener answers."""
        health = _bare(self.paths.health_handler_path)
        exact: dict[str, IResponder] = {
            _METRICS_PATH: ReadOnly(self.metrics),
            _READY_PATH: ReadOnly(Ready(self.health.state)), **self.on_frontend()}
        if health:
            exact |= dict.fromkeys((health, f"{health}/"), ReadOnly(self.health))
        if self.paths.config_handler_listener in ("metrics", "both"):
            exact |= self._configuration()
        return Endpoints.of(exact, {health: ReadOnly(self.probes)} if health else {})

    def on_mgmt(self) -> Endpoints:
        """:return: what the mgmt listener answers."""
        exact = {**self.more, **self.on_frontend()}
        if self.paths.config_handler_listener in ("mgmt", "both"):
            exact |= self._configuration()
        return Endpoints.of(exact, self.more_below)

    def _configuration(self) -> dict[str, IResponder]:
        path = _bare(self.paths.config_handler_path)
        if not path:
            return {}
        shown = ReadOnly(ConfigurationText(self.configuration))
        return {path: shown, f"{path}/sanitized": shown}


def _bare(path: str) -> str:
    return path.rstrip("/")
