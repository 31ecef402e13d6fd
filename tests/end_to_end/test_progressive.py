"""Progressive forwarding: one answer on its way from the origin, followed by many clients."""

from __future__ import annotations

import http.client
import random
import tempfile
import threading
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.pacing import Crowd, PacedOrigin, Script
from tests.end_to_end.servers import Answer, Trickster
from tests.end_to_end.talking import PATIENCE, Growth, Talk, eventually, request

MIB = 1 << 20
BODY = random.Random(5).randbytes(20 * MIB)
SMALL = BODY[:300_000]
HALF = len(SMALL) // 2


class _ProgressiveCase(SynchronousTestCase):
    """One Trickster for all tests of a class, and one origin that does as each test says."""

    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    origin: ClassVar[PacedOrigin]
    trickster: ClassVar[Trickster]
    number: ClassVar[int] = 0

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory()
        cls.origin = PacedOrigin(Script(SMALL))
        everything = {"path": "/", "match_type": "prefix"}
        new = {**everything, "collapsed_forwarding": "progressive"}
        old = {**everything, "progressive_collapsed_forwarding": True}
        common = {"origin_url": cls.origin.url}
        cls.trickster = Trickster(Path(cls.directory.name), {
            "cached": {**common, "provider": "rpc", "max_object_size_bytes": 32 * MIB,
                       "paths": [{**new, "handler": "proxycache"}]},
            "small": {**common, "provider": "rpc", "max_object_size_bytes": MIB,
                      "paths": {"all": {**old, "handler": "proxycache"}}},
            "proxied": {**common, "provider": "rp", "paths": [{**new, "handler": "proxy"}]},
        }, listener={"drain_timeout": "1s"})

    @classmethod
    def tearDownClass(cls) -> None:
        cls.trickster.stop()
        cls.origin.stop()
        cls.directory.cleanup()

    def given(self, script: Script, backend: str = "cached") -> str:
        """:return: a target that was not asked for before, which is answered by a script."""
        self.origin.follow(script)
        type(self).number += 1
        return f"/{backend}/{self.number}"

    def client(self, target: str, *headers: tuple[str, str]) -> Talk:
        """:return: a connection on which something has been asked for."""
        talk = Talk(self.trickster.port)
        self.addCleanup(talk.close)
        talk.ask(target, headers)
        return talk

    def begun(self, target: str, number: int = 1) -> list[http.client.HTTPResponse]:
        """:return: answers of which the first octets have been read, while the origin waits."""
        responses = [self.client(target).response() for _ in range(number)]
        for response in responses:
            self.assertEqual(response.read(1000), SMALL[:1000])
        self.assertTrue(self.origin.run.is_held.wait(PATIENCE))
        self.assertEqual(len(self.origin.run.heads), 1)
        return responses


