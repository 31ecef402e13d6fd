"""Tests of C{trickster.stores.redis.cluster.redirects}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.redirects import Again, Asked, Moved, redirect
from trickster.stores.redis.cluster.topology import BadTopology

ASKED = Address("asked.example", 7000)


class RedirectTests(SynchronousTestCase):
    """What errors of servers mean."""

    def test_moved(self) -> None:
        """MOVED tells who has a slot from now on."""
        self.assertEqual(redirect("MOVED 3999 127.0.0.1:6381", ASKED),
                         Moved(3999, Address("127.0.0.1", 6381)))
        self.assertEqual(redirect("MOVED 3999 :6381", ASKED),
                         Moved(3999, Address("asked.example", 6381)))

    def test_ask(self) -> None:
        """ASK tells who is to be asked this once."""
        self.assertEqual(redirect("ASK 3999 ::1:6381", ASKED), Asked(Address("::1", 6381)))

    def test_again(self) -> None:
        """A cluster that is not ready, or a server, is to be asked again."""
        for text, is_lost in (
                ("TRYAGAIN Multiple keys request during rehashing of slot", False),
                ("CLUSTERDOWN The cluster is down", True),
                ("CLUSTERDOWN Hash slot not served", True),
                ("LOADING Redis is loading the dataset in memory", True),
                ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'.",
                 True)):
            self.assertEqual(redirect(text, ASKED), Again(is_lost))

    def test_other_errors(self) -> None:
        """Other errors are what they are."""
        for text in ("ERR unknown command", "WRONGTYPE x", "NOSCRIPT No matching script", "",
                     "moved 1 h:1", "MOVEDX 1 h:1", "CROSSSLOT Keys in request don't hash"):
            self.assertIsNone(redirect(text, ASKED))

    def test_nowhere(self) -> None:
        """A redirection that leads nowhere is refused."""
        for text in ("MOVED", "MOVED 1", "MOVED 16384 h:1", "MOVED -1 h:1", "MOVED x h:1",
                     "ASK 1 h", "ASK 1 h:0", "ASK 1 h:1 h:2", "MOVED 1 " + "h" * 400 + ":1"):
            with self.assertRaises(BadTopology):
                redirect(text, ASKED)

    @given(st.sampled_from(("MOVED ", "ASK ", "")), st.text())
    def test_lies(self, word: str, text: str) -> None:
        """Whatever a server says is understood, or refused in one way."""
        try:
            redirect(word + text, ASKED)
        except BadTopology:
            return
