"""Finds what is installed, by entry point; loads only what the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_type_hints

import attrs
from attrs import define, field
from zope.interface.exceptions import Invalid
from zope.interface.interface import InterfaceClass
from zope.interface.verify import verifyObject

from trickster.errors import BrokenPlugin, NotInstalled, UnknownPlugin
from trickster.interfaces import IMiddlewareType, IOriginType, IPluginType, IStoreType

ORIGINS = "trickster.origins"
STORES = "trickster.stores"
MIDDLEWARES = "trickster.middlewares"

#: The group of entry points in which the plugins are that provide an interface.
GROUPS: Mapping[InterfaceClass, str] = {
    IOriginType: ORIGINS, IStoreType: STORES, IMiddlewareType: MIDDLEWARES}

_WORDS = {ORIGINS: "origin type", STORES: "store", MIDDLEWARES: "kind of middleware"}

Find = Callable[[str], Iterable[EntryPoint]]


def installed(group: str) -> Sequence[EntryPoint]:
    """:return: the entry points of a group, of everything that is installed."""
    return tuple(entry_points(group=group))


@define
class Plugins:
    """
    The installed plugins.

    Looks a group up once: what is installed does not change while a process runs.
    """

    _find: Find = installed
    _found: dict[str, Sequence[EntryPoint]] = field(factory=dict, init=False)

    def names(self, group: str) -> list[str]:
        """
        :param group: of entry points, such as L{ORIGINS}.
        :return: what is installed there, in order; nothing is imported.
        """
        return sorted({each.name for each in self._group(group)})

    def load(self, group: str, name: str, interface: InterfaceClass) -> Any:
        """
        Import one plugin and see whether it is what it should be.

        :param name: as in the configuration.
        :param interface: what the plugin must provide.
        :raises UnknownPlugin: nothing, or more than one thing, is installed by that name.
        :raises BrokenPlugin: it cannot be imported, or does not provide the interface.
        """
        entry = self._only(group, name)
        what = f"{_word(group)} {name!r} of {_distribution(entry)}"
        plugin = _imported(entry, what)
        _verify(plugin, interface, what)
        return plugin

    def _group(self, group: str) -> Sequence[EntryPoint]:
        if group not in self._found:
            self._found[group] = tuple(self._find(group))
        return self._found[group]

    def _only(self, group: str, name: str) -> EntryPoint:
        alike = [each for each in self._group(group) if each.name.lower() == name.lower()]
        rivals = {(_distribution(each), each.name, each.value): each for each in alike}
        if len(rivals) > 1:
            whose = " and ".join(sorted(f"{e.name!r} of {_distribution(e)}" for e in alike))
            raise UnknownPlugin(
                f"the {_word(group)} {name!r} is installed more than once: {whose}; "
                "uninstall all but one")
        for each in alike:
            if each.name == name:
                return each
        raise NotInstalled(self._unknown(group, name))

    def _unknown(self, group: str, name: str) -> str:
        known = self.names(group)
        by_lower = {each.lower(): each for each in known}
        near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
        hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
        listed = ", ".join(known) or "none"
        return f"no {_word(group)} {name[:60]!r} is installed; expected one of {listed}{hint}"


def load(group: str, name: str, interface: InterfaceClass) -> Any:
    """
    L{Plugins.load}, for one plugin of this process.

    :raises UnknownPlugin: as there.
    :raises BrokenPlugin: as there.
    """
    return Plugins().load(group, name, interface)


def _imported(entry: EntryPoint, what: str) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        # A stranger's module may do anything when it is imported.
        raise BrokenPlugin(
            f"{what} cannot be imported ({entry.value}): {explained(error)}") from error


def verify(interface: InterfaceClass, given: Any, fault: str) -> None:
    """
    See that what a plugin gives provides an interface, with all that belongs to it.

    :param fault: what is wrong where it does not; how the error begins.
    :raises BrokenPlugin: it does not; says in what.
    """
    try:
        verifyObject(interface, given)
    except Invalid as error:
        raise BrokenPlugin(f"{fault}: {one_line(error)}") from error
    except Exception as error:
        # Looking at a stranger's attributes runs a stranger's code.
        raise BrokenPlugin(f"{fault}: {explained(error)}") from error


def one_line(error: BaseException) -> str:
    """:return: what a stranger's error says, without line breaks."""
    return " ".join(str(error).split()) or "no explanation"


def explained(error: BaseException) -> str:
    """:return: which kind of error it is, and what it says, if anything, on one line."""
    kind = type(error).__name__
    return f"{kind}: {one_line(error)}" if str(error) else kind


def _verify(plugin: Any, interface: InterfaceClass, what: str) -> None:
    verify(interface, plugin, f"{what} is broken")
    if interface.isOrExtends(IPluginType):
        _verify_options(plugin.options, what)


def _verify_options(options: Any, what: str) -> None:
    if not isinstance(options, type) or not attrs.has(options):
        raise BrokenPlugin(f"{what} is broken: its options are not an attrs class")
    needed = [
        each.name for each in attrs.fields(options)
        if each.init and each.default is attrs.NOTHING
    ]
    if needed:
        raise BrokenPlugin(
            f"{what} is broken: its options have no default for {', '.join(needed)}")
    try:
        get_type_hints(options)
        options()
    except Exception as error:
        # A stranger's annotations, defaults and validators.
        raise BrokenPlugin(f"{what} is broken: its options cannot be made: "
                           f"{explained(error)}") from error


def _word(group: str) -> str:
    return _WORDS.get(group, f"{group} plugin")


def _distribution(entry: EntryPoint) -> str:
    dist = entry.dist
    return f"{dist.name} {dist.version}" if dist else "an unknown distribution"
