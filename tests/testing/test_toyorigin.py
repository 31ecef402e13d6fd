"""Another origin type passes the contract, and is cached by range, with what is public alone."""

from __future__ import annotations

import ast
from pathlib import Path
from urllib.parse import urlencode

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import Rig
from tests.testing import toyorigin
from tests.testing.toyorigin import CSV, SECOND_NS, TSV, Lines, toy
from trickster.messages import Octets, Request, Response, Status
from trickster.testing.dialects import Example, dialect_contract, rows_of
from trickster.testing.doubles import RecordingResponder, at_once

START = 1_700_000_040
STABLE = ("errors", "interfaces", "messages", "routes", "units", "testing", "stores.limits",
          "timeseries.dataset", "timeseries.extents", "timeseries.query")


def get(path: str = "/rows.tsv", start: int = 0, end: int = 300, **more: str) -> Request:
    """:return: a range query; times in seconds relative to L{START}."""
    params = {"metric": "cpu", "from": str(START + start), "to": str(START + end), "every": "60"}
    return Request(b"GET", f"{path}?{urlencode({**params, **more})}".encode())


def answer(request: Request) -> Response:
    """:return: what the origin answers: two series, of which one has holes."""
    said, is_csv = request.params, request.path.endswith(b"csv")
    start, end, step = (int(said.get(name) or "") for name in ("from", "to", "every"))
    octets = b""
    for name, gap in ((b"a", 1), (b"b", 3)):
        rows = [b"%d.5,%d" % (t % 7, t) if is_csv else b"%d\t%d.5" % (t, t % 7)
                for t in range(start, end + 1, step) if t // 60 % gap == 0]
        octets += b"# host %b\n%b\n" % (name, b"\n".join(rows)) if rows else b""
    return Response(200, body=Octets(octets + b"# end\n"))


def octets(response: Response) -> bytes:
    """:return: the octets of a body."""
    body = response.body
    assert isinstance(body, Octets)
    return body.octets


def example(path: str) -> Example:
    """:return: an example for one of the dialects."""
    request, column = get(path), b"1700000040,1.5" if path.endswith("v.csv") else b"1\t2\t3"
    whole = octets(answer(request))
    return Example(
        request, whole, (START + 3600) * SECOND_NS,
        refused=(get(path, every="0"), get(path, every="x"), get(path, more="1"),
                 get(path, end=-60)),
        undecodable=(whole + b"x", whole + whole, b"# a\n" + column + b"\n# end\n",
                     b"# a\nx\ty\n# end\n", whole.replace(b"host b", b"host a")))


class TsvTests(dialect_contract(toy, example("/rows.tsv")), SynchronousTestCase):  # type: ignore[misc]
    """Timestamps first."""


class CsvTests(dialect_contract(toy, example("/rows.csv")), SynchronousTestCase):  # type: ignore[misc]
    """Values first."""


class FormTests(SynchronousTestCase):
    """Rows are read in the canonical form and in others."""

    @given(st.sampled_from([b".0", b""]), st.sampled_from([b"\r\n", b"\n"]), st.booleans())
    def test_as_fast(self, fraction: bytes, line_end: bytes, is_csv: bool) -> None:
        """Rows in another form are taken apart to an equal dataset, and keep their octets."""
        dialect = Lines(CSV if is_csv else TSV, b"")
        query = dialect.decode_request(get(), 0)
        rows = [(t, b"%d" % (START + t)) for t in (0, 60, 120)]
        spelled = [b"1,%b%b" % (text, fraction) if is_csv else b"%b%b\t1" % (text, fraction)
                   for _, text in rows]
        body = b"# a\n%b\n# end\n" % line_end.join(spelled)
        dataset = dialect.decode_response(query, Response(200, body=Octets(body)))
        self.assertEqual(rows_of(dataset), {
            b"a": [((START + t) * SECOND_NS, row) for (t, _), row in zip(rows, spelled, strict=True)]})
        again = dialect.encode_response(query, dataset)
        self.assertEqual(octets(again), body.replace(b"\r\n", b"\n"))


class CachedTests(SynchronousTestCase):
    """Both dialects behind the delta cache."""

    @given(st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 30)), min_size=1, max_size=6),
           st.sampled_from(["/rows.tsv", "/rows.csv"]))
    def test_as_the_origin(self, windows: list[tuple[int, int]], path: str) -> None:
        """Any range is answered as the origin would, and no instant is asked for twice."""
        origin = RecordingResponder([answer])
        (dialect,) = (r.dialect for r in toy.routes(toyorigin.Options()) if r.path == path)
        rig = Rig(dialect=dialect, origin=origin)
        rig.now.advance(7200)
        for start, length in windows:
            request = get(path, start * 60, (start + length) * 60)
            response = rig.send(request)
            self.assertEqual(at_once(response).octets, octets(answer(request)))
        self.assertEqual(at_once(rig.send(evolve(request))).status, Status.HIT)
        asked = [t for sent in origin.requests for t in range(
            int(sent.params.get("from") or ""), int(sent.params.get("to") or "") + 1, 60)]
        self.assertEqual(len(asked), len(set(asked)))


class PublicTests(SynchronousTestCase):
    """What a plugin is made of."""

    def test_stable_names(self) -> None:
        """The toy, and every example, import of Trickster what is stable and nothing else."""
        root = Path(toyorigin.__file__).parents[2]
        sources = [Path(toyorigin.__file__), *(root / "examples").rglob("*.py")]
        self.assertGreater(len(sources), 2)
        for source in sources:
            for node in ast.walk(ast.parse(source.read_text())):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [
                    each.name for each in getattr(node, "names", ())
                    if isinstance(node, ast.Import)]
                for name in names:
                    package, _, module = (name or "").partition(".")
                    if package == "trickster":
                        self.assertTrue(module.startswith(STABLE), f"{source}: {name}")

    def test_short(self) -> None:
        """The examples of the guide are of fewer lines than a reader gives up at."""
        root = Path(toyorigin.__file__).parents[2]
        for name, most in (("origin_plugin/trickster_graphite", 160),
                           ("store_plugin/trickster_sqlite", 180),
                           ("middleware_plugin/trickster_request_id", 60)):
            text = (root / f"examples/{name}.py").read_text()
            self.assertLess(len(text.splitlines()), most, name)
