"""One body and many readers."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.collapsing.fakespool import FakeSpool
from tests.objects.objectworld import broken
from trickster.collapsing.broadcast import BroadcastBody, Buffering
from trickster.collapsing.readers import BodyReader
from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody
from trickster.testing.bodies import PausedBody


@define(eq=False)
class Reader:
    """Reads as fast as it can, or when told."""

    body: BodyReader
    octets: bytes = b""
    error: Exception | None = None
    is_done: bool = False
    is_reading: bool = False

    def run(self) -> Reader:
        """Read on by itself."""
        Deferred.fromCoroutine(self._run())
        return self

    async def _run(self) -> None:
        try:
            while not self.is_done:
                await self.once()
        except (UpstreamBroke, CancelledError) as error:
            self.error = error

    async def once(self) -> None:
        """Read one piece."""
        self.is_reading = True
        try:
            piece = bytes(await self.body.read())
        finally:
            self.is_reading = False
        self.octets += piece
        self.is_done = not piece

    def step(self) -> Reader:
        """Read one piece that is here."""
        Deferred.fromCoroutine(self.once()).addErrback(self._failed)
        return self

    def _failed(self, failure: object) -> None:
        self.error = failure.value  # type: ignore[attr-defined]


@define(eq=False)
class Stage:
    """A shared body, and what it tells its owner."""

    source: PausedBody
    shared: BroadcastBody
    spools: list[FakeSpool]
    overflows: list[int]
    hurry: list[bool]
    pumping: Deferred[None] | None = None

    @classmethod
    def of(cls, length: int | None = None, keep: int = 10**6, window: int = 100,
           ahead: int = 50, spool: Callable[[], FakeSpool] | None = None) -> Stage:
        """:return: a stage on which nothing has happened yet."""
        source, spools = PausedBody(length), []
        overflows: list[int] = []
        hurry = [False]

        def make() -> FakeSpool:
            assert spool is not None
            spools.append(spool())
            return spools[-1]

        shared = BroadcastBody(
            source, Buffering(keep, window, ahead, make if spool else None),
            overflowed=lambda: overflows.append(1), left=lambda: None,
            is_end_awaited=lambda: hurry[0])
        return cls(source, shared, spools, overflows, hurry)

    def pump(self) -> Deferred[None]:
        """Begin."""
        self.pumping = Deferred.fromCoroutine(self.shared.pump())
        return self.pumping

    def reader(self) -> Reader:
        """:return: a reader at the beginning."""
        return Reader(BodyReader.of(self.shared))


class ReadingTests(SynchronousTestCase):
    """What readers get, and when."""

    def test_interface(self) -> None:
        """A reader is a body."""
        verifyObject(IBody, BodyReader.of(Stage.of().shared))

    def test_live_edge(self) -> None:
        """Each reader gets what has arrived at once, and then what arrives."""
        stage = Stage.of()
        first = stage.reader().run()
        stage.pump()
        stage.source.feed(b"abc")
        second = stage.reader().run()
        self.assertEqual((first.octets, second.octets), (b"abc", b"abc"))
        stage.source.feed(b"def")
        self.assertEqual((first.octets, second.octets), (b"abcdef", b"abcdef"))
        stage.source.feed(b"")
        self.assertTrue(first.is_done and second.is_done)
        self.successResultOf(stage.pumping)
        self.assertEqual(stage.shared.buffer.in_memory(), (b"abcdef",))

    def test_after_the_end(self) -> None:
        """A reader that comes after the end gets everything that was kept."""
        stage = Stage.of()
        stage.reader().run()
        stage.pump()
        stage.source.feed(b"abc", b"")
        self.assertEqual(stage.reader().run().octets, b"abc")

    def test_lengths(self) -> None:
        """The length is what was announced, or what has come."""
        known, unknown = Stage.of(3), Stage.of()
        self.assertEqual(known.reader().body.length, 3)
        reader = unknown.reader()
        self.assertIsNone(reader.body.length)
        unknown.pump()
        reader.run()
        unknown.source.feed(b"ab", b"")
        self.assertEqual(reader.body.length, 2)

    def test_narrow(self) -> None:
        """
        A reader of a range gets just that range as soon as it has arrived, and the body is read on.
        """
        stage = Stage.of(6)
        reader = stage.reader()
        reader.body.narrow(2, 5)
        self.assertEqual(reader.body.length, 3)
        reader.run()
        stage.pump()
        stage.source.feed(b"abc")
        self.assertEqual(reader.octets, b"c")
        stage.source.feed(b"def")
        self.assertEqual((reader.octets, reader.is_done), (b"cde", True))
        stage.source.feed(b"")
        self.successResultOf(stage.pumping)

    def test_small_pieces(self) -> None:
        """Many small pieces are joined before readers get them."""
        stage = Stage.of()
        stage.reader().run()
        stage.pump()
        stage.source.feed(*[b"x"] * 10_000, b"")
        self.assertLess(len(stage.shared.buffer.in_memory()), 3)
        self.assertEqual(sum(map(len, stage.shared.buffer.in_memory())), 10_000)

    def test_source_breaks(self) -> None:
        """
        Each reader fails with the error of the source once it has read what arrived before it.
        """
        stage = Stage.of()
        first = stage.reader().run()
        second = stage.reader()
        stage.pump()
        stage.source.feed(b"abc", broken())
        self.assertIsInstance(first.error, UpstreamBroke)
        self.failureResultOf(stage.pumping, UpstreamBroke)
        second.run()
        self.assertEqual((second.octets, type(second.error)), (b"abc", UpstreamBroke))
        self.assertTrue(stage.source.is_closed)

    def test_ends_early(self) -> None:
        """A body with fewer or more octets than announced is broken."""
        for pieces in ((b"ab", b""), (b"abcd", b"")):
            stage = Stage.of(3)
            reader = stage.reader().run()
            stage.pump()
            stage.source.feed(*pieces)
            self.failureResultOf(stage.pumping, UpstreamBroke)
            self.assertIsInstance(reader.error, UpstreamBroke)

    def test_given_up(self) -> None:
        """A cancelled broadcast closes its source at any point."""
        for reading in (True, False):
            stage = Stage.of()
            if reading:
                stage.reader().run()
            stage.pump()
            stage.shared.give_up()
            self.failureResultOf(stage.pumping, CancelledError)
            self.assertTrue(stage.source.is_closed)
            self.assertEqual(stage.source.cancels, int(reading))


class PaceTests(SynchronousTestCase):
    """How fast the source is read."""

    def test_nobody(self) -> None:
        """The source is not read without a reader."""
        stage = Stage.of()
        stage.pump()
        self.assertEqual(stage.source.reads, 0)

    def test_ahead(self) -> None:
        """The source is read no further than a bound ahead of the fastest reader."""
        stage = Stage.of(ahead=50)
        stage.reader(), stage.reader()
        stage.pump()
        stage.source.feed(*[b"x" * 20] * 10)
        self.assertEqual(stage.shared.size, 60)

    def test_fastest(self) -> None:
        """A slow reader does not slow a fast one."""
        stage = Stage.of()
        slow, fast = stage.reader(), stage.reader().run()
        stage.pump()
        stage.source.feed(*[b"x" * 20] * 10, b"")
        self.assertTrue(fast.is_done)
        self.assertEqual(slow.run().octets, fast.octets)

    def test_haste(self) -> None:
        """When a waiter needs the whole body, the pace of readers does not limit its reading."""
        stage = Stage.of()
        stage.reader()
        stage.hurry[0] = True
        stage.pump()
        stage.source.feed(*[b"x" * 20] * 10, b"")
        self.successResultOf(stage.pumping)

    def test_haste_ends_with_the_room(self) -> None:
        """Haste for the end of a body counts only while all of the body is kept."""
        stage = Stage.of(keep=50)
        stage.reader()
        stage.hurry[0] = True
        stage.pump()
        stage.source.feed(*[b"x" * 20] * 10)
        self.assertEqual((stage.shared.size, len(stage.overflows)), (60, 1))

    def test_without_spool_the_slowest_counts(self) -> None:
        """What is neither kept nor spooled is read no faster than the slowest reads."""
        stage = Stage.of(keep=10, ahead=50)
        slow, fast = stage.reader(), stage.reader().run()
        stage.pump()
        stage.source.feed(*[b"x" * 20] * 10)
        self.assertEqual(len(fast.octets), 60)
        slow.body.close()
        self.assertEqual(len(fast.octets), 200)
        self.assertFalse(stage.shared.can_be_joined)

    def test_announced_as_too_large(self) -> None:
        """A body announced as larger than what is kept is not kept from the beginning."""
        stage = Stage.of(1000, keep=999)
        stage.reader()
        stage.pump()
        self.assertEqual((stage.overflows, stage.shared.is_kept), ([1], False))


class SpoolTests(SynchronousTestCase):
    """What no longer fits into memory."""

    def memory(self, stage: Stage) -> int:
        """:return: octets in memory."""
        return sum(map(len, stage.shared.buffer.in_memory()))

    def test_bounded_memory(self) -> None:
        """A slow reader costs a window of memory, and loses nothing."""
        stage = Stage.of(keep=0, window=100, spool=FakeSpool)
        slow, fast = stage.reader(), stage.reader().run()
        stage.pump()
        pieces = [bytes([n]) * 9000 for n in range(50)]
        for piece in pieces:
            stage.source.feed(piece)
            self.assertLessEqual(self.memory(stage), 9100)
        stage.source.feed(b"")
        self.assertEqual(fast.octets, b"".join(pieces))
        self.assertEqual(slow.run().octets, fast.octets)
        self.assertTrue(stage.spools[0].was_closed)

    def test_late_joiner(self) -> None:
        """A reader that comes late begins with the spool."""
        stage = Stage.of(keep=0, window=10, spool=FakeSpool)
        stage.reader().run()
        stage.pump()
        stage.source.feed(b"a" * 9000, b"b" * 9000)
        self.assertTrue(stage.shared.can_be_joined)
        late = stage.reader().run()
        stage.source.feed(b"c" * 9000, b"")
        self.assertEqual(late.octets, b"a" * 9000 + b"b" * 9000 + b"c" * 9000)

    def test_small_bodies_need_none(self) -> None:
        """No spool is made for what fits into the window."""
        stage = Stage.of(keep=0, window=100, spool=FakeSpool)
        stage.reader().run()
        stage.pump()
        stage.source.feed(b"a" * 99)
        self.assertEqual(stage.spools, [])
        self.assertEqual(stage.reader().run().octets, b"a" * 99)

    def test_full(self) -> None:
        """With a full spool no reader can join, and one that lags too far fails; others go on."""
        stage = Stage.of(keep=0, window=10, spool=lambda: FakeSpool(limit=20_000))
        slow, fast = stage.reader(), stage.reader().run()
        stage.pump()
        stage.source.feed(*[b"a" * 9000] * 9, b"")
        self.assertEqual(len(fast.octets), 81_000)
        self.assertFalse(stage.shared.can_be_joined)
        slow.run()
        self.assertEqual((len(slow.octets), type(slow.error)), (18_000, UpstreamBroke))

    def test_disk_fails(self) -> None:
        """A disk that fails is as good as full."""
        stage = Stage.of(keep=0, window=10, spool=lambda: FakeSpool(fails=True))
        slow, fast = stage.reader(), stage.reader().run()
        stage.pump()
        stage.source.feed(*[b"a" * 9000] * 9, b"")
        self.assertTrue(fast.is_done)
        self.assertIsInstance(slow.run().error, UpstreamBroke)

    def test_slow_disk(self) -> None:
        """Octets are not forgotten before they are on the disk, and no more are read meanwhile."""
        spool = FakeSpool(held=[])
        stage = Stage.of(keep=0, window=10, spool=lambda: spool)
        fast = stage.reader().run()
        stage.pump()
        stage.source.feed(b"a" * 9000, b"b" * 9000, b"")
        self.assertEqual((len(fast.octets), self.memory(stage)), (9000, 9000))
        self.assertTrue(stage.shared.can_be_joined)
        assert spool.held is not None
        spool.held.pop().callback(None)
        self.assertEqual(len(fast.octets), 18_000)

    def test_closed_when_all_left(self) -> None:
        """The spool is given back with the last reader, also after a failure."""
        stage = Stage.of(keep=0, window=10, spool=FakeSpool)
        slow, fast = stage.reader(), stage.reader().run()
        stage.pump().addErrback(lambda _: None)
        stage.source.feed(b"a" * 9000, broken())
        self.assertIsNotNone(fast.error)
        fast.body.close()
        self.assertFalse(stage.spools[0].was_closed)
        slow.body.close()
        self.assertTrue(stage.spools[0].was_closed)


class RandomReadersTests(SynchronousTestCase):
    """In any order of reads, each reader gets the octets of the source in order."""

    STEPS = st.lists(st.one_of(
        st.tuples(st.just("send"), st.integers(1, 20_000)),
        st.tuples(st.just("join"), st.just(0)),
        st.tuples(st.just("step"), st.integers(0, 5)),
        st.tuples(st.just("leave"), st.integers(0, 5))), max_size=40)

    @settings(max_examples=150, deadline=None)
    @given(STEPS, st.sampled_from([0, 15_000, 10**6]), st.booleans())
    def test_all_get_the_same(self, steps: list[tuple[str, int]], keep: int,
                              spools: bool) -> None:
        """Readers that stay to the end get the whole body, and those that leave get a prefix."""
        stage = Stage.of(keep=keep, window=10_000, spool=FakeSpool if spools else None)
        readers, sent = [stage.reader()], b""
        stage.pump()
        for kind, number in steps:
            reader = readers[number % len(readers)]
            if kind == "send":
                piece = bytes([len(sent) % 251]) * number
                sent += piece
                stage.source.feed(piece)
            elif kind == "join" and stage.shared.can_be_joined:
                readers.append(stage.reader())
            elif kind == "step" and not reader.is_reading:
                reader.step()
            elif kind == "leave" and len(readers) > 1 and not reader.is_reading:
                reader.body.close()
                readers.remove(reader)
        stage.source.feed(b"")
        for _ in range(2):
            for reader in readers:
                if not reader.is_reading:
                    reader.run()
        for reader in readers:
            self.assertEqual(reader.octets, sent[:len(reader.octets)])
        running = [r for r in readers if r.is_done]
        for reader in running:
            self.assertEqual(reader.octets, sent)


class JoiningTests(SynchronousTestCase):
    """What is kept is kept in large pieces, at every moment readable from anywhere."""

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.integers(1, 300_000), max_size=12), st.data())
    def test_any_offset(self, sizes: list[int], data: st.DataObject) -> None:
        """Every offset gives the octets of the source."""
        stage = Stage.of(keep=10**8, ahead=10**8)
        stage.reader()
        stage.pump()
        sent = b""
        for n, size in enumerate(sizes):
            piece = bytes([n]) * size
            sent += piece
            stage.source.feed(piece)
            offset = data.draw(st.integers(0, len(sent) - 1))
            found = stage.shared.buffer.at(offset)
            assert found is not None
            self.assertEqual(bytes(found), sent[offset:offset + len(found)])
        self.assertEqual(b"".join(stage.shared.buffer.in_memory()), sent)
        stage.source.feed(b"")
        self.assertLessEqual(len(stage.shared.buffer.in_memory()), 1 + len(sent) // 2_097_152)
