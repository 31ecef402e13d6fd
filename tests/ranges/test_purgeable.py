"""Tests of L{trickster.ranges.purgeable}."""

from __future__ import annotations

from attrs import define, evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.ranges.deltarig import NOW, Rig, range_request
from trickster.interfaces import IPurgeable
from trickster.messages import Octets, Request
from trickster.ranges.purgeable import PurgeableRanges


@define
class Fetching:
    """Counts how often it is outdated."""

    count: int = 0

    def outdate(self) -> None:
        """Count."""
        self.count += 1


class PurgeableTests(SynchronousTestCase):
    """By which keys the entries of a query are known."""

    def setUp(self) -> None:
        """Have a path."""
        self.rig = Rig()
        self.fetching = [Fetching(), Fetching()]
        self.cache = PurgeableRanges(self.rig.dialect, self.rig.policy, self.fetching, lambda: NOW)

    def test_interface(self) -> None:
        """It can be told of purges, and tells all that fetch."""
        verifyObject(IPurgeable, self.cache)
        self.cache.outdate()
        self.assertEqual([each.count for each in self.fetching], [1, 1])

    def test_stored(self) -> None:
        """The key is the one of the entry that is stored, whoever asked, in any method."""
        for headers, method in (((), b"GET"), (((b"Authorization", b"x"),), b"GET"), ((), b"POST")):
            rig = Rig()
            rig.send(range_request(NOW - 600, NOW, headers=headers, method=method))
            entry = rig.entry()
            assert entry is not None
            self.assertEqual(list(self.cache.keys_of(range_request(NOW - 60, NOW + 7))),
                             [entry.label.group])

    def test_others(self) -> None:
        """Another query, step or parameter is another key."""
        found = {self.cache.keys_of(request)[0] for request in (
            range_request(0, 600), range_request(0, 600, query="down"), range_request(0, 600, 30),
            range_request(0, 600, dedup="false"))}
        self.assertEqual(len(found), 4)

    def test_none(self) -> None:
        """What is no range query has no key."""
        good = range_request(0, 600)
        for request in (Request(b"GET", b"/"), evolve(good, target=good.target + b";"),
                        evolve(good, method=b"PUT", body=Octets(b"x")), range_request(600, 0)):
            self.assertEqual(list(self.cache.keys_of(request)), [])
