"""Puts the demonstration together and takes it apart again."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define
from treq.client import HTTPClient
from twisted.internet.error import CannotListenError, ConnectError, ConnectionClosed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed
from twisted.web.server import Site

from demo.api import Api, Cost, Ledger
from demo.dashboard import CONNECTIONS, Dashboard, standard_panels
from demo.demonstration import DIRECT, THROUGH, Demonstration
from demo.interruption import Interruption, promptly
from demo.options import Options
from demo.origin import OriginResource
from demo.proxy import Ports, Proxy, ProxyFailed
from demo.report import Display
from demo.series import standard_catalogue

_HOST = "127.0.0.1"
#: Seconds.
_GRACE = 0.5


@define
class Stage:
    """
    Where the demonstration takes place.

    :ivar reactor: the real one; it listens, connects, spawns and waits.
    """

    reactor: Any
    options: Options
    display: Display
    interruption: Interruption

    async def play(self) -> int:
        """:return: the exit code: 0 if all went well."""
        try:
            async with AsyncExitStack() as tidying:
                return await self._play(tidying)
        except ProxyFailed as error:
            self.display.say(f"{error.detail} The end of its log:\n{error.log}")
        except CannotListenError as error:
            self.display.say(f"Cannot listen: {error}")
        return 1

    async def _play(self, tidying: AsyncExitStack) -> int:
        ledger = Ledger()
        api = Api(self.reactor, standard_catalogue(), Cost())
        origin = self._origin(api, ledger, DIRECT, self.options.origin_port, tidying)
        behind = self._origin(api, ledger, THROUGH, 0, tidying)
        client = self._client(tidying)
        proxy = await self._proxy(client, tidying)
        await self.interruption.until(lambda: proxy.start(behind))
        if self.interruption.is_asked:
            return 0
        self.display.say(_addresses(origin, proxy.ports))
        return await self._show(proxy, Demonstration(
            self.reactor, self.options, self._dashboard(client, origin),
            self._dashboard(client, proxy.ports.front), ledger, self.display, proxy.check))

    async def _show(self, proxy: Proxy, demonstration: Demonstration) -> int:
        await self.interruption.until(demonstration.run)
        demonstration.close()
        await self.interruption.until(lambda: self._serve(proxy))
        tally = demonstration.tally
        is_cut_short = self.interruption.is_asked and not tally.compared
        return 0 if tally.is_good or is_cut_short else 1

    async def _serve(self, proxy: Proxy) -> None:
        if self.options.seconds is None:
            self.display.say("\nStill serving; Ctrl-C ends it.")
            await proxy.ended()
            # Ctrl-C goes to both of us, and Trickster may be quicker.
            await deferLater(self.reactor, _GRACE)
            proxy.check()

    def _origin(self, api: Api, ledger: Ledger, kind: str, port: int,
                tidying: AsyncExitStack) -> int:
        site = Site(OriginResource(api, ledger.account(kind)))
        return self._listen(port, site, tidying)

    def _listen(self, port: int, factory: IProtocolFactory, tidying: AsyncExitStack) -> int:
        listening = self.reactor.listenTCP(port, factory, interface=_HOST)

        async def stop() -> None:
            await listening.stopListening()

        tidying.push_async_callback(stop)
        number: int = listening.getHost().port
        return number

    def _client(self, tidying: AsyncExitStack) -> HTTPClient:
        pool = HTTPConnectionPool(self.reactor)
        pool.maxPersistentPerHost = CONNECTIONS

        async def close() -> None:
            await pool.closeCachedConnections()

        tidying.push_async_callback(close)
        return HTTPClient(Agent(self.reactor, connectTimeout=5, pool=pool))

    async def _proxy(self, client: HTTPClient, tidying: AsyncExitStack) -> Proxy:
        directory = tidying.enter_context(TemporaryDirectory(prefix="trickster-demo-"))
        async with AsyncExitStack() as kept:
            # All at once, so that they are different ones.
            ports = Ports(*(self._listen(port, Factory(), kept)
                            for port in (self.options.port, 0, 0)))
        url = f"http://{_HOST}:{ports.front}/trickster/ping"

        async def is_up() -> bool:
            try:
                response = await promptly(client.get(url))
                await promptly(response.content())
            except (ConnectError, ConnectionClosed, ResponseFailed):
                return False
            return bool(response.code == 200)

        proxy = Proxy(self.reactor, Path(directory), ports, is_up)
        tidying.push_async_callback(proxy.stop)
        return proxy

    def _dashboard(self, client: HTTPClient, port: int) -> Dashboard:
        return Dashboard(self.reactor, client, f"http://{_HOST}:{port}", standard_panels())


def _addresses(origin: int, ports: Ports) -> str:
    query = ("-d 'query=sum by (mode) (rate(node_cpu_seconds_total[5m]))' "
             "-d start=$(( $(date +%s) - 3600 )) -d end=$(date +%s) -d step=15")
    return f"""\
The demo origin             http://{_HOST}:{origin}
Trickster in front of it    http://{_HOST}:{ports.front}
  its metrics               http://{_HOST}:{ports.metrics}/metrics
  its health                http://{_HOST}:{ports.metrics}/trickster/health
  its configuration         http://{_HOST}:{ports.mgmt}/trickster/config
A query through Trickster; ask twice, and see X-Trickster-Result change:
  curl -s -D - -o /dev/null http://{_HOST}:{ports.front}/api/v1/query_range \\
    {query}
"""
