"""The whole program, as one service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from attrs import frozen

from trickster.compose.announcement import Announcement
from trickster.compose.generation import Generation, Generations
from trickster.compose.inherited import Inherited
from trickster.compose.listeners import ListenerPlace, listener, local_listener, peers_listener
from trickster.compose.running import HangUps, Origins, Parts, Program, StopSignals
from trickster.compose.runtime import Runtime
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration
from trickster.frontend.listening.listener import Listener
from trickster.frontend.listening.local import LocalListener
from trickster.observability.metrics import Metrics
from trickster.peers.homes import Homes
from trickster.plugins import Plugins


def build(configuration: Configuration, reactor: Any, plugins: Plugins | None = None,
          wall: Callable[[], float] | None = None,
          inherited: Inherited | None = None) -> Program:
    """
    :param configuration: complete and consistent.
    :param reactor: its seconds never jump: see L{trickster.net.steady_clock}.
    :param wall: seconds since the epoch, for dates; the reactor's where None.
    :param inherited: what a worker has from its supervisor; None for a process by itself.
    :return: everything; nothing is opened before it is started.
    :raises ConfigurationError: a file that the configuration names cannot be used.
    :raises PluginError: an origin type, a store or a middleware cannot be used.
    """
    homes = None if inherited is None else Homes(reactor, inherited.neighbours)
    runtime = Runtime(configuration, reactor, plugins or Plugins(), wall or reactor.seconds,
                      homes)
    generation = Generation(configuration, runtime)
    listening = _Listening(generation, runtime, inherited)
    frontends, own = list(listening.frontends()), list(listening.own())
    listeners = {str(one.name): one for one in (*frontends, *own)}
    generations = Generations(generation, runtime,
                              {name: one.site for name, one in listeners.items()})
    signals = StopSignals(reactor, lambda: program.hurry())
    # To a worker its neighbours are origins, too, for as long as it answers anything.
    neighbours = [] if homes is None else [Origins([homes.stop])]
    needed = [runtime.logs, HangUps(reactor), signals, *runtime.services(), *neighbours,
              generations]
    runtime.metrics.reloads.succeeded(runtime.wall(), 0.0)
    announce = (Announcement(configuration, listeners).make if inherited is None
                else inherited.serves)
    program = Program(Parts(needed, frontends, own), runtime.phase, announce,
                      generations.abort, signals.end)
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


@frozen
class _Listening:
    """Makes the listeners of a program."""

    generation: Generation
    runtime: Runtime
    inherited: Inherited | None

    def frontends(self) -> Iterator[Listener]:
        """:return: those of backends."""
        connections = self.runtime.metrics.connections
        for name, options in self.generation.configuration.opened.items():
            if name not in _OWN:
                connections.limit += options.connections_limit
                made = listener(options, self.generation.root(name), self._place(name, options),
                                connections)
                made.site.overload = self.runtime.overload
                made.setName(name)
                yield made

    def own(self) -> Iterator[Listener | LocalListener]:
        """:return: those of the endpoints of the process."""
        for name, options in self.generation.configuration.opened.items():
            if name in _OWN:
                made = self._own(name, options)
                made.setName(name)
                yield made
        if self.inherited is not None and self.runtime.homes is not None:
            yield peers_listener(self.runtime.homes, self.runtime.reactor, self.runtime.wall,
                                 self.inherited.peers)

    def _own(self, name: str, options: ListenerOptions) -> Listener | LocalListener:
        root, runtime = self.generation.root(name), self.runtime
        if self.inherited is None:
            return listener(options, root, self._place(name, options))
        return local_listener(options, root, runtime.reactor, runtime.wall,
                              self.inherited.own[name])

    def _place(self, name: str, options: ListenerOptions) -> ListenerPlace:
        runtime, inherited = self.runtime, self.inherited
        if inherited is None:
            return ListenerPlace(runtime.reactor, runtime.wall, runtime.listening(options))
        return ListenerPlace(runtime.reactor, runtime.wall,
                             partial(inherited.socket, name), is_shared=True)
