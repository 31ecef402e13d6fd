"""The health of all backends, spelled for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml
from attrs import field, frozen

from trickster.upstream.health.state import Health, State
from trickster.upstream.pooling.pool import PoolStats

_TITLE = "Trickster Backend Health Status"
_RULE = "-" * 79
_HINT = "For JSON, ask with '?json' or 'Accept: application/json'; for YAML, with '?yaml'."


@frozen
class PoolMembers:
    """
    The members of a pool, by what is thought of them.

    :ivar mechanism: how the pool chooses among them.
    """

    mechanism: str = ""
    available: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()


@frozen
class BackendHealth:
    """
    What is thought of one backend.

    :ivar pool: None where it is no pool.
    :ivar connections: to its origin; None where it has none of its own.
    """

    name: str
    provider: str
    health: Health = field(factory=Health)
    pool: PoolMembers | None = None
    connections: PoolStats | None = None


@frozen
class Situation:
    """
    All that there is to report.

    :ivar now: seconds since the epoch.
    :ivar failing_caches: names of the caches whose stores do not work.
    :ivar is_draining: whether the process ends when the last request has ended.
    """

    backends: Sequence[BackendHealth]
    now: float
    failing_caches: Sequence[str] = ()
    is_draining: bool = False


Report = Callable[[Situation], str]


def as_json(situation: Situation) -> str:
    """:return: one object, with a list for each state."""
    return json.dumps(_report(situation), indent=2) + "\n"


def as_yaml(situation: Situation) -> str:
    """:return: the same in YAML."""
    text: str = yaml.safe_dump(_report(situation), sort_keys=False, width=1000)
    return text


def as_text(situation: Situation) -> str:
    """:return: a line for each backend, those that are alike together."""
    backends = situation.backends
    names = max((len(backend.name) for backend in backends), default=0)
    providers = max((len(backend.provider) for backend in backends), default=0)
    lines = [f"{_TITLE:<48}as of {_told(situation.now)}", _RULE]
    if situation.is_draining:
        lines += ["", "draining: it takes no more requests, and ends when those under way have"]
    for section in _sections(backends).values():
        if section:
            lines.append("")
        lines += [f"{backend.name:<{names}}  {backend.provider:<{providers}}  {_line(backend)}"
                  for backend in section]
    if situation.failing_caches:
        lines.append("")
    lines += [f"cache {name} is failing" for name in sorted(situation.failing_caches)]
    lines += ["", _RULE, _HINT, ""]
    return "\n".join(lines)


def _sections(backends: Iterable[BackendHealth]) -> dict[str, list[BackendHealth]]:
    sections: dict[str, list[BackendHealth]] = {
        "available": [], "unavailable": [], "unchecked": []}
    for backend in sorted(backends, key=lambda one: one.name):
        sections[_section(backend)].append(backend)
    return sections


def _section(backend: BackendHealth) -> str:
    if backend.health.state is State.PASSING:
        return "available"
    return "unavailable" if backend.health.state is State.FAILING else "unchecked"


def _report(situation: Situation) -> dict[str, Any]:
    report: dict[str, Any] = {"title": _TITLE, "updateTime": _told(situation.now)}
    if situation.is_draining:
        report["draining"] = True
    for name, section in _sections(situation.backends).items():
        report[name] = [_entry(backend) for backend in section]
    if situation.failing_caches:
        report["failingCaches"] = sorted(situation.failing_caches)
    return report


def _entry(backend: BackendHealth) -> dict[str, Any]:
    health = backend.health
    entry: dict[str, Any] = {"name": backend.name, "provider": backend.provider}
    if health.state is State.FAILING:
        entry["downSince"] = _told(health.since)
    if health.detail:
        entry["detail"] = health.detail
    if backend.pool is not None:
        entry["mechanism"] = backend.pool.mechanism
        entry["availablePoolMembers"] = list(backend.pool.available)
        entry["uncheckedPoolMembers"] = list(backend.pool.unchecked)
        entry["unavailablePoolMembers"] = list(backend.pool.unavailable)
    if backend.connections is not None:
        entry["connections"] = _counted(backend.connections)
    return entry


def _counted(stats: PoolStats) -> dict[str, int]:
    return {"active": stats.active, "streaming": stats.lasting, "idle": stats.idle,
            "queued": stats.waiting}


def _line(backend: BackendHealth) -> str:
    stats = backend.connections
    if stats is None or not (stats.active or stats.lasting or stats.waiting):
        return _state(backend)
    counts = ", ".join(f"{count} {what}" for what, count in _counted(stats).items())
    return f"{_state(backend)}; connections: {counts}"


def _state(backend: BackendHealth) -> str:
    health = backend.health
    if backend.pool is not None:
        return f"{_section(backend)} {_members(backend.pool)}"
    if health.state is State.PASSING:
        return "available"
    if health.state is State.FAILING:
        return f"unavailable since {_told(health.since)}: {health.detail}"
    if health.state is State.INITIALIZING:
        return "not known yet"
    return "not configured for automated health checks"


def _members(pool: PoolMembers) -> str:
    groups = (("a", pool.available), ("nc", pool.unchecked), ("u", pool.unavailable))
    return " ".join(f"{letter}:[{','.join(names)}]" for letter, names in groups if names)


def _told(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
