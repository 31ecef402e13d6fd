"""The origin of a backend: how requests and health checks get there."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults

from trickster.compose.backends.settings import probe_origin, upstream_options
from trickster.compose.backends.surroundings import Surroundings
from trickster.config.options.backends import BackendOptions
from trickster.config.options.paths import PathOptions
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IResponder
from trickster.middleware.rewriting import Rewriting, changes, rewritten
from trickster.observability.origins import CountedOrigin
from trickster.observability.outages import OutageLog
from trickster.upstream.client import UpstreamClient
from trickster.upstream.side_client import SideClient


@define(eq=False)
class BackendOrigin:
    """
    The origin of a backend, and its connections.

    :ivar name: of the backend.
    :ivar url: where the origin is.
    :ivar upstream: sends the requests of clients.
    :ivar probed: sends those of health checks, over connections of their own.
    :ivar counted: the upstream client, with all that goes through it counted.
    """

    name: str
    _options: BackendOptions
    _around: Surroundings
    url: OriginURL = field(init=False)
    upstream: UpstreamClient = field(init=False)
    probed: SideClient = field(init=False)
    counted: IResponder = field(init=False)
    _unwatch: list[Callable[[], None]] = field(factory=list, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        options, around = self._options, self._around
        url = self.url = OriginURL.parse(options.origin_url)
        beside = probe_origin(options)
        said = upstream_options(options, around.server_name)
        counters = around.metrics.origin(self.name, options.provider)
        self.upstream = UpstreamClient(url, said, around.connector(url, options), around.clock,
                                       on_lenient=counters.lenient)
        self.probed = SideClient(beside, said, around.connector(beside, options), around.clock)
        self.counted = CountedOrigin(
            self.upstream, counters, OutageLog(self.name, url.place, around.clock))

    def responder(self, path: PathOptions) -> IResponder:
        """:return: asks the origin, with what the options of the backend and a path change."""
        options = self._options
        return rewritten(self.counted, Rewriting(
            changes(options.request_headers) + changes(path.request_headers or {}),
            changes(path.request_params or {}), changes(path.response_headers or {})))

    def watch(self) -> None:
        """Expose what is counted, and until it is stopped how the connections are used."""
        self._around.metrics.expose_origin(self.name, self._options.provider)
        options, upstream = self._options, self.upstream
        self._watch("origin_active_connections", "Connections to the origin in use.",
                    lambda: upstream.stats.active)
        self._watch("origin_lasting_connections", "Connections with an upgrade, a stream or an "
                    "answer that takes long, beside those in use.", lambda: upstream.stats.lasting)
        self._watch("origin_max_lasting_connections", "Most of those that last; 0 for no limit.",
                    lambda: options.max_streaming_conns)
        self._watch("origin_max_connections", "Most connections in use at a time; 0 for no "
                    "limit.", lambda: options.max_concurrent_conns)
        self._watch("origin_idle_connections", "Connections to the origin kept for later.",
                    lambda: upstream.stats.idle)
        self._watch("origin_waiting_requests", "Requests that wait for a connection.",
                    lambda: upstream.stats.waiting)

    def stop(self) -> Deferred[None]:
        """
        Take no more requests, and close connections as they come free.

        :return: fires when they are closed.
        """
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch.clear()
        return gatherResults([self.upstream.stop(), self.probed.stop()]).addCallback(
            lambda _: None)

    def abort(self) -> None:
        """Close the connections, also those with a request under way."""
        self.upstream.abort()

    def _watch(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        self._unwatch.append(self._around.metrics.watch(
            name, documentation, read, backend_name=self.name))
