"""No regular expression uses what a supported Python gets wrong."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import trickster

ROOT = Path(__file__).parent.parent
PLACES = ("trickster", "tests", "bench", "examples", "scripts", "docs")
# Escaped characters, and sets of characters: a "+" in them repeats nothing.
LITERAL = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
POSSESSIVE = re.compile(r"[*+?}]\+|\(\?>")


def is_possessive(text: str | bytes) -> bool:
    """:return: whether it has a possessive quantifier or an atomic group, as a pattern."""
    pattern = text.decode("latin-1") if isinstance(text, bytes) else text
    return POSSESSIVE.search(LITERAL.sub("x", pattern)) is not None


def literals(source: str) -> Iterator[tuple[int, str | bytes]]:
    """:return: what a module gives to the functions of C{re} literally, and in which lines."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("re."):
            for node in ast.walk(call):
                if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                    yield node.lineno, node.value


def compiled() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """:return: the patterns that the package's modules hold, of whichever parts they are made."""
    for found in pkgutil.walk_packages(trickster.__path__, "trickster."):
        if not found.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(found.name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{found.name}.{name}", value


class PossessiveTests(SynchronousTestCase):
    """
    Python 3.11.2, which is Debian 12's, leaves a possessive quantifier or an atomic group
    with wrong borders now and then (https://github.com/python/cpython/issues/101955).
    """

    def test_compiled(self) -> None:
        """No compiled pattern of the package has a possessive quantifier or an atomic group."""
        patterns = dict(compiled())
        self.assertGreater(len(patterns), 30)
        self.assertEqual([n for n, p in patterns.items() if is_possessive(p.pattern)], [])

    def test_literals(self) -> None:
        """No pattern written into a call has a possessive quantifier or an atomic group."""
        found = [f"{path.relative_to(ROOT)}:{line}" for place in PLACES
                 for path in sorted((ROOT / place).rglob("*.py"))
                 for line, text in literals(path.read_text(encoding="utf-8"))
                 if is_possessive(text)]
        self.assertEqual(found, [])

    def test_found(self) -> None:
        """
        Possessive quantifiers and atomic groups are found, and similar patterns are not taken for
        them.
        """
        for text in (r"a++", rb"[ab]*+", "x?+", "x{1,2}+", "(?>a)", r"\++\+++"):
            self.assertTrue(is_possessive(text), text)
        for text in (r"[*+?+]", rb"\*+", r"a+\+", "[]*+]+", r"[\]*+]", "a+b"):
            self.assertFalse(is_possessive(text), text)
