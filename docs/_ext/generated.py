"""
Fills pages with what the code itself knows.

A page says C{<!-- generated: name -->}; the comment is replaced by the Markdown that
the function of that name in L{WRITERS} returns, each time the page is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import metrics
import plugins
import reasons

if TYPE_CHECKING:
    from sphinx.application import Sphinx

WRITERS: dict[str, Callable[[], str]] = {
    "configuration": plugins.render,
    "metrics": metrics.render,
    "reasons": reasons.render,
}
_MARK = re.compile(r"<!-- generated: (\w+) -->")


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Sphinx calls this with a page just read, as a list of one string to change."""
    source[0] = _MARK.sub(lambda found: WRITERS[found.group(1)](), source[0])
    if _MARK.search(source[0]):
        raise ValueError(f"{docname}: a generated text asks for another")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True}
