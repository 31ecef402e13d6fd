"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """
    :param titles: of the columns.
    :param rows: a text for each column.
    """
    lines = [titles, ["---"] * len(titles), *rows]
    first, rule, *rest = (" | ".join(line) for line in lines)
    return "\n".join([f"| {first} |", f"|{rule.replace(' ', '')}|",
                      *(f"| {line} |" for line in rest)])
