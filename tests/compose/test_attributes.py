"""What the configuration is made into is read, attribute by attribute, where it has arrived."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.compose.attributes import attributes_read, made_in, modules

# What makes values of what a configuration says, in whose own reading nothing takes effect.
_COMPOSE = "compose/"
_MAKING = (_COMPOSE, "objects/options.py", "upstream/health/plan.py")
# Read through an alias of a type, and through an interface; and told by compose itself.
_ELSEWHERE = {("RoutedEntry", "passing"), ("FileSpool", "limit"), ("HealthCheck", "provider"),
              ("PluginRuntime", "clock"), ("PluginRuntime", "wall"), ("PluginRuntime", "random"),
              ("ResponseFormat", "kinds"), ("RangeFormat", "kinds")}


def _unread(found: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """:return: attributes that are given to what is made, and that nothing reads."""
    made = made_in(module for path, module in found.items() if path.startswith(_MAKING))
    given = {pair for path, module in found.items() if not path.startswith((_COMPOSE, "config/"))
             for node in ast.walk(module) if isinstance(node, ast.ClassDef) and node.name in made
             for pair in _given(node)}
    assert len(given) > 250
    return given - attributes_read(found, _COMPOSE) - _ELSEWHERE


def _given(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """:return: the attributes that the maker of an instance decides about."""
    if not any(isinstance(name, ast.Name) and name.id in ("frozen", "define")
               for each in node.decorator_list for name in ast.walk(each)):
        return
    for member in node.body:
        if (isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)
                and "ClassVar" not in ast.unparse(member)
                and "init=False" not in ast.unparse(member)):
            yield node.name, member.target.id


class AttributesTests(SynchronousTestCase):
    """The attributes of objects made from options are read elsewhere."""

    def test_all_are_read(self) -> None:
        """Each attribute of an object that is made of a configuration is read by other code."""
        self.assertEqual(_unread(modules()), set())

    def test_unread(self) -> None:
        """An attribute that is read nowhere is found, though others of the same name are read."""
        read = {("upstream/pooling/pool.py", "options.queue_timeout"): "UpstreamOptions",
                ("ranges/plan.py", "policy.max_query_range"): "RangePolicy",
                ("ranges/kept/retention.py", "policy.max_age"): "RangePolicy",
                ("frontend/connection.py", "self._listening.limits.idle_timeout"): "ListenerLimits",
                ("http/h1/head_reader.py", "self._limits.fields"): "HeadLimits",
                ("upstream/health/state.py", "thresholds.recovery"): "Thresholds"}

        def changed(path: str, source: str) -> str:
            for _, text in filter(lambda each: each[0] == path, read):
                assert text in source
                source = source.replace(text, "1")
            return source

        self.assertEqual(_unread(modules(changed)), {
            (name, text.rpartition(".")[2]) for (_, text), name in read.items()})
