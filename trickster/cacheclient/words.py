"""The command line of C{trickster cache}."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from attrs import frozen
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from trickster import __version__
from trickster.admin.management import CACHES_PATH, PURGE_PATH
from trickster.config.options.listeners import BUILT_IN_PORTS

_NAMED = ("url", "path", "prefix", "tag", "query", "matcher", "key")
_LONG = re.compile(r"-[A-Za-z][A-Za-z-]+(=|\Z)")
# Addresses that a listener may have, and that nothing can be connected to.
_ANY = ("", "0.0.0.0", "::")
_DEFAULT = f"http://127.0.0.1:{BUILT_IN_PORTS['mgmt']}"


@frozen
class Question:
    """
    What is to be asked of the mgmt listener.

    :ivar place: its URL, without a slash at the end.
    :ivar target: path and query.
    :ivar order: what is to be purged; None for a GET.
    :ivar is_json: whether the answer is to be shown as it is.
    """

    place: str
    target: str
    order: dict[str, Any] | None = None
    is_json: bool = False


class _Common(UsageOptions):
    synopsis = ""
    optParameters: Sequence[Sequence[Any]] = [
        ["mgmt", "m", None, f"URL of the mgmt listener (default {_DEFAULT})."],
        ["config", "c", None, "Configuration file that says where the mgmt listener is."],
    ]
    optFlags: Sequence[Sequence[Any]] = [["json", "j", "Show what is answered as JSON."]]

    def opt_version(self) -> None:
        """Show the version and exit."""
        _show_version()

    def getSynopsis(self) -> str:
        """:return: how to call this."""
        return f"Usage: trickster cache {self.synopsis}"

    def target(self) -> str:
        """:return: path and query of what is asked."""
        raise NotImplementedError

    def order(self) -> dict[str, Any] | None:
        """:return: what is to be purged; None for a GET."""
        return None


class _ListOptions(_Common):
    synopsis = "ls [options]"
    longdesc = "Lists the caches."

    def parseArgs(self, *words: str) -> None:
        """
        :raises UsageError: there are words that are no options.
        """
        if words:
            raise UsageError(f"unexpected argument {words[0]!r}; for what is in a cache, there is "
                             f"'trickster cache show {words[0]}'")

    def target(self) -> str:
        return CACHES_PATH


class _ShowOptions(_Common):
    synopsis = "show [options] CACHE"
    longdesc = "Lists what is in a cache."
    optParameters: Sequence[Sequence[Any]] = [
        ["backend", "b", None, "Only what a backend has."],
        ["prefix", "p", None, "Only paths that begin so."],
        ["limit", "n", None, "How many at most (default 100)."],
        ["after", "a", None, "Begin after this key, which the list before ended with."],
    ]

    def parseArgs(self, *words: str) -> None:
        """
        :param words: the cache, and options that stand behind it.
        :raises UsageError: there is not one word beside options.
        """
        if len(words) > 1 and len(words[1]) > 1 and words[1].startswith("-"):
            self.parseOptions([*words[1:], words[0]])
            return
        if len(words) != 1:
            raise UsageError("name one cache; 'trickster cache ls' lists them")
        self["cache"] = words[0]

    def target(self) -> str:
        said = {name: self[name] for name in ("backend", "prefix", "limit", "after")
                if self[name] is not None}
        query = f"?{urlencode(said)}" if said else ""
        return f"{CACHES_PATH}/{quote(self['cache'], safe='')}/entries{query}"


class _PurgeOptions(_Common):
    synopsis = "purge [options]"
    longdesc = "Purges what one of the options names, in all processes that share the caches."
    optParameters: Sequence[Sequence[Any]] = [
        ["backend", "b", None, "Only what a backend has; alone, all of that."],
        ["url", "u", None, "A URL, or a path and query: all variants, methods and users."],
        ["path", None, None, "A path, with any query."],
        ["prefix", "p", None, "All paths that begin so."],
        ["tag", "t", None, "What has a surrogate key, or cache tag."],
        ["query", "q", None, "Time series by their query, in any step."],
        ["matcher", None, None, "Time series of queries that may select what a vector selector does."],
        ["key", "k", None, "A key, as 'trickster cache show' lists it."],
        ["start", None, None, "Only from this time on: RFC 3339, or seconds since 1970."],
        ["end", None, None, "Only up to this time."],
    ]
    optFlags: Sequence[Sequence[Any]] = [
        ["all", None, "Everything."],
        ["soft", "s", "Make it stale: it serves where the origin has no answer."],
    ]

    def parseArgs(self, *words: str) -> None:
        """
        :raises UsageError: there are words that are no options.
        """
        if words:
            raise UsageError(f"unexpected argument {words[0]!r}; say with an option what it is, as "
                             f"--url {words[0]}")

    def postOptions(self) -> None:
        """
        :raises UsageError: nothing says what is to be purged.
        """
        if not any(self[name] for name in (*_NAMED, "backend", "all")):
            raise UsageError("say what is to be purged: --backend, "
                             + ", ".join(f"--{name}" for name in _NAMED) + " or --all")

    def target(self) -> str:
        return PURGE_PATH

    def order(self) -> dict[str, Any]:
        said: dict[str, Any] = {name: self[name] for name in (*_NAMED, "backend", "start", "end")
                                if self[name] is not None}
        return said | {name: True for name in ("all", "soft") if self[name]}


class CacheOptions(UsageOptions):
    """The command line of C{trickster cache}."""

    subCommands: Sequence[Sequence[Any]] = [
        ["ls", None, _ListOptions, "List the caches."],
        ["show", None, _ShowOptions, "List what is in a cache."],
        ["purge", None, _PurgeOptions, "Purge."],
    ]

    def opt_version(self) -> None:
        """Show the version and exit."""
        _show_version()

    def getSynopsis(self) -> str:
        """:return: how to call this."""
        return "Usage: trickster cache ls|show|purge [options]"

    def postOptions(self) -> None:
        """
        :raises UsageError: there is no command.
        """
        if self.subCommand is None:
            raise UsageError("one of ls, show and purge is needed")


def question(words: Sequence[str], place_of: Callable[[str], str]) -> Question:
    """
    :param words: the command line, after C{cache}.
    :param place_of: gives the URL of the mgmt listener of a configuration file.
    :return: what is to be asked, and where.
    :raises UsageError: it makes no sense.
    """
    options = CacheOptions()
    # The original's flags have one dash.
    options.parseOptions([f"-{word}" if _LONG.match(word) else word for word in words])
    said: Any = options.subOptions
    place = said["mgmt"]
    if place is None:
        place = place_of(said["config"]) if said["config"] else _DEFAULT
    return Question(_checked(place), said.target(), said.order(), bool(said["json"]))


def place_at(address: str, port: int) -> str:
    """
    :param address: that a listener has.
    :return: the URL of it, as seen from the same machine.
    """
    host = "127.0.0.1" if address in _ANY else address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _show_version() -> None:
    print(f"trickster {__version__}")
    raise SystemExit(0)


def _checked(place: str) -> str:
    try:
        parts = urlsplit(place)
        is_good = (parts.scheme in ("http", "https") and bool(parts.hostname)
                   and parts.port != 0 and not parts.query and not parts.fragment)
    except ValueError:
        is_good = False
    if not is_good:
        raise UsageError(f"{place!r} is not the URL of a mgmt listener, such as {_DEFAULT}")
    return place.rstrip("/")
