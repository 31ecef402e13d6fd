"""Byte ranges through the object cache: RFC 9110 section 14, RFC 9111 sections 3.3 and 3.4."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import START, Client, World, date
from trickster.errors import Reason
from trickster.messages import Request, Response
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import DictStore

BODY = bytes(range(100))


def ranging(world: World, body: bytes = BODY, tag: str = '"a"', **headers: str
            ) -> object:
    """:return: an origin that knows ranges, If-Range and If-None-Match."""

    def respond(request: Request) -> Response:
        fields = {"Cache_Control": "max-age=60", "ETag": tag, "Content_Type": "x/y", **headers}
        if request.headers.get(b"if-none-match") == tag.encode():
            return world.answer(304, b"", **fields)
        wanted = request.headers.get(b"range")
        condition = request.headers.get(b"if-range")
        if wanted is None or condition not in (None, tag.encode()):
            return world.answer(200, body, **fields)
        last = len(body) - 1
        spans = [(int(a), min(int(b or last), last)) if a else (max(0, last + 1 - int(b)), last)
                 for a, b in re.findall(rb"(\d*)-(\d*)", wanted)]
        spans = [span for span in spans if span[0] < len(body)]
        if not spans:
            return world.answer(416, b"", Content_Range=f"bytes */{len(body)}")
        if len(spans) == 1:
            [(first, last)] = spans
            return world.answer(206, body[first:last + 1], **fields,
                                Content_Range=f"bytes {first}-{last}/{len(body)}")
        parts = b"".join(
            b"\r\n--B\r\nContent-Type: x/y\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%b"
            % (a, b, len(body), body[a:b + 1]) for a, b in spans)
        fields["Content_Type"] = "multipart/byteranges; boundary=B"
        return world.answer(206, parts[2:] + b"\r\n--B--\r\n", **fields)

    return respond


def parts_of(client: Client) -> list[tuple[bytes, bytes]]:
    """:return: Content-Range and content of each part of a multipart answer."""
    kind = client.header(b"content-type") or b""
    boundary = kind.removeprefix(b"multipart/byteranges; boundary=")
    pieces = (b"\r\n" + client.octets).split(b"\r\n--" + boundary)
    assert pieces[0] == b"" and pieces[-1] == b"--\r\n", pieces
    found = []
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        said = re.search(rb"Content-Range: (.*?)(\r\n|$)", head)
        assert said is not None
        found.append((said[1], content))
    return found


class WholeStoredTests(SynchronousTestCase):
    """A whole stored answer serves every range."""

    def asked(self, wanted: str, store: type = DictStore, **more: str) -> Client:
        """:return: who asked for a range of what is stored."""
        world = World.of(store)
        world.given(world.answer(body=BODY, Cache_Control="max-age=60", ETag='"a"',
                                 Last_Modified=date(START - 100), Content_Type="x/y"))
        world.ask()
        client = world.ask(Range=wanted, **more)
        self.assertEqual(world.asked, 1)
        return client

    def test_single(self) -> None:
        """A single range is served in each form: bounded, open, suffix, and beyond the end."""
        for wanted, start, stop in (("0-9", 0, 10), ("90-", 90, 100), ("-1", 99, 100),
                                    ("99-99", 99, 100), ("50-1000", 50, 100), ("-1000", 0, 100),
                                    ("0-", 0, 100), ("0-99999999999999999", 0, 100)):
            client = self.asked(f"bytes={wanted}")
            self.assertEqual((client.status, client.octets), (206, BODY[start:stop]), wanted)
            self.assertEqual(client.header(b"content-range"),
                             b"bytes %d-%d/100" % (start, stop - 1))
            self.assertEqual((client.header(b"etag"), client.header(b"content-type")),
                             (b'"a"', b"x/y"))

    def test_several(self) -> None:
        """A request for several ranges gets a multipart response in the order of its ranges."""
        client = self.asked("bytes=50-59, 0-1,-1")
        self.assertEqual(client.header(b"content-type"),
                         b"multipart/byteranges; boundary=BOUNDARY")
        self.assertEqual(parts_of(client), [
            (b"bytes 50-59/100", BODY[50:60]), (b"bytes 0-1/100", BODY[:2]),
            (b"bytes 99-99/100", BODY[99:])])
        self.assertEqual(client.response.body.length, len(client.octets))

    def test_overlapping(self) -> None:
        """Ranges that overlap are joined."""
        client = self.asked("bytes=0-10,5-20")
        self.assertEqual((client.octets, client.header(b"content-range")),
                         (BODY[:21], b"bytes 0-20/100"))

    def test_one_of_several_exists(self) -> None:
        """Of several ranges, those that do not exist are left out of the response."""
        self.assertEqual(self.asked("bytes=100-,3-4").octets, BODY[3:5])

    def test_unsatisfiable(self) -> None:
        """A range of which nothing exists gets a 416 with the length."""
        for wanted in ("100-", "100-200", "-0", "200-300,400-"):
            client = self.asked(f"bytes={wanted}")
            self.assertEqual((client.status, client.octets, client.header(b"content-range")),
                             (416, b"", b"bytes */100"), wanted)

    def test_nothing_there(self) -> None:
        """A range of an empty object gets the whole, empty object."""
        for wanted in ("-5", "-0", "0-", "0-9", "0-1,5-"):
            world = World.of()
            world.given(world.answer(body=b"", Cache_Control="max-age=60", ETag='"a"'))
            world.ask()
            client = world.ask(Range=f"bytes={wanted}")
            self.assertEqual((client.status, client.octets), (200, b""), wanted)

    def test_ignored(self) -> None:
        """A malformed range, or one of another unit, is ignored."""
        for wanted in ("bytes=5-1", "bytes=", "bytes=a-b", "lines=1-2", "bytes 1-2", "1-2",
                       "bytes=1-2,x", "bytes=--1", "bytes=1-2\nbytes=3-4", "bytes=+1-2",
                       "bytes=0-0," * 80 + "0-0"):
            client = self.asked(wanted)
            self.assertEqual((client.status, client.octets), (200, BODY), wanted)

    def test_unit_in_any_case(self) -> None:
        """Range units are case-insensitive (RFC 9110 section 14.1)."""
        self.assertEqual(self.asked("BYTES=0-0").status, 206)

    def test_if_range(self) -> None:
        """A range with If-Range is served only for an equal strong validator."""
        for condition, status in (('"a"', 206), ('"b"', 200), ('W/"a"', 200), ("rubbish", 200),
                                  (date(START - 100), 206), (date(START - 99), 200),
                                  (date(START), 200)):
            self.assertEqual(self.asked("bytes=0-9", If_Range=condition).status, status, condition)

    def test_conditions_come_first(self) -> None:
        """A condition that fails makes the range void."""
        self.assertEqual(self.asked("bytes=0-9", If_None_Match='"a"').status, 304)
        self.assertEqual(self.asked("bytes=0-9", If_Match='"b"').status, 412)

    def test_not_for_head(self) -> None:
        """Ranges are for GET alone."""
        world = World.of()
        world.given(world.answer(body=BODY, Cache_Control="max-age=60"))
        world.ask()
        client = world.ask(method=b"HEAD", Range="bytes=0-9")
        self.assertEqual((client.status, client.header(b"content-length")), (200, b"100"))

    def test_not_for_errors(self) -> None:
        """Ranges are not for answers other than 200."""
        world = World.of()
        world.given(world.answer(404, Cache_Control="max-age=60"))
        world.ask()
        self.assertEqual(world.ask(Range="bytes=0-1").status, 404)

    def test_multipart_disabled(self) -> None:
        """
        Without multipart responses, several ranges get the whole body, and a single range its part.
        """
        world = World.of(multipart_ranges_disabled=True)
        world.given(world.answer(body=BODY, Cache_Control="max-age=60"))
        world.ask()
        self.assertEqual(world.ask(Range="bytes=0-1,5-6").octets, BODY)
        self.assertEqual(world.ask(Range="bytes=0-1").octets, BODY[:2])


class PartsStoredTests(SynchronousTestCase):
    """Stored parts serve what they hold; what is missing is fetched."""

    def world(self, store: type = DictStore, tag: str = '"a"', **options: object) -> World:
        """:return: a world with an origin that knows ranges."""
        world = World.of(store, **options)
        world.given(*[ranging(world, tag=tag)] * 20)
        return world

    def sent(self, world: World) -> list[bytes | None]:
        """:return: the ranges that the origin was asked for."""
        return [request.headers.get(b"range") for request in world.origin.requests]

    def test_same_and_smaller(self) -> None:
        """Requests for a stored range, or for a part of a stored range, are hits."""
        world = self.world()
        first = world.ask(Range="bytes=10-29")
        self.assertEqual((first.status, first.result, first.octets), (206, "kmiss", BODY[10:30]))
        for wanted, start, stop in (("10-29", 10, 30), ("15-19", 15, 20), ("29-29", 29, 30)):
            client = world.ask(Range=f"bytes={wanted}")
            self.assertEqual((client.result, client.octets), ("hit", BODY[start:stop]))
            self.assertEqual(client.header(b"content-range"),
                             b"bytes %d-%d/100" % (start, stop - 1))
        self.assertEqual(self.sent(world), [b"bytes=10-29"])

    def test_missing_part(self) -> None:
        """Only the missing part is fetched, on the condition of the same representation."""
        world = self.world()
        world.ask(Range="bytes=10-29")
        client = world.ask(Range="bytes=20-49")
        self.assertEqual((client.result, client.octets), ("phit", BODY[20:50]))
        self.assertEqual(client.outcome.reason, Reason.RANGE_MISS)
        self.assertEqual(world.origin.requests[-1].headers.get(b"if-range"), b'"a"')
        self.assertEqual(self.sent(world), [b"bytes=10-29", b"bytes=30-49"])
        self.assertEqual(world.ask(Range="bytes=10-49").result, "hit")

    def test_range_miss(self) -> None:
        """A request of which no part is stored is a range miss."""
        world = self.world()
        world.ask(Range="bytes=10-29")
        self.assertEqual(world.ask(Range="bytes=50-59").result, "rmiss")
        self.assertEqual(world.ask(Range="bytes=10-11,58-59").result, "hit")

    def test_whole(self) -> None:
        """
        A request without a range fetches the missing rest; from then on the whole object is stored.
        """
        world = self.world()
        world.ask(Range="bytes=10-29")
        client = world.ask()
        self.assertEqual((client.status, client.result, client.octets), (200, "phit", BODY))
        self.assertIsNone(client.header(b"content-range"))
        self.assertEqual(client.header(b"content-type"), b"x/y")
        self.assertEqual(self.sent(world)[1:], [b"bytes=0-9,30-99"])
        self.assertEqual([world.ask().result, world.ask(Range="bytes=-3").result], ["hit"] * 2)

    def test_separately(self) -> None:
        """Each missing part may be fetched by a request of its own."""
        world = self.world(dearticulate_upstream_ranges=True)
        world.ask(Range="bytes=10-29")
        self.assertEqual(world.ask().octets, BODY)
        self.assertEqual(self.sent(world)[1:], [b"bytes=0-9", b"bytes=30-99"])

    def test_separately_in_parallel(self) -> None:
        """Missing parts are fetched in parallel, and all are cancelled when their client leaves."""
        world = World.of(dearticulate_upstream_ranges=True)
        world.given(ranging(world))
        world.ask(Range="bytes=10-29")
        client = world.ask()
        waiting = list(world.origin.waiting)
        self.assertEqual(len(waiting), 2)
        client.leave()
        self.assertEqual([exchange.was_cancelled for exchange in waiting], [True, True])

    def test_separate_failure(self) -> None:
        """A failing fetch of one missing part makes the whole object be fetched anew."""
        world = World.of(dearticulate_upstream_ranges=True)
        world.given(ranging(world))
        world.ask(Range="bytes=10-29")
        world.given(ranging(world), world.answer(500), ranging(world))
        self.assertEqual(world.ask().octets, BODY)
        self.assertIsNone(self.sent(world)[-1])

    def test_several_ranges(self) -> None:
        """Several ranges are stored from one multipart answer."""
        world = self.world()
        client = world.ask(Range="bytes=0-9,50-59")
        self.assertEqual([content for _, content in parts_of(client)], [BODY[:10], BODY[50:60]])
        self.assertEqual(world.ask(Range="bytes=55-56").octets, BODY[55:57])
        self.assertEqual(world.asked, 1)

    def test_head(self) -> None:
        """A HEAD for a partially stored object gets the length of the whole."""
        world = self.world()
        world.ask(Range="bytes=0-9")
        self.assertEqual(world.ask(Range="bytes=200-").status, 416)

    def test_weak_validator(self) -> None:
        """Parts without a strong validator are not combined."""
        world = self.world(tag='W/"a"')
        world.ask(Range="bytes=0-9")
        client = world.ask(Range="bytes=5-19")
        self.assertEqual((client.octets, self.sent(world)), (BODY[5:20],
                                                             [b"bytes=0-9", b"bytes=5-19"]))
        self.assertIsNone(world.origin.requests[-1].headers.get(b"if-range"))

    def test_changed_meanwhile(self) -> None:
        """Another representation replaces all stored parts, and is never combined with them."""
        world = World.of()
        other = bytes(reversed(BODY))
        world.given(ranging(world), ranging(world, other, '"b"'))
        world.ask(Range="bytes=0-9")
        client = world.ask(Range="bytes=5-19")
        self.assertEqual((client.status, client.octets), (206, other[5:20]))
        self.assertEqual(world.ask().octets, other)
        self.assertEqual(world.asked, 2)

    def test_if_range_ignored_by_the_origin(self) -> None:
        """A 206 of another representation, unasked for, is not combined either."""
        world = World.of()
        other = bytes(reversed(BODY))
        part = world.answer(206, other[10:20], ETag='"b"', Cache_Control="max-age=60",
                            Content_Range="bytes 10-19/100")
        world.given(ranging(world), part, ranging(world, other, '"b"'))
        world.ask(Range="bytes=0-9")
        self.assertEqual(world.ask(Range="bytes=5-19").octets, other[5:20])

    def test_other_length(self) -> None:
        """A 206 of another length is not combined with what is stored, with any validator."""
        world = World.of()
        part = world.answer(206, b"x" * 10, ETag='"a"', Cache_Control="max-age=60",
                            Content_Range="bytes 10-19/101")
        world.given(ranging(world), part, ranging(world))
        world.ask(Range="bytes=0-9")
        self.assertEqual(world.ask(Range="bytes=5-19").octets, BODY[5:20])

    def test_combined_fields(self) -> None:
        """New fields win, missing ones stay (RFC 9111 section 3.4)."""
        world = World.of()
        world.given(ranging(world, Test="1", Old="1"), ranging(world, Test="2"))
        world.ask(Range="bytes=0-9")
        world.ask(Range="bytes=10-19")
        client = world.ask(Range="bytes=0-19")
        self.assertEqual((client.header(b"test"), client.header(b"old")), (b"2", b"1"))

    def test_stale_parts(self) -> None:
        """Stale parts are validated before they are used."""
        world = self.world()
        world.ask(Range="bytes=0-9")
        world.clock.advance(61)
        client = world.ask(Range="bytes=0-9")
        self.assertEqual((client.result, client.octets), ("rhit", BODY[:10]))
        self.assertEqual(world.origin.requests[-1].headers.get(b"if-none-match"), b'"a"')

    def test_stale_and_missing(self) -> None:
        """What is missing is fetched after stale parts have been validated."""
        world = self.world()
        world.ask(Range="bytes=0-9")
        world.clock.advance(61)
        client = world.ask()
        self.assertEqual((client.octets, world.asked), (BODY, 3))

    def test_304_for_what_is_missing(self) -> None:
        """
        A 304 for a missing part, which no condition asks for, is no answer: all is fetched anew,
        once, also after a 304 that was one.
        """
        for age in (0, 70):
            world = World.of(DictStore)
            unchanged = world.answer(304, b"", Cache_Control="max-age=60", ETag='"a"')
            confirmed = [unchanged] if age else []
            world.given(ranging(world), *confirmed, unchanged, ranging(world))
            world.ask(Range="bytes=0-9")
            world.clock.advance(age)
            client = world.ask(Range="bytes=5-29")
            self.assertEqual((client.status, client.octets), (206, BODY[5:30]))
            self.assertEqual(world.asked, 3 + len(confirmed))
            world = World.of(DictStore)
            world.given(ranging(world), *[unchanged] * 9)
            world.ask(Range="bytes=0-9")
            world.clock.advance(age)
            self.assertEqual(world.ask(Range="bytes=5-29").status, 304)
            self.assertEqual(world.asked, 3 + len(confirmed))

    def test_416_for_what_is_missing(self) -> None:
        """A 416 for a missing part means a shorter representation, which is fetched anew."""
        world = World.of()
        world.given(ranging(world), world.answer(416, b""), ranging(world, BODY[:50], '"b"'))
        world.ask(Range="bytes=0-9")
        self.assertEqual(world.ask(Range="bytes=40-69").octets, BODY[40:50])

    def test_too_large(self) -> None:
        """Parts that together are too large are given, and not stored."""
        world = self.world(max_object_size_bytes=30)
        world.ask(Range="bytes=0-19")
        self.assertEqual(world.ask(Range="bytes=20-39").octets, BODY[20:40])
        self.assertEqual(world.ask(Range="bytes=0-9").result, "hit")
        client = world.ask(Range="bytes=0-39")
        self.assertEqual((client.octets, client.outcome.stored), (BODY[:40], False))

    def test_missing_part_too_large(self) -> None:
        """What cannot be joined with what is stored is asked for as the client did."""
        for wanted, status, expected in (
                ({"Range": "bytes=0-59"}, 206, BODY[:60]), ({"Range": "bytes=5-"}, 206, BODY[5:]),
                ({}, 200, BODY)):
            world = self.world(max_object_size_bytes=30)
            world.ask(Range="bytes=0-9")
            client = world.ask(**wanted)
            self.assertEqual((client.status, client.octets), (status, expected), wanted)
            self.assertEqual(client.outcome.reason, Reason.TOO_LARGE)
            self.assertEqual(world.ask(Range="bytes=0-9").result, "hit", wanted)

    def test_missing_part_not_storable(self) -> None:
        """No client gets just the missing part where it turns out to be private."""
        world = self.world()
        world.ask(Range="bytes=0-9")
        world.origin.script = [ranging(world, Cache_Control="private")] * 20
        client = world.ask(Range="bytes=0-59")
        self.assertEqual((client.status, client.octets), (206, BODY[:60]))
        self.assertNotEqual(world.ask(Range="bytes=0-9").result, "hit")


class NothingStoredTests(SynchronousTestCase):
    """Ranges where nothing is stored."""

    def test_whole_answer(self) -> None:
        """A 200 response to a range request is stored whole, and the range cut out of the body."""
        world = World.of()
        world.given(world.answer(body=BODY, Cache_Control="max-age=60"))
        client = world.ask(Range="bytes=10-19")
        self.assertEqual((client.status, client.octets), (206, BODY[10:20]))
        self.assertEqual(client.header(b"content-range"), b"bytes 10-19/100")
        self.assertEqual(world.ask().octets, BODY)
        self.assertEqual(world.asked, 1)

    def test_whole_answer_of_unknown_length(self) -> None:
        """
        An answer with everything is stored, and ranges cut out of it, where its length
        is not known before its end.
        """
        for wanted, length in (("10-19", None), ("10-19,30-39", 100), ("10-19,30-39", None)):
            world = World.of()
            body = PausedBody(length)
            world.given(world.answer(body=body, Cache_Control="max-age=60"))
            client = world.ask(Range=f"bytes={wanted}")
            body.feed(BODY[:50], BODY[50:], b"")
            self.assertEqual(client.status, 206)
            self.assertIn(BODY[10:20], client.octets)
            self.assertEqual(world.ask().octets, BODY)

    def test_whole_answer_too_large(self) -> None:
        """A 200 response to a range request that cannot be held is passed on whole."""
        for wanted in ("10-19", "10-19,30-39"):
            world = World.of(max_object_size_bytes=60)
            body = PausedBody()
            world.given(world.answer(body=body, Cache_Control="max-age=60"))
            client = world.ask(Range=f"bytes={wanted}")
            body.feed(BODY[:50], BODY[50:], b"")
            self.assertEqual((client.status, client.octets), (200, BODY))

    def test_too_many(self) -> None:
        """Too many ranges are not passed on."""
        world = World.of()
        world.given(world.answer(body=BODY, Cache_Control="max-age=60"))
        many = ",".join(f"{n}-{n}" for n in range(0, 130, 2))
        self.assertEqual(world.ask(Range=f"bytes={many}").octets, BODY)
        self.assertNotIn(b"range", world.origin.requests[0].headers)

    def test_unsatisfiable(self) -> None:
        """A 416 is passed on, and is no answer to another client."""
        world = World.of()
        world.given(world.answer(416, b"", Cache_Control="max-age=60", Content_Range="bytes */9"),
                    world.answer())
        self.assertEqual(world.ask(Range="bytes=100-").header(b"content-range"), b"bytes */9")
        self.assertEqual(world.ask().octets, b"hello")

    def test_not_whole(self) -> None:
        """A stored part is no answer to a whole request, not even without a validator."""
        world = World.of()
        world.given(world.answer(206, b"ab", Cache_Control="max-age=60",
                                 Content_Range="bytes 0-1/5"), world.answer())
        world.ask(Range="bytes=0-1")
        self.assertEqual(world.ask(Range="bytes=0-1").result, "hit")
        client = world.ask()
        self.assertEqual((client.status, client.octets), (200, b"hello"))

    def test_senseless_parts(self) -> None:
        """A 206 that contradicts itself is passed on, and not stored."""
        senseless = ({"Content_Range": "bytes 0-9/5"}, {"Content_Range": "bytes 0-3/10"}, {},
                     {"Content_Range": "bytes 0-1/*"}, {"Content_Range": "rubbish"},
                     {"Content_Type": "multipart/byteranges; boundary=B"})
        for fields in senseless:
            world = World.of()
            body = PausedBody(2)
            body.feed(b"a", b"b", b"")
            answers = [world.answer(206, each, Cache_Control="max-age=60", **fields)
                       for each in (body, b"ab")]
            world.given(*answers)
            client = world.ask(Range="bytes=0-1")
            self.assertEqual((client.status, client.octets), (206, b"ab"), fields)
            self.assertEqual(world.store.entries, {}, fields)

    def test_not_what_was_asked(self) -> None:
        """A 206 with another range than asked for is the client's to judge."""
        world = World.of()
        world.given(world.answer(206, b"ab", Cache_Control="max-age=60",
                                 Content_Range="bytes 0-1/5"))
        client = world.ask(Range="bytes=0-3")
        self.assertEqual(client.header(b"content-range"), b"bytes 0-1/5")

    def test_large_part(self) -> None:
        """A part that is too large streams through."""
        world = World.of(max_object_size_bytes=10)
        world.given(ranging(world))
        client = world.ask(Range="bytes=0-49")
        self.assertEqual((client.octets, client.outcome.reason), (BODY[:50], Reason.TOO_LARGE))

    def test_truncated_part(self) -> None:
        """A part that ends early is an error, and not stored."""
        world = World.of()
        body = PausedBody(10)
        world.given(world.answer(206, body, Cache_Control="max-age=60", ETag='"a"',
                                 Content_Range="bytes 0-9/100"))
        client = world.ask(Range="bytes=0-9")
        body.feed(b"abc", b"")
        self.assertIsNotNone(client.error)
        self.assertEqual(world.store.entries, {})

    def test_collapsed(self) -> None:
        """Equal ranges at the same time are one request."""
        world = World.of()
        clients = [world.ask(Range="bytes=0-9") for _ in range(5)]
        world.ask(Range="bytes=5-9")
        self.assertEqual(world.asked, 2)
        world.origin.answer(ranging(world)(world.origin.requests[0]))
        self.assertEqual({client.octets for client in clients}, {BODY[:10]})

    def test_of_a_body_on_its_way(self) -> None:
        """A part of what is being fetched anyway is not asked for again."""
        world = World.of()
        world.ask()
        client = world.ask(Range="bytes=0-9")
        self.assertEqual(world.asked, 1)
        world.origin.answer(world.answer(body=BODY, Cache_Control="max-age=60"))
        self.assertEqual((client.status, client.octets), (206, BODY[:10]))