class CrowdTests(_ProgressiveCase):
    """Many clients of one object at the same time."""

    def test_fifty(self) -> None:
        """
        Fifty clients of a large object that is arriving make one request to the origin, get their
        first octets before the last has been sent, and all get the same; memory is bounded, and
        then the object is a hit.
        """
        target = self.given(Script(BODY, rate=20 * MIB, hold_at=len(BODY) - 1))
        growth = Growth(self.trickster)

        def begun(number: int) -> None:
            if number == 50:
                self.assertLess(self.origin.run.sent, len(BODY))
                self.origin.run.go_on.set()

        readers = Crowd(self.trickster.port, target, BODY, begun).run(50, 1.0)
        self.assertEqual([reader.at for reader in readers], [len(BODY)] * 50)
        self.assertFalse(any(reader.is_wrong for reader in readers))
        self.assertEqual(len(self.origin.run.heads), 1)
        self.assertLess(growth.peak, 2 * len(BODY))
        self.assertEqual(sum(b"status=proxy-hit" in reader.head for reader in readers), 49)
        answer = request(self.trickster.url + target)
        self.assertEqual((answer.lookup, answer.body == BODY), ("hit", True))

    def test_without_a_length(self) -> None:
        """Chunked responses are followed and stored as others are."""
        for backend in ("cached", "small", "proxied"):
            target = self.given(Script(SMALL, True, hold_at=HALF), backend)
            responses = self.begun(target, 3)
            self.origin.run.go_on.set()
            for response in responses:
                self.assertEqual(response.getheader("Transfer-Encoding"), "chunked")
                self.assertEqual(response.read(), SMALL[1000:])
            self.assertEqual(len(self.origin.run.heads), 1)
            if backend != "proxied":
                self.assertEqual(request(self.trickster.url + target).lookup, "hit")

    def test_before_the_head(self) -> None:
        """The first client may leave before there is a response, and the others get theirs."""
        target = self.given(Script(SMALL, hold_at=-1))
        leader = self.client(target)
        self.assertTrue(self.origin.run.is_held.wait(PATIENCE))
        others = [self.client(target) for _ in range(3)]
        with Talk(self.trickster.port) as talk:  # so that all have been read
            talk.asked("/trickster/ping")
        leader.reset()
        self.assertFalse(self.origin.run.is_left.wait(0.2))
        self.origin.run.go_on.set()
        for talk in others:
            self.assertEqual(talk.answer().body, SMALL)
        self.assertEqual(len(self.origin.run.heads), 1)

    def test_too_large(self) -> None:
        """A response above max_object_size_bytes is streamed to all clients, and not stored."""
        body = BODY[:4 * MIB]
        for is_chunked in (False, True):
            target = self.given(Script(body, is_chunked, hold_at=3 * MIB), "small")
            talks = [self.client(target)]
            self.assertTrue(self.origin.run.is_held.wait(PATIENCE) or not is_chunked)
            talks += [self.client(target) for _ in range(3)]
            answers = self.answers(talks)
            self.assertTrue(self.origin.run.is_held.wait(PATIENCE))
            self.origin.run.go_on.set()
            self.assertEqual([answer.body == body for answer in answers()], [True] * 4)
            self.assertEqual(len(self.origin.run.heads), 1)
            self.assertNotEqual(request(self.trickster.url + target).lookup, "hit")

    def answers(self, talks: list[Talk]) -> Any:
        """:return: what waits until all have their answers, which are being read already."""
        found: list[Answer] = []
        threads = [threading.Thread(target=lambda talk=talk: found.append(talk.answer()))
                   for talk in talks]
        for thread in threads:
            thread.start()

        def wait() -> list[Answer]:
            for thread in threads:
                thread.join(PATIENCE)
            return found

        return wait

    def test_proxied(self) -> None:
        """Without a cache, only simultaneous clients share a response."""
        target = self.given(Script(SMALL, hold_at=HALF), "proxied")
        responses = self.begun(target, 3)
        self.origin.run.go_on.set()
        self.assertEqual([response.read() for response in responses], [SMALL[1000:]] * 3)
        self.assertTrue(eventually(
            lambda: request(self.trickster.url + target).lookup == "proxy-only"))
        self.assertGreaterEqual(len(self.origin.run.heads), 2)


