"""Tests of how the demo origin reads and writes times, numbers and answers."""

from __future__ import annotations

import json
from math import inf, isnan, nan

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from demo.evaluation import Row
from demo.spelling import (
    failure,
    matrix,
    read_step,
    read_time,
    scalar,
    success,
    vector,
    write_time,
    write_value,
)
from tests.demo.doubles import finished


class ReadingTests(SynchronousTestCase):
    """Reading times and steps."""

    def test_seconds(self) -> None:
        """A time may be a number of seconds, whole or not."""
        self.assertEqual(read_time("1700000000"), 1_700_000_000_000)
        self.assertEqual(read_time("1700000000.1234"), 1_700_000_000_123)
        self.assertEqual(read_time("1.7e9"), 1_700_000_000_000)

    def test_rfc3339(self) -> None:
        """A time may be a date with a zone and an optional fraction."""
        self.assertEqual(read_time("2023-11-14T22:13:20Z"), 1_700_000_000_000)
        self.assertEqual(read_time("2023-11-14T23:13:20.5+01:00"), 1_700_000_000_500)

    def test_no_times(self) -> None:
        """A text that is neither a number nor a date is refused as a time."""
        for text in ("", "now", "NaN", "Inf", "1_0", " 1", "2023-11-14T22:13:20",
                     "2023-13-14T22:13:20Z", "1e30"):
            self.assertRaises(ValueError, read_time, text)

    def test_steps(self) -> None:
        """A step is a number of seconds or a duration."""
        self.assertEqual([read_step(text) for text in ("15", "0.5", "1m30s", "-3")],
                         [15_000, 500, 90_000, -3000])

    def test_no_steps(self) -> None:
        """A text that is neither a number nor a duration is refused as a step."""
        for text in ("", "x", "5x", "NaN"):
            self.assertRaises(ValueError, read_step, text)


class WritingTests(SynchronousTestCase):
    """Writing times and values."""

    def test_times(self) -> None:
        """A time in whole seconds has no fraction, and any other has three decimals."""
        self.assertEqual([write_time(ms) for ms in (5000, 5001, 5100, 0, -1500)],
                         ["5", "5.001", "5.100", "0", "-1.500"])

    def test_values(self) -> None:
        """Values are spelled as Go's encoder spells them."""
        for value, text in ((5.0, "5"), (-0.0, "-0"), (0.1, "0.1"), (1e-5, "0.00001"),
                            (-1.25e-6, "-0.00000125"), (1e-7, "1e-07"), (1e16, "1" + "0" * 16),
                            (1.2345678901234566e+17, "123456789012345660"), (1e21, "1e+21"),
                            (inf, "+Inf"), (-inf, "-Inf"), (nan, "NaN")):
            self.assertEqual(write_value(value), text)

    @settings(max_examples=200)
    @given(st.floats())
    def test_values_read_back(self, value: float) -> None:
        """A value that was written is read back as the same number."""
        text = write_value(value)
        self.assertTrue(float(text) == value or isnan(value) and text == "NaN")

    @settings(max_examples=100)
    @given(st.integers(-10 ** 14, 10 ** 14))
    def test_times_read_back(self, ms: int) -> None:
        """A time that was written is read back as the same instant."""
        self.assertEqual(read_time(write_time(ms)), ms)


ROWS = [Row((("a", "1"),), [1.5, None]), Row((("a", 'é"\\'),), [None, None]),
        Row((), [None, nan])]


class EnvelopeTests(SynchronousTestCase):
    """Writing results and their envelope."""

    def test_matrix(self) -> None:
        """A matrix leaves out series without samples, and instants without a value."""
        self.assertEqual(
            finished(matrix(ROWS, range(1000, 2501, 1500))),
            '{"resultType":"matrix","result":[{"metric":{"a":"1"},"values":[[1,"1.5"]]},'
            '{"metric":{},"values":[[2.500,"NaN"]]}]}')

    def test_vector(self) -> None:
        """Each series of a vector has one sample, and a series without one is left out."""
        self.assertEqual(
            vector(ROWS, 1000),
            '{"resultType":"vector","result":[{"metric":{"a":"1"},"value":[1,"1.5"]}]}')

    def test_scalar(self) -> None:
        """A scalar has a time and no labels."""
        self.assertEqual(scalar(2.0, 1500), '{"resultType":"scalar","result":[1.500,"2"]}')

    def test_labels_are_json(self) -> None:
        """Labels may have any character, which JSON escapes."""
        (one,) = json.loads(vector([Row((("a", 'é"\\'),), [1.0])], 0))["result"]
        self.assertEqual(one["metric"], {"a": 'é"\\'})

    def test_success(self) -> None:
        """A success has its data in an envelope without white space."""
        self.assertEqual(success("[]"), b'{"status":"success","data":[]}')

    def test_failure(self) -> None:
        """A failure has an error type and a message."""
        self.assertEqual(failure("bad_data", 'a "b"'),
                         b'{"status":"error","errorType":"bad_data","error":"a \\"b\\""}')
