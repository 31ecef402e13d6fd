"""
Say which functions, classes, modules and packages are over the house's budgets.

A mirror, not a gate: when something is listed, ask which concept is missing.  With
C{--strict} the exit status says whether anything is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 350
FUNCTION_LINES = 60
NESTING = 3
ARGUMENTS = 4
METHODS = 20
MODULES = 15

_ROOT = Path(__file__).parent.parent
_PACKAGES = ("trickster", "demo")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def code_lines(text: str) -> int:
    """:return: how many lines are neither blank nor comment only."""
    return sum(1 for line in text.splitlines() if line.strip() and line.strip()[0] != "#")


def nesting(node: ast.AST, depth: int = 0) -> int:
    """:return: how many blocks deep the deepest statement is; C{elif} goes no deeper."""
    deepest = depth
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, _Function | ast.ClassDef):
                chained = field == "orelse" and isinstance(node, ast.If) and len(value) == 1
                step = isinstance(child, _BLOCKS) and not (chained and isinstance(child, ast.If))
                deepest = max(deepest, nesting(child, depth + step))
    return deepest


def arguments(node: _Function) -> int:
    """:return: how many a caller may pass, C{self} and C{cls} not counted."""
    taken = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    names = [arg.arg for arg in taken]
    return len([name for name in names if name not in ("self", "cls")])


def body_lines(node: _Function) -> int:
    """:return: the lines from the first statement after the docstring to the last."""
    has_docstring = ast.get_docstring(node) is not None
    statements = node.body[1:] if has_docstring else node.body
    return (node.end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def of_function(node: _Function) -> Iterator[str]:
    """:return: a phrase for each budget that the function is over."""
    measures = (("lines", body_lines(node), FUNCTION_LINES), ("levels", nesting(node), NESTING),
                ("arguments", arguments(node), ARGUMENTS))
    for what, found, budget in measures:
        if found > budget:
            yield f"{node.name}: {found} {what}, of {budget}"


def methods(node: ast.ClassDef) -> int:
    """:return: how many methods and properties the class itself has."""
    return sum(isinstance(statement, _Function) for statement in node.body)


def of_module(path: Path) -> Iterator[str]:
    """:return: a line for each budget that the module, or something in it, is over."""
    text = path.read_text(encoding="utf-8")
    where = path.relative_to(_ROOT)
    if (lines := code_lines(text)) > MODULE_LINES:
        yield f"{where}: {lines} lines, of {MODULE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _Function):
            yield from (f"{where}:{node.lineno}: {phrase}" for phrase in of_function(node))
        if isinstance(node, ast.ClassDef) and (found := methods(node)) > METHODS:
            yield f"{where}:{node.lineno}: {node.name}: {found} methods, of {METHODS}"


def of_package(path: Path) -> Iterator[str]:
    """:return: a line if the package has too many modules, those of packages in it apart."""
    found = sum(module.name != "__init__.py" for module in path.glob("*.py"))
    if found > MODULES:
        yield f"{path.relative_to(_ROOT)}: {found} modules, of {MODULES}"


def main() -> int:
    """:return: the exit status."""
    paths = [path for package in _PACKAGES for path in sorted((_ROOT / package).rglob("*.py"))]
    over = [line for path in paths for line in of_module(path)]
    over += [line for package in sorted({path.parent for path in paths})
             for line in of_package(package)]
    for line in over:
        print(line)
    print(f"{len(over)} over budget")
    return 1 if over and "--strict" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
