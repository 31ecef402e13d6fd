"""What the log says at the start: what runs, of which configuration, where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from twisted.logger import Logger

from trickster import __version__
from trickster.config.options.model import Configuration

_MOST_NAMED = 20


@frozen
class Announcement:
    """
    The first lines of the log.

    :ivar configuration: what runs.
    :ivar listeners: services that have an C{address} while they listen, by name.
    """

    configuration: Configuration
    listeners: Mapping[str, Any]
    _log: Logger = field(factory=Logger)

    def make(self) -> None:
        """Say it; once the listeners listen."""
        configuration = self.configuration
        source = configuration.source or "none"
        backends = _listed(f"{name} ({one.provider}{_where(one.origin_url)})"
                           for name, one in configuration.backends.items())
        listeners = _listed(f"{name} {_place(one.address)}"
                            for name, one in self.listeners.items())
        self._log.info(
            "Trickster {version} serves; configuration: {file}; backends: {backends}; "
            "listeners: {listeners}", version=__version__, file=source, backends=backends,
            listeners=listeners)
        self.warn()

    def warn(self) -> None:
        """Say what the operator should read of the configuration."""
        for line in self.configuration.unprotected:
            self._log.critical(_literal(line))
        for notice in self.configuration.notices:
            self._log.warn(_literal(notice))


def _listed(texts: Iterable[str]) -> str:
    named: Sequence[str] = list(texts)
    more = len(named) - _MOST_NAMED
    shown = ", ".join(named[:_MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def _where(url: str) -> str:
    return f", {url}" if url else ""


def _place(address: Any) -> str:
    if address is None:
        return "closed"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"


def _literal(line: str) -> str:
    return line.replace("{", "{{").replace("}", "}}")
