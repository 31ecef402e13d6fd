"""What C{twistd} and C{twist} need to run Trickster: its options, and its service."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from random import Random
from time import time
from typing import Any

from attrs import define, frozen
from twisted.application.service import IService
from twisted.internet.task import Clock
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from trickster import __version__
from trickster.config.flags import MisspeltFlag, normalised
from trickster.config.load import PluginOptions, Sources, load, read_file
from trickster.config.notices import ALLOW_FLAG
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration
from trickster.contracts import checked_middleware, checked_routes, checked_store
from trickster.errors import BrokenPlugin, ConfigurationError, PluginError
from trickster.frontend.listening.addresses import interface_of, take_both
from trickster.interfaces import IMiddlewareType, IOriginType, IResponder, IStoreType
from trickster.messages import Request, Response
from trickster.net.runtime import PluginRuntime
from trickster.observability.logging.logs import numbered
from trickster.observability.logging.unblocked import unblocked
from trickster.plugins import GROUPS, MIDDLEWARES, ORIGINS, STORES, Plugins
from trickster.routes import Route
from trickster.steadyclock import elapsed, keep_steady
from trickster.stores.limits import StoreLimits

Probe = Callable[[str, int], None]
Build = Callable[[Configuration, Any], IService]


class Options(UsageOptions):
    """
    The command line of C{twistd trickster}, which is that of C{trickster}.

    :ivar configuration: what it says, together with the environment and the file; there
        once the options are parsed.
    """

    optParameters: Sequence[Sequence[Any]] = [
        ["config", "c", None, "Configuration file (default /etc/trickster/trickster.yaml)."],
        ["origin-url", None, None, "URL of the origin; with --provider, no file is needed."],
        ["provider", None, None, "Kind of origin, such as prometheus or reverseproxycache."],
        ["proxy-port", None, None, "Port that clients connect to (default 8480)."],
        ["metrics-port", None, None, "Port of the metrics (default 8481)."],
        ["log-level", None, None, "Least severe level that is logged (default info)."],
        ["instance-id", None, None, "Number of this process, for the name of its log file."],
    ]
    optFlags: Sequence[Sequence[Any]] = [
        ["validate-config", None, "Say what is wrong with the configuration, and exit."],
        [ALLOW_FLAG, None, ("Start although there are settings that ought to protect something "
                            "and have no effect yet, such as authenticators.")],
    ]

    configuration: Configuration

    def __init__(self, environ: Mapping[str, str] | None = None,
                 read: Callable[[str], bytes] = read_file,
                 plugins: Plugins | None = None) -> None:
        super().__init__()
        self._environ = os.environ if environ is None else environ
        self._read = read
        self._plugins = plugins or Plugins()

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Read the command line.

        :param options: its words; flags may begin with one dash, as the original's do.
        :raises UsageError: it makes no sense.
        :raises SystemExit: with 2, for the same, as a command of C{twistd} or C{twist}: they
            have pages of help for it on standard output, and statuses of their own.
        """
        try:
            self._parse(sys.argv[1:] if options is None else options)
        except UsageError as error:
            if self.parent is None:
                raise
            print(f"trickster: {error}\nTry 'twistd trickster --help'.", file=sys.stderr)
            raise SystemExit(2) from error

    def _parse(self, words: Sequence[str]) -> None:
        try:
            words = normalised(words)
        except MisspeltFlag as error:
            raise UsageError(str(error)) from error
        super().parseOptions(words)

    def getSynopsis(self) -> str:
        """:return: how to call this, as C{--help} says it."""
        return "Usage: trickster [options]" if self.parent is None else super().getSynopsis()

    def opt_version(self) -> None:
        """Show the version and exit."""
        print(f"trickster {__version__}")
        raise SystemExit(0)

    def parseArgs(self, *words: str) -> None:
        """
        :raises UsageError: there are words that are no options.
        """
        if words:
            raise UsageError(f"unexpected argument {words[0]!r}; every option begins with a dash")

    def postOptions(self) -> None:
        """
        Read the configuration.

        :raises SystemExit: it cannot be used, or was only to be validated.  Not a
            C{UsageError}: C{twistd} answers that with pages of help on standard output,
            and the problems are for standard error.
        """
        given = {name: self[name] for name in self if self[name] is not None}
        path = given.pop("config", None)
        is_trial = given.pop("validate-config", 0)
        allows = bool(given.pop(ALLOW_FLAG, 0))
        sources = Sources(path, self._environ, given, allows)
        try:
            self.configuration = load(sources, plugin_options(self._plugins), self._read)
        except ConfigurationError as error:
            raise SystemExit("\n".join(error.problems)) from None
        if is_trial:
            print("configuration is valid", *self.configuration.unprotected,
                  *self.configuration.notices, sep="\n")
            raise SystemExit(0)


@implementer(IResponder)
@frozen
class _Nothing:
    """What a middleware is put around to see whether that can be done."""

    async def respond(self, request: Request) -> Response:
        raise AssertionError("only the configuration is checked")


@define
class _Asked:
    """Answers the loader's questions about plugins."""

    plugins: Plugins

    def options(self, interface: InterfaceClass, name: str) -> type:
        options: type = self.plugins.load(GROUPS[interface], name, interface).options
        return options

    def routes(self, provider: str, options: Any) -> Sequence[Route]:
        return checked_routes(self.plugins.load(ORIGINS, provider, IOriginType), options)

    def check(self, interface: InterfaceClass, name: str, options: Any) -> None:
        clock = Clock()
        runtime = PluginRuntime(clock, _too_early, clock.seconds, Random(0).random)
        if interface is IStoreType:
            kind = self.plugins.load(STORES, options.store, IStoreType)
            checked_store(kind, name, options.plugin, StoreLimits.of(options.index), runtime)
        else:
            kind = self.plugins.load(MIDDLEWARES, options.kind, IMiddlewareType)
            checked_middleware(kind, _Nothing(), options.plugin, runtime)


async def _too_early(function: Callable[..., Any], *args: Any) -> Any:
    raise BrokenPlugin("nothing may be done in a thread before the program is started")


def plugin_options(plugins: Plugins) -> PluginOptions:
    """:return: what the loader of configurations needs to know of plugins."""
    asked = _Asked(plugins)
    return PluginOptions(asked.options, asked.routes, asked.check)


def makeService(options: Options) -> IService:
    """
    :return: all of Trickster; it opens nothing before it is started.
    :raises SystemExit: a port is taken.
    """
    # The reactor of twistd's --reactor option is installed only after this module is
    # imported; compose takes with it half of the program, which --version can do without.
    from twisted.internet import reactor

    from trickster.compose import build

    # Before anything is scheduled; the clock is the machine's, and so outlives a fork.
    keep_steady(reactor, time, elapsed())
    unblock_log(options.parent, reactor)
    return made_service(options.configuration, reactor, partial(build, wall=time))


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
