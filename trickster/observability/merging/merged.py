"""The families of several processes, as those of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import Metric

from trickster.observability.merging.families import Child, Families, Family, Labels, samples
from trickster.observability.merging.gauges import rule_of
from trickster.observability.merging.sums import Rule, added, condensed, least


def merged(processes: Iterable[Families]) -> list[Metric]:
    """
    :param processes: what each tells.
    :return: what they are together, by name and labels: counters and histograms added up, gauges
        as L{rule_of} has it.  Where two disagree about the kind of a family, the earlier one is
        right.
    """
    parts = list(processes)
    names = sorted({name for part in parts for name in part})
    return [_metric([part[name] for part in parts if name in part]) for name in names]


def added_exactly(before: Families, more: Families) -> Families:
    """
    :return: the cumulative families of both, added up without anything being lost in rounding.
    """
    told = [[part[name] for part in (before, more) if name in part]
            for name in {**before, **more}]
    return {families[0].name: _sum(families) for families in told if families[0].is_cumulative}


def _metric(families: Sequence[Family]) -> Metric:
    first = families[0]
    rule = added if first.is_cumulative else rule_of(first.name)
    metric = Metric(first.name, first.documentation, first.kind)
    for labels, children in sorted(_children(families).items()):
        told = {key: _rule(rule, key[0])(value for child in children for value in child[key])
                for key in _common(children)}
        metric.samples.extend(samples(labels, told))
    return metric


def _sum(families: Sequence[Family]) -> Family:
    first = families[0]
    children = {
        labels: {key: condensed([value for child in found for value in child[key]])
                 for key in _common(found)}
        for labels, found in _children(families).items()}
    return Family(first.name, first.documentation, first.kind, children)


def _children(families: Sequence[Family]) -> dict[Labels, list[Child]]:
    """:return: by labels, those of each family that is of the same kind as the first."""
    kind = families[0].kind
    found: dict[Labels, list[Child]] = {}
    for family in families:
        if family.kind == kind:
            for labels, child in family.children.items():
                found.setdefault(labels, []).append(child)
    return found


def _common(children: Sequence[Child]) -> set[tuple[str, str]]:
    """
    :return: what all of them tell: of buckets, those at whose bounds each has counted, since
        what a process without such a bound would have counted there is not known.
    """
    return set(children[0]).intersection(*children[1:])


def _rule(rule: Rule, sample: str) -> Rule:
    return least if sample.endswith("_created") else rule
