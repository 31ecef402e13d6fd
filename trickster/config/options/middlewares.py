"""Options of a middleware."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from trickster.config.document.settings import setting


@frozen(kw_only=True)
class MiddlewareOptions:
    """
    A middleware: one kind of behaviour, with its options in the block named like the kind.

    It is in effect where a listener, a backend or a path names it in its own C{middlewares}.

    :ivar plugin: the options of that kind, an instance of its C{options} class.
    """

    kind: str = setting("", "What it does: the name of a kind that is installed.")
    plugin: Any = setting(None, "", hidden=True)
