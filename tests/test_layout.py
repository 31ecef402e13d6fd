"""How the tests are laid out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).parent


def imported(path: Path) -> Iterator[str]:
    """:return: the names of all modules that a file imports, and of what it imports of them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class LayoutTests(SynchronousTestCase):
    """Where things stand."""

    def test_helpers(self) -> None:
        """What several test modules need stands in a module that is no test module."""
        found = [f"{path.relative_to(TESTS)}: {name}" for path in TESTS.rglob("*.py")
                 for name in imported(path)
                 if name.startswith("tests.") and ".test_" in name]
        self.assertEqual(found, [])