class RandomRangeTests(SynchronousTestCase):
    """Any sequence of requests gives what the origin itself would have given."""

    WANTED = st.one_of(
        st.none(), st.tuples(st.integers(0, 110), st.integers(0, 110)).map(
            lambda pair: f"bytes={min(pair)}-{max(pair)}"),
        st.integers(1, 110).map(lambda n: f"bytes=-{n}"),
        st.integers(0, 110).map(lambda n: f"bytes={n}-"))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(WANTED, max_size=8), st.sampled_from(["0", "5", "60"]), st.booleans(),
           st.sampled_from(['"a"', 'W/"a"']))
    def test_equal_to_the_origin(self, asked: list[str | None], fresh: str, separate: bool,
                                 tag: str) -> None:
        """Octets, status and Content-Range are right, with any ranges stored."""
        world = World.of(DictStore, dearticulate_upstream_ranges=separate)
        answers = ranging(world, tag=tag, Cache_Control=f"max-age={fresh}")
        for wanted in asked:
            world.origin.script[:] = [answers] * 9
            client = world.ask(**({"Range": wanted} if wanted else {}))
            span = _expected(wanted)
            if span is None:
                self.assertEqual(client.status, 416)
                continue
            self.assertEqual(client.octets, BODY[slice(*span)])
            self.assertEqual(client.status, 206 if wanted else 200)
            world.clock.advance(2)


def _expected(wanted: str | None) -> tuple[int, int] | None:
    if wanted is None:
        return 0, 100
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, 100 - int(last)), 100
    return (int(first), min(100, int(last or 99) + 1)) if int(first) < 100 else None
