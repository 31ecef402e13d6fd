"""Tests of C{trickster.origins.promrange}."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import Pieces
from trickster.errors import NotATimeRange, Reason, Undecodable
from trickster.messages import Headers, Octets, Params, Request, Response
from trickster.origins.promrange import MOST_POINTS, PrometheusRange
from trickster.timeseries.extents import Extent
from trickster.timeseries.query import TimeRangeQuery

SECOND = 1_000_000_000
NOW = 1_700_100_000 * SECOND
PATH = b"/api/v1/query_range"
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
PARAMS = {"query": "up", "start": "1700000000", "end": "1700003600", "step": "60"}


def get(query: str | dict[str, str] | list[tuple[str, str]], **headers: str) -> Request:
    text = query if isinstance(query, str) else urlencode(query)
    fields = tuple((k.encode(), v.encode()) for k, v in headers.items())
    return Request(b"GET", PATH + b"?" + text.encode(), Headers(fields))


def post(form: dict[str, str] | bytes, query: dict[str, str] | None = None,
         headers: tuple[tuple[bytes, bytes], ...] = (FORM,)) -> Request:
    octets = form if isinstance(form, bytes) else urlencode(form).encode()
    target = PATH + (b"?" + urlencode(query).encode() if query else b"")
    return Request(b"POST", target, Headers(headers), Octets(octets))


def decoded(request: Request, now_ns: int = NOW) -> TimeRangeQuery:
    return PrometheusRange().decode_request(request, now_ns)


def key(request: Request) -> str:
    return decoded(request).key


class DecodeRequestTests(SynchronousTestCase):
    """A range query is decoded from its request."""

    def test_extent(self) -> None:
        """Start and end are the extent, to the millisecond, and step is the step."""
        query = decoded(get({**PARAMS, "start": "1700000000.25", "end": "2023-11-14T23:13:20Z",
                             "step": "1m30s"}))
        self.assertEqual((query.extent, query.step_ns),
                         (Extent(1_700_000_000_250_000_000, 1_700_003_600 * SECOND), 90 * SECOND))
        self.assertEqual((query.lead_ns, query.tolerance_ns, query.wants_newest), (0, None, True))

    def test_post(self) -> None:
        """A form says the same as a query string, in part or in whole."""
        expected = decoded(get(PARAMS))
        some, others = dict(list(PARAMS.items())[:2]), dict(list(PARAMS.items())[2:])
        for request in (post(PARAMS), post(some, others), post(b"", PARAMS, ()),
                        post(PARAMS, None, ((FORM[0], FORM[1] + b"; charset=UTF-8"),))):
            query = decoded(request)
            self.assertEqual((query.key, query.extent, query.step_ns),
                             (expected.key, expected.extent, expected.step_ns))

    def test_point(self) -> None:
        """A range of a single instant is decoded."""
        self.assertEqual(decoded(get({**PARAMS, "end": PARAMS["start"]})).extent,
                         Extent(1_700_000_000 * SECOND, 1_700_000_000 * SECOND))

    def test_ahead(self) -> None:
        """Samples that look ahead are final later, and a query for them has no newest one."""
        query = decoded(get({**PARAMS, "query": "up offset -1h"}))
        self.assertEqual((query.lead_ns, query.wants_newest), (3600 * SECOND, False))

    def test_fixed(self) -> None:
        """Samples fixed at a future instant are never final; samples of a past one are."""
        past, future = ({**PARAMS, "query": f"up @ {t}"} for t in (1_700_099_999, 1_700_100_001))
        self.assertLess(decoded(get(past)).fixed_ns, NOW)
        self.assertGreater(decoded(get(future)).fixed_ns, NOW)
        self.assertIsNone(decoded(get(PARAMS)).fixed_ns)

    def test_directives(self) -> None:
        """Directives in comments of the expression are decoded."""
        query = decoded(get({**PARAMS, "query": "up # trickster-fast-forward:off"
                                               " trickster-backfill-tolerance:30"}))
        self.assertEqual((query.wants_newest, query.tolerance_ns), (False, 30 * SECOND))

    def test_other_path(self) -> None:
        """Where the path of instant queries is unknown, there is no newest sample."""
        request = Request(b"GET", b"/custom?" + urlencode(PARAMS).encode())
        self.assertFalse(decoded(request).wants_newest)

    def test_most_points(self) -> None:
        """A range of as many points as Prometheus takes is decoded."""
        end = str(1_700_000_000 + MOST_POINTS)
        self.assertEqual(decoded(get({**PARAMS, "step": "1", "end": end})).step_ns, SECOND)


class KeyTests(SynchronousTestCase):
    """Which range queries share a key."""

    def test_same(self) -> None:
        """Spelling, order, method and what cannot change an answer make no difference."""
        expected = key(get(PARAMS))
        for request in (
                get({**PARAMS, "step": "1m"}), get({**PARAMS, "step": "60s"}),
                get({**PARAMS, "step": "6e1"}), get(list(PARAMS.items())[::-1]),
                get({**PARAMS, "_": "12345"}), get({**PARAMS, "start": "1700000060"}),
                get({**PARAMS, "end": "2023-11-15T00:00:00Z"}), post(PARAMS),
                get(urlencode(PARAMS).replace("up", "%75%70")), get(urlencode(PARAMS) + "&&"),
                get([*PARAMS.items(), ("query", "up")])):
            with self.subTest(request=request):
                self.assertEqual(key(request), expected)

    def test_different(self) -> None:
        """Every parameter that can change an answer changes the key, and so does repeating one."""
        requests = [
            get(PARAMS), get({**PARAMS, "query": "up "}), get({**PARAMS, "step": "61"}),
            *(get({**PARAMS, name: value}) for name, value in (
                ("limit", "5"), ("limit", "6"), ("timeout", "5s"), ("lookback_delta", "1m"),
                ("dedup", "true"), ("dedup", "false"), ("partial_response", "true"),
                ("max_source_resolution", "5m"), ("engine", "thanos"), ("nocache", "1"),
                ("stats", ""), ("x", ""), ("", "x"), ("time", "5"), ("Query", "up"))),
            get([*PARAMS.items(), ("match[]", "a"), ("match[]", "b")]),
            get([*PARAMS.items(), ("match[]", "b"), ("match[]", "a")]),
            Request(b"GET", b"/other/api/v1/query_range?" + urlencode(PARAMS).encode())]
        keys = [key(request) for request in requests]
        self.assertEqual(len(set(keys)), len(keys))

    @given(st.lists(st.tuples(st.text("ab1:", max_size=3), st.text("ab1:", max_size=3)),
                    max_size=3),
           st.lists(st.tuples(st.text("ab1:", max_size=3), st.text("ab1:", max_size=3)),
                    max_size=3))
    def test_unambiguous(self, one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
        """Two lists of parameters share a key when each name has the same values in order."""
        def meaning(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
            return {name: [v for n, v in pairs if n == name] for name, _ in pairs}

        self.assertEqual(
            key(get([*PARAMS.items(), *one])) == key(get([*other, *PARAMS.items()])),
            meaning(one) == meaning(other))


class RefusedTests(SynchronousTestCase):
    """Requests that the delta cache passes through."""

    def assert_refused(self, reason: Reason, *requests: Request) -> None:
        for request in requests:
            with self.subTest(request=request):
                with self.assertRaises(NotATimeRange) as caught:
                    decoded(request)
                self.assertIs(caught.exception.reason, reason)
                self.assertEqual(caught.exception.fallback, "proxy")

    def test_missing(self) -> None:
        """A request that lacks one of the four parameters, or has an empty one, is refused."""
        for name in PARAMS:
            self.assert_refused(Reason.MISSING_PARAMETER, get({**PARAMS, name: ""}), get(
                {k: v for k, v in PARAMS.items() if k != name}))
        self.assert_refused(Reason.MISSING_PARAMETER, Request(b"GET", PATH), post(b""))

    def test_unparsable(self) -> None:
        """Malformed times, steps and escapes that servers read in different ways are refused."""
        self.assert_refused(
            Reason.UNPARSABLE_PARAMETER, get({**PARAMS, "start": "now"}), get({**PARAMS, "end": "-1"}),
            get({**PARAMS, "step": "x"}), get({**PARAMS, "step": "0"}), get({**PARAMS, "step": "-60"}),
            get({**PARAMS, "start": "NaN"}), get({**PARAMS, "end": "9" * 5000}),
            get({**PARAMS, "start": "1700000000\n"}),
            get({**PARAMS, "start": "0001-01-01T00:00:00+01:00"}),
            get(urlencode(PARAMS) + "&x=%"), get(urlencode(PARAMS) + "&%zz=1"),
            get(urlencode(PARAMS) + ";x=1"), post(b"a;b", PARAMS), post(b"%", PARAMS))

    def test_several(self) -> None:
        """A request that has a parameter twice with different values is refused."""
        for name in PARAMS:
            self.assert_refused(Reason.UNPARSABLE_PARAMETER, get([*PARAMS.items(), (name, "1")]))
        self.assert_refused(Reason.UNPARSABLE_PARAMETER, post(PARAMS, {"query": "down"}))

    def test_bodies(self) -> None:
        """A body that is no plain form is refused."""
        self.assert_refused(
            Reason.UNPARSABLE_BODY, post(b"{}", PARAMS, ((b"Content-Type", b"application/json"),)),
            post(PARAMS, None, ()), post(PARAMS, None, (FORM, (b"Content-Encoding", b"gzip"))),
            post(PARAMS, None, ((b"Content-Type", b"multipart/form-data; boundary=x"),)))

    def test_ranges(self) -> None:
        """A range that Prometheus refuses is refused."""
        self.assert_refused(Reason.INVERTED_RANGE, get({**PARAMS, "end": "1699999999.999"}))
        self.assert_refused(Reason.TOO_MANY_POINTS, get(
            {**PARAMS, "step": "1", "end": str(1_700_000_001 + MOST_POINTS)}))

    def test_steps(self) -> None:
        """A step that is not a whole number of milliseconds is refused."""
        self.assert_refused(Reason.STEP_TOO_FINE, get({**PARAMS, "step": "0.0005"}),
                            get({**PARAMS, "step": "60.0001"}))

    def test_others(self) -> None:
        """Statistics, other methods, other formats and other expressions are refused."""
        self.assert_refused(Reason.STATS_ASKED, get({**PARAMS, "stats": "all"}))
        self.assert_refused(Reason.METHOD, evolve(get(PARAMS), method=b"HEAD"),
                            evolve(get(PARAMS), method=b"PUT"))
        self.assert_refused(Reason.NOT_A_TIME_RANGE,
                            get(PARAMS, accept="application/vnd.mimir.queryresponse+protobuf"))
        self.assert_refused(Reason.UNPARSABLE_QUERY, get({**PARAMS, "query": "up{"}))
        self.assert_refused(Reason.RANGE_DEPENDENT, get({**PARAMS, "query": "up @ end()"}))
        self.assert_refused(Reason.UNKNOWN_FUNCTION, get({**PARAMS, "query": "running_sum(up)"}))

    def test_accepted_formats(self) -> None:
        """A client that takes JSON gets it."""
        for accept in ("*/*", "application/json", "application/*;q=0.5", "text/html, */*;q=0.1"):
            decoded(get(PARAMS, accept=accept))

    def test_limits(self) -> None:
        """The limit on series is known where the request has it in plain digits."""
        for limit, most in (("5", 5), ("0", 0), ("", 0), ("x", 0), ("-1", 0), ("9" * 50, 0)):
            self.assertEqual(decoded(get({**PARAMS, "limit": limit})).most_series, most)
        self.assertEqual(decoded(get(PARAMS)).most_series, 0)

    def test_long(self) -> None:
        """A request as long as can be is refused in no time, or answered."""
        self.assert_refused(Reason.UNPARSABLE_PARAMETER, get({**PARAMS, "step": "1" * 60_000}),
                            get({**PARAMS, "start": "1" * 60_000 + "x"}))
        long = " or ".join(f'x{{a="{i}"}}' for i in range(4000))
        self.assertIn(long, key(post({**PARAMS, "query": long})))


class EncodeRequestTests(SynchronousTestCase):
    """A request for another extent is encoded."""

    @given(st.integers(0, 4 * 10**12), st.integers(0, 10**4), st.integers(1, 10**8),
           st.sampled_from([get, post]))
    def test_there_and_back(self, start_ms: int, points: int, step_ms: int, how: object) -> None:
        """A request that is encoded for any extent and step is decoded to the same."""
        request = get(PARAMS) if how is get else post(PARAMS)
        start = start_ms * 1_000_000
        query = evolve(decoded(request), step_ns=step_ms * 1_000_000,
                       extent=Extent(start, start + points * step_ms * 1_000_000))
        encoded = PrometheusRange().encode_request(query)
        again = decoded(encoded)
        self.assertEqual((again.extent, again.step_ns), (query.extent, query.step_ns))
        self.assertEqual(encoded.method, request.method)

    def test_same_otherwise(self) -> None:
        """All other parameters and fields of an encoded request are the client's."""
        for request in (get({**PARAMS, "limit": "5", "_": "1", "x": "a b+c&d=é"}, Accept="*/*"),
                        post({**PARAMS, "limit": "5"}, {"x": "y"}),
                        post(b"", {**PARAMS, "x": "y"}, ())):
            query = decoded(request)
            encoded = PrometheusRange().encode_request(query)
            again = decoded(encoded)
            self.assertEqual((again.key, again.extent, encoded.headers),
                             (query.key, query.extent, request.headers))

    def test_post_stays_readable(self) -> None:
        """A form is sent as a form; where there was none, parameters stay where they were."""
        encoded = PrometheusRange().encode_request(decoded(post(PARAMS, {"x": "y"})))
        assert isinstance(encoded.body, Octets)
        self.assertEqual((encoded.target, Params.parse(encoded.body.octets).get("x")), (PATH, "y"))
        encoded = PrometheusRange().encode_request(decoded(post(b"", PARAMS, ())))
        assert isinstance(encoded.body, Octets)
        self.assertEqual((encoded.body.octets, encoded.params.get("query")), (b"", "up"))

    def test_not_utf8(self) -> None:
        """Octets that are no text are sent on as they came."""
        query = decoded(get(urlencode(PARAMS) + "&x=%ff%80"))
        self.assertIn(b"x=%FF%80", PrometheusRange().encode_request(query).target)


