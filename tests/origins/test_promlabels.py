"""Tests of C{trickster.origins.promlabels}; end to end they are held against a real Prometheus."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import BadRequest
from trickster.messages import Headers, Params, Request
from trickster.origins.promlabels import Labelling, labelled_text
from trickster.routes import Translation

LABELLING = Labelling({"dc": "x", "zone_a": "y"})


def asked(name: str, *pairs: tuple[str, str], path: bytes = b"/api/v1/q",
          accept: bytes = b"*/*") -> Translation:
    """:return: how a question is put to the origin."""
    request = Request(b"GET", path, Headers(((b"Accept", accept),)))
    found: Translation = getattr(LABELLING, name)(request, Params(pairs))
    return found


def answered(translation: Translation, data: Any) -> Any:
    """:return: the data of an answer, in the client's words."""
    assert translation.answer is not None
    octets = json.dumps({"status": "success", "data": data}).encode()
    return json.loads(translation.answer(octets))["data"]


def vector(*metrics: dict[str, str]) -> dict[str, Any]:
    return {"resultType": "vector", "result": [{"metric": m, "value": [1, "2"]} for m in metrics]}


class QuestionTests(SynchronousTestCase):
    """Queries are translated for the origin."""

    def test_expressions(self) -> None:
        """The expression of a query is translated, and no other parameter is."""
        for name in ("samples", "exemplars"):
            self.assertEqual(
                asked(name, ("query", 'a{dc="x"}'), ("time", 'a{dc="x"}')).params.pairs,
                (("query", "a{}"), ("time", 'a{dc="x"}')))

    def test_selectors(self) -> None:
        """Each selector of a request is translated."""
        for name in ("series", "names", "values", "federated"):
            self.assertEqual(
                asked(name, ("match[]", 'a{dc="x"}'), ("match[]", "b"), ("match", 'a{dc="x"}')
                      ).params.pairs,
                (("match[]", "a{}"), ("match[]", "b"), ("match", 'a{dc="x"}')))

    def test_values_of_ours(self) -> None:
        """The values of an added label are asked of the origin as the names of labels."""
        for path in (b"/p/api/v1/label/dc/values", b"/p/api/v1/label/%64c/values",
                     b"/p/api/v1/label/U__dc/values"):
            found = asked("values", ("match[]", "a"), ("limit", "1"), path=path)
            self.assertEqual((found.path, found.params.pairs), (
                b"/p/api/v1/labels", (("match[]", "a"),)))
            self.assertEqual(answered(found, ["__name__", "q"]), ["x"])
            self.assertEqual(answered(found, []), [])
        found = asked("values", path=b"/api/v1/label/U__zone__a/values")
        self.assertEqual(answered(found, ["q"]), ["y"])
        for path in (b"/api/v1/label/dcx/values", b"/api/v1/label/dc", b"/api/v1/label/a/dc/values"):
            found = asked("values", path=path)
            self.assertEqual((found.path, found.answer), (path, None))

    def test_text(self) -> None:
        """Federation is asked for as text, which labels can be put into."""
        for accept, wanted in (
                (b"*/*", b"text/plain"), (b"", b"text/plain"),
                (b"application/vnd.google.protobuf;proto=x;encoding=text, text/plain;version=1;q=0.5",
                 b"text/plain;version=1;q=0.5"),
                (b"application/openmetrics-text;version=1.0.0,*/*;q=0.1",
                 b"application/openmetrics-text;version=1.0.0")):
            self.assertEqual(asked("federated", accept=accept).accept, wanted)


class AnswerTests(SynchronousTestCase):
    """Responses are translated for the client."""

    def test_samples(self) -> None:
        """Every series has the added labels, after any operations."""
        ours = {"dc": "x", "zone_a": "y"}
        for query in ("a", "sum(a)", "vector(1)", "nosuch(a)", "a or vector(0)"):
            found = answered(asked("samples", ("query", query)), vector({"a": "b"}, {}))
            self.assertEqual(found, vector({"a": "b", **ours}, ours), query)

    def test_never_the_same(self) -> None:
        """Series that would become equal by the added labels keep the labels they have."""
        query = ("query", "sum(a) or sum by (dc) (a)")
        found = answered(asked("samples", query), vector({}, {"dc": "x"}))
        self.assertEqual(found, vector({}, {"dc": "x"}))

    def test_exemplars(self) -> None:
        """The series of exemplars have the added labels."""
        found = answered(asked("exemplars", ("query", "a")), [{"seriesLabels": {}, "exemplars": []}])
        self.assertEqual(found[0]["seriesLabels"], {"dc": "x", "zone_a": "y"})

    def test_lookups(self) -> None:
        """Series have the added labels, which are among the names where there is a series."""
        self.assertEqual(answered(asked("series"), [{"a": "b"}]),
                         [{"a": "b", "dc": "x", "zone_a": "y"}])
        self.assertEqual(answered(asked("names"), ["z"]), ["dc", "z", "zone_a"])
        self.assertEqual(answered(asked("names", ("limit", "2")), ["z"]), ["dc", "z"])
        self.assertEqual(answered(asked("names", ("limit", "x")), ["z"]), ["dc", "z", "zone_a"])
        self.assertEqual(answered(asked("names"), []), [])


class RefusedTests(SynchronousTestCase):
    """Queries that cannot be translated."""

    def test_inexpressible(self) -> None:
        """A query that is inexpressible without the added labels is refused."""
        with self.assertRaises(BadRequest) as caught:
            asked("samples", ("query", 'absent((a{dc="x"}))'))
        self.assertEqual(caught.exception.status, 422)

    def test_not_understood(self) -> None:
        """A query that is not understood is sent as it is; success with our labels is refused."""
        for name, pair in (("samples", ("query", "nosuch(a, dc)")), ("series", ("match[]", "f(dc)")),
                           ("values", ("match[]", 'a{dc=~"("}'))):
            found = asked(name, pair)
            self.assertEqual(found.params.pairs, (pair,))
            assert found.answer is not None
            self.assertRaises(BadRequest, found.answer, b"{}")
        self.assertIsNone(asked("values", ("match[]", "f(q)")).answer)


class TextTests(SynchronousTestCase):
    """Added labels in the text format."""

    def test_samples(self) -> None:
        """Added labels are set on every sample of the text, and on no other line."""
        given_, wanted = (text.encode() for text in (
            ('# TYPE a untyped\n# HELP a x{y} 1\na 1 5\na{} 2\na{b="c"} 3\na{b="}\\"{ ",} 4\n'
            '{"a.b",c="d"} 5\na:b{dc="old",e="f"} 6\na{e="dc=",dc="old"} 7\n\n# EOF\n'),
            ('# TYPE a untyped\n# HELP a x{y} 1\na{dc="z\\"\\\\"} 1 5\na{dc="z\\"\\\\"} 2\n'
            'a{b="c",dc="z\\"\\\\"} 3\na{b="}\\"{ ",dc="z\\"\\\\"} 4\n{"a.b",c="d",dc="z\\"\\\\"} 5\n'
            'a:b{e="f",dc="z\\"\\\\"} 6\na{e="dc=",dc="z\\"\\\\"} 7\n\n# EOF\n')))
        self.assertEqual(labelled_text(given_, {"dc": 'z"\\'}), wanted)

    @given(st.text('a{}",\\= \n#1', max_size=30))
    def test_anything(self, text: str) -> None:
        """Any text is labelled in bounded time, to as many lines as it had."""
        found = labelled_text(text.encode(), {"dc": "x"})
        self.assertEqual(found.count(b"\n"), text.count("\n"))
