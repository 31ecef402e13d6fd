"""A simulated dashboard: its panels, its window, and a refresh of all at once, as in a browser."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError, gatherResults
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import RequestTransmissionFailed, ResponseFailed

from demo.interruption import promptly

#: Connections that a browser opens to one HTTP/1.1 server.
CONNECTIONS = 6
#: Seconds after which a panel is given up.
_PATIENCE = 60.0

_FAILURES = (ConnectError, ConnectionClosed, RequestTransmissionFailed, ResponseFailed,
             TimeoutError)


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


@frozen
class PanelAnswer:
    """
    What came back for one panel.

    :ivar status: the HTTP status code, or 0 where no answer came at all.
    :ivar result: the C{X-Trickster-Result} header, or an empty string.
    :ivar failure: why there is no answer, or an empty string.
    """

    status: int
    body: bytes = b""
    result: str = ""
    failure: str = ""


@frozen
class Refresh:
    """
    All panels, once.

    :ivar seconds: from the first question to the end of the last answer.
    :ivar answers: in the order of the panels.
    """

    seconds: float
    answers: tuple[PanelAnswer, ...]


@define
class Dashboard:
    """
    One way to a server of Prometheus's API.

    :ivar base_url: without a slash at its end.
    """

    clock: IReactorTime
    client: HTTPClient
    base_url: str
    panels: tuple[Panel, ...]
    _seats: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(CONNECTIONS), init=False)

    async def refresh(self, window: Window, answered: Callable[[], None]) -> Refresh:
        """
        :param answered: called whenever another panel has its answer.
        """
        began = self.clock.seconds()
        answers = await promptly(gatherResults(
            [Deferred.fromCoroutine(self._seated(panel, window, answered))
             for panel in self.panels], consumeErrors=True))
        return Refresh(self.clock.seconds() - began, tuple(answers))

    async def _seated(self, panel: Panel, window: Window,
                      answered: Callable[[], None]) -> PanelAnswer:
        await self._seats.acquire()
        try:
            asking = promptly(Deferred.fromCoroutine(self._ask(panel, window)))
            answer = await asking.addTimeout(_PATIENCE, self.clock)
        except _FAILURES as error:
            answer = PanelAnswer(0, failure=f"{type(error).__name__}: {error}")
        finally:
            self._seats.release()
        answered()
        return answer

    async def _ask(self, panel: Panel, window: Window) -> PanelAnswer:
        url = f"{self.base_url}/api/v1/query_range"
        params = window.params(panel)
        if panel.is_form:
            response = await self.client.post(url, data=params)
        else:
            response = await self.client.get(url, params=params)
        body = await response.content()
        results = response.headers.getRawHeaders("x-trickster-result", [])
        return PanelAnswer(response.code, body, "; ".join(results))
