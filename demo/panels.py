"""The simulated dashboard's panels and the window they show."""

from __future__ import annotations

from attrs import frozen


@frozen
class Panel:
    """
    A graph.

    :ivar is_form: whether its query is sent as a form, by POST, as Grafana does by default.
    """

    title: str
    query: str
    is_form: bool = False


@frozen
class Window:
    """
    What a dashboard shows, in seconds since the epoch; both ends lie on the step's grid.
    """

    start: int
    end: int
    step: int

    @classmethod
    def ending(cls, now: float, span: int, step: int) -> Window:
        """
        :param now: seconds since the epoch; the window ends at the newest multiple of the
            step that is not after it, as dashboards do it.
        :param span: seconds from start to end.
        :param step: seconds.
        """
        end = int(now) // step * step
        return cls(end - span // step * step, end, step)

    def params(self, panel: Panel) -> list[tuple[str, str]]:
        """:return: the parameters of the panel's query."""
        return [("query", panel.query), ("start", str(self.start)), ("end", str(self.end)),
                ("step", str(self.step))]


def standard_panels() -> tuple[Panel, ...]:
    """:return: twelve, as an operator of the demo origin's machines might have them."""
    busy = 'sum by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))'
    failed = 'sum by (handler) (rate(http_requests_total{code=~"5.."}[5m]))'
    slowest = 'max by (handler) (http_request_latency_seconds{quantile="0.99"})'
    usual = 'avg by (handler) (http_request_latency_seconds{quantile="0.5"})'
    received = "sum by (instance) (rate(node_network_receive_bytes_total[5m]))"
    sent = "sum by (instance) (rate(node_network_transmit_bytes_total[5m]))"
    return (
        Panel("CPU by mode", "sum by (mode) (rate(node_cpu_seconds_total[5m]))"),
        Panel("CPU in use", busy, is_form=True),
        Panel("Memory available", "node_memory_MemAvailable_bytes"),
        Panel("Load", "avg(node_load1)", is_form=True),
        Panel("Network in", received),
        Panel("Network out", sent, is_form=True),
        Panel("Requests by code", "sum by (code) (rate(http_requests_total[5m]))"),
        Panel("Requests by handler", "sum by (handler) (rate(http_requests_total[5m]))",
              is_form=True),
        Panel("Errors by handler", failed),
        Panel("Latency, slowest", slowest, is_form=True),
        Panel("Latency, usual", usual),
        Panel("Resident memory", "process_resident_memory_bytes", is_form=True),
    )
