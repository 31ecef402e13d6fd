"""The effective configuration as YAML, to be shown: defaults filled in, secrets masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import yaml

from trickster.config.document.masking import MASK, is_secret_name, masked_text
from trickster.config.document.settings import Facts, keys_of
from trickster.config.document.variables import Substituted
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.config.options.middlewares import MiddlewareOptions
from trickster.config.options.model import Configuration
from trickster.units import format_duration


def rendered(configuration: Configuration) -> str:
    """
    :return: YAML; L{trickster.config.load.load} reads it, but for what is masked.
    """
    text: str = yaml.dump(
        _block(configuration), Dumper=_Dumper, sort_keys=False, default_flow_style=False,
        allow_unicode=True, width=100)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes equal values out each time, where PyYAML would refer to the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(options: Any) -> dict[str, Any]:
    """
    :param options: an instance of an options class.
    :return: values by key; what is not said (None) or hidden is left out.
    """
    shown: dict[str, Any] = {}
    options_class: type = type(options)
    for key in keys_of(options_class):
        value = getattr(options, key.name)
        if not key.facts.hidden and value is not None:
            shown[key.name] = _value(key.name, value, key.facts)
    name, plugin = _plugin(options)
    if plugin is not None and attrs.has(type(plugin)):
        shown[name] = _block(plugin)
    return shown


def _plugin(options: Any) -> tuple[str, Any]:
    """:return: the name of the block of a plugin's options in another one, and those options."""
    if isinstance(options, BackendOptions):
        return options.provider, options.plugin
    if isinstance(options, CacheOptions):
        return options.store, options.plugin
    if isinstance(options, MiddlewareOptions):
        return options.kind, options.plugin
    return "", None


def _value(name: str, value: Any, facts: Facts) -> Any:
    if attrs.has(type(value)):
        return _block(value)
    if isinstance(value, Mapping):
        return {str(key): _value(str(key), inner, facts) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return _items(name, list(value), facts)
    return _single(name, value, facts)


def _items(name: str, values: list[Any], facts: Facts) -> Any:
    if facts.named and any(getattr(each, "name", "") for each in values):
        return {each.name: _block(each) for each in values}
    if facts.are_names:
        return values
    shown = []
    is_secret = False
    for each in values:
        # The steps of a rewriter are lists: ["header", "set", "Authorization", "..."].
        shown.append(MASK if is_secret else _value(name, each, facts))
        is_secret = is_secret or (isinstance(each, str) and is_secret_name(each))
    return shown


def _single(name: str, value: Any, facts: Facts) -> Any:
    if isinstance(value, Substituted):
        return value.written
    if isinstance(value, str):
        is_secret = facts.secret or (is_secret_name(name) and not name.endswith("_path"))
        return MASK if is_secret and value else masked_text(value)
    if facts.secret:
        return MASK
    if facts.unit == "duration":
        return format_duration(value)
    return value if isinstance(value, bool | int | float) else str(value)
