"""Tests of C{trickster.origins.promjson}, against C{json.loads}."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import Reason, Undecodable
from trickster.origins.promjson import (
    decode_matrix,
    decode_vector,
    encode_matrix,
    label_order,
    relabelled_exemplars,
    relabelled_samples,
    relabelled_series,
    relabeller,
    value_if_any,
    why_unkept,
    with_names,
)
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.row_format import SECOND_NS
from trickster.timeseries.rows import TextRows

STEP = 15 * SECOND_NS
START = 1_700_000_000
ALL = Extents(STEP, (Extent(START * SECOND_NS, START * SECOND_NS + 99 * STEP),))
HISTOGRAM = {"count": "2", "sum": "3.5", "buckets": [[0, "1", "2", "1"], [3, "-1", "1", "1"]]}


def matrix(series: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": series}, **more}


def compact(answer: Any) -> bytes:
    """:return: JSON as Prometheus spells it."""
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()


def floats(labels: dict[str, str], *ticks: int) -> dict[str, Any]:
    return {"metric": labels, "values": [[START + 15 * t, f"{t}.5"] for t in ticks]}


def encoded(dataset: Dataset, warnings: tuple[str, ...] = ()) -> bytes:
    return b"".join(encode_matrix(dataset, warnings))


def samples(dataset: Dataset) -> dict[Any, list[tuple[int, bytes]]]:
    """:return: rows by labels, in any spelling of these."""
    return {label_order(identity): list(dataset.rows(identity)) for identity in dataset.series}


labels = st.dictionaries(st.text("ab_", min_size=1, max_size=3),
                         st.text('a ,:[]{}"\\\n<é😀', max_size=5), max_size=3)
sample_values = st.sampled_from(["0", "1.5", "-3e-07", "NaN", "+Inf", "-Inf", "1e+25"])
columns = st.dictionaries(st.integers(0, 99), st.tuples(sample_values, st.booleans()),
                          min_size=1, max_size=8)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """A matrix as Prometheus might answer: in the order of labels, histograms among it."""
    every = draw(st.lists(labels, max_size=4, unique_by=lambda one: tuple(sorted(one.items()))))
    found = []
    for one in sorted(every, key=lambda one: [(k.encode(), v.encode())
                                              for k, v in sorted(one.items())]):
        ticks = sorted(draw(columns).items())
        numbers = [[START + 15 * t, value] for t, (value, plain) in ticks if plain]
        histograms = [[START + 15 * t, HISTOGRAM] for t, (_, plain) in ticks if not plain]
        found.append({"metric": dict(sorted(one.items())),
                      **({"values": numbers} if numbers else {}),
                      **({"histograms": histograms} if histograms else {})})
    return matrix(found)


class MatrixTests(SynchronousTestCase):
    """Responses of range queries."""

    @settings(max_examples=150)
    @given(answers())
    def test_to_the_octet(self, answer: dict[str, Any]) -> None:
        """A matrix in Prometheus's spelling is encoded to the same octets."""
        octets = compact(answer)
        self.assertEqual(encoded(decode_matrix(octets, ALL)), octets)

    @settings(max_examples=150)
    @given(answers(), st.data())
    def test_other_spellings(self, answer: dict[str, Any], data: st.DataObject) -> None:
        """White space and escapes change nothing but the octets of labels."""
        spelled = data.draw(st.sampled_from([
            lambda a: json.dumps(a, separators=(",", ":")), json.dumps,
            lambda a: json.dumps(a, indent=1), lambda a: json.dumps(a, indent="\t"),
            lambda a: json.dumps(a, separators=(" ,\r\n", "\t:"))]))
        octets = spelled(answer).encode()
        plain = decode_matrix(compact(answer), ALL)
        other = decode_matrix(octets, ALL)
        self.assertEqual(samples(other), samples(plain))
        self.assertEqual(json.loads(encoded(other)), json.loads(octets))
        self.assertEqual([[type(r) for r in runs] for runs in other.series.values()],
                         [[type(r) for r in runs] for runs in plain.series.values()])

    @given(answers(), st.integers(-1, 99), st.integers(0, 100))
    def test_window(self, answer: dict[str, Any], start: int, count: int) -> None:
        """A window of what was decoded is what the origin would have answered for it."""
        extent = Extent((START + 15 * start) * SECOND_NS, (START + 15 * (start + count)) * SECOND_NS)
        found = json.loads(encoded(decode_matrix(compact(answer), ALL).restricted(
            Extents(STEP, (extent,)))))
        for one in (series := answer["data"]["result"]):
            for column in ("values", "histograms"):
                if column in one:
                    one[column] = [r for r in one[column]
                                   if extent.start_ns <= r[0] * SECOND_NS <= extent.end_ns]
                    if not one[column]:
                        del one[column]
        answer["data"]["result"] = [one for one in series if len(one) > 1]
        self.assertEqual(found, answer)

    def test_milliseconds(self) -> None:
        """Fractional timestamps are exact to the millisecond."""
        octets = compact(matrix([])).replace(
            b"[]", b'[{"metric":{},"values":[[1700000000.001,"1"],[1700000000.500,"2"]]}]')
        second = Extents(1_000_000, (Extent(START * SECOND_NS, (START + 1) * SECOND_NS),))
        dataset = decode_matrix(octets, second)
        [identity] = dataset.series
        self.assertEqual([t for t, _ in dataset.rows(identity)],
                         [1_700_000_000_001_000_000, 1_700_000_000_500_000_000])
        self.assertEqual(encoded(dataset), octets)

    def test_empty(self) -> None:
        """A response without series is decoded."""
        octets = compact(matrix([]))
        dataset = decode_matrix(octets, ALL)
        self.assertEqual((dataset.series, dataset.extents), ({}, ALL))
        self.assertEqual(encoded(dataset), octets)

    def test_empty_series(self) -> None:
        """A series without samples is none, however the series spells that."""
        for nothing in (b"[]", b"[ ]", b"[\n]"):
            octets = (b'{"status":"success","data":{"resultType":"matrix","result":'
                      b'[{"metric":{},"values":%b},{"metric":{"a":"b"},"histograms":%b}]}}'
                      % (nothing, nothing))
            self.assertEqual(decode_matrix(octets, ALL).series, {})

    @given(answers(), st.data())
    def test_any_octet(self, answer: dict[str, Any], data: st.DataObject) -> None:
        """A response with one odd octet is refused, or means what its octets say."""
        octets = bytearray(compact(answer))
        octets[data.draw(st.integers(0, len(octets) - 1))] = ord(data.draw(
            st.sampled_from('"[]{},:.1eN \\x')))
        try:
            dataset = decode_matrix(bytes(octets), ALL)
        except Undecodable:
            return
        json.loads(octets)
        spaced = msgspec.json.format(bytes(octets), indent=1)  # every number as it is spelled
        expected = decode_matrix(spaced, ALL)
        self.assertEqual(samples(dataset), samples(expected))

    @given(st.lists(st.integers(0, 9), min_size=1, max_size=6),
           st.sampled_from(['"1.5"', '"x"', "1", '" 1"']))
    def test_any_order(self, ticks: list[int], value: str) -> None:
        """Rows in any order are the same, or refused, however they are spaced."""
        rows = ",".join(f"[{START + 15 * tick},{value}]" for tick in ticks)
        octets = compact(matrix([{"metric": {}, "values": 0}])).replace(
            b":0}", f":[{rows}]}}".encode())
        found = []
        for spelled in octets, octets.replace(b",[", b", ["), octets.replace(b"data", b"\\u0064ata"):
            try:
                found.append(samples(decode_matrix(spelled, ALL)))
            except Undecodable:
                found.append({})
        self.assertEqual(found[1:], found[:1] * 2)

    def test_long_instants(self) -> None:
        """An instant of more digits than Python reads does no harm to a cut elsewhere."""
        rows = [f'[{START + 15 * t},"1"]' for t in range(20)]
        rows[9] = f'[{"9" * 5000},"1"]'
        octets = compact(matrix([{"metric": {}, "values": 0}])).replace(
            b":0}", f":[{','.join(rows)}]}}".encode())
        for end in range(20):
            until = Extent(START * SECOND_NS, (START + 15 * end) * SECOND_NS)
            dataset = decode_matrix(octets, ALL).restricted(Extents(STEP, (until,)))
            self.assertEqual(len(dataset.series), 1)

    def test_outside(self) -> None:
        """Samples outside of the extents asked for are left out."""
        dataset = decode_matrix(compact(matrix([floats({}, -1, 0, 99, 100)])), ALL)
        [rows] = samples(dataset).values()
        self.assertEqual([t // SECOND_NS for t, _ in rows], [START, START + 15 * 99])

    def test_plain_is_not_taken_apart(self) -> None:
        """Rows of numbers are kept undecoded."""
        dataset = decode_matrix(compact(matrix([floats({}, 1, 2)])), ALL)
        self.assertIsInstance(next(iter(dataset.series.values()))[0], TextRows)

    def test_victoria(self) -> None:
        """A complete response of VictoriaMetrics is decoded with C{isPartial} and statistics."""
        octets = compact({"status": "success", "isPartial": False, "data": {
            "resultType": "matrix", "result": [floats({"a": "b"}, 1)]},
            "stats": {"seriesFetched": "1", "executionTimeMsec": 2}})
        self.assertEqual(len(decode_matrix(octets, ALL).series), 1)

    def test_thanos(self) -> None:
        """An empty analysis, which Thanos has in every response, is decoded."""
        answer = matrix([floats({"a": "b"}, 1)])
        answer["data"]["analysis"] = {}
        self.assertEqual(len(decode_matrix(compact(answer), ALL).series), 1)

    def test_warnings(self) -> None:
        """Warnings for the client are put where Prometheus puts them."""
        dataset = decode_matrix(compact(matrix([floats({}, 1)])), ALL)
        self.assertEqual(json.loads(encoded(dataset, ('a "b"', "é"))),
                         matrix([floats({}, 1)], warnings=['a "b"', "é"]))


class UndecodableTests(SynchronousTestCase):
    """Responses whose parts must not be stored are undecodable."""

    def assert_refused(self, octets: bytes, reason: Reason = Reason.UNDECODABLE) -> None:
        with self.assertRaises(Undecodable) as caught:
            decode_matrix(octets, ALL)
        self.assertIs(caught.exception.reason, reason)

    def test_told(self) -> None:
        """A response with warnings or infos is not stored."""
        for name in ("warnings", "infos"):
            self.assert_refused(compact(matrix([], **{name: ["hm"]})), Reason.ORIGIN_WARNINGS)
            for nothing in ([], None):
                decode_matrix(compact(matrix([], **{name: nothing})), ALL)

    def test_partial(self) -> None:
        """A response with C{isPartial} is not stored."""
        self.assert_refused(compact(matrix([], isPartial=True)), Reason.ORIGIN_PARTIAL)

    def test_off_the_grid(self) -> None:
        """Samples off the grid asked for are refused: VictoriaMetrics moves long ranges."""
        grid = Extents(15 * SECOND_NS, (Extent((START + 7) * SECOND_NS,
                                               (START + 67) * SECOND_NS),))
        with self.assertRaises(Undecodable):
            decode_matrix(compact(matrix([floats({}, 1, 2)])), grid)
        with self.assertRaises(Undecodable):
            decode_matrix(compact(matrix([floats({}, -3, 9)])), grid)

    def test_stats(self) -> None:
        """A response with statistics, which are of the one request, is not stored."""
        for told in ({"stats": {"timings": {}}}, {"analysis": {"name": "x"}}):
            answer = matrix([])
            answer["data"].update(told)
            self.assert_refused(compact(answer), Reason.STATS_ASKED)

    def test_other_results(self) -> None:
        """Errors with status 200, and results of other types, are refused."""
        self.assert_refused(compact({"status": "error", "errorType": "x", "error": "y"}))
        self.assert_refused(compact({**matrix([]), "status": "error"}))
        for kind, result in (("vector", []), ("scalar", [START, "1"]), ("string", [START, "a"])):
            self.assert_refused(compact(
                {"status": "success", "data": {"resultType": kind, "result": result}}))

    def test_unknown_parts(self) -> None:
        """A response with unknown parts, wherever they are, is refused."""
        self.assert_refused(compact(matrix([], trace={})))
        self.assert_refused(compact(matrix([{**floats({}, 1), "more": 1}])))
        answer = matrix([])
        answer["data"]["more"] = []
        self.assert_refused(compact(answer))

    def test_cut(self) -> None:
        """Every beginning of a response, and every one with octets after it, is refused."""
        octets = compact(matrix([floats({"a": "é"}, 1, 2), {
            "metric": {"b": ""}, "histograms": [[START, HISTOGRAM]]}]))
        for length in range(len(octets)):
            self.assert_refused(octets[:length])
        self.assert_refused(octets + b"}")
        self.assert_refused(octets + octets)

    def test_twice(self) -> None:
        """A response that has the same series twice is refused."""
        self.assert_refused(compact(matrix([floats({"a": "b"}, 1), floats({"a": "b"}, 2)])))

    def test_order(self) -> None:
        """Rows whose timestamps do not ascend are refused."""
        self.assert_refused(compact(matrix([floats({}, 3, 1)])))
        self.assert_refused(compact(matrix([floats({}, 3, 3)])))

    def test_no_rows(self) -> None:
        """A value in the place of rows that is no list of rows is refused."""
        for odd in ("null", "1", '"x"', "{}", '"[1,2]"', '"[1,\\"5\\"]"', "[1]", "[[]]", "[[1]]",
                    '[["1","2"]]', '[[1,"2",3]]', '[[null,"2"]]', '[[1e3,"2"]]', '[[1E3,"2"]]',
                    '[[1,"2"],[2e0,"2"]]', '[[1,"2"],["x","5"],[3,"2"]]', '[[1,"2"],[],[3,"2"]]',
                    '[[1,"2"],null,[3,"2"]]', '[[1,"2"],[2],[3,"2"]]',
                    f'[[{"9" * 20},"x y"]]', f'[[{"9" * 5000},"2"]]'):
            with self.subTest(values=odd[:40]):
                for column in ("values", "histograms"):
                    self.assert_refused(compact(matrix([{"metric": {}, column: 0}])).replace(
                        b":0}", b":" + odd.encode() + b"}"))

    def test_labels(self) -> None:
        """A value in the place of labels that is no mapping of texts is refused."""
        for odd in (b"null", b"[]", b'"a"', b'{"a":1}', b'{"a":null}', b'{"a":"\xff"}'):
            with self.subTest(metric=odd):
                octets = compact(matrix([{"metric": 0, "values": [[START, "1"]]}]))
                self.assert_refused(octets.replace(b'"metric":0', b'"metric":' + odd))

    def test_garbage(self) -> None:
        """Octets that are no response of the API are refused."""
        for octets in (b"", b"null", b"[]", b"{}", b"<html>", b"\x00", b"[" * 100_000,
                       b'{"data":{"result":' + b"[" * 100_000, b'{"infos":' + b'{"a":' * 100_000,
                       compact(matrix([])).replace(b"[]", b"[" * 9999 + b"]" * 9999)):
            self.assert_refused(octets)

    def test_odd_strings(self) -> None:
        """Values that are strings like rows are not mistaken for rows."""
        rows = [[START, '"],[1'], [START + 15, "],["], [START + 30, "é"]]
        octets = compact(matrix([{"metric": {}, "values": rows}]))
        dataset = decode_matrix(octets, ALL)
        [found] = samples(dataset).values()
        self.assertEqual([json.loads(r) for _, r in found], rows)
        self.assertEqual(encoded(dataset), octets)


class OrderTests(SynchronousTestCase):
    """The order of series."""

    @given(st.lists(labels, unique_by=lambda one: tuple(sorted(one.items())), max_size=6))
    def test_as_prometheus(self, found: list[dict[str, str]]) -> None:
        """Series are ordered label by label, by name, octet for octet, the shorter first."""
        def model(one: dict[str, str]) -> list[bytes]:
            return [x.encode() for pair in sorted(one.items()) for x in pair]

        def identity(one: dict[str, str]) -> bytes:
            return b'{"metric":' + compact(one) + b',"values":['

        self.assertEqual(sorted(map(identity, found), key=label_order),
                         [identity(one) for one in sorted(found, key=model)])

    def test_histograms(self) -> None:
        """A histogram comes behind the numbers of the same labels, before other labels."""
        a, b = b'{"metric":{"a":"1"},"', b'{"metric":{"a":"2"},"'
        expected = [a + b'values":[', a + b'histograms":[', b + b'values":[']
        self.assertEqual(sorted([expected[2], *expected[:2]], key=label_order), expected)

    def test_merged(self) -> None:
        """Numbers of one fetch and histograms of another are one series in the answer."""
        def part(tick: int, column: str, value: Any) -> Dataset:
            at = (START + 15 * tick) * SECOND_NS
            return decode_matrix(
                compact(matrix([{"metric": {"a": "b"}, column: [[START + 15 * tick, value]]}])),
                Extents(STEP, (Extent(at, at),)))

        merged = part(0, "histograms", HISTOGRAM).merged(part(1, "values", "1"))
        self.assertEqual(json.loads(encoded(merged)), matrix([{
            "metric": {"a": "b"}, "values": [[START + 15, "1"]],
            "histograms": [[START, HISTOGRAM]]}]))


class VectorTests(SynchronousTestCase):
    """Responses of instant queries, for fast forward."""

    def vector(self, kind: str, result: Any, **more: Any) -> bytes:
        return compact({"status": "success", "data": {"resultType": kind, "result": result},
                        **more})

    def test_values(self) -> None:
        """An instant response has one row a series, under the series' identity in a matrix."""
        found = decode_vector(self.vector("vector", [
            {"metric": {"a": "b"}, "value": [START + 0.5, "1"]},
            {"metric": {"a": "c"}, "histogram": [START, HISTOGRAM]}]))
        self.assertEqual({i: [t for t, _ in found.rows(i)] for i in found.series}, {
            b'{"metric":{"a":"b"},"values":[': [START * SECOND_NS + SECOND_NS // 2],
            b'{"metric":{"a":"c"},"histograms":[': [START * SECOND_NS]})
        self.assertFalse(found.extents)

    def test_scalar(self) -> None:
        """A scalar is the series without labels, as in the response of a range query."""
        octets = self.vector("scalar", [START, "1"])
        self.assertEqual(list(decode_vector(octets).series), [b'{"metric":{},"values":['])

    def test_refused(self) -> None:
        """An instant response that is not a clean vector or scalar is refused."""
        for octets in (self.vector("matrix", []), self.vector("string", [START, "a"]),
                       self.vector("vector", [], warnings=["hm"]), self.vector("scalar", {}),
                       self.vector("scalar", [START]), self.vector("vector", [{"metric": {}}]),
                       self.vector("vector", [{"metric": {}, "value": []}]),
                       self.vector("vector", [{"metric": [], "value": [START, "1"]}]), b"", b"["):
            with self.subTest(octets=octets), self.assertRaises(Undecodable):
                decode_vector(octets)


class RelabelTests(SynchronousTestCase):
    """Labels that Trickster sets."""

    def relabelled(self, answer: Any, **labels: str) -> Any:
        """:return: an answer with other labels; the canonical form and another one agree."""
        found, other = (json.loads(relabelled_samples(octets, relabeller(labels))) for octets in (
            compact(answer), json.dumps(answer, ensure_ascii=False).encode()))
        self.assertEqual(found, other)
        return found

    def test_matrix(self) -> None:
        """Labels are set on every series, and take the place of the origin's own."""
        both = {**floats({"z": "1", "dc": "a"}, 1), "histograms": [[START, HISTOGRAM]]}
        only = {"metric": {"q": '},"values":[]},{"metric":'}, "histograms": [[START, HISTOGRAM]]}
        found = self.relabelled(matrix([both, floats({}, 2), only, floats({"é": "]},"}, 3)]), dc="é")
        self.assertEqual(found, matrix([
            {**both, "metric": {"dc": "é", "z": "1"}}, floats({"dc": "é"}, 2),
            {**only, "metric": {**only["metric"], "dc": "é"}},
            floats({"dc": "é", "é": "]},"}, 3)]))

    def test_rows(self) -> None:
        """Rows stay as they are, octet for octet."""
        octets = compact(matrix([floats({"a": "b"}, 1, 2), floats({}, 1, 5)]))
        self.assertEqual(relabelled_samples(octets, relabeller({"z": "y"})), octets.replace(
            b'"a":"b"', b'"a":"b","z":"y"').replace(b"{},", b'{"z":"y"},'))

    def test_nothing(self) -> None:
        """An answer without series stays as it is."""
        self.assertEqual(self.relabelled(matrix([]), a="b"), matrix([]))

    def test_samples(self) -> None:
        """Labels are set on the samples of instant responses, all else of which stays."""
        answer = {"status": "success", "data": {"resultType": "vector", "result": [
            {"metric": {"a": "b"}, "value": [START, "1"]}], "stats": {"x": 1.50}},
            "warnings": ["hm"]}
        found = json.loads(relabelled_samples(compact(answer), relabeller({"dc": "x"})))
        answer["data"]["result"][0]["metric"] = {"a": "b", "dc": "x"}  # type: ignore[index]
        self.assertEqual(found, answer)

    def test_no_samples(self) -> None:
        """A response without samples stays as it is."""
        for octets in (b"", b"[]", b"{", b'{"data":1}', b'{"data":{"resultType":"scalar"}}',
                       b'{"data":{"resultType":"vector","result":[{}]}}',
                       b'{"data":{"resultType":"vector","result":[{"metric":[]}]}}',
                       b'{"data":{"resultType":"vector"}}', b'{"data":' + b"[" * 9999):
            self.assertEqual(relabelled_samples(octets, relabeller({"a": "b"})), octets)
            self.assertEqual(relabelled_exemplars(octets, relabeller({"a": "b"})), octets)
            self.assertEqual(relabelled_series(octets, relabeller({"a": "b"})), octets)
            self.assertEqual(with_names(octets, ["a"]), octets)
            self.assertEqual(value_if_any(octets, "a"), octets)

    def test_exemplars(self) -> None:
        """Labels are set on the series of exemplars, and not on the exemplars' own labels."""
        one = {"seriesLabels": {"a": "b"}, "exemplars": [{"labels": {"t": "1"}, "value": "1"}]}
        found = relabelled_exemplars(compact({"data": [one]}), relabeller({"dc": "x"}))
        self.assertEqual(json.loads(found), {"data": [
            {**one, "seriesLabels": {"a": "b", "dc": "x"}}]})

    def test_series(self) -> None:
        """Labels are set on listed series."""
        found = relabelled_series(compact({"data": [{"a": "b"}, {}]}), relabeller({"dc": "x"}))
        self.assertEqual(json.loads(found), {"data": [{"a": "b", "dc": "x"}, {"dc": "x"}]})

    def test_names(self) -> None:
        """Added names are listed among the origin's, in order, and as many as the limit allows."""
        for known, most, names in (["b", "z"], 0, ["b", "dc", "z"]), (["b", "z"], 2, ["b", "dc"]), (
                ["dc"], 0, ["dc"]), ([], 0, []):
            found = with_names(compact({"data": known}), ["dc"], most)
            self.assertEqual(json.loads(found), {"data": names})

    def test_value(self) -> None:
        """An added label has its value where there is any series."""
        for known, values in (["__name__"], ["x"]), ([], []):
            found = value_if_any(compact({"status": "success", "data": known}), "x")
            self.assertEqual(json.loads(found), {"status": "success", "data": values})

class WhyUnkeptTests(SynchronousTestCase):
    """Responses of the API with status 200 that must not be stored."""

    def test_reasons(self) -> None:
        """Broken, erroneous, partial and warned responses have different reasons."""
        for octets, reason in (
                (b'{"status":"success","data":[]}', None),
                (b'{"status":"success","isPartial":false,"warnings":[],"data":{}}', None),
                (b'{"topN":"5"}', None),
                (b'{"status":"success","data":[],"warnings":["w"]}', Reason.ORIGIN_WARNINGS),
                (b'{"status":"success","data":[],"infos":["i"]}', None),
                (b'{"status":"success","isPartial":true,"data":[]}', Reason.ORIGIN_PARTIAL),
                (b'{"status":"error","error":"x"}', Reason.ORIGIN_STATUS),
                (b'{"status":"success","data":[', Reason.UNDECODABLE),
                (b"<html>", Reason.UNDECODABLE), (b"[]", Reason.UNDECODABLE),
                (b"", Reason.UNDECODABLE), (b"[" * 100_000, Reason.UNDECODABLE)):
            self.assertEqual(why_unkept(octets), reason, octets[:60])
