"""The configuration reference, made of the options classes, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import attrs

from trickster.config.document.settings import Key, keys_of
from trickster.config.leftovers import MOVED
from trickster.config.options.model import Configuration
from trickster.config.shaping import OLDER_NAMES
from trickster.units import format_duration, format_size

_EPYTEXT = re.compile(r"[CL]\{([^}]*)\}")
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def render(plugins: Mapping[str, type] | None = None) -> str:
    """
    :param plugins: options classes of plugins, by the path of their block, such as
        C{backends.<name>.prometheus}.
    :return: one section for each block of the file, with a table of its keys.
    """
    blocks = {"": Configuration, **dict(blocks_within("", Configuration))}
    sections = [_section(path, options) for path, options in _placed(blocks, plugins or {})]
    return "\n".join([*sections, _older_names()])


def _placed(blocks: Mapping[str, type],
            plugins: Mapping[str, type]) -> Iterator[tuple[str, type]]:
    """:return: all blocks, those of plugins after those that they stand in."""
    for path, options in blocks.items():
        yield path, options
        yield from ((within, each) for within, each in plugins.items()
                    if within.rpartition(".")[0] == path)


def _older_names() -> str:
    moved = {".".join(old): ".".join(new) for old, new in MOVED.items()}
    rows = [f"| `{old}` | `{new}` |" for old, new in {**OLDER_NAMES, **moved}.items()]
    about = "They are read as the names beside them."
    return "\n".join([
        "## Older names", "", about, "", "| Older | Present |", "|---|---|", *rows, ""])


def blocks_within(path: str, options: type) -> Iterator[tuple[str, type]]:
    """:return: path and options class of every block within a block."""
    for key in _shown(options):
        for within, block in _blocks_of(key.hint, f"{path}.{key.name}".lstrip(".")):
            yield within, block
            yield from blocks_within(within, block)


def _blocks_of(hint: Any, path: str) -> Iterator[tuple[str, type]]:
    if isinstance(hint, type) and attrs.has(hint):
        yield path, hint
    elif get_origin(hint) is dict:
        yield from _blocks_of(get_args(hint)[1], f"{path}.<name>")
    elif get_origin(hint) is tuple:
        yield from _blocks_of(get_args(hint)[0], f"{path}[]")
    else:
        for each in get_args(hint):
            yield from _blocks_of(each, path)


def _shown(options: type) -> list[Key]:
    return [key for key in keys_of(options) if not key.facts.hidden]


def _section(path: str, options: type) -> str:
    title = f"## `{path}`" if path else "## The whole file"
    about = " ".join((options.__doc__ or "").split(":ivar")[0].split())
    about = _EPYTEXT.sub(r"`\1`", about)
    rows = [_row(key) for key in _shown(options)]
    if not rows:
        return f"{title}\n\n{about}\n\nIt has no keys.\n"
    head = ["| Key | Type | Default | Meaning |", "|---|---|---|---|"]
    return "\n".join([title, "", about, "", *head, *rows, ""])


def _row(key: Key) -> str:
    meaning = key.facts.doc if key.facts.effective else f"{key.facts.doc} *Not yet effective.*"
    cells = (f"`{key.name}`", _type(key), _default(key), meaning.replace("|", "\\|"))
    return f"| {' | '.join(cells)} |"


def _type(key: Key) -> str:
    if key.facts.choices:
        return ", ".join(f"`{each}`" if each else "empty" for each in key.facts.choices)
    return _kind(key.hint, key.facts.unit)


def _kind(hint: Any, unit: str) -> str:
    some = [each for each in get_args(hint) if each not in (type(None), Ellipsis)]
    if get_origin(hint) is dict:
        return f"mapping of names to {_plural(_kind(some[1], unit))}"
    if get_origin(hint) is tuple:
        return f"list of {_plural(_kind(some[0], unit))}"
    if some:
        return _kind(some[0], unit)
    if hint in (int, float) and unit:
        return unit
    return _WORDS.get(hint, "block" if attrs.has(hint) else "anything")


def _plural(kind: str) -> str:
    return kind if kind.startswith(("mapping", "list", "anything")) else f"{kind}s"


def _default(key: Key) -> str:
    value = key.default
    if value is None or value in ("", (), {}) or attrs.has(type(value)):
        return ""
    return f"`{_spelled(value, key.facts.unit)}`"


def _spelled(value: Any, unit: str) -> str:
    if unit == "duration":
        return format_duration(value)
    if unit == "size":
        return format_size(value)
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)
