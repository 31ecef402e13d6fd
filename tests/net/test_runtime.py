"""Tests of L{trickster.net.runtime}."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.interfaces import IRuntime
from trickster.net.runtime import PluginRuntime, RuntimeWithThreads
from trickster.testing.doubles import at_once


def _offload(name: str, *args: object) -> Deferred[tuple[object, ...]]:
    return succeed((name, *args))


class RuntimeTests(SynchronousTestCase):
    """What plugins may use of a process."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.runtime = PluginRuntime(self.clock, lambda *args: _offload("inner", *args),
                                     lambda: 7.0, lambda: 0.5)

    def test_provides(self) -> None:
        """Both have all of the interface."""
        for runtime in (self.runtime, RuntimeWithThreads(self.runtime, _offload)):
            verifyObject(IRuntime, runtime)

    def test_other_threads(self) -> None:
        """One with other threads is the same process in all else."""
        other = RuntimeWithThreads(self.runtime, lambda *args: _offload("own", *args))
        self.assertEqual((other.clock, other.wall(), other.random()), (self.clock, 7.0, 0.5))
        self.assertIs(other.shared("a", object), self.runtime.shared("a", object))
        self.assertEqual(at_once(self.runtime.in_thread(len, "x")), ("inner", len, "x"))
        self.assertEqual(at_once(other.in_thread(len, "x")), ("own", len, "x"))
