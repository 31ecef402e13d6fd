"""What one process tells of itself, by family and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen
from prometheus_client.core import Metric, Sample
from prometheus_client.parser import text_string_to_metric_families

# Families whose numbers only grow, for as long as their process lasts.
_CUMULATIVE = ("counter", "histogram", "summary")

Labels = tuple[tuple[str, str], ...]
# By the name of the sample and, of a bucket, its bound: numbers of which the sum is told.
Child = Mapping[tuple[str, str], tuple[float, ...]]


@frozen
class Family:
    """
    The samples of one metric.

    :ivar name: without the C{_total} of a counter.
    :ivar kind: as in C{# TYPE}.
    :ivar children: by labels, in the order of their names, without the bound of a bucket.
    """

    name: str
    documentation: str
    kind: str
    children: Mapping[Labels, Child]

    @property
    def is_cumulative(self) -> bool:
        """:return: whether its numbers only grow."""
        return self.kind in _CUMULATIVE


Families = Mapping[str, Family]


def families_of(metrics: Iterable[Metric]) -> Families:
    """
    :param metrics: of one process.
    :return: the same by name; without quantiles, of which those of all processes cannot be told.
    """
    return {family.name: family for family in map(_family, metrics)}


def parsed(text: bytes) -> Families:
    """
    :param text: in the Prometheus text format 0.0.4, whole.
    :return: what it says.
    :raises ValueError: it is not in that format.
    """
    try:
        return families_of(text_string_to_metric_families(text.decode()))
    except (IndexError, OverflowError) as error:  # what the library does about some bad lines
        raise ValueError(str(error)) from error


def samples(labels: Labels, values: Mapping[tuple[str, str], float]) -> Iterator[Sample]:
    """
    :param values: of one child, of these labels.
    :return: its samples in the order that the formats ask for: buckets by their bounds first.
    """
    for (sample, bound), value in sorted(values.items(), key=lambda item: _place(item[0])):
        bounded = {"le": bound} if bound else {}
        yield Sample(sample, {**dict(labels), **bounded}, value)


def _family(metric: Metric) -> Family:
    is_histogram = metric.type == "histogram"
    children: dict[Labels, dict[tuple[str, str], tuple[float, ...]]] = {}
    for sample in metric.samples:
        labels = dict(sample.labels)
        if metric.type == "summary" and "quantile" in labels:
            continue
        bound = labels.pop("le", "") if is_histogram else ""
        float(bound or 0)
        child = children.setdefault(tuple(sorted(labels.items())), {})
        child[sample.name, bound] = (float(sample.value),)
    return Family(metric.name, metric.documentation, metric.type, children)


def _place(key: tuple[str, str]) -> tuple[bool, float, str]:
    name, bound = key
    return not bound, float(bound or 0), name
