"""Tests of C{trickster.observability.merging.merged}."""

from __future__ import annotations

from itertools import permutations
from math import isnan

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as strict
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.merging.telling import Collected, numbers, process, telling
from trickster.observability.merging.families import families_of, parsed
from trickster.observability.merging.merged import added_exactly, merged

_HISTOGRAM = """# TYPE h histogram
    h_bucket{{le="{0}"}} 1
    h_bucket{{le="1.0"}} {1}
    h_bucket{{le="+Inf"}} {2}
    h_count {2}
    h_sum {3}
    """


class MergedTests(SynchronousTestCase):
    """Several processes as one."""

    def test_one(self) -> None:
        """One process has the text that it has by itself, but for the order of the families."""
        text = process()
        again = generate_latest(Collected(merged([parsed(text)])))
        self.assertEqual(sorted(again.splitlines()), sorted(text.splitlines()))

    def test_added(self) -> None:
        """Counters are added up, by their labels."""
        one, two = process(["a", "b"], 3), process(["b", "c"], 5)
        together = numbers(merged([parsed(one), parsed(two)]))
        found = [sum(value for sample, value in together.items() if sample.startswith(
            f'trickster_proxy_requests_total{{backend_name="{name}"')) for name in "abc"]
        self.assertEqual(found, [3, 8, 5])

    def test_any_order(self) -> None:
        """The order of the processes makes no difference."""
        parts = [parsed(process(names)) for names in (["a"], ["b", "c"], ["c", "a"])]
        texts = {generate_latest(Collected(merged(each))) for each in permutations(parts)}
        self.assertEqual(len(texts), 1)

    def test_valid(self) -> None:
        """The strict reader of OpenMetrics takes it; what it reads is the same."""
        parts = [parsed(process(names)) for names in (["b", "a"], ["c", "a"])]
        families = merged(parts)
        text = openmetrics.generate_latest(Collected(families)).decode()
        read = list(strict.text_string_to_metric_families(text))
        self.assertEqual(numbers(read), numbers(families))

    def test_gauges(self) -> None:
        """A gauge is what its meaning makes of it, by its labels."""
        one = telling("""# TYPE trickster_cache_up gauge
            trickster_cache_up{cache_name="a"} 1
            trickster_cache_up{cache_name="b"} 1
            # TYPE trickster_cache_usage_bytes gauge
            trickster_cache_usage_bytes{cache_name="a"} 70
            # TYPE trickster_proxy_active_connections gauge
            trickster_proxy_active_connections 4
            # TYPE mine gauge
            mine 1""")
        two = telling("""# TYPE trickster_cache_up gauge
            trickster_cache_up{cache_name="a"} 0
            # TYPE trickster_cache_usage_bytes gauge
            trickster_cache_usage_bytes{cache_name="a"} 80
            # TYPE trickster_proxy_active_connections gauge
            trickster_proxy_active_connections NaN
            # TYPE mine gauge
            mine 2""")
        self.assertEqual(numbers(merged([one, two])), {
            'trickster_cache_up{cache_name="a"}': 0, 'trickster_cache_up{cache_name="b"}': 1,
            'trickster_cache_usage_bytes{cache_name="a"}': 80,
            "trickster_proxy_active_connections": 4, "mine": 3})

    def test_histograms(self) -> None:
        """Histograms are added up, bucket by bucket, in the order of their bounds."""
        parts = [telling(_HISTOGRAM.format("0.5", 2, 4, 1.5)),
                 telling(_HISTOGRAM.format("0.5", 7, 9, 0.25))]
        [family] = merged(parts)
        self.assertEqual([(one.name, one.labels.get("le"), one.value) for one in family.samples], [
            ("h_bucket", "0.5", 2), ("h_bucket", "1.0", 9), ("h_bucket", "+Inf", 13),
            ("h_count", None, 13), ("h_sum", None, 1.75)])

    def test_bounds(self) -> None:
        """Where bounds differ, there are the buckets of which each process has the count."""
        parts = [telling(_HISTOGRAM.format("0.5", 2, 4, 1.5)),
                 telling(_HISTOGRAM.format("0.25", 2, 4, 1.5))]
        self.assertEqual(set(numbers(merged(parts))), {
            'h_bucket{le="1.0"}', 'h_bucket{le="+Inf"}', "h_count", "h_sum"})

    def test_kinds(self) -> None:
        """Where the kinds of a family differ, the first one is right."""
        parts = [telling("# TYPE x gauge\nx 1\n"), telling("# TYPE x untyped\nx 2\n")]
        self.assertEqual(numbers(merged(parts)), {"x": 1})

    def test_created(self) -> None:
        """A counter began when its first process did."""
        made = CounterMetricFamily("c", "About c.")
        made.add_metric([], 1.0, created=50.0)
        later = Metric("c", "", "counter")
        later.add_sample("c_total", {}, 2.0)
        later.add_sample("c_created", {}, 90.0)
        self.assertEqual(numbers(merged([families_of([later]), families_of([made])])),
                         {"c_total": 3, "c_created": 50})

    def test_nothing(self) -> None:
        """Nothing is told where there is no process; a family may have no samples."""
        self.assertEqual(merged([]), [])
        [family] = merged([telling("# HELP x About x.\n# TYPE x_total counter\n")])[-1:]
        self.assertEqual((family.name, family.samples), ("x", []))

    def test_unknown(self) -> None:
        """What no process knows is not known."""
        part = telling("# TYPE x gauge\nx NaN\n")
        self.assertTrue(isnan(numbers(merged([part, part]))["x"]))


class AddedExactlyTests(SynchronousTestCase):
    """What is kept of processes that are gone."""

    def test_cumulative(self) -> None:
        """There is what only grows, and nothing else."""
        part = telling("# TYPE c_total counter\nc_total 2\n# TYPE g gauge\ng 1\n")
        kept = added_exactly(part, part)
        self.assertEqual(numbers(merged([kept])), {"c_total": 4})

    def test_exact(self) -> None:
        """Nothing is lost in rounding, however often something is added."""
        kept = telling("# TYPE c_total counter\nc_total 1\n")
        tiny = telling(f"# TYPE c_total counter\nc_total {2.0 ** -53!r}\n")
        for _ in range(4):
            kept = added_exactly(kept, tiny)
        self.assertEqual(numbers(merged([kept]))["c_total"], 1 + 2.0 ** -51)