class NewestTests(SynchronousTestCase):
    """The newest sample."""

    def test_request(self) -> None:
        """The newest sample's query is an instant query with all parameters but the range's."""
        for request in (get({**PARAMS, "limit": "5"}), post({**PARAMS, "limit": "5"})):
            encoded = PrometheusRange().encode_newest(
                decoded(request), 1_700_003_600_500_000_000)
            assert isinstance(encoded.body, Octets)
            params = Params.parse(encoded.body.octets or encoded.query)
            self.assertEqual((encoded.method, encoded.path, sorted(params.pairs)), (
                request.method, b"/api/v1/query",
                [("limit", "5"), ("query", "up"), ("time", "1700003600.500")]))

    def test_prefix(self) -> None:
        """A prefix of the path stays in the query for the newest sample."""
        request = Request(b"GET", b"/prom/api/v1/query_range?" + urlencode(PARAMS).encode())
        encoded = PrometheusRange().encode_newest(decoded(request), 0)
        self.assertEqual(encoded.path, b"/prom/api/v1/query")

    def test_response(self) -> None:
        """The response to the query for the newest sample is decoded to one row a series."""
        octets = (b'{"status":"success","data":{"resultType":"vector","result":'
                  b'[{"metric":{"a":"b"},"value":[1700000000,"1"]}]}}')
        found = PrometheusRange().decode_newest(decoded(get(PARAMS)), Response(
            200, body=Octets(octets)))
        self.assertEqual([list(found.rows(i)) for i in found.series],
                         [[(1_700_000_000 * SECOND, b'[1700000000,"1"]')]])


