"""Trickster as a service: what is seen to before it is made, so that it can be told in full."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.application.service import IService

from trickster.compose import build
from trickster.config.load import Loaded
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration
from trickster.errors import ConfigurationError, PluginError
from trickster.frontend.listening.addresses import interface_of, take_both
from trickster.net.steady_clock import elapsed, keep_steady
from trickster.observability.logging.logs import numbered
from trickster.observability.logging.unblocked import unblocked
from trickster.workers.supervisor import Outside, supervised, workers_of


class Parsed(Protocol):
    """The command line, once it is parsed (L{trickster.commandline.Options})."""

    @property
    def loaded(self) -> Loaded:
        """:return: the configuration, and what it was made of."""

    def again(self) -> Loaded:
        """
        Load the configuration once more.

        :return: it.
        :raises ConfigurationError: it cannot be used.
        """


Probe = Callable[[str, int], None]
Build = Callable[[Configuration, Any], IService]


def service(options: Parsed, reactor: Any, wall: Callable[[], float],
            parent: Any = None) -> IService:
    """
    :param options: the command line.
    :param reactor: the global one; its clock is made steady.
    :param wall: seconds since the epoch.
    :param parent: the options of C{twistd} or C{twist}; None where the program is another one.
    :return: all of Trickster; it opens nothing before it is started.
    :raises SystemExit: as L{made_service}.
    """
    # Before anything is scheduled; the clock is the machine's, and so outlives a fork.
    keep_steady(reactor, wall, elapsed())
    unblock_log(parent, reactor)
    if workers_of(options.loaded.configuration) == 1:
        return made_service(options.loaded.configuration, reactor, partial(build, wall=wall))
    outside = Outside(reactor, wall, options.again)
    return made_service(options.loaded.configuration, reactor,
                        lambda *_: supervised(options.loaded, outside))


def unblock_log(parent: Any, reactor: Any) -> None:
    """
    See that what C{twistd} and C{twist} log to never makes the reactor wait: a pipe that is
    not read would stop everything.

    Both make their logs only after the service, of what is found here.

    :param parent: their options; None where the program is another one.
    """
    if parent is None:
        return
    if "logFile" in parent:
        parent["logFile"] = unblocked(parent["logFile"], reactor)
    elif parent.get("nodaemon") and parent.get("logfile") in (None, "", "-"):
        sys.stdout = unblocked(sys.stdout, reactor)


def made_service(configuration: Configuration, reactor: Any, build: Build,
                 probe: Probe | None = None) -> IService:
    """
    :param build: makes the service.
    :param probe: raises L{OSError} where an address and port cannot be listened on.
    :raises SystemExit: listeners cannot listen, or a file that the configuration names cannot
        be used, and why.  It is said before C{twistd} goes
        into the background: what fails later reaches the operator in 100 characters.
    """
    path = numbered(configuration.logging.log_file, configuration.main.instance_id)
    problems = [*log_problems(path), *port_problems(configuration.opened, probe or try_port)]
    if problems:
        raise SystemExit("\n".join(problems))
    try:
        return build(configuration, reactor)
    except (ConfigurationError, PluginError) as error:
        raise SystemExit(f"trickster: {error}") from error


def log_problems(path: str) -> Iterable[str]:
    """
    :param path: of the log file; empty for none.
    :return: a line if it cannot be opened.  It is not made to find that out: the user who starts
        C{twistd} is not always the one as whom it serves.
    """
    if not path or path in ("-", "/dev/stdout", "/dev/stderr"):
        return
    directory = os.path.dirname(os.path.abspath(path))
    code = 0
    if os.path.isdir(path):
        code = errno.EISDIR
    elif not os.path.isdir(directory):
        code = errno.ENOENT
    elif not os.access(path if os.path.exists(path) else directory, os.W_OK):
        code = errno.EACCES
    if code:
        yield f"trickster: the log file {path} cannot be opened: {os.strerror(code)}"


def port_problems(listeners: Mapping[str, ListenerOptions], probe: Probe) -> list[str]:
    """
    :param listeners: those that are to be opened.
    :return: a line for each that cannot listen.
    """
    found: list[str] = []
    for name, listener in listeners.items():
        found.extend(_port_problem(name, listener, probe))
    return found


def _port_problem(name: str, listener: ListenerOptions, probe: Probe) -> Iterable[str]:
    try:
        probe(listener.address, listener.port)
    except OSError as error:
        address = listener.address or "*"
        yield (f"trickster: listener {name} cannot listen on {address} port {listener.port}: "
               f"{error.strerror or error}")


def try_port(address: str, port: int) -> None:
    """
    Bind a port as the listener will, and let go of it.

    :param address: of an interface, or empty for all of them.
    :raises OSError: it is taken, forbidden, or not an address of this machine.
    """
    host = interface_of(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            take_both(trial)
        trial.bind((host, port))
