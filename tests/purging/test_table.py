"""Tests of C{trickster.purging.table}."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.purging.label import Label
from trickster.purging.table import (
    MOST_MATCHERS,
    MOST_RULES,
    Kind,
    Purge,
    PurgeTable,
    Scope,
    Verdict,
)

WALL = 1_700_000_000.0
DAY = 86400.0
LABEL = Label("web", "web.opc.1.2-3", "web.opc.1.2", b"/a/b", b"/a/b?c", (b"red", b"blue"), "up")


def purged(*purges: Purge, table: PurgeTable | None = None, wall: float = WALL) -> PurgeTable:
    """:return: a table with more rules."""
    table = (table or PurgeTable()).lasting(DAY)
    for purge in purges:
        table = table.with_purge(purge, wall)
    return table


def verdict(table: PurgeTable, mark: int = 0, label: Label = LABEL) -> Verdict:
    """:return: what becomes of an entry."""
    return table.judged(label, mark).verdict


names = st.sampled_from([b"", b"/", b"/a", b"/a/b", b"red", b"up", b"web.opc.1.2"])
scopes = st.builds(Scope, st.sampled_from(Kind), st.sampled_from(["", "web", "b"]), names)
purges = st.builds(Purge, scopes, st.booleans(), st.none() | st.just((5, 9)))


class ScopeTests(SynchronousTestCase):
    """Which entries a rule names."""

    def test_none(self) -> None:
        """Without rules, every entry is spared."""
        self.assertEqual(verdict(PurgeTable()), Verdict.SPARED)

    def test_naming(self) -> None:
        """Each kind of rule names entries by what it says of them."""
        for scope in (
                Scope(Kind.ALL), Scope(Kind.BACKEND, "web"), Scope(Kind.PATH, "web", b"/a/b"),
                Scope(Kind.KEY, "web", b"web.opc.1.2-3"), Scope(Kind.KEY, "web", b"web.opc.1.2"),
                Scope(Kind.PREFIX, "web", b""), Scope(Kind.PREFIX, "web", b"/a/"),
                Scope(Kind.PREFIX, "web", b"/a/b"), Scope(Kind.TAG, "web", b"red"),
                Scope(Kind.TAG, "", b"blue"), Scope(Kind.QUERY, "web", b"up"),
                Scope(Kind.TARGET, "web", b"/a/b?c"), Scope(Kind.MATCHER, "web", b'up{job="a"}')):
            self.assertEqual(verdict(purged(Purge(scope))), Verdict.GONE, scope)

    def test_space(self) -> None:
        """How much space there is in a query makes no difference."""
        table = purged(Purge(Scope(Kind.QUERY, "web", b" sum( up )\n by (job)")))
        self.assertEqual([verdict(table, label=evolve(LABEL, query=query)) for query in (
            "sum( up ) by (job)", "sum( up )\tby  (job) ", "sum(up) by (job)")],
            [Verdict.GONE, Verdict.GONE, Verdict.SPARED])

    def test_percent_encoded(self) -> None:
        """How a path is percent-encoded makes no difference, also once the table was stored."""
        labels = [evolve(LABEL, path=path) for path in (b"/a%2Fb", b"/%61/b", b"/a/b")]
        for scope in (Scope(Kind.PATH, "web", b"/a/%62"), Scope(Kind.PREFIX, "web", b"/%61/")):
            table = PurgeTable.decoded(purged(Purge(scope)).encoded())
            assert table is not None
            for label in labels:
                self.assertEqual(verdict(table, label=label), Verdict.GONE)
        twice = PurgeTable.decoded(purged(Purge(Scope(Kind.PATH, "web", b"/%2561"))).encoded())
        assert twice is not None
        self.assertEqual([verdict(twice, label=evolve(LABEL, path=path))
                          for path in (b"/%2561", b"/%61", b"/a")],
                         [Verdict.GONE, Verdict.SPARED, Verdict.SPARED])

    def test_percent_encoded_target(self) -> None:
        """Nor does it make one how a target is, as long as its query is the same."""
        pairs = [(b"/x/%c3%a9", b"/x/%C3%A9"), (b"/x/\xc3\xa9", b"/x/%C3%A9"), (b"/%7Et", b"/~t"),
                 (b"/;p", b"/%3Bp"), (b"/a+b", b"/a%2Bb"), (b"/%61?b", b"/a?b"), (b"/a?%62", b"/a?b"),
                 (b"/a?%2f%c3\xa9", b"/a?%2F%C3%A9"), (b"/a?b=1%2", b"/a?b=1%2")]
        spoken = [*pairs, *((other, one) for one, other in pairs)]
        others = [(b"/a?b%26c", b"/a?b&c"), (b"/a?b+c", b"/a?b%2Bc"), (b"/a?b", b"/a?B"),
                  (b"/a%3Fb?c", b"/a?b?d"), (b"/a?%2562", b"/a?%62"), (b"/%2561", b"/%61")]
        found = [verdict(purged(Purge(Scope(Kind.TARGET, "web", name))),
                         label=evolve(LABEL, target=target)) for name, target in spoken + others]
        self.assertEqual(found, [Verdict.GONE] * len(spoken) + [Verdict.SPARED] * len(others))

    def test_not_naming(self) -> None:
        """A rule for other entries leaves this one alone."""
        for scope in (
                Scope(Kind.BACKEND, "we"), Scope(Kind.PATH, "web", b"/a"),
                Scope(Kind.PATH, "we", b"/a/b"), Scope(Kind.KEY, "web", b"web.opc.1"),
                Scope(Kind.PREFIX, "web", b"/a/b/"), Scope(Kind.PREFIX, "web", b"a"),
                Scope(Kind.PREFIX, "we", b"/a"), Scope(Kind.TAG, "we", b"red"),
                Scope(Kind.TAG, "web", b"re"), Scope(Kind.QUERY, "web", b"upp"),
                Scope(Kind.TARGET, "web", b"/a/b"), Scope(Kind.TARGET, "we", b"/a/b?c"),
                Scope(Kind.MATCHER, "we", b"up"), Scope(Kind.MATCHER, "web", b"down")):
            self.assertEqual(verdict(purged(Purge(scope))), Verdict.SPARED, scope)

    def test_no_series(self) -> None:
        """What is no time series is not named by a query, not even by an empty one."""
        table = purged(Purge(Scope(Kind.QUERY, "web")))
        self.assertEqual(verdict(table, label=evolve(LABEL, query=None)), Verdict.SPARED)


class NumberTests(SynchronousTestCase):
    """Before and after are numbers, not times."""

    def test_later(self) -> None:
        """What was asked for after a purge, or has survived it, is spared."""
        table = purged(Purge(Scope(Kind.ALL)), Purge(Scope(Kind.BACKEND, "other")))
        self.assertEqual([verdict(table, mark) for mark in (0, 1, 2)],
                         [Verdict.GONE, Verdict.SPARED, Verdict.SPARED])

    def test_another_table(self) -> None:
        """A number that this table has not given yet is another table's: the entry is gone."""
        self.assertEqual(verdict(purged(Purge(Scope(Kind.TAG, "", b"x"))), 2), Verdict.GONE)

    def test_new_table(self) -> None:
        """By a table that takes the place of a lost one, all that there was is gone."""
        table = PurgeTable.of_all(WALL)
        for mark in (0, 1, table.sequence - 1, table.sequence + 5):
            self.assertEqual(verdict(table, mark), Verdict.GONE)
        self.assertEqual(verdict(table, table.sequence), Verdict.SPARED)

    def test_soft(self) -> None:
        """A soft purge makes stale; a hard one, earlier or later, makes gone."""
        soft, hard = Purge(Scope(Kind.ALL), is_soft=True), Purge(Scope(Kind.ALL))
        self.assertEqual(verdict(purged(soft)), Verdict.STALE)
        self.assertEqual(verdict(purged(soft, hard)), Verdict.GONE)
        table = purged(hard, soft)
        self.assertEqual([verdict(table, mark) for mark in (0, 1, 2)],
                         [Verdict.GONE, Verdict.STALE, Verdict.SPARED])

    def test_span(self) -> None:
        """A purge of a span of time takes that, until the entry has survived it."""
        scope = Scope(Kind.QUERY, "web", b"up")
        table = purged(Purge(scope, span=(10, 20)), Purge(scope, span=(40, 50)))
        self.assertEqual([table.judged(LABEL, mark).spans for mark in (0, 1, 2)],
                         [((10, 20), (40, 50)), ((40, 50),), ()])
        self.assertEqual(verdict(table), Verdict.SPARED)
        self.assertEqual(verdict(purged(Purge(scope), table=table), 2), Verdict.GONE)