class ResponseTests(SynchronousTestCase):
    """Responses of range queries are decoded and encoded."""

    def answer(self, count: int = 1) -> bytes:
        series = [{"metric": {"i": f"{i:04}"}, "values": [[1_700_000_000 + 60 * t, "1.5"]
                                                          for t in range(61)]}
                  for i in range(count)]
        return json.dumps({"status": "success", "data": {
            "resultType": "matrix", "result": series}}, separators=(",", ":")).encode()

    def test_there_and_back(self) -> None:
        """An answer that was decoded is encoded as it was, small or large."""
        for count in (0, 1, 500):
            query, octets = decoded(get(PARAMS)), self.answer(count)
            dataset = PrometheusRange().decode_response(query, Response(200, body=Octets(octets)))
            found = PrometheusRange().encode_response(query, dataset)
            self.assertEqual(self.successResultOf(read(found)), octets)
            self.assertEqual((found.status, found.headers.get(b"content-type")),
                             (200, b"application/json"))

    def test_large_in_pieces(self) -> None:
        """A large answer is not put together at once."""
        query = decoded(get(PARAMS))
        for count, kind in ((1, Octets), (500, Pieces)):
            dataset = PrometheusRange().decode_response(
                query, Response(200, body=Octets(self.answer(count))))
            self.assertIsInstance(PrometheusRange().encode_response(query, dataset).body, kind)

    def test_undecodable(self) -> None:
        """An error in the place of a response is undecodable."""
        with self.assertRaises(Undecodable):
            PrometheusRange().decode_response(
                decoded(get(PARAMS)), Response(200, body=Octets(b'{"status":"error"}')))


async def _octets(response: Response) -> bytes:
    pieces = []
    while piece := await response.body.read():
        pieces.append(bytes(piece))
    return b"".join(pieces)


def read(response: Response) -> Deferred[bytes]:
    """:return: a Deferred of the octets of a whole body."""
    return Deferred.fromCoroutine(_octets(response))
