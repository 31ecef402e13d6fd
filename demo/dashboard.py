"""A simulated dashboard: asks for all its panels at once, as a browser would."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError, gatherResults
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.web.client import RequestTransmissionFailed, ResponseFailed

from demo.interruption import promptly
from demo.panels import Panel, Window

#: Connections that a browser opens to one HTTP/1.1 server.
CONNECTIONS = 6
#: Seconds after which a panel is given up.
_PATIENCE = 60.0

_FAILURES = (ConnectError, ConnectionClosed, RequestTransmissionFailed, ResponseFailed,
             TimeoutError)


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
