"""The command line of Trickster, and the configuration to which it leads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from attrs import define, frozen
from twisted.internet.task import Clock
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from trickster import __version__
from trickster.config.flags import MisspeltFlag, normalised
from trickster.config.load import (
    Loaded,
    PluginOptions,
    RecordingReader,
    Sources,
    load,
    read_file,
)
from trickster.config.notices import ALLOW_FLAG
from trickster.config.options.model import Configuration
from trickster.contracts import checked_middleware, checked_routes, checked_store
from trickster.errors import BrokenPlugin, ConfigurationError
from trickster.interfaces import IMiddlewareType, IOriginType, IResponder, IStoreType
from trickster.messages import Request, Response
from trickster.net.runtime import PluginRuntime
from trickster.plugins import GROUPS, MIDDLEWARES, ORIGINS, STORES, Plugins
from trickster.routes import Route
from trickster.stores.limits import StoreLimits


class Options(UsageOptions):
    """
    The command line of C{twistd trickster}, which is that of C{trickster}.

    :ivar loaded: what it says, together with the environment and the file; there
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
        ["workers", None, None, "Processes that serve: a number, or auto for one for each core."],
    ]
    optFlags: Sequence[Sequence[Any]] = [
        ["validate-config", None, "Say what is wrong with the configuration, and exit."],
        [ALLOW_FLAG, None, ("Start although there are settings that ought to protect something "
                            "and have no effect yet, such as authenticators.")],
    ]

    loaded: Loaded

    def __init__(self, environ: Mapping[str, str] | None = None,
                 read: Callable[[str], bytes] = read_file,
                 plugins: Plugins | None = None) -> None:
        super().__init__()
        self._environ = os.environ if environ is None else environ
        self._read = read
        self._plugins = plugins or Plugins()
        self._directory = ""

    @property
    def configuration(self) -> Configuration:
        """:return: what is to run; there once the options are parsed."""
        return self.loaded.configuration

    def again(self) -> Loaded:
        """
        Read the same file again, with the same flags.

        :return: what it says now.
        :raises ConfigurationError: it cannot be used.
        """
        # twistd may have gone to another directory since.
        return loaded(self.loaded.sources, self._plugins,
                      lambda path: self._read(os.path.join(self._directory, path)))

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
        if self.parent is not None:
            return super().getSynopsis()
        return "Usage: trickster [options]\n       trickster cache ls|show|purge [options]"

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
        with suppress(OSError):
            self._directory = os.getcwd()
        path = given.pop("config", None)
        is_trial = given.pop("validate-config", 0)
        allows = bool(given.pop(ALLOW_FLAG, 0))
        sources = Sources(path, self._environ, given, allows)
        try:
            self.loaded = loaded(sources, self._plugins, self._read)
        except ConfigurationError as error:
            raise SystemExit("\n".join(error.problems)) from None
        if is_trial:
            print("configuration is valid", *self.configuration.unprotected,
                  *self.configuration.notices, sep="\n")
            raise SystemExit(0)


def loaded(sources: Sources, plugins: Plugins, read: Callable[[str], bytes]) -> Loaded:
    """
    :param read: from a path to the octets of a file; raises L{OSError}.
    :return: a configuration, with the files that it was made of.
    :raises ConfigurationError: it cannot be used.
    """
    reader = RecordingReader(read)
    return Loaded(load(sources, plugin_options(plugins), reader), sources, reader.files)


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
