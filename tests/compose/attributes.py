"""Which attributes of which classes the package reads, as its source and annotations tell."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import trickster

# Names of classes that a value may be an instance of, or have instances of in it.
_Classes = frozenset[str]
_Scope = dict[str, _Classes]
_Members = Mapping[str, _Scope]
_NONE: _Classes = frozenset()
_METHODS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _as_it_is(path: str, source: str) -> str:
    return source


def modules(changed: Callable[[str, str], str] = _as_it_is) -> dict[str, ast.Module]:
    """
    :param changed: is given the path and the source of each, for another source.
    :return: the package's modules, by their paths within it.
    """
    root = Path(trickster.__file__).parent
    sources = {str(path.relative_to(root)): path.read_text()
               for path in sorted(root.rglob("*.py"))}
    return {path: ast.parse(changed(path, source)) for path, source in sources.items()}


def made_in(found: Iterable[ast.Module]) -> set[str]:
    """:return: the names of what is called by a name of its own, and may be a class."""
    return {each.func.id for module in found for each in ast.walk(module)
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)}


def attributes_read(found: Mapping[str, ast.Module], skipped: str) -> set[tuple[str, str]]:
    """
    :param skipped: how the paths of modules begin whose own reading does not count.
    :return: pairs of a class's name and the name of an attribute that is read of it.
    """
    members = _members(found.values())
    return {pair for path, module in found.items() if not path.startswith(skipped)
            for pair in _Reading(members).of(module, "", {})}


def _members(found: Iterable[ast.Module]) -> _Members:
    """:return: of each class, the classes in the annotations of its attributes and methods."""
    members: dict[str, _Scope] = defaultdict(dict)
    bases: dict[str, _Classes] = {}
    for each in (node for module in found for node in ast.walk(module)):
        if not isinstance(each, ast.ClassDef):
            continue
        bases[each.name] = frozenset(base.id for base in each.bases if isinstance(base, ast.Name))
        for member in each.body:
            if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                members[each.name][member.target.id] = _named(member.annotation)
            elif isinstance(member, _METHODS):
                members[each.name] |= {member.name: _named(member.returns), **_kept(member)}
    for name, above in bases.items():
        for base in above:
            members[name] = members.get(base, {}) | members[name]
    return members


def _kept(method: ast.FunctionDef | ast.AsyncFunctionDef) -> _Scope:
    """:return: what a method makes attributes of its parameters."""
    given = {arg.arg: _named(arg.annotation) for arg in method.args.args}
    return {target.attr: _NONE.union(*(given.get(each.id, _NONE) for each in ast.walk(node.value)
                                       if isinstance(each, ast.Name)))
            for node in ast.walk(method) if isinstance(node, ast.Assign)
            for target in node.targets if isinstance(target, ast.Attribute)
            and method.name == "__init__"}


def _named(annotation: ast.AST | None) -> _Classes:
    if annotation is None:
        return _NONE
    return frozenset(each.id for each in ast.walk(annotation) if isinstance(each, ast.Name))


class _Reading:
    """Finds out what expressions may be instances of."""

    def __init__(self, members: _Members) -> None:
        self._members = members

    def of(self, node: ast.AST, inside: str, scope: _Scope) -> Iterator[tuple[str, str]]:
        """
        :param inside: the class around the node; empty for none.
        :param scope: what variables may be instances of.
        """
        if isinstance(node, ast.ClassDef):
            inside = node.name
        elif isinstance(node, (*_METHODS, ast.Lambda)):
            scope = self._within(node, inside, scope)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            for name in self._classes(node.value, scope):
                yield name, node.attr
        for child in ast.iter_child_nodes(node):
            yield from self.of(child, inside, scope)

    def _within(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, inside: str,
                scope: _Scope) -> _Scope:
        """:return: the scope, with a function's parameters and variables."""
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        scope = scope | {arg.arg: _named(arg.annotation) for arg in given}
        scope |= {arg.arg: frozenset((inside,)) for arg in given[:1] if arg.arg == "self"}
        # Twice, since what a comprehension is over is known only after what it is assigned to.
        for each in [*ast.walk(node)] * 2:
            if isinstance(each, ast.Assign):
                scope |= self._assigned(each.targets[0], each.value, scope)
            elif isinstance(each, ast.For | ast.AsyncFor | ast.comprehension):
                scope |= self._assigned(each.target, each.iter, scope)
        return scope

    def _assigned(self, target: ast.expr, value: ast.expr, scope: _Scope) -> _Scope:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            return {name: classes for pair in zip(target.elts, value.elts, strict=False)
                    for name, classes in self._assigned(*pair, scope).items()}
        classes = self._classes(value, scope)
        return {each.id: classes for each in ast.walk(target)
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}

    def _classes(self, node: ast.expr, scope: _Scope) -> _Classes:
        if isinstance(node, ast.Name):
            return scope.get(node.id, _NONE)
        if isinstance(node, ast.Attribute):
            return _NONE.union(*(self._members.get(name, {}).get(node.attr, _NONE)
                                 for name in self._classes(node.value, scope)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in self._members:
                return frozenset((node.func.id,))
            return self._any(scope, node.func, *node.args)
        if isinstance(node, ast.Call | ast.Await | ast.Subscript):
            inner = node.func if isinstance(node, ast.Call) else node.value
            return self._classes(inner, scope)
        if isinstance(node, ast.Tuple | ast.ListComp | ast.GeneratorExp | ast.IfExp | ast.BoolOp):
            return self._any(scope, *ast.iter_child_nodes(node))
        return _NONE

    def _any(self, scope: _Scope, *nodes: ast.AST) -> _Classes:
        return _NONE.union(*(self._classes(each, scope) for each in nodes
                             if isinstance(each, ast.expr)))
