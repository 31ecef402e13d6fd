"""Tests of C{trickster.stores.circuit}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.circuit import Circuit


class CircuitTests(SynchronousTestCase):
    """A circuit breaker."""

    def failing(self, times: int) -> Circuit:
        """:return: a circuit after failures at time 100."""
        circuit = Circuit(3, 10.0)
        for _ in range(times):
            circuit.failed(100.0)
        return circuit

    def test_closed(self) -> None:
        """A circuit stays closed after a few failures."""
        circuit = self.failing(2)
        self.assertTrue(circuit.allows(100.0) and circuit.allows(100.0))
        self.assertFalse(circuit.is_open)

    def test_open(self) -> None:
        """A circuit opens after enough failures, and then lets nothing through for a while."""
        circuit = self.failing(3)
        self.assertTrue(circuit.is_open)
        self.assertEqual([circuit.allows(100.0), circuit.allows(109.9)], [False, False])

    def test_one_try(self) -> None:
        """After the pause one try gets through, and another only after another pause."""
        circuit = self.failing(3)
        self.assertEqual([circuit.allows(at) for at in (110.0, 110.0, 119.0, 120.0)],
                         [True, False, False, True])

    def test_try_fails(self) -> None:
        """A try that fails begins another pause."""
        circuit = self.failing(3)
        circuit.allows(110.0)
        circuit.failed(112.0)
        self.assertEqual([circuit.allows(121.0), circuit.allows(122.0)], [False, True])

    def test_hopeless(self) -> None:
        """One failure that leaves no hope opens the circuit, as many of others do."""
        circuit = Circuit(3, 10.0)
        circuit.failed(100.0, is_hopeless=True)
        self.assertTrue(circuit.is_open)
        self.assertEqual([circuit.allows(at) for at in (109.9, 110.0)], [False, True])

    def test_part(self) -> None:
        """That a part fails does not open a circuit; the next failure of the whole may."""
        circuit = self.failing(0)
        for _ in range(9):
            circuit.partly_failed()
        self.assertEqual((circuit.is_open, circuit.failures), (False, 2))
        circuit.failed(100.0)
        self.assertTrue(circuit.is_open)

    def test_part_closes(self) -> None:
        """A try that finds only a part failing closes an open circuit."""
        circuit = self.failing(3)
        circuit.partly_failed()
        self.assertTrue(circuit.allows(100.0))

    def test_success_closes(self) -> None:
        """One success closes an open circuit, and is reported as a change."""
        circuit = self.failing(3)
        self.assertTrue(circuit.succeeded())
        self.assertTrue(circuit.allows(100.0))
        self.assertFalse(circuit.is_open)

    def test_success_is_no_news(self) -> None:
        """A success of a closed circuit is not reported as a change."""
        self.assertFalse(self.failing(2).succeeded())

    def test_success_resets(self) -> None:
        """Only consecutive failures open a circuit."""
        circuit = self.failing(2)
        circuit.succeeded()
        circuit.failed(101.0)
        self.assertFalse(circuit.is_open)

    def test_clock_set_back(self) -> None:
        """A clock that is set back does not keep a circuit open for long."""
        circuit = self.failing(3)
        self.assertTrue(circuit.allows(50.0))
