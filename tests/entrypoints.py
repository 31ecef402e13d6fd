"""An origin type, and an entry point that names it, of a distribution that is not installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, frozen
from zope.interface import implementer

from trickster.interfaces import IOriginType


@frozen
class Options:
    """Nothing to say."""

    step: float = 60.0


@implementer(IOriginType)
@define
class Graphite:
    """A good origin type."""

    name: str = "graphite"
    options: Any = Options

    def routes(self, options: Any) -> list[Any]:
        """:return: none."""
        return []

    def probe(self, options: Any) -> None:
        """:return: none."""


@frozen
class Dist:
    """A distribution."""

    name: str = "trickster-graphite"
    version: str = "1.2"


@frozen
class Entry:
    """An entry point."""

    name: str
    load: Callable[[], Any] = Graphite
    dist: Dist | None = Dist()
    value: str = "graphite:plugin"
