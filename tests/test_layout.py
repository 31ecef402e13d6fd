"""How the tests are laid out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "trickster"
# What decides without waiting for anything.
PURE = ("config", "config/checks", "config/document", "config/options", "http", "http/h1", "keys",
        "origins", "promql", "timeseries")
PURE_MODULES = ("errors", "identity", "messages", "routes", "units")


def imported(path: Path) -> Iterator[str]:
    """:return: the names of all modules that a file imports, and of what it imports of them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class LayoutTests(SynchronousTestCase):
    """The layout of the test modules."""

    def test_helpers(self) -> None:
        """What several test modules need stands in a module that is no test module."""
        found = [f"{path.relative_to(TESTS)}: {name}" for path in TESTS.rglob("*.py")
                 for name in imported(path)
                 if name.startswith("tests.") and ".test_" in name]
        self.assertEqual(found, [])

    def test_pure(self) -> None:
        """Each module that only decides is imported by a test module."""
        known = {name for path in TESTS.rglob("test_*.py") for name in imported(path)}
        pure = [PACKAGE / f"{name}.py" for name in PURE_MODULES]
        pure += [path for package in PURE for path in (PACKAGE / package).glob("*.py")
                 if path.name != "__init__.py"]
        names = [".".join(path.relative_to(TESTS.parent).with_suffix("").parts) for path in pure]
        self.assertGreater(len(names), 40)
        self.assertEqual(sorted(name for name in names if name not in known), [])
