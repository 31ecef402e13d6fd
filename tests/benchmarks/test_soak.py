"""Tests of what a long run is judged by: L{bench.verdict} and L{bench.soak}."""

from __future__ import annotations

import random

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bench.soak import Answered, Client, Deaths, Mix, summary
from bench.verdict import Reading, Run, Tally, faults, last_bytes, settled_bytes

MIB = 1 << 20


def run_of(*sizes: int, files: tuple[int, int] = (20, 20)) -> Run:
    """:return: a run with so many MiB at equal distances, and nothing else wrong."""
    readings = [Reading(60.0 * n, size * MIB, 30, 100 * n) for n, size in enumerate(sizes)]
    return Run(Tally(1000, 100), readings, files)


class VerdictTests(SynchronousTestCase):
    def test_flat(self) -> None:
        """Memory that grows while the run settles, and then stays, is no fault."""
        run = run_of(40, 90, 120, 121, 122, 120, 121, 122, 121, 122, 122)
        self.assertEqual(settled_bytes(run.readings), 122 * MIB)
        self.assertEqual(last_bytes(run.readings), 122 * MIB)
        self.assertEqual(faults(run), [])

    def test_growth(self) -> None:
        """Memory that goes on growing is a fault, however evenly."""
        [fault] = faults(run_of(*range(100, 211, 10)))
        self.assertIn("memory grew from 140 MiB", fault)

    def test_peak(self) -> None:
        """A peak of memory that is given back is no fault."""
        self.assertEqual(faults(run_of(100, 100, 100, 100, 100, 300, 100, 100, 100, 300, 100)), [])

    def test_files(self) -> None:
        """Descriptors that are still open without clients are a fault."""
        self.assertEqual(faults(run_of(100, 100, 100, files=(20, 28))), [])
        [fault] = faults(run_of(100, 100, 100, files=(20, 29)))
        self.assertIn("from 20 to 29", fault)

    def test_answers(self) -> None:
        """One wrong or failed response is a fault, and so is a run in which none was compared."""
        run = run_of(100, 100, 100)
        for tally, words in ((Tally(9, 9, wrong=("a: b",)), "1 wrong answers, such as a: b"),
                             (Tally(9, 9, failed=("c", "d")), "2 failed requests, such as c"),
                             (Tally(9, 0), "no answer was compared")):
            [fault] = faults(evolve(run, tally=tally))
            self.assertIn(words, fault)
            self.assertIn(f"FAULT: {fault}", summary(evolve(run, tally=tally), [fault]))
        self.assertIn("as it should be", summary(run, []))


class MixTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """
        Requests of all kinds come, each with a target, and in the same order for the same seed.
        """
        asked = [mix.any() for mix in (Mix(10 ** 9, random.Random(1)),) for _ in range(300)]
        self.assertEqual({ask.kind for ask in asked}, {
            "range query", "form", "instant query", "object", "conditional", "part"})
        self.assertEqual({ask.method for ask in asked if ask.kind == "form"}, {"POST"})
        mix = Mix(10 ** 9, random.Random(1))
        self.assertEqual([mix.any() for _ in range(300)], asked)

    def test_conditional(self) -> None:
        """A file whose entity tag has been seen is requested on the condition of that tag."""
        mix = Mix(10 ** 9, random.Random(2))
        for _ in range(200):
            mix.tags[mix.object().target] = '"x"'
        self.assertIn('"x"', {mix.conditional().headers.get("If-None-Match") for _ in range(200)})


class ComparisonTests(SynchronousTestCase):
    def test_difference(self) -> None:
        """Status, compared fields and every octet of a response have to be equal."""
        answer = Answered(200, ("text/plain", None, None), b"abc")
        self.assertEqual(answer.differs_from(answer), "")
        for other in (evolve(answer, status=206), evolve(answer, body=b"abd"),
                      evolve(answer, fields=("text/html", None, None))):
            self.assertTrue(answer.differs_from(other))

    def test_tallies(self) -> None:
        """The tallies of all clients are added up."""
        client = Client(Mix(0, random.Random(1)), 1, {}, 5, 2, ["w"], ["f", "g"], 4)
        self.assertEqual(client.tally + Tally(1, 1, ("v",), (), 2),
                         Tally(6, 3, ("w", "v"), ("f", "g"), 6))

    def test_excused(self) -> None:
        """What fails is excused where a worker was killed since it began, or just before."""
        deaths = Deaths()
        self.assertFalse(deaths.excuse(100.0))
        deaths.times.append(110.0)
        self.assertEqual([deaths.excuse(began) for began in (100.0, 110.5, 112.0)],
                         [True, True, False])
