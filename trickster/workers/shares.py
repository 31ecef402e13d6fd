"""What of an installation's limits each of its worker processes has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen, has

from trickster.config.document.problems import bounded
from trickster.config.document.settings import Facts, Key, keys_of
from trickster.config.options.model import Configuration
from trickster.units import format_size

# Listeners that the supervisor has, and no worker.
_OWN = ("metrics", "mgmt")
# What says how the block of a plugin is named.
_NAMES = ("store", "kind", "provider")


def worker_configuration(configuration: Configuration, workers: int) -> Configuration:
    """
    :param configuration: of the installation.
    :param workers: processes that serve it together, at least 1.
    :return: that of each of them: every limit that is marked so (C{shared_out}) is its share of
        it, rounded up, and all else is the same.
    """
    if workers == 1:
        return configuration
    own = {name: options for name, options in configuration.listeners.items() if name in _OWN}
    shared: Configuration = _shared_out(configuration, workers)
    return evolve(shared, listeners={**shared.listeners, **own})


def share(limit: int, workers: int, facts: Facts) -> int:
    """
    :param limit: of all workers together.
    :return: that of each, rounded up, and never less than may be configured.  What is no limit,
        or none at all, stays so: 0 and below.
    """
    return limit if limit <= 0 else max(-(-limit // workers), int(facts.minimum or 0))


def notices(configuration: Configuration, workers: int) -> tuple[str, ...]:
    """
    :param configuration: of the installation.
    :return: what the operator should read once, of limits that do not mean for several workers
        what they mean for one.
    """
    few = bounded([f"{found.path} ({found.limit})" for found in _limits_in(configuration, "")
                   if 0 < found.limit < workers])
    small = bounded(list(_too_small(configuration, workers)))
    said = []
    if few:
        said.append(f"limits of less than 1 for each of {workers} workers, which have 1 each: "
                    + ", ".join(few))
    if small:
        said.append(f"the share of each of {workers} workers is less than one answer may have, "
                    "and larger answers are not kept: " + ", ".join(small))
    return tuple(said)


def _too_small(configuration: Configuration, workers: int) -> Iterator[str]:
    """:return: budgets that have room for the largest answer, while their shares do not."""
    for name, backend in configuration.backends.items():
        largest = max(backend.max_timeseries_bytes, backend.max_object_size_bytes)
        whole = backend.in_flight_bytes
        if -(-whole // workers) < largest <= whole:
            yield f"backends.{name}.in_flight_bytes ({format_size(-(-whole // workers))} each)"


@frozen
class _Limit:
    path: str
    limit: int
    facts: Facts


def _limits_in(value: object, path: str) -> Iterator[_Limit]:
    """:return: the limits in a value of the configuration that are shared out."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if path != "listeners" or name not in _OWN:
                yield from _limits_in(each, f"{path}.{name}")
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _limits_in(each, path)
    kind: Any = type(value)
    if has(kind):
        for key in keys_of(kind):
            found, within = getattr(value, key.name), _within(path, value, key)
            if key.facts.shared_out:
                yield _Limit(within, _meant(key, found), key.facts)
            else:
                yield from _limits_in(found, within)


def _within(path: str, value: object, key: Key) -> str:
    """:return: the place of a key as a file has it, where plugins have blocks of their names."""
    name = key.name
    if name == "plugin":
        name = next(filter(None, (getattr(value, each, "") for each in _NAMES)), name)
    return f"{path}.{name}".lstrip(".")


def _meant(key: Key, value: int) -> int:
    return value or int(key.default if key.facts.zero_is_default else 0)


def _shared_out(options: Any, workers: int) -> Any:
    """:return: the same options, with the limits in them shared out."""
    if isinstance(options, dict):
        return {name: _shared_out(each, workers) for name, each in options.items()}
    if isinstance(options, tuple | list):
        return type(options)(_shared_out(each, workers) for each in options)
    kind: Any = type(options)
    if not has(kind):
        return options
    return evolve(options, **{key.name: _ours(key, getattr(options, key.name), workers)
                              for key in keys_of(kind)})


def _ours(key: Key, value: Any, workers: int) -> Any:
    if key.facts.shared_out:
        return share(_meant(key, value), workers, key.facts)
    return _shared_out(value, workers)
