"""
Fills pages with what the code itself knows.

Between C{<!-- generated: NAME -->} and C{<!-- end of generated -->}, a page has the Markdown
that the function of that name in L{WRITERS} returns.  The pages are committed as they are
filled, so that they can be read without building anything:

    python docs/_writers            writes them anew (make reference)
    python docs/_writers --check    says which of them are out of date (make lint)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import metrics
import plugins
import prometheus
import reasons

WRITERS: dict[str, Callable[[], str]] = {
    "configuration": plugins.render,
    "metrics": metrics.render,
    "prometheus": prometheus.render,
    "reasons": reasons.render,
}
DOCS = Path(__file__).parent.parent
_GENERATED = re.compile(
    r"(<!-- generated: (\w+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)


def filled(page: str, writers: Mapping[str, Callable[[], str]]) -> str:
    """
    :param page: Markdown.
    :return: the same with what is generated as it would be now.
    :raises KeyError: the page wants something that there is no writer for.
    """
    return _GENERATED.sub(
        lambda found: f"{found[1]}\n{writers[found[2]]().strip()}\n\n{found[3]}", page)


def outdated() -> dict[Path, str]:
    """:return: the pages that are not as they would be now, and how they would be."""
    pages = {path: path.read_text() for path in sorted(DOCS.glob("*.md"))}
    now = {path: filled(page, WRITERS) for path, page in pages.items()}
    return {path: page for path, page in now.items() if page != pages[path]}


def main(words: list[str]) -> int:
    """:return: 1 where pages are out of date and are only to be checked."""
    pages = outdated()
    for path, page in pages.items():
        if "--check" in words:
            print(f"{path}: what is generated is out of date; run 'make reference'")
        else:
            path.write_text(page)
            print(f"{path} written anew")
    return int("--check" in words and bool(pages))
