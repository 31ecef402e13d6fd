"""What the built-in endpoints show: health, configuration, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import evolve

from trickster.admin.health import HealthOfAll, HealthOfOne, ProcessState
from trickster.admin.healthreport import BackendHealth
from trickster.admin.metricspage import MetricsPage
from trickster.admin.trees import Administration
from trickster.compose.backends.backend import Backend
from trickster.config.options.model import Configuration
from trickster.config.render import rendered
from trickster.middleware.rewriting import changed_headers, changes, names_of
from trickster.routes import Probe
from trickster.upstream.health.plan import probe_plan
from trickster.upstream.health.probing import HealthCheck
from trickster.upstream.health.state import Verdict


def health_check(backend: Backend, random: Callable[[], float]) -> HealthCheck:
    """:return: what probes a backend's origin, at intervals where the configuration says so."""
    probe = backend.origin_type.probe(backend.options.plugin) or Probe()
    configured = changes(backend.options.request_headers)
    probe = evolve(probe, headers=changed_headers(probe.headers, configured))
    plan = probe_plan(probe, backend.options.healthcheck)
    said = configured + changes(backend.options.healthcheck.headers)
    plan = evolve(plan, request=evolve(plan.request, configured=names_of(said)))
    around = backend.around
    return HealthCheck(
        backend.name, backend.options.provider, backend.origin.probed, plan, around.clock, random,
        wall=around.wall, on_latency=around.metrics.probe(backend.name).observe)


def administration(configuration: Configuration,
                   checked: Mapping[str, tuple[Backend, HealthCheck]], state: ProcessState,
                   page: MetricsPage) -> Administration:
    """
    :param checked: backends, and what probes their origins, by name.
    :param page: shows the metrics of the process.
    :return: all there is to ask about the process.
    """
    def board() -> Sequence[BackendHealth]:
        return [BackendHealth(check.backend, check.provider, check.health,
                              connections=backend.origin.upstream.stats)
                for backend, check in checked.values()]

    def probes() -> Mapping[str, Callable[[], Awaitable[Verdict]]]:
        return {name: check.probe for name, (_, check) in checked.items()}

    return Administration(configuration.mgmt, lambda: rendered(configuration),
                          HealthOfAll(board, state), HealthOfOne(probes), page)
