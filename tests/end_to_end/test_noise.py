"""Tests of L{noise}, without a server."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.noise import difference, near


def matrix(*values: str, name: str = "a") -> bytes:
    """:return: an answer with a value for each minute."""
    points = [[60 * n, value] for n, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {
        "resultType": "matrix", "result": [{"metric": {"n": name}, "values": points}]}}).encode()


class DifferenceTests(SynchronousTestCase):
    def test_equal(self) -> None:
        """An equal response is not requested again."""
        asked = [matrix("1", "NaN")]
        self.assertEqual(difference(matrix("1", "NaN"), asked.pop), "")

    def test_noise(self) -> None:
        """A difference is allowed as far as the server's own responses vary."""
        asked = [matrix("0.3", "7"), matrix("0.30000000000000004", "7")] * 3
        self.assertEqual(difference(matrix("0.30000000000000004", "7"), asked.pop, 3), "")
        asked = [matrix("0.3", "7"), matrix("0.30000000000000004", "7")] * 3
        self.assertEqual(difference(matrix("0.30000000000000010", "7"), asked.pop, 3), "")

    def test_no_noise(self) -> None:
        """A server that always responds equally allows no difference, down to the last digit."""
        asked = [matrix("0.3", "7")] * 5
        self.assertIn("0.30000000000000004 for 0.3",
                      difference(matrix("0.30000000000000004", "7"), asked.pop, 3))

    def test_wrong(self) -> None:
        """A wrong value, series, instant or kind of result is no noise."""
        for wrong in (matrix("0.3001", "7"), matrix("0.3", "8"), matrix("0.3"), matrix("NaN", "7"),
                      matrix("0.3", "7", name="b"), matrix("+Inf", "7"),
                      b'{"status":"error","errorType":"internal","error":""}'):
            asked = [matrix("0.3", "7"), matrix("0.30000000000000004", "7")] * 3
            self.assertTrue(difference(wrong, asked.pop, 3), wrong)


class NearTests(SynchronousTestCase):
    def test_near(self) -> None:
        """Values are near if they lie on both sides of a border of rounding."""
        self.assertTrue(near(matrix("0.99999999999", "NaN"), matrix("1.00000000001", "NaN"), 1e-10))
        self.assertTrue(near(matrix("-Inf", "0"), matrix("-Inf", "0"), 1e-10))

    def test_not(self) -> None:
        """Values that no rounding brings together, and other series, are not near."""
        for other in (matrix("1.1"), matrix("NaN"), matrix("-1"), matrix("1", "1"), matrix("+Inf"),
                      matrix("1", name="b")):
            self.assertFalse(near(matrix("1"), other, 1e-10))
