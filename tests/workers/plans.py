"""What workers are to do, in tests."""

from __future__ import annotations

from functools import cache

from trickster.commandline import plugin_options
from trickster.config.load import Loaded, Sources, load
from trickster.plugins import Plugins
from trickster.workers.supervisor import plan_of
from trickster.workers.workers import Plan

_ORIGIN = "provider: prometheus, origin_url: 'http://127.0.0.1:9090'"
# Of two backends, on two listeners.
TWO = (f"backends: {{one: {{{_ORIGIN}, is_default: true}}, two: {{{_ORIGIN}, listener_name: more}}}}\n"
       "main: {workers: 2}\n")
PORTS = "listeners: {default: {port: 1}, more: {port: 2}, metrics: {port: 3}, mgmt: {port: 4}}\n"
ALL = TWO + PORTS


@cache
def loaded_of(text: str) -> Loaded:
    """:return: the configuration of a file with that text, and what it was made of."""
    sources, octets = Sources("t.yaml"), text.encode()
    said = load(sources, plugin_options(Plugins()), lambda path: octets, lambda path: ())
    return Loaded(said, sources, {"t.yaml": octets})


def plan(text: str = ALL) -> Plan:
    """:return: what the workers are to do by a file with that text."""
    return plan_of(loaded_of(text), object())
