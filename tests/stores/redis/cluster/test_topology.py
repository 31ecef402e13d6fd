"""Tests of C{trickster.stores.redis.cluster.topology}."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.topology import (
    MOST_NODES,
    BadTopology,
    Topology,
    read_address,
    read_slots,
)

ASKED = Address("asked.example", 7000)
A, B, C = (Address("10.0.0.1", port) for port in (7001, 7002, 7003))


def row(start: Any, end: Any, *nodes: Address) -> list[Any]:
    """:return: a range of slots as a server of version 7 tells it, its master first."""
    return [start, end, *([node.host.encode(), node.port, b"f" * 40, []] for node in nodes)]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 20_000) | st.binary(max_size=4) | st.floats(),
    lambda inner: st.lists(inner, max_size=4), max_leaves=20)
ROWS = st.lists(st.lists(ANYTHING | st.just([b"h", 7000]), max_size=4), max_size=3)


class ReadSlotsTests(SynchronousTestCase):
    """Reading what a server says of its cluster."""

    def test_whole(self) -> None:
        """Each slot of each range has the first of its nodes as the master; the others are replicas."""
        found = read_slots([row(0, 99, A, C), row(100, 200, B), row(16383, 16383, A, C)], ASKED)
        self.assertEqual([found.owner(slot) for slot in (0, 99, 100, 200, 201, 16382, 16383)],
                         [A, A, B, B, None, None, A])
        self.assertEqual((found.masters, found.replicas), ((A, B), (C,)))
        self.assertEqual(found.addresses, {A, B, C})

    def test_first_versions(self) -> None:
        """Servers of the first versions say of a node where it is, and nothing else."""
        found = read_slots([[0, 16383, [b"10.0.0.1", 7001]]], ASKED)
        self.assertEqual(found.owner(5), A)

    def test_no_host(self) -> None:
        """A node without a host, or with an unknown one, is where the server was asked."""
        for host in (None, b"", b"?"):
            found = read_slots([[0, 5, [host, 7009, b"f", [b"hostname", b"x"]]]], ASKED)
            self.assertEqual(found.owner(0), Address("asked.example", 7009))

    def test_version_6(self) -> None:
        """Addresses of IP version 6 have no brackets."""
        self.assertEqual(read_slots([[0, 5, [b"fe80::1%eth0", 7001]]], ASKED).owner(0),
                         Address("fe80::1%eth0", 7001))

    def test_refused(self) -> None:
        """What is not of the form, or cannot be so, is no topology at all."""
        good = row(0, 99, A)
        answers: list[Any] = [
                None, b"OK", 5, {}, [], [[]], [5], [[0, 99]], [row(0, 16384, A)],
                [row(-1, 5, A)], [row(5, 4, A)], [row(b"0", 5, A)], [row(True, 5, A)],
                [good, row(99, 120, B)], [[0, 5, [b"h", 0]]], [[0, 5, [b"h", 65536]]],
                [[0, 5, [b"h", b"7001"]]], [[0, 5, [b"h"]]], [[0, 5, []]], [[0, 5, b"h"]],
                [[0, 5, [b"a b", 7001]]], [[0, 5, [b"/tmp/socket", 7001]]],
                [[0, 5, [b"h\r\n", 7001]]], [[0, 5, [b"x" * 256, 7001]]],
                [[0, 5, [b"h\xff", 7001]]], [[0, 5, [b"h", 7001], [b"r", -1]]],
                [row(0, 99, *[A] * MOST_NODES)], [good] * 16385,
                [row(slot, slot, Address("h", slot + 1)) for slot in range(MOST_NODES + 1)],
                [row(slot, slot, *[A] * 500) for slot in range(300)]]
        for answer in answers:
            with self.assertRaises(BadTopology):
                read_slots(answer, ASKED)

    @given(ANYTHING | ROWS)
    def test_lies(self, answer: Any) -> None:
        """Whatever a server says is read, or refused in one way."""
        try:
            found = read_slots(answer, ASKED)
        except BadTopology:
            return
        self.assertEqual(len(found.owners), 16384)
        self.assertTrue(found.masters)

    @given(st.lists(st.integers(0, 16383), min_size=1, max_size=8, unique=True).map(sorted),
           st.lists(st.sampled_from((A, B, C)), min_size=8, max_size=8))
    def test_ranges(self, borders: list[int], owners: list[Address]) -> None:
        """Every slot has the owner of its range, whatever the ranges are, in any order."""
        ranges = list(zip(borders, [*(border - 1 for border in borders[1:]), 16383], owners,
                          strict=False))
        found = read_slots([row(*one) for one in reversed(ranges)], ASKED)
        for start, end, owner in ranges:
            self.assertEqual({found.owner(start), found.owner(end)}, {owner})
        self.assertEqual(found.owners.count(-1), borders[0])


class TopologyTests(SynchronousTestCase):
    """What is known of a cluster."""

    def test_moved(self) -> None:
        """A slot that is moved has the other master, known or not; the other slots are as they were."""
        before = read_slots([row(0, 99, A), row(100, 199, B)], ASKED)
        after = before.moved(5, B).moved(6, C)
        self.assertEqual([after.owner(slot) for slot in (4, 5, 6, 7, 100)], [A, B, C, A, B])
        self.assertEqual(after.masters, (A, B, C))
        self.assertEqual(after.changed(before), {5, 6})

    def test_changed(self) -> None:
        """Which slots have moved does not depend on the order in which masters are named."""
        before = read_slots([row(0, 1, A), row(2, 3, B), row(9, 9, C)], ASKED)
        after = read_slots([row(2, 2, B), row(0, 1, A), row(3, 4, C)], ASKED)
        self.assertEqual(after.changed(before), {3, 4, 9})
        self.assertEqual(before.changed(before), frozenset())

    def test_nothing_known(self) -> None:
        """At first no slot has a master."""
        self.assertEqual((Topology().owner(0), Topology().addresses), (None, frozenset()))


class ReadAddressTests(SynchronousTestCase):
    """Where redirections lead."""

    def test_spellings(self) -> None:
        """A host is a name, an address of IP version 4 or 6, or missing: that is the one that was asked."""
        for text, found in (("10.0.0.1:7001", A), ("::1:7001", Address("::1", 7001)),
                            ("[::1]:7001", Address("::1", 7001)),
                            (":7001", Address("asked.example", 7001)),
                            ("?:7001", Address("asked.example", 7001)),
                            ("a-b.example:1", Address("a-b.example", 1))):
            self.assertEqual(read_address(text, ASKED), found)

    def test_none(self) -> None:
        """What is no address is refused."""
        for text in ("", "h", "h:", "h:0", "h:65536", "h:-1", "h:7001x", "a b:7001", "h:123456",
                     "h:٣", "/tmp/x:7001"):
            with self.assertRaises(BadTopology):
                read_address(text, ASKED)

    def test_written(self) -> None:
        """Addresses are told as configuration files have them."""
        self.assertEqual([str(A), str(Address("::1", 7001))], ["10.0.0.1:7001", "[::1]:7001"])
