"""The supervisor as a program: sockets, workers, and the endpoints of the process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import SystemRandom
from typing import Any

from attrs import Factory, define, evolve, field, frozen
from prometheus_client import CollectorRegistry
from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger, globalLogPublisher
from twisted.python.failure import Failure

from trickster import __version__
from trickster.admin.metricspage import MetricsPage
from trickster.compose.announcement import Announcement
from trickster.compose.running import HangUps, Parts, Phase, Program, StopSignals
from trickster.compose.threads import Threads
from trickster.config.load import Loaded
from trickster.config.options.model import Configuration
from trickster.config.options.workers import number_of
from trickster.errors import ConfigurationError, PluginError
from trickster.frontend.listening.ports import bound
from trickster.net.runtime import PluginRuntime
from trickster.observability.logging.logs import logs
from trickster.observability.logging.sinks import PublisherSink
from trickster.observability.merging.exposition import MergedExposition
from trickster.observability.merging.last_seen import LastSeen
from trickster.observability.metrics import Metrics, add_process_metrics
from trickster.plugins import Plugins
from trickster.workers.asking import Crew
from trickster.workers.assignment import Assignment
from trickster.workers.cores import usable_cores
from trickster.workers.own import Endpoint, OwnListeners
from trickster.workers.places import Places
from trickster.workers.process import Launcher, State, WorkerProcess
from trickster.workers.shares import notices
from trickster.workers.slot import NotReplaced
from trickster.workers.sockets import Bind, Sockets
from trickster.workers.workers import Plan, Surroundings, Workers


def workers_of(configuration: Configuration) -> int:
    """:return: how many processes are to serve; 1 for this one alone."""
    return number_of(configuration.main.workers, usable_cores)


def plan_of(loaded: Loaded, reactor: Any) -> Plan:
    """:return: what workers are to do, in a reactor like this one."""
    sources = loaded.sources
    return Plan(loaded.configuration, Assignment(
        0, workers_of(loaded.configuration), sources.path, sources.flags,
        sources.allows_ineffective, loaded.files, reactor=type(reactor).__module__))


@frozen
class Outside:
    """
    What the supervisor has from the process.

    :ivar reactor: its seconds never jump: see L{trickster.net.steady_clock}.
    :ivar wall: seconds since the epoch.
    :ivar again: loads the configuration once more; raises L{ConfigurationError}.
    """

    reactor: Any
    wall: Callable[[], float]
    again: Callable[[], Loaded]
    plugins: Plugins = field(factory=Plugins)
    environ: Mapping[str, str] = field(factory=lambda: dict(os.environ))
    bind: Bind = bound
    places: Places = field(factory=Places)


@define(eq=False, slots=False)
class Supervisor(Service):
    """
    Has the sockets, and sees to it that the workers follow the configuration.

    :ivar metrics: of the supervisor.
    """

    _log = Logger()

    _plan: Plan
    _outside: Outside
    metrics: Metrics
    _own: OwnListeners
    workers: Workers = field(init=False)
    _sockets: Sockets | None = field(default=None, init=False)
    _following: Deferred[None] | None = field(default=None, init=False)
    _is_asked_again: bool = field(default=False, init=False)
    _began: Configuration = field(init=False, default=Factory(
        lambda self: self._plan.configuration, takes_self=True))

    @property
    def sockets(self) -> Sockets:
        """
        :return: of all listeners; bound when they are first asked for.
        :raises CannotListenError: an address is taken, or not ours.
        """
        if self._sockets is None:
            self._sockets = Sockets().following(
                self._plan.configuration.opened, self._outside.bind)
        return self._sockets

    def privilegedStartService(self) -> None:
        """
        Bind the sockets, while ports below 1024 may still be bound.

        :raises CannotListenError: as L{sockets}.
        """
        super().privilegedStartService()
        assert self.sockets is not None

    def stopService(self) -> None:
        """
        Have no sockets any more: once no worker accepts, no connection is taken.  The
        configuration is no longer followed.
        """
        super().stopService()
        self._is_asked_again = False
        if self._following is not None:
            self._following.cancel()
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            sockets.close()

    def abort(self) -> None:
        """There is nothing to be given up."""

    def reload(self) -> None:
        """Read the configuration again and follow it; once more, where that is going on."""
        if not self.running:
            return
        if self._following is not None:
            self._is_asked_again = True
            return
        self._following = Deferred.fromCoroutine(self._reload())
        self._following.addErrback(self._not_followed)
        self._following.addCallback(self._followed)

    def _not_followed(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._log.failure("The configuration could not be followed", failure)

    def _followed(self, _: None) -> None:
        self._following = None
        if self._is_asked_again:
            self._is_asked_again = False
            self.reload()

    async def _reload(self) -> None:
        clock, reloads = self._outside.reactor, self.metrics.reloads
        began = clock.seconds()
        try:
            plan = plan_of(self._outside.again(), clock)
            await self._follow(plan)
        except (ConfigurationError, PluginError, NotReplaced, CannotListenError) as error:
            reloads.failed(clock.seconds() - began)
            for line in getattr(error, "problems", (str(error),)):
                self._log.error("The configuration is not reloaded: {line}", line=line)
        except Exception:
            reloads.failed(clock.seconds() - began)
            raise
        else:
            reloads.succeeded(self._outside.wall(), clock.seconds() - began)
            self._log.info("The configuration is reloaded: all workers have it")
            self._warn(plan)

    def _warn(self, plan: Plan) -> None:
        Announcement(_with_notices(plan.configuration, plan), {}).warn()
        kept = ", ".join(_kept(self._began, plan.configuration))
        if kept:
            self._log.warn("{keys}: the supervisor logs as it did at the start; restart it to have "
                           "that changed", keys=kept)

    async def _follow(self, plan: Plan) -> None:
        before = self.sockets
        after = before.following(plan.configuration.opened, self._outside.bind)
        try:
            own = self._own.prepared(plan.configuration)
            await self.workers.follow(plan, after)
        except BaseException:
            after.close(before)
            raise
        self._plan, self._sockets = plan, after
        try:
            await self._own.follow(own)
        finally:
            before.close(after)


def supervised(loaded: Loaded, outside: Outside) -> IService:
    """
    :param loaded: a configuration of several workers.
    :return: the supervisor and its workers; nothing is opened before it is started.
    :raises PluginError: a middleware cannot be used.
    """
    configuration, reactor, wall = loaded.configuration, outside.reactor, outside.wall
    registry, phase, random = CollectorRegistry(), Phase(), SystemRandom().random
    metrics = Metrics(registry, __version__)
    add_process_metrics(registry)
    threads, crew = Threads(reactor), Crew(reactor)
    written = logs(configuration.logging, configuration.main.instance_id, reactor,
                   globalLogPublisher, wall)
    sink = written.sink or PublisherSink()
    plan = plan_of(loaded, reactor)
    last = LastSeen()
    page = MetricsPage(MergedExposition(
        crew.metrics, registry, last, reactor, threads.deferred))
    own = OwnListeners(
        reactor, wall, Endpoint(crew, page, lambda: phase.is_draining),
        PluginRuntime(reactor, threads.call, wall, random), outside.plugins,
        lambda name: supervisor.sockets.duplicate(name))
    own.open(own.prepared(configuration))
    supervisor = Supervisor(plan, outside, metrics, own)
    around = Surroundings(reactor, random, Launcher(reactor.spawnProcess, outside.environ),
                          outside.places, sink.write)
    workers = supervisor.workers = Workers(
        plan, lambda: supervisor.sockets, around, partial(_changed, crew, last))
    metrics.watch("workers", "Worker processes that serve.", lambda: len(workers.serving))
    metrics.watch_total("worker_restarts", "Worker processes that were started in the place of "
                        "one that died.", lambda: workers.restarts)
    metrics.reloads.succeeded(wall(), 0.0)
    addresses = {name: _Listening(supervisor, name) for name in configuration.opened}
    signals = StopSignals(reactor, lambda: program.hurry())
    needed = [written, HangUps(reactor, reload=supervisor.reload), signals]
    program = Program(Parts(needed, [supervisor, workers], [own]), phase,
                      Announcement(_with_notices(configuration, plan), addresses).make, _nothing,
                      signals.end)
    return program


def _kept(began: Configuration, now: Configuration) -> Iterator[str]:
    """:return: the keys that the supervisor reads once, and that have changed since."""
    for key in ("log_file", "log_level", "format"):
        if getattr(began.logging, key) != getattr(now.logging, key):
            yield f"logging.{key}"
    if began.main.instance_id != now.main.instance_id:
        yield "main.instance_id"


def _with_notices(configuration: Configuration, plan: Plan) -> Configuration:
    more = notices(configuration, plan.assignment.workers)
    return evolve(configuration, notices=(*configuration.notices, *more))


@frozen
class _Listening:
    """Where a listener listens, for the announcement."""

    supervisor: Supervisor
    name: str

    @property
    def address(self) -> Any:
        return self.supervisor.sockets.address(self.name)


def _changed(crew: Crew, last: LastSeen, worker: WorkerProcess) -> None:
    crew.changed(worker)
    if worker.state is State.GONE:
        last.gone(worker)


def _nothing() -> None:
    """Nothing goes on with origins in the supervisor."""
