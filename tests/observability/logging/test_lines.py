"""Tests of C{trickster.observability.logging.lines}."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.observability.logging.lines import Fields, json_text, logfmt, timestamp

_PAIR = re.compile(r'([^= ]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)')


def _read_logfmt(line: str) -> Fields:
    """Read a line as any other program would."""
    found: Fields = []
    at = 0
    while at < len(line):
        match = _PAIR.match(line, at)
        assert match is not None, line[at:]
        value = match[2]
        found.append((match[1], json.loads(value) if value.startswith('"') else value))
        at = match.end()
    return found


_values = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["", '"', "\\", "a\nlevel=error", "\x1b[31m", "\u2028", "\x7f", " ", "a=b"])
_names = st.sampled_from(["event", "uri", "userAgent"])


class LogfmtTests(SynchronousTestCase):
    """Fields as logfmt."""

    def test_plain(self) -> None:
        """Plain words and numbers need no quotes."""
        self.assertEqual(logfmt([("a", "x/y"), ("b", 1), ("c", 0.5), ("d", True), ("e", None)]),
                         "a=x/y b=1 c=0.5 d=true e=")

    def test_quoted(self) -> None:
        """What could be misread is quoted."""
        self.assertEqual(logfmt([("a", "two words"), ("b", 'a"b'), ("c", "k=v"), ("d", "")]),
                         r'a="two words" b="a\"b" c="k=v" d=""')

    def test_injection(self) -> None:
        """No value can begin another line, or speak to a terminal."""
        line = logfmt([("ua", "x\r\nlevel=error\x1b[2J\x9b\x7f\u2028")])
        self.assertEqual(line, r'ua="x\r\nlevel=error\u001b[2J\u009b\u007f\u2028"')

    def test_odd_names(self) -> None:
        """A name is made harmless."""
        self.assertEqual(logfmt([("a b=\n", 1), ("", 2)]), "a_b__=1 _=2")

    def test_octets(self) -> None:
        """Octets are text, if they are; what is not UTF-8 is escaped."""
        self.assertEqual(logfmt([("a", b"x"), ("b", b"\xff")]), r'a=x b="\\xff"')

    def test_surrogates(self) -> None:
        """Lone surrogates do not break a reader."""
        self.assertEqual(json.loads(logfmt([("a", "\udcff")])[2:]), "\\udcff")

    @given(st.lists(st.tuples(_names, _values), max_size=5))
    @settings(max_examples=200)
    def test_read_again(self, fields: list[tuple[str, str]]) -> None:
        """What is written is read again as it was, from one line of ASCII."""
        line = logfmt(fields)
        self.assertTrue(line.isascii() and (line.isprintable() or not line))
        self.assertEqual(_read_logfmt(line), fields)


class JSONTests(SynchronousTestCase):
    """Fields as JSON."""

    def test_types(self) -> None:
        """Numbers stay numbers; what JSON has no word for is text."""
        line = json_text([("a", 1), ("b", 0.5), ("c", None), ("d", False), ("e", float("inf")),
                          ("f", b"x"), ("g", ("t",))])
        self.assertEqual(line, '{"a":1,"b":0.5,"c":null,"d":false,"e":"inf","f":"x",'
                               '"g":"(\'t\',)"}')

    @given(st.dictionaries(_names, _values))
    @settings(max_examples=100)
    def test_read_again(self, fields: dict[str, str]) -> None:
        """What is written is read again as it was, from one line of ASCII."""
        line = json_text(list(fields.items()))
        self.assertTrue(line.isascii() and line.isprintable())
        self.assertEqual(json.loads(line), fields)


class TimestampTests(SynchronousTestCase):
    """Instants."""

    def test_milliseconds(self) -> None:
        """An instant is UTC, to the millisecond."""
        self.assertEqual(timestamp(1_700_000_000.0), "2023-11-14T22:13:20.000Z")
        self.assertEqual(timestamp(1_700_000_000.9996), "2023-11-14T22:13:20.999Z")
        self.assertEqual(timestamp(-0.25), "1969-12-31T23:59:59.750Z")
