"""Tests of L{trickster.compose.trimming}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.trimming import MemoryTrim, resident, trimmer

MIB = 1 << 20


class MemoryTrimTests(SynchronousTestCase):
    """Memory is given back once, after a peak."""

    def setUp(self) -> None:
        self.clock, self.now, self.trims = Clock(), 50 * MIB, 0
        self.share = 0.1  # of a processor
        self.waiting: Deferred[None] | None = None
        self.service = MemoryTrim(
            self.clock, self.resident, self.worked, self.trim, self.in_thread)
        self.service.startService()

    def resident(self) -> int:
        """:return: what is in use; 0 stands for a system that does not tell."""
        if not self.now:
            raise OSError("too many open files")
        return self.now

    def worked(self) -> float:
        """:return: seconds."""
        return self.clock.seconds() * self.share

    def trim(self) -> None:
        """Give back all but what is needed."""
        self.trims += 1
        self.now = 60 * MIB

    def in_thread(self, function: object) -> Deferred[None]:
        """:return: at once, unless the test has something else to wait for."""
        assert callable(function)
        if self.waiting is not None:
            return self.waiting
        return succeed(function())  # type: ignore[arg-type]

    def seen(self, *mebibytes: int) -> int:
        """:return: how often memory was given back while so much was in use at each look."""
        for number in mebibytes:
            self.now = number * MIB
            self.clock.advance(self.service.interval)
        return self.trims

    def test_after_a_peak(self) -> None:
        """Memory is given back once its use no longer grows, and not before."""
        self.assertEqual(self.seen(70, 200, 300), 0)
        self.assertEqual(self.seen(300), 1)

    def test_not_for_little(self) -> None:
        """Memory is not given back for a few MiB, nor for what was in use after the last trim."""
        self.assertEqual(self.seen(80, 80, 70, 80, 81), 0)
        self.assertEqual(self.seen(90, 90), 1)
        self.assertEqual(self.seen(91, 91, 90, 85), 1)

    def test_again(self) -> None:
        """Memory is given back after each peak."""
        self.assertEqual(self.seen(200, 200, 60, 200, 150, 60), 2)

    def test_in_a_quiet_moment(self) -> None:
        """Much memory, which takes long to give back, is kept while the process is busy."""
        self.share = 0.9
        self.assertEqual(self.seen(300, 300, 300), 0)
        self.share = 0.0
        self.assertEqual(self.seen(300), 1)

    def test_little_at_any_time(self) -> None:
        """Little memory is given back also while the process is busy."""
        self.share = 0.9
        self.assertEqual(self.seen(150, 150), 1)

    def test_in_the_end(self) -> None:
        """Much memory is given back after minutes without a quiet moment, and no sooner."""
        self.share = 0.9
        self.assertEqual(self.seen(*[300] * 21), 0)
        self.assertEqual(self.seen(300), 1)
        self.assertEqual(self.seen(*[300] * 21), 1)

    def test_untold(self) -> None:
        """A look at the memory that the system does not answer changes nothing."""
        self.assertEqual(self.seen(200), 0)
        self.now = 0
        self.clock.advance(self.service.interval)
        self.assertEqual((self.trims, self.seen(200)), (0, 1))

    def test_stopped(self) -> None:
        """A service that is stopped leaves no delayed call, also where a thread still trims."""
        self.waiting = Deferred()
        self.seen(200, 200)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.service.stopService()
        self.waiting.callback(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """A trim that fails is logged, and the next one is made all the same."""
        self.waiting = Deferred()
        self.seen(200, 200)
        self.waiting.errback(OSError("no"))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.waiting = None
        self.assertEqual(self.seen(200, 200), 1)

    def tearDown(self) -> None:
        if self.service.running:
            self.service.stopService()


class SystemTests(SynchronousTestCase):
    """The system's own numbers of the memory in use."""

    def test_resident(self) -> None:
        """This process resides in more memory than an interpreter, and trimming does no harm."""
        trim = trimmer()
        assert trim is not None  # Linux with glibc is what we run on
        self.assertGreater(resident(), 8 * MIB)
        trim()
