"""The listeners of the process, metrics and mgmt, where workers have what they tell."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import MultiService
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.web.resource import IResource

from trickster.admin.endpoints import Endpoints, ReadOnly
from trickster.admin.management import API, CACHES_PATH
from trickster.admin.metricspage import MetricsPage
from trickster.admin.samesite import SameSite
from trickster.compose.listeners import ListenerPlace, listener
from trickster.compose.middlewares import Middlewares
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration
from trickster.frontend.listening.listener import Listener
from trickster.frontend.tree import ResponderResource
from trickster.interfaces import IResponder, IRuntime
from trickster.plugins import Plugins
from trickster.workers.asking import (
    AnyWorker,
    Crew,
    EachCache,
    Merged,
    Ready,
    Vetted,
    no_answer,
    no_document,
)
from trickster.workers.listings import merged_caches, merged_listing

# Listeners of the endpoints of the process.
OWN = ("metrics", "mgmt")


@frozen
class Endpoint:
    """
    What the supervisor answers by itself.

    :ivar metrics: the page of all metrics.
    :ivar is_draining: whether no more requests are taken.
    """

    crew: Crew
    metrics: MetricsPage
    is_draining: Callable[[], bool]

    def of(self, listener: str, configuration: Configuration) -> IResponder:
        """
        :param listener: C{metrics} or C{mgmt}.
        :return: what answers on it; what the supervisor does not know by itself, a worker tells.
        """
        one = AnyWorker(self.crew, listener)
        if listener == "metrics":
            exact: dict[str, IResponder] = {
                "/metrics": ReadOnly(self.metrics),
                "/-/ready": ReadOnly(Ready(self.crew, self.is_draining))}
            return Endpoints.of(exact, {"": one})
        guarded = SameSite(Vetted(EachCache(self.crew, listener, no_document)))
        purging = SameSite(Vetted(EachCache(self.crew, listener, no_answer)))
        listing = SameSite(ReadOnly(Merged(self.crew, listener, merged_listing)))
        caches = SameSite(ReadOnly(Merged(self.crew, listener, merged_caches)))
        below: dict[str, IResponder] = {"": one, API: guarded, CACHES_PATH: listing}
        for path in (configuration.mgmt.purge_by_key_path, configuration.mgmt.purge_by_path_path):
            if path.rstrip("/"):
                below[path.rstrip("/")] = purging
        return Endpoints.of({CACHES_PATH: caches}, below)


@frozen
class Served:
    """
    A listener as it is configured.

    :ivar options: of it.
    :ivar root: what it serves.
    """

    options: ListenerOptions
    root: IResource


Prepared = Mapping[str, Served]


@define(eq=False, slots=False)
class OwnListeners(MultiService):
    """
    The listeners of the process.

    :ivar reactor: with descriptors and time.
    :ivar wall: seconds since the epoch.
    :ivar endpoint: what they answer.
    :ivar runtime: for middlewares around them.
    :ivar socket: a duplicate of the socket of a listener.
    """

    reactor: Any
    wall: Callable[[], float]
    endpoint: Endpoint
    runtime: IRuntime
    plugins: Plugins
    socket: Callable[[str], socket.socket]
    _running: dict[str, tuple[Served, Listener]] = field(factory=dict, init=False)

    def __attrs_pre_init__(self) -> None:
        MultiService.__init__(self)

    def prepared(self, configuration: Configuration) -> Prepared:
        """
        :return: what is to be served; nothing is changed.
        :raises PluginError: a middleware cannot be used.
        """
        around = Middlewares(configuration.middlewares, self.plugins, self.runtime).around
        return {
            name: Served(options, ResponderResource(
                around(self.endpoint.of(name, configuration), options.middlewares)))
            for name, options in configuration.opened.items() if name in OWN}

    def open(self, prepared: Prepared) -> None:
        """
        :param prepared: what is served once they are started.
        """
        for name, served in prepared.items():
            self._add(name, served)

    def abort(self) -> None:
        """Close all connections, also those with a request under way."""
        for _, running in self._running.values():
            running.abort()

    async def follow(self, prepared: Prepared) -> None:
        """
        Serve something else, on sockets that may be others: what L{socket} gives now.

        :param prepared: of all listeners that there are to be; those that are as they were, but
            for what they serve, keep their connections.
        """
        ending = []
        for name, (before, running) in list(self._running.items()):
            after = prepared.get(name)
            if after is not None and after.options == before.options:
                running.site.serve(after.root)
                self._running[name] = (after, running)
            else:
                del self._running[name]
                ending.append(maybeDeferred(running.disownServiceParent))
        for name, served in prepared.items():
            if name not in self._running:
                self._add(name, served)
        await DeferredList(ending, consumeErrors=True)

    def _add(self, name: str, served: Served) -> None:
        place = ListenerPlace(self.reactor, self.wall, partial(self.socket, name))
        made = listener(served.options, served.root, place)
        self._running[name] = (served, made)
        made.setName(name)
        made.setServiceParent(self)
