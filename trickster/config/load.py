"""File, environment and flags to one complete configuration, or all that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from errno import ENOENT
from pathlib import Path
from typing import Any

from attrs import Factory, define, evolve, field, frozen
from zope.interface.interface import InterfaceClass

from trickster.config.checks.configuration import check
from trickster.config.checks.files import check_files
from trickster.config.checks.plugins import check_plugins
from trickster.config.document.parsing import read_yaml
from trickster.config.document.problems import Place, Problems
from trickster.config.document.reading import Reader, joined
from trickster.config.document.tree import Entry, Scalar, Table
from trickster.config.leftovers import LEFTOVERS
from trickster.config.notices import (
    allows_ineffective,
    notices,
    refuse_exposed,
    refuse_masked,
    unprotected,
)
from trickster.config.options.backends import (
    KNOWN_ORIGINS,
    STAND_IN,
    VIRTUAL_PROVIDERS,
    BackendOptions,
)
from trickster.config.options.caches import STORE_BLOCKS, CacheOptions
from trickster.config.options.hereafter import TracingOptions
from trickster.config.options.listeners import BUILT_IN_PORTS
from trickster.config.options.middlewares import MiddlewareOptions
from trickster.config.options.model import Configuration
from trickster.config.overlay import overlaid
from trickster.config.shaping import shaped
from trickster.errors import ConfigurationError, NotInstalled, PluginError
from trickster.interfaces import IMiddlewareType, IOriginType, IStoreType
from trickster.routes import Route

DEFAULT_FILE = "/etc/trickster/trickster.yaml"


@frozen
class Sources:
    """
    Where a configuration comes from, the weakest first.

    :ivar path: of the file; None for L{DEFAULT_FILE}, which may be absent.
    :ivar environ: environment variables.
    :ivar flags: values by flag name, without dashes; only those that were given.
    :ivar allows_ineffective: whether settings that ought to protect something may be given
        although they do not yet.
    """

    path: str | None = None
    environ: Mapping[str, str] = Factory(dict)
    flags: Mapping[str, str] = Factory(dict)
    allows_ineffective: bool = False


@frozen
class Loaded:
    """
    A configuration, and all that it was made of: another process can make the same.

    :ivar files: what was read, by path; None where there was no file.
    """

    configuration: Configuration
    sources: Sources
    files: Mapping[str, bytes | None] = Factory(dict)


def _no_routes(provider: str, options: Any) -> Sequence[Route]:
    return ()


def _no_check(interface: InterfaceClass, name: str, options: Any) -> None:
    """
    Take every store and every middleware for one that can be made.

    :param options: of it, which are not looked at.
    """


@frozen
class PluginOptions:
    """
    What the loader asks of plugins of all kinds: an interface tells the kind.

    :ivar options: from what a plugin provides, and its name, to the attrs class of its
        options; raises L{PluginError}.
    :ivar routes: from an origin type's name and its options to its routes; raises
        L{PluginError} where they, or what goes with them, are not what they must be.
    :ivar check: from what a plugin provides, and the name and the options of the cache or the
        middleware that is to be made of it; raises L{PluginError} where that cannot be made.
    """

    options: Callable[[InterfaceClass, str], type]
    routes: Callable[[str, Any], Sequence[Route]] = _no_routes
    check: Callable[[InterfaceClass, str, Any], None] = _no_check


def read_file(path: str) -> bytes:
    """
    :return: the octets of a file.
    :raises OSError: it cannot be read.
    """
    return Path(path).read_bytes()


@frozen
class RecordingReader:
    """
    Reads files, and keeps what it has read.

    :ivar read: from a path to the octets of the file; raises L{OSError}.
    :ivar files: what was read, by path; None where there was no file.
    """

    read: Callable[[str], bytes] = read_file
    files: dict[str, bytes | None] = Factory(dict)

    def __call__(self, path: str) -> bytes:
        """
        :return: the octets of a file; those of the first time, where it was read before.
        :raises FileNotFoundError: there is none, or was none the first time.
        :raises OSError: it cannot be read.
        """
        if path not in self.files:
            self.files[path] = self._octets(path)
        found = self.files[path]
        if found is None:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), path)
        return found

    def _octets(self, path: str) -> bytes | None:
        try:
            return self.read(path)
        except FileNotFoundError:
            return None


def files_beside(path: str) -> Sequence[str]:
    """
    :return: names of the configuration files in the directory C{conf.d} beside a file; none
        where there is no such directory, or it cannot be looked into.
    """
    try:
        found = sorted(os.listdir(Path(path).parent / "conf.d"))
    except OSError:
        return ()
    return [name for name in found if name.endswith((".conf", ".yaml", ".yml"))]


def load(sources: Sources, plugins: PluginOptions,
         read: Callable[[str], bytes] = read_file,
         beside: Callable[[str], Sequence[str]] = files_beside) -> Configuration:
    """
    Make a configuration.  Pure but for C{read} and C{beside}.

    :param sources: the file, the environment and the command line.
    :param plugins: what there is of plugins, and what they say of their own options.
    :param read: from a path to the octets of the file; raises L{OSError}.
    :param beside: from a path to the names of the files in C{conf.d} in the same directory.
    :return: it, complete: with the options of plugins, and what the operator should read.
    :raises ConfigurationError: with every problem there is.
    """
    problems = Problems()
    source, tree = _file(sources, problems, read)
    others = beside(source) if source else ()
    if others:
        problems.exposed["conf.d"] = f"{', '.join(others[:5])} beside this file is not read"
    tree = overlaid(shaped(tree, problems), sources.environ, sources.flags, problems)
    reader = Reader(problems, sources.environ, LEFTOVERS)
    configuration = _Loading(reader, plugins).configuration(tree)
    check(configuration, plugins.routes, problems)
    check_plugins(configuration, plugins.check, problems)
    check_files(configuration, read, problems)
    refuse_masked(problems)
    if not (allows_ineffective(sources.environ, problems) or sources.allows_ineffective):
        refuse_exposed(problems)
    problems.raise_any()
    return evolve(configuration, source=source, notices=notices(configuration, problems),
                  unprotected=unprotected(problems))


def _file(sources: Sources, problems: Problems,
          read: Callable[[str], bytes]) -> tuple[str, Table]:
    path = DEFAULT_FILE if sources.path is None else sources.path
    start = Place(path or "''")
    try:
        octets = read(path)
    except FileNotFoundError as error:
        if sources.path is None:
            problems.places[""] = start = Place(f"configuration (no {DEFAULT_FILE})")
            return "", Table({}, start)
        raise ConfigurationError((f"{start}: no such file",)) from error
    except IsADirectoryError as error:
        text = f"{start}: is a directory; one of several files is not read yet, name one file"
        raise ConfigurationError((text,)) from error
    except OSError as error:
        text = f"{start}: cannot be read: {error.strerror or error}"
        raise ConfigurationError((text,)) from error
    tree = read_yaml(octets, path, problems)
    if tree is None:
        problems.raise_any()
    problems.places[""] = start
    return str(Path(path).absolute()), tree or Table({}, start)


@frozen
class _Group:
    """
    Plugins of one kind, as blocks of a configuration name them.

    :ivar interface: what they provide.
    :ivar key: whose value is the name of one.
    :ivar known: names that need not be installed.
    :ivar stand_in: what is used in their place.
    """

    interface: InterfaceClass
    key: str = "provider"
    known: Sequence[str] = ()
    stand_in: str = ""


_ORIGINS = _Group(IOriginType, known=KNOWN_ORIGINS, stand_in=STAND_IN)
_STORES = _Group(IStoreType)
_MIDDLEWARES = _Group(IMiddlewareType, "kind")


@define
class _Loading:
    """Reads the blocks, and asks plugins about theirs."""

    _reader: Reader
    _plugins: PluginOptions
    _problems: Problems = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._problems = self._reader.problems

    def configuration(self, tree: Table) -> Configuration:
        rest: Configuration = self._reader.block(
            Configuration, tree.without("caches", "backends", "middlewares"), "")
        built_in = {name: rest.listeners[name] for name in BUILT_IN_PORTS
                    if name in rest.listeners}
        return evolve(
            rest,
            listeners={**built_in, **rest.listeners},
            caches=self._each(tree, "caches", self._cache),
            middlewares=self._each(tree, "middlewares", self._middleware),
            backends=_with_default(self._each(tree, "backends", self._backend)),
            negative_caches={"default": {}, **rest.negative_caches},
            tracing={"default": TracingOptions(), **rest.tracing},
        )

    def _each(self, tree: Table, block: str,
              make: Callable[[Table, str], Any]) -> dict[str, Any]:
        entry = tree.entries.get(block)
        if entry is None:
            return {}
        self._problems.places[block] = entry.place
        made = {}
        blocks = self._reader.table(entry.value, block, "names, each with a mapping of keys")
        for name, inner in blocks.entries.items():
            within = joined(block, name)
            self._problems.places[within] = inner.place
            expected = f"a mapping of keys, since {name} is taken for a name"
            made[name] = make(self._reader.table(inner.value, within, expected), within)
        return made

    def _cache(self, table: Table, path: str) -> CacheOptions:
        provider = _text_of(table, "provider") or "memory"
        store, plugin, rest = self._plugged(_STORES, provider, table, path)
        rest = self._without_other_stores(rest, path)
        cache: CacheOptions = self._reader.block(CacheOptions, rest, path, store)
        return evolve(cache, store=store, plugin=plugin)

    def _without_other_stores(self, table: Table, path: str) -> Table:
        """
        Read the blocks of stores that are not used, which say nothing where they say what holds
        anyway, as in a file that spells everything out.
        """
        for name in STORE_BLOCKS:
            if name not in table.entries:
                continue
            try:
                options = self._plugins.options(IStoreType, name)
            except PluginError:
                continue
            given, table = self._plugin_block(options, name, table, path)
            if given != options():
                self._problems.remark(joined(path, name), f"is ignored: it is for provider {name}")
        return table

    def _middleware(self, table: Table, path: str) -> MiddlewareOptions:
        kind, plugin, rest = _text_of(table, "kind"), None, table
        if kind:
            _, plugin, rest = self._plugged(_MIDDLEWARES, kind, table, path)
        middleware: MiddlewareOptions = self._reader.block(MiddlewareOptions, rest, path, kind if plugin else "")
        return evolve(middleware, plugin=plugin)

    def _backend(self, table: Table, path: str) -> BackendOptions:
        provider = _text_of(table, "provider")
        plugin, rest, origin_type = None, table, provider
        if provider and provider not in VIRTUAL_PROVIDERS:
            origin_type, plugin, rest = self._plugged(_ORIGINS, provider, table, path)
        backend: BackendOptions = self._reader.block(BackendOptions, rest, path,
                                                     origin_type if plugin else "")
        return evolve(backend, origin_type=origin_type, plugin=plugin)

    def _plugged(self, group: _Group, name: str, table: Table, path: str
                 ) -> tuple[str, Any, Table]:
        """
        Read the block, within another one, of the options of the plugin that is named there.

        :return: the name of the plugin that is really used; its options, or None where there
            is none; and the other block without them.
        """
        options = None
        try:
            options = self._plugins.options(group.interface, name)
        except NotInstalled as error:
            if name in group.known:
                return self._plugged(group, group.stand_in, table, path)
            self._refuse(group, table, path, error)
        except PluginError as error:
            self._refuse(group, table, path, error)
        return name, *self._plugin_block(options, name, table, path)

    def _refuse(self, group: _Group, table: Table, path: str, error: PluginError) -> None:
        entry = table.entries.get(group.key)
        place = entry.value.place if entry else table.place
        self._problems.unread(place, joined(path, group.key), str(error))

    def _plugin_block(self, options: type | None, name: str, table: Table,
                      path: str) -> tuple[Any, Table]:
        entry = table.entries.get(name, Entry(table.place, Table({}, table.place)))
        within = joined(path, name)
        self._problems.places[within] = entry.place
        plugin = self._reader.block(options, entry.value, within) if options else None
        return plugin, table.without(name)


def _text_of(table: Table, name: str) -> str:
    entry = table.entries.get(name)
    value = entry.value if entry else None
    return value.text if isinstance(value, Scalar) and value.kind != "null" else ""


def _with_default(backends: dict[str, BackendOptions]) -> dict[str, BackendOptions]:
    """
    :return: the same backends, each of which says whether it is the default one: those that are
        marked so; where none is, the only one or the one called C{default}, unless it says no.
    """
    chosen = _default_name(backends)
    return {
        name: evolve(each, is_default=name == chosen or bool(each.is_default))
        for name, each in backends.items()
    }


def _default_name(backends: dict[str, BackendOptions]) -> str | None:
    if any(each.is_default for each in backends.values()):
        return None
    name = next(iter(backends)) if len(backends) == 1 else "default"
    return name if name in backends and backends[name].is_default is None else None
