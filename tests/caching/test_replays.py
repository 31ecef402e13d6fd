"""Tests of C{trickster.caching.replays}, and of the delta cache's use of it."""

from __future__ import annotations

import gc
from weakref import ref

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.caching.deltarig import Rig
from trickster.caching.entries import Entry
from trickster.caching.replays import Replays
from trickster.messages import Headers, Request, Status
from trickster.testing.doubles import DictStore, at_once
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extents

IDENTIFYING = frozenset([b"authorization"])


def request(target: bytes = b"/x?a=1", method: bytes = b"GET", **fields: str) -> Request:
    """:return: a request; underscores in field names are dashes."""
    pairs = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in fields.items())
    return Request(method, target, Headers(pairs))


class QuestionTests(SynchronousTestCase):
    """Which requests are remembered, and as what."""

    def test_same(self) -> None:
        """The same target is the same question, whoever asks."""
        replays = Replays(IDENTIFYING)
        self.assertEqual(replays.question(request(User_Agent="a")), replays.question(request()))
        self.assertNotEqual(replays.question(request(Accept="x")), replays.question(request()))

    def test_not_remembered(self) -> None:
        """Other methods, wishes for the cache, identities and long targets are not."""
        for one in (request(method=b"POST"), request(Cache_Control="no-cache"),
                    request(Pragma="no-cache"), request(Authorization="a"),
                    request(b"/" + b"x" * 5000)):
            self.assertIsNone(Replays(IDENTIFYING).question(one))


class ReplayTests(SynchronousTestCase):
    """Full hits that are given again."""

    def setUp(self) -> None:
        self.rig = Rig()

    def hit(self, rig: Rig | None = None) -> None:
        """Have a range of five minutes answered from the cache, so that it is remembered."""
        for _ in range(2):
            (rig or self.rig).ask(-300, 0)

    def remembered(self) -> int:
        """:return: how many answers are remembered."""
        replays = self.rig.cache._replays
        assert replays is not None
        return len(replays._kept)

    def test_equal(self) -> None:
        """What is given again is what was given, and each client can read it."""
        self.hit()
        answers = [self.rig.ask(-300, 0) for _ in range(3)]
        self.assertEqual({a.octets for a in answers}, {self.rig.direct(-300, 0)})
        self.assertEqual({a.status for a in answers}, {Status.HIT})
        self.assertEqual(self.remembered(), 1)

    def test_new_samples(self) -> None:
        """Once the entry has changed, the answer is made of the new one."""
        self.hit()
        self.rig.ask(-600, 0)
        self.assertEqual(self.rig.ask(-300, 0).octets, self.rig.direct(-300, 0))
        entry = self.rig.entry()
        assert entry is not None
        key = at_once(self.rig.store.keys(""))[0]
        at_once(self.rig.entries.change(key, lambda _: evolve(
            entry, dataset=Dataset(entry.dataset.extents, {}))))
        self.assertEqual(self.rig.ask(-300, 0).json["data"]["result"], [])

    def test_purged(self) -> None:
        """After a purge nothing is given again."""
        self.hit()
        self.rig.ask(-300, 0, headers=((b"Cache-Control", b"no-cache"),))
        self.assertEqual(self.rig.ask(-300, 0).status, Status.KEY_MISS)

    def test_too_old(self) -> None:
        """What has become too old to be cached is asked of the origin."""
        rig = Rig(retention=10)
        self.hit(rig)
        rig.now.advance(700)
        self.assertEqual(rig.ask(-300, 0).status, Status.PROXY_ONLY)

    def test_identities(self) -> None:
        """Who says who he is is answered for himself."""
        self.hit()
        answer = self.rig.ask(-300, 0, headers=((b"Authorization", b"x"),))
        self.assertEqual(answer.status, Status.KEY_MISS)

    def test_holds_nothing(self) -> None:
        """An entry that the store has let go of is not held on to."""
        self.hit()
        entry = ref(self.rig.entry())
        at_once(self.rig.store.delete(at_once(self.rig.store.keys(""))))
        gc.collect()
        self.assertIsNone(entry())

    def test_only_so_many(self) -> None:
        """The least recently used goes first."""
        replays = self.rig.cache._replays
        assert replays is not None
        replays._most = 2
        for start in (-300, -360, -420):
            for _ in range(2):
                self.rig.ask(start, 0)
        self.assertEqual(self.remembered(), 2)

    def test_not_where_each_request_counts(self) -> None:
        """Last uses, and stores of octets, are without."""
        for rig in (Rig(lru=True), Rig(DictStore)):
            self.assertIsNone(rig.cache._replays)
            self.hit(rig)
            self.assertEqual(rig.ask(-300, 0).octets, rig.direct(-300, 0))

    def test_newest_sample(self) -> None:
        """A range that ends now may get a newest sample, one that ended before may not."""
        self.rig = Rig(newest=True)
        self.hit()
        self.assertEqual(self.remembered(), 0)
        for _ in range(2):
            self.rig.ask(-300, -60)
        self.assertEqual(self.remembered(), 1)

    def test_newest_sample_of_short_steps(self) -> None:
        """Nor may one whose steps are as short as the time that a newest sample serves."""
        self.rig = Rig(newest=True)
        for _ in range(2):
            self.rig.ask(-300, 0, 15)
        self.assertEqual(self.remembered(), 1)

    def test_large(self) -> None:
        """Large answers are made anew."""
        self.rig.origin.series = 2000
        self.hit()
        self.assertEqual(self.remembered(), 0)


class EntryTests(SynchronousTestCase):
    """What replays rely on."""

    def test_can_be_watched(self) -> None:
        """An entry can be referred to without being kept alive."""
        entry = Entry(Dataset(Extents(1)))
        self.assertIs(ref(entry)(), entry)