class ReaderTests(_ProgressiveCase):
    """Readers that are slow, or leave, or want only a part."""

    def test_slow_reader(self) -> None:
        """A client that does not read delays no other, costs little memory, and misses nothing."""
        target = self.given(Script(BODY), "small")
        growth = Growth(self.trickster)
        slow = Talk(self.trickster.port, 4096)
        self.addCleanup(slow.close)
        slow.ask(target)
        response = slow.response()
        self.assertEqual(response.read(1000), BODY[:1000])
        readers = Crowd(self.trickster.port, target, BODY, lambda number: None).run(3, 0)
        self.assertEqual([reader.at for reader in readers], [len(BODY)] * 3)
        self.assertFalse(any(reader.is_wrong for reader in readers))
        self.assertEqual(len(self.origin.run.heads), 1)
        self.assertLess(growth.peak, 12 * MIB)
        self.assertTrue(response.read() == BODY[1000:])

    def test_one_leaves(self) -> None:
        """A client that leaves, first or not, takes nothing from the others."""
        for backend in ("cached", "proxied"):
            target = self.given(Script(SMALL, hold_at=HALF), backend)
            talks = [self.client(target) for _ in range(3)]
            responses = [talk.response() for talk in talks]
            self.assertTrue(self.origin.run.is_held.wait(PATIENCE))
            talks[0].reset()
            self.assertFalse(self.origin.run.is_left.wait(0.2))
            self.origin.run.go_on.set()
            self.assertEqual([response.read() for response in responses[1:]], [SMALL] * 2)
            self.assertEqual(len(self.origin.run.heads), 1)

    def test_all_leave(self) -> None:
        """The last client to leave cancels the request, and a later one begins anew."""
        for backend in ("cached", "small", "proxied"):
            target = self.given(Script(SMALL, hold_at=HALF), backend)
            talks = [self.client(target) for _ in range(3)]
            self.assertTrue(self.origin.run.is_held.wait(PATIENCE))
            for talk in talks:
                talk.response()
                talk.reset()
            self.assertTrue(self.origin.run.is_left.wait(PATIENCE), backend)
            self.assertEqual(request(self.trickster.url + target).body, SMALL)

    def test_ranges(self) -> None:
        """A range that has arrived is served at once, and another one is fetched."""
        target = self.given(Script(SMALL, hold_at=HALF))
        response, = self.begun(target)
        for first, last in ((0, 99), (500, 70_000), (HALF - 70_000, HALF - 1)):
            answer = self.client(target, ("Range", f"bytes={first}-{last}")).answer()
            self.assertEqual((answer.status, answer.body), (206, SMALL[first:last + 1]))
            self.assertEqual(answer.headers["Content-Range"],
                             f"bytes {first}-{last}/{len(SMALL)}")
        self.assertEqual(len(self.origin.run.heads), 1)
        ahead = self.client(target, ("Range", "bytes=-10"))
        self.assertTrue(eventually(lambda: len(self.origin.run.heads) == 2))
        self.assertIn(b"Range: bytes=-10", self.origin.run.heads[1])
        self.origin.run.go_on.set()
        self.assertEqual(ahead.answer().body, SMALL[-10:])
        self.assertEqual(response.read(), SMALL[1000:])


class DeathTests(_ProgressiveCase):
    """Origins that do not bring to its end what they began."""

    def test_mid_body(self) -> None:
        """A response that breaks off is visibly incomplete for every client, and is not stored."""
        for backend in ("cached", "small", "proxied"):
            for is_chunked in (False, True):
                target = self.given(
                    Script(SMALL, is_chunked, hold_at=HALF, die_at=HALF), backend)
                responses = self.begun(target, 3)
                self.origin.run.go_on.set()
                for response in responses:
                    with self.assertRaises(http.client.IncompleteRead) as caught:
                        response.read()
                    if not is_chunked:
                        self.assertEqual(caught.exception.partial, SMALL[1000:HALF])
                self.origin.follow(Script(SMALL, is_chunked))
                answer = request(self.trickster.url + target)
                self.assertEqual((answer.status, answer.body), (200, SMALL))
                self.assertNotEqual(answer.lookup, "hit")

    def test_before_the_head(self) -> None:
        """All clients that wait for a response that never begins get status 502."""
        for backend in ("cached", "proxied"):
            target = self.given(Script(SMALL, hold_at=-1, die_at=-1), backend)
            talks = [self.client(target) for _ in range(3)]
            self.assertTrue(self.origin.run.is_held.wait(PATIENCE))
            with Talk(self.trickster.port) as talk:  # so that all have been read
                talk.asked("/trickster/ping")
            self.origin.run.go_on.set()
            self.assertEqual([talk.answer().status for talk in talks], [502] * 3)
            self.assertEqual(len(self.origin.run.heads), 1)
