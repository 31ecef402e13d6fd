"""A worker process, which a supervisor starts: C{python -m trickster.worker}."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from time import time
from typing import Any

from attrs import evolve
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import CannotListenError
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import ILogObserver, LogEvent, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import provider

from trickster.commandline import plugin_options
from trickster.compose.inherited import Inherited
from trickster.config.load import RecordingReader, load, read_file
from trickster.config.options.model import Configuration
from trickster.errors import ConfigurationError, TricksterError
from trickster.peers.homes import Neighbours
from trickster.plugins import Plugins
from trickster.workers.assignment import Assignment
from trickster.workers.lines import Lines
from trickster.workers.process import END, GIVE_WAY, HURRY, READY
from trickster.workers.shares import worker_configuration

_LONGEST = 64 << 20  # octets of an assignment
_LONGEST_ORDER = 100
_ORDERS = 0  # the descriptor on which it comes; its end says that the supervisor is gone


def configuration_of(assignment: Assignment, environ: Mapping[str, str], plugins: Plugins,
                     read: Callable[[str], bytes] = read_file) -> Configuration:
    """
    :param environ: environment variables.
    :param read: from a path to the octets of a file that the supervisor has not read.
    :return: what the worker is to do: its share of what the configuration of the installation
        says.
    :raises ConfigurationError: that cannot be used.
    """
    # The supervisor has looked for other files, too: what has come since has no effect.
    said = load(assignment.sources(environ), plugin_options(plugins),
                RecordingReader(read, dict(assignment.files)), lambda path: ())
    return _within(worker_configuration(said, assignment.workers), assignment)


def _within(configuration: Configuration, assignment: Assignment) -> Configuration:
    """:return: with what the supervisor has in the place of what a process has by itself."""
    # Only workers use these files: the home of a key fetches for all of them, without a lease.
    caches = {name: evolve(options, collapse_lease=0.0,
                           plugin=evolve(options.plugin, file=assignment.memory[name]))
              if name in assignment.memory else options
              for name, options in configuration.caches.items()}
    listeners = {name: evolve(options, middlewares=()) if name in assignment.own else options
                 for name, options in configuration.listeners.items()}
    # The supervisor has the log, and puts the lines of all workers there.
    return evolve(configuration, caches=caches, listeners=listeners,
                  logging=evolve(configuration.logging, log_file="-"),
                  main=evolve(configuration.main, instance_id=0))


class Supervised(FileDescriptor):
    """
    Does what the supervisor orders, and notices when that is gone.

    :ivar orders: what to call, by the line that orders it.
    """

    def __init__(self, reactor: Any, orders: Mapping[str, Callable[[], None]],
                 read: Callable[[int, int], bytes] = os.read) -> None:
        """
        :param orders: that of the end is also followed when nothing more comes.
        :param read: from a descriptor and a number of octets to what comes, as C{os.read}.
        """
        super().__init__(reactor)
        self.orders = orders
        self._read = read
        self._lines = Lines(self._obey, _LONGEST_ORDER)

    def fileno(self) -> int:
        """:return: the descriptor on which nothing more comes."""
        return _ORDERS

    def doRead(self) -> Failure | None:
        """
        Something has come, or the end.

        :return: at the end, that it is lost.
        """
        said = self._read(_ORDERS, 4096)
        if not said:
            return Failure(CONNECTION_DONE)
        self._lines.add(said)
        return None

    def connectionLost(self, reason: Failure) -> None:
        """
        The process is over.

        :param reason: not looked at.
        """
        super().connectionLost(reason)
        self._obey(END)

    def _obey(self, line: str) -> None:
        order = self.orders.get(line)
        if order is not None:
            order()


def assigned(read: Callable[[int, int], bytes] = os.read) -> Assignment:
    """
    :param read: from a descriptor and a number of octets to what comes, as C{os.read}.
    :return: what the supervisor tells the process to do.
    :raises SystemExit: there is no supervisor.
    """
    line = b""
    while not line.endswith(b"\n"):
        more = read(_ORDERS, 1 << 20)
        if not more or len(line) > _LONGEST:
            raise SystemExit("only a supervisor starts a worker: set main.workers instead")
        line += more
    return Assignment.decode(line)


def _inherited(assignment: Assignment) -> Inherited:
    homes = assignment.homes
    neighbours = Neighbours(assignment.number, assignment.workers,
                            lambda number: homes[number - 1])
    return Inherited(assignment.sockets, assignment.own, assignment.peers, neighbours, _serves)


def _serves() -> None:
    os.write(READY, b"serves\n")
    os.close(READY)


@provider(ILogObserver)
def _unheard(event: LogEvent) -> None:
    """
    Keeps Twisted from a log of its own.

    :param event: dropped; the log of the program has all there is to say.
    """


def main() -> int:
    """
    Serve until a signal, or the end of the supervisor, ends it.

    :return: the status of the process.
    """
    # What a terminal sends to the supervisor is for that to pass on.
    os.setpgrp()
    assignment = assigned()
    import_module(assignment.reactor).install()
    from twisted.internet import reactor

    from trickster.compose import build
    from trickster.net.steady_clock import elapsed, keep_steady

    keep_steady(reactor, time, elapsed())
    globalLogBeginner.beginLoggingTo([_unheard], redirectStandardIO=False)
    plugins = Plugins()
    try:
        configuration = configuration_of(assignment, os.environ, plugins)
        service = build(configuration, reactor, plugins, time, _inherited(assignment))
        service.privilegedStartService()
        service.startService()
    except ConfigurationError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 1
    except (CannotListenError, OSError, TricksterError) as error:
        print(f"trickster: {error}", file=sys.stderr)
        return 1
    running: Any = reactor
    running.addSystemEventTrigger("before", "shutdown", service.stopService)
    running.addReader(Supervised(running, {
        GIVE_WAY: service.give_way, END: service.end, HURRY: service.hurry}))
    running.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
