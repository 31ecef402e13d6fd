"""Where listeners listen, and that no two of them are in one place."""

from __future__ import annotations

from collections.abc import Collection

from trickster.config.checks.addresses import address_fault, network_fault
from trickster.config.document.problems import BUILT_IN, Problems
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration

# What stands for all addresses of a host.
_ANY = ("", "0.0.0.0", "::", "*")


def check_listeners(configuration: Configuration, problems: Problems) -> None:
    """
    :param problems: is told of addresses and networks that are none, of listeners that cannot
        be opened beside each other, and of backends on one that is not opened.
    """
    opened = configuration.opened
    _remark_unused(configuration, opened, problems)
    taken: list[tuple[str, ListenerOptions]] = []
    for name, listener in configuration.listeners.items():
        _check_addresses(f"listeners.{name}", listener, problems)
        if name not in opened or problems.is_unread(f"listeners.{name}.port"):
            continue
        other = next((other for other, before in taken if _is_same(listener, before)), None)
        if other is not None:
            _tell_same(name, other, listener.port, problems)
        taken.append((name, listener))
    used = {each.listener_name for each in configuration.backends.values()}
    for name, listener in configuration.frontends.items():
        if not listener.is_open and name in used:
            problems.at(f"listeners.{name}.port",
                        "there are backends on this listener; expected a port above 0")


def _remark_unused(configuration: Configuration, opened: Collection[str],
                   problems: Problems) -> None:
    for name, listener in configuration.frontends.items():
        path = f"listeners.{name}"
        is_said = problems.place_of(f"{path}.port") != BUILT_IN
        if listener.is_open and name not in opened and is_said:
            problems.remark(path, "is not opened: no backend is on it")


def _check_addresses(path: str, listener: ListenerOptions, problems: Problems) -> None:
    fault = address_fault(listener.address)
    if fault:
        problems.at(f"{path}.address", fault)
    for number, network in enumerate(listener.trusted_proxies):
        fault = network_fault(network)
        if fault:
            problems.at(f"{path}.trusted_proxies[{number}]", fault)


def _is_same(one: ListenerOptions, other: ListenerOptions) -> bool:
    addresses = {one.address, other.address}
    return one.port == other.port and (len(addresses) == 1 or bool(addresses & set(_ANY)))


def _tell_same(name: str, other: str, port: int, problems: Problems) -> None:
    # Of the two, the one that is written in the file.
    if problems.place_of(f"listeners.{name}.port") == BUILT_IN:
        name, other = other, name
    problems.at(f"listeners.{name}.port", f"port {port} is that of listener {other!r} "
                "too; expected another port or address")
