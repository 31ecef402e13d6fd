"""The whole program, as one service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import IService

from trickster.compose.announcement import Announcement
from trickster.compose.generation import Generation, Generations
from trickster.compose.listeners import listener
from trickster.compose.running import HangUps, Parts, Program, StopSignals
from trickster.compose.runtime import Runtime
from trickster.config.options.model import Configuration
from trickster.frontend.listening.listener import Listener
from trickster.observability.metrics import Metrics
from trickster.plugins import Plugins


def build(configuration: Configuration, reactor: Any, plugins: Plugins | None = None,
          wall: Callable[[], float] | None = None) -> IService:
    """
    :param configuration: complete and consistent.
    :param reactor: its seconds never jump: see L{trickster.net.steady_clock}.
    :param wall: seconds since the epoch, for dates; the reactor's where None.
    :return: everything; nothing is opened before it is started.
    :raises ConfigurationError: a file that the configuration names cannot be used.
    :raises PluginError: an origin type, a store or a middleware cannot be used.
    """
    runtime = Runtime(configuration, reactor, plugins or Plugins(), wall or reactor.seconds)
    generation = Generation(configuration, runtime)
    frontends, own = (list(_listeners(generation, runtime, is_own)) for is_own in (False, True))
    listeners = {str(one.name): one for one in (*frontends, *own)}
    generations = Generations(generation, runtime,
                              {name: one.site for name, one in listeners.items()})
    signals = StopSignals(reactor, lambda: program.hurry())
    needed = [runtime.logs, HangUps(reactor), signals, *runtime.services(), generations]
    runtime.metrics.reloads.succeeded(runtime.wall(), 0.0)
    announcement = Announcement(configuration, listeners)
    program = Program(Parts(needed, frontends, own), runtime.phase, announcement.make,
                      generations.abort)
    return program


def metrics_of(configuration: Configuration, reactor: Any) -> Metrics:
    """:return: the metrics that a program would have, for its documentation."""
    runtime = Runtime(configuration, reactor, Plugins(), reactor.seconds)
    generation = Generation(configuration, runtime)
    generation.watch()
    for cache in generation.caches.values():
        cache.watch(runtime.metrics)
    return runtime.metrics


# Listeners of the endpoints of the process.
_OWN = ("metrics", "mgmt")


def _listeners(generation: Generation, runtime: Runtime, is_own: bool) -> Iterator[Listener]:
    for name, options in generation.configuration.opened.items():
        if (name in _OWN) is not is_own:
            continue
        connections = None if is_own else runtime.metrics.connections
        made = listener(options, generation.root(name), runtime, connections)
        if connections is not None:
            connections.limit += options.connections_limit
            made.site.overload = runtime.overload
        made.setName(name)
        yield made
