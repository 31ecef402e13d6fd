"""Configurations as they are read from files, with the plugins that are installed."""

from __future__ import annotations

from typing import Any

import yaml

from trickster.commandline import plugin_options
from trickster.config.load import Sources, load
from trickster.config.options.backends import BackendOptions
from trickster.config.options.model import Configuration
from trickster.plugins import Plugins


def loaded(text: bytes) -> Configuration:
    """:return: the configuration that a file says."""
    return load(Sources("conf.yaml", {}, {}), plugin_options(Plugins()), lambda path: text)


def configured(plugins: Plugins, provider: str, **said: Any) -> BackendOptions:
    """:return: the options of a backend of a file that says so."""
    tree = {"backends": {"x": {
        "provider": provider, "origin_url": "http://origin.test", **said}}}
    return load(Sources("t.yaml"), plugin_options(plugins),
                lambda _: yaml.safe_dump(tree).encode(), lambda _: ()).backends["x"]