class LostTests(SynchronousTestCase):
    """Tables without the last purge of one that was looked at."""

    def follows(self, table: PurgeTable, earlier: PurgeTable, later: float = 0.0) -> bool:
        """:return: whether a table was made of an earlier one, as it seems some seconds later."""
        return table.follows(earlier, WALL + later)

    @given(st.lists(purges, max_size=8), st.lists(purges, max_size=8), st.sampled_from([0.0, DAY / 2]))
    def test_follows(self, before: list[Purge], more: list[Purge], later: float) -> None:
        """A table follows each one that it was made of, read from a store or not."""
        earlier = purged(*before)
        table = purged(*more, table=earlier, wall=WALL + later)
        read = PurgeTable.decoded(table.encoded())
        assert read is not None
        self.assertTrue(self.follows(table, earlier, later))
        self.assertTrue(self.follows(read, earlier, later))

    @given(st.lists(purges, max_size=8), purges)
    def test_older(self, before: list[Purge], last: Purge) -> None:
        """It does not follow one that was made of it."""
        earlier = purged(*before)
        self.assertFalse(self.follows(earlier, purged(last, table=earlier)))

    def test_others(self) -> None:
        """Nor one of whose purges the last was lost, whatever others have its number."""
        for scope in (Scope(Kind.TAG, "", b"red"), Scope(Kind.MATCHER, "web", b"up"),
                      Scope(Kind.PATH, "web", b"/a")):
            for lost in (Purge(scope), Purge(scope, is_soft=True), Purge(scope, span=(1, 2))):
                for other in (Purge(Scope(Kind.TAG, "", b"blue")), Purge(Scope(Kind.BACKEND, "we")),
                              Purge(Scope(Kind.ALL), is_soft=True), Purge(scope, span=(3, 4))):
                    self.assertFalse(self.follows(purged(other, other), purged(lost)), (other, lost))

    def test_wider(self) -> None:
        """It follows one all of whose purges are in those that it has."""
        for scope in (Scope(Kind.TAG, "web", b"red"), Scope(Kind.PATH, "web", b"/a")):
            for known in (Purge(scope), Purge(scope, is_soft=True), Purge(scope, span=(1, 2))):
                for wider in (Scope(Kind.ALL), Scope(Kind.BACKEND, "web"), scope):
                    self.assertTrue(self.follows(purged(*[Purge(wider)] * 2), purged(known)))

    def test_over(self) -> None:
        """What no entry can be old enough for is no loss."""
        self.assertTrue(self.follows(purged(Purge(Scope(Kind.TAG, "", b"blue"))),
                                     purged(Purge(Scope(Kind.TAG, "", b"red"))), DAY + 1))

    def test_many(self) -> None:
        """Nor is it one that many rules have become few."""
        for kind, most in ((Kind.PATH, MOST_RULES), (Kind.MATCHER, MOST_MATCHERS)):
            tables = [PurgeTable()]
            for number in range(most + 3):
                tables.append(purged(Purge(Scope(kind, "web", b"a%d" % number)), table=tables[-1]))
            for earlier in tables[::most // 60 + 1]:
                self.assertTrue(self.follows(tables[-1], earlier))

    def test_in_its_place(self) -> None:
        """A table for what was lost follows any that was known, also of a clock that was ahead."""
        for known in (PurgeTable.of_all(WALL), PurgeTable.of_all(WALL + DAY),
                      purged(Purge(Scope(Kind.TAG, "", b"red")))):
            self.assertTrue(self.follows(PurgeTable.of_all(WALL, known.sequence), known))


class BoundTests(SynchronousTestCase):
    """Rules are kept for as long as they may be needed, and are never too many."""

    def test_over(self) -> None:
        """A rule is forgotten once no entry can be there that it names."""
        table = purged(Purge(Scope(Kind.TAG, "", b"red")))
        for later, expected in ((DAY - 1, Verdict.GONE), (DAY + 3601, Verdict.SPARED)):
            after = purged(Purge(Scope(Kind.TAG, "", b"x")), table=table, wall=WALL + later)
            self.assertEqual(verdict(after), expected)

    def test_longest(self) -> None:
        """A rule is kept for as long as any process has said that it keeps entries, in the store, too."""
        table: PurgeTable | None = purged(Purge(Scope(Kind.TAG, "", b"red")))
        assert table is not None
        self.assertIs(table.lasting(DAY / 2), table)
        table = PurgeTable.decoded(table.lasting(7 * DAY).encoded())
        for later, expected in ((6 * DAY, Verdict.GONE), (8 * DAY, Verdict.SPARED)):
            after = purged(Purge(Scope(Kind.TAG, "", b"x")), table=table, wall=WALL + later)
            self.assertEqual(verdict(after), expected)

    def test_all_is_kept(self) -> None:
        """A rule for all entries is never forgotten, since it is what a new table begins with."""
        table = purged(Purge(Scope(Kind.TAG, "", b"x")), table=PurgeTable.of_all(WALL),
                       wall=WALL + 99 * DAY)
        self.assertEqual(verdict(table), Verdict.GONE)

    def test_too_many(self) -> None:
        """Where there are too many rules, older ones become one for all: nothing is spared."""
        table = PurgeTable()
        for number in range(2 * MOST_RULES):
            table = purged(Purge(Scope(Kind.TAG, "", b"%d" % number)), table=table)
        self.assertLess(len(table.encoded()), 200_000)
        for number in range(0, 2 * MOST_RULES, 97):
            label = evolve(LABEL, tags=(b"%d" % number,))
            self.assertEqual(verdict(table, number, label), Verdict.GONE)
        self.assertEqual(verdict(table, table.sequence), Verdict.SPARED)

    def test_many_matchers(self) -> None:
        """Of too many matchers, the older become rules for their backends: none is forgotten."""
        label = evolve(LABEL, query="m0")
        many = [Purge(Scope(Kind.MATCHER, "web", b"m%d" % number))
                for number in range(MOST_MATCHERS + 1)]
        few = purged(*many[:-1])
        self.assertEqual(verdict(few, label=evolve(LABEL, query="other")), Verdict.SPARED)
        table = purged(many[-1], table=few)
        self.assertEqual([verdict(table, mark, evolve(LABEL, query="other")) for mark in (0, 60)],
                         [Verdict.GONE, Verdict.SPARED])
        self.assertEqual([verdict(table, label=each) for each in (
            label, evolve(label, backend="we"), evolve(label, query=f"m{MOST_MATCHERS}"))],
            [Verdict.GONE, Verdict.SPARED, Verdict.GONE])
        self.assertEqual(verdict(table, MOST_MATCHERS, evolve(label, query=f"m{MOST_MATCHERS}")),
                         Verdict.GONE)

    def test_many_judged(self) -> None:
        """What is remembered of judgements is bounded, and changes none of them."""
        table = purged(Purge(Scope(Kind.KEY, "web", b"7")))
        for _ in range(2):
            for number in range(5000):
                label = evolve(LABEL, key=str(number))
                self.assertEqual([verdict(table, mark, label) for mark in (0, 1)],
                                 [Verdict.GONE if number == 7 else Verdict.SPARED, Verdict.SPARED])

    def test_span_of_all(self) -> None:
        """A span of everything leaves other rules as they are."""
        table = purged(Purge(Scope(Kind.PATH, "web", b"/a/b")), Purge(Scope(Kind.ALL), span=(1, 2)))
        self.assertEqual(verdict(table), Verdict.GONE)
        other = evolve(LABEL, path=b"/")
        self.assertEqual(table.judged(other, 0).spans, ((1, 2),))

    def test_many_spans(self) -> None:
        """Spans of one query count, too."""
        table, scope = PurgeTable(), Scope(Kind.QUERY, "web", b"up")
        for number in range(MOST_RULES + 10):
            table = purged(Purge(scope, span=(number, number)), table=table)
        self.assertLess(len(table.encoded()), 200_000)
        self.assertEqual(verdict(table), Verdict.GONE)


class CodecTests(SynchronousTestCase):
    """Tables as octets."""

    @given(st.lists(purges, max_size=8), st.integers(0, 9))
    def test_there_and_back(self, added: list[Purge], mark: int) -> None:
        """A table that was encoded judges as before, and takes more rules."""
        table = purged(*added, table=PurgeTable.of_all(WALL))
        read = PurgeTable.decoded(table.encoded())
        assert read is not None
        self.assertEqual((read, read.encoded()), (table, table.encoded()))
        at = table.sequence - mark
        self.assertEqual(read.judged(LABEL, at), table.judged(LABEL, at))

    @given(st.binary(max_size=60))
    def test_foreign(self, octets: bytes) -> None:
        """Octets of others are no table, and raise nothing."""
        self.assertIsNone(PurgeTable.decoded(octets))
        self.assertIsNone(PurgeTable.decoded(b"TkP2" + octets))
        self.assertIsNone(PurgeTable.decoded(None))

    def test_damaged(self) -> None:
        """A table that is damaged anywhere, cut or lengthened, is none."""
        octets = purged(Purge(Scope(Kind.TAG, "", b"red"))).encoded()
        for index in range(len(octets)):
            changed = octets[:index] + bytes([octets[index] ^ 1]) + octets[index + 1:]
            self.assertIsNone(PurgeTable.decoded(changed))
            self.assertIsNone(PurgeTable.decoded(octets[:index]))
        self.assertIsNone(PurgeTable.decoded(octets + b"x"))

    @given(st.lists(purges, max_size=12), st.integers(0, 12))
    def test_never_spared(self, added: list[Purge], mark: int) -> None:
        """What one rule says is gone stays so, whatever rules come after it."""
        table = PurgeTable()
        was_gone = False
        for purge in added:
            table = purged(purge, table=table)
            gone = mark <= table.sequence and verdict(table, mark) is Verdict.GONE
            self.assertTrue(gone or not was_gone)
            was_gone = gone
