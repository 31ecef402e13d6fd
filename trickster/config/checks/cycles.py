"""Names that lead back to themselves: pools in pools, rules after rules, rewriters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trickster.config.document.problems import Problems
from trickster.config.options.model import Configuration


def check_cycles(configuration: Configuration, problems: Problems) -> None:
    """
    :param problems: is told of every circle, once, at the name where it is closed.
    """
    for block, graph in (("backends", _backends(configuration)),
                         ("request_rewriters", _rewriters(configuration))):
        for cycle in cycles(graph):
            problems.at(f"{block}.{cycle[0]}",
                        f"leads back to itself ({' -> '.join(cycle)}); expected an end")


def cycles(graph: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """
    :param graph: from each name to those that it leads to.
    :return: circles, each from a name to that name again; none if and only if there is none.
    """
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in graph:
        # An ordered set of the names on the way.
        trail, left = {start: None}, [iter(graph[start])]
        while trail:
            step = next(left[-1], None)
            if step is None:
                done.add(trail.popitem()[0])
                left.pop()
            elif step in trail:
                way = [*trail]
                found.append((*way[way.index(step):], step))
            elif step in graph and step not in done:
                trail[step] = None
                left.append(iter(graph[step]))
    return list(dict.fromkeys(found))


def _backends(configuration: Configuration) -> dict[str, list[str]]:
    graph: dict[str, list[str]] = {}
    for name, backend in configuration.backends.items():
        rule = configuration.rules.get(backend.rule_name)
        if backend.provider == "alb" and backend.alb:
            graph[name] = list(backend.alb.pool)
        elif backend.provider == "rule" and rule:
            graph[name] = [rule.next_route, *(case.next_route for case in rule.cases)]
    return graph


def _rewriters(configuration: Configuration) -> dict[str, list[str]]:
    return {
        name: [words[2] for words in each.instructions
               if words[:2] == ("chain", "exec") and len(words) > 2]
        for name, each in configuration.request_rewriters.items()
    }
