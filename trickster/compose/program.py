"""The whole program, as one service."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import SystemRandom
from tempfile import TemporaryFile
from time import process_time
from typing import Any

from attrs import define, field
from prometheus_client import CollectorRegistry
from twisted.application.service import IService
from twisted.logger import globalLogPublisher
from twisted.web.resource import IResource

from trickster import __version__
from trickster.admin.health import ProcessState
from trickster.admin.trees import Administration
from trickster.collapsing.spool import FileSpool
from trickster.compose.administration import administration, health_check
from trickster.compose.announcement import Announcement
from trickster.compose.backends import Backend, Surroundings, unserved
from trickster.compose.listeners import listener
from trickster.compose.memos import Memos
from trickster.compose.middlewares import Middlewares
from trickster.compose.running import HangUps, Origins, Parts, Phase, Program, StopSignals
from trickster.compose.stores import Cache, caches
from trickster.compose.threads import Threads
from trickster.compose.trimming import MemoryTrim, resident, trimmer
from trickster.config.model import BackendOptions, Configuration
from trickster.frontend.listening.accepting import descriptors
from trickster.frontend.listening.listener import Listener
from trickster.frontend.overload import Lateness, Overload
from trickster.frontend.tree import ListenerRoot, ResponderResource
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IOriginType, IResponder
from trickster.middleware.compression import Compression, CompressionOptions, compression
from trickster.net.runtime import PluginRuntime
from trickster.observability.access import Observed
from trickster.observability.lag import ReactorLag
from trickster.observability.logs import Logs, logs
from trickster.observability.metrics import Metrics, add_process_metrics
from trickster.plugins import ORIGINS, Plugins
from trickster.routing.router import Router
from trickster.upstream.connecting.endpoints import connector
from trickster.upstream.connecting.resolving import Names, shared_resolver
from trickster.upstream.connecting.tls import TLSOptions
from trickster.upstream.health.probing import HealthCheck

_LARGEST_SPOOL = 16 << 30  # octets of one body on disk, for readers that lag behind
_MANY = 1 << 16  # descriptors, where there is no limit


def build(configuration: Configuration, reactor: Any, plugins: Plugins | None = None,
          wall: Callable[[], float] | None = None) -> IService:
    """
    :param configuration: complete and consistent.
    :param reactor: its seconds never jump: see L{trickster.steadyclock}.
    :param wall: seconds since the epoch, for dates; the reactor's where None.
    :return: everything; nothing is opened before it is started.
    :raises ConfigurationError: a file that the configuration names cannot be used.
    :raises PluginError: an origin type or a store cannot be used.
    """
    return _Building(configuration, reactor, plugins or Plugins(), wall or reactor.seconds).program()


def metrics_of(configuration: Configuration, reactor: Any) -> Metrics:
    """:return: the metrics that a program would have, for its documentation."""
    building = _Building(configuration, reactor, Plugins(), reactor.seconds)
    building.program()
    return building.metrics


@define
class _Building:
    """One configuration on its way to a program."""

    _configuration: Configuration
    _reactor: Any
    _plugins: Plugins
    _wall: Callable[[], float]
    _registry: CollectorRegistry = field(factory=CollectorRegistry, init=False)
    metrics: Metrics = field(init=False)
    _logs: Logs = field(init=False)
    _threads: Threads = field(init=False)
    _caches: dict[str, Cache] = field(init=False)
    _backends: dict[str, Backend] = field(factory=dict, init=False)
    _phase: Phase = field(factory=Phase, init=False)
    _runtime: PluginRuntime = field(init=False)
    _middlewares: Middlewares = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.metrics = Metrics(self._registry, __version__)
        add_process_metrics(self._registry)
        self._logs = logs(self._configuration.logging, self._configuration.main.instance_id,
                          self._reactor, globalLogPublisher, self._wall)
        self._threads = Threads(self._reactor)
        self._runtime = PluginRuntime(self._reactor, self._threads.call, self._wall,
                                      SystemRandom().random)
        self._middlewares = Middlewares(self._configuration.middlewares, self._plugins,
                                        self._runtime)
        self._caches = caches(self._configuration.caches, self._plugins, self.metrics,
                              self._runtime)

    def program(self) -> IService:
        """:return: all services, in the order in which they are to be started."""
        around = self._surroundings()
        for name, options in self._configuration.backends.items():
            if not options.is_virtual:
                self._backends[name] = self._backend(name, options, around)
        checked = {name: (backend, health_check(backend, SystemRandom().random))
                   for name, backend in self._backends.items()}
        asked = self._administration(checked)
        stores = [cache.service for cache in self._caches.values() if cache.service is not None]
        origins = Origins([backend.stop for backend in self._backends.values()])
        lag = ReactorLag(self._reactor, self.metrics.reactor_lag)
        self.metrics.reloads.succeeded(self._wall(), 0.0)
        names = Names(self._reactor, shared_resolver(self._reactor))
        signals = StopSignals(self._reactor, lambda: program.hurry())
        needed = [self._logs, HangUps(self._reactor), signals, lag, *self._trims(), names,
                  *stores, origins, *(check for _, check in checked.values())]
        frontends, own = list(self._frontends(asked, around)), list(self._own(asked))
        listeners = {str(one.name): one for one in (*frontends, *own)}
        program = Program(Parts(needed, frontends, own), self._phase,
                          Announcement(self._configuration, listeners).make, self._abort)
        return program

    def _trims(self) -> Iterator[MemoryTrim]:
        trim, reactor = trimmer(), self._reactor
        if trim is not None:
            yield MemoryTrim(reactor, resident, process_time, trim,
                             Threads(reactor).deferred)

    def _administration(self, checked: Mapping[str, tuple[Backend, HealthCheck]]
                        ) -> Administration:
        state = ProcessState(self._wall, self._failing_caches, lambda: self._phase.is_draining)
        return administration(self._configuration, checked, state, self._registry, self._reactor)

    def _abort(self) -> None:
        for backend in self._backends.values():
            backend.abort()

    def _failing_caches(self) -> Sequence[str]:
        return [name for name, cache in self._caches.items() if cache.store.is_failing]

    def _own(self, asked: Administration) -> Iterator[Listener]:
        roots: dict[str, IResponder] = {"metrics": asked.on_metrics(), "mgmt": asked.on_mgmt()}
        for name, options in self._configuration.opened.items():
            if name in roots:
                root = self._middlewares.around(roots[name], options.middlewares)
                made = listener(options, ResponderResource(root), self._reactor,
                                wall=self._wall)
                made.setName(name)
                yield made

    def _overload(self) -> Overload | None:
        target = self._configuration.main.overload_target
        if not target:
            return None
        # Each refusal that is put off takes a descriptor; the rest is for clients that are not.
        overload = Overload(self._reactor, Lateness(target), (descriptors() or _MANY) // 2)
        self.metrics.watch_total(
            "frontend_shed_requests", "Requests refused since the process had too much to do; "
            "in no other metric and no access log.", lambda: overload.refused_total)
        return overload

    def _frontends(self, asked: Administration, around: Surroundings) -> Iterator[Listener]:
        overload = self._overload()
        for name, options in self._configuration.opened.items():
            if name in self._configuration.frontends:
                self.metrics.connections.limit += options.connections_limit
                made = listener(options, self._frontend_root(name, asked, around), self._reactor,
                                self.metrics.connections, self._wall)
                made.site.overload = overload
                made.setName(name)
                yield made

    def _surroundings(self) -> Surroundings:
        reactor = self._reactor

        def connect(origin: OriginURL, options: BackendOptions) -> Any:
            tls = options.tls
            files = TLSOptions(tls.insecure_skip_verify, tls.certificate_authority_paths,
                               tls.client_cert_path, tls.client_key_path)
            return connector(reactor, origin, options.connect_timeout, files)

        threads = self._threads

        def spool() -> FileSpool:
            return FileSpool(threads.deferred, TemporaryFile, _LARGEST_SPOOL)

        main = self._configuration.main
        memos = Memos.of(main)
        memos.watch(self.metrics)
        self._runtime.shared(compression.name, lambda: Compression(memo=memos.coded))
        server_name = main.server_name or socket.gethostname()
        return Surroundings(reactor, self.metrics, self._logs.access, connect, threads.call,
                            server_name, spool, memos, self._wall, self._middlewares.around)

    def _backend(self, name: str, options: BackendOptions, around: Surroundings) -> Backend:
        return Backend(
            name, options, self._plugins.load(ORIGINS, options.origin_type, IOriginType),
            self._caches[options.cache_name].store,
            self._configuration.negative_ttls(options.negative_cache_name), around)

    def _frontend_root(self, name: str, asked: Administration,
                       around: Surroundings) -> IResource:
        router = Router.of(self._backends[each].route() if each in self._backends
                           else unserved(each, options)
                           for each, options in self._configuration.backends.items()
                           if options.listener_name == name)
        surrounded = self._middlewares.around(
            compression.wrap(router, CompressionOptions(), self._runtime),
            self._configuration.listeners[name].middlewares)
        observed = Observed(surrounded, around.metrics, around.access_log, around.clock, router)
        endpoints = {path.encode(): ResponderResource(responder)
                     for path, responder in asked.on_frontend().items()}
        return ListenerRoot(ResponderResource(observed), endpoints)
