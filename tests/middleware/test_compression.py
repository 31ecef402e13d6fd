"""Which answers get a content coding, and what becomes of their header fields."""

from __future__ import annotations

from typing import Any
from weakref import ref

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.middleware.decoding import decoded
from trickster.bodies import Pieces, read_all
from trickster.interfaces import IBody
from trickster.messages import Headers, Octets, Outcome, Request, Response, Status
from trickster.middleware.codedbody import CodedBody
from trickster.middleware.codedmemo import CodedMemo
from trickster.middleware.coders import Coding, codings
from trickster.middleware.compression import (
    Compressing,
    Compression,
    CompressionOptions,
    CompressionType,
    coded_headers,
    compressible,
    unmodified_headers,
    varied,
)
from trickster.spans import Place, Span
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.middlewares import middleware_contract
from trickster.testing.runtime import FakeRuntime

TYPES = ("application/json", "Text/Plain", "text/event-stream")
TEXT = b"a body that is worth it, " * 40
HIT = Outcome(status=Status.HIT)


def headers(**fields: str) -> Headers:
    """:return: fields by name, underscores for hyphens; JSON unless something else is said."""
    named = {"content_type": "application/json", **fields}
    return Headers(tuple(
        (name.replace("_", "-").title().encode(), value.encode())
        for name, value in named.items() if value))


class CompressingTests(SynchronousTestCase):
    """A response is coded by what it is, and by what the request accepts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.shared = Compression(codings(), CodedMemo())

    def asked(self, response: Response, accept: bytes = b"gzip", method: bytes = b"GET",
              *more: tuple[bytes, bytes]) -> Response:
        """:return: what becomes of a response."""
        responder = Compressing(RecordingResponder.of(response), compressible(TYPES),
                                self.shared, self.clock)
        fields = (((b"Accept-Encoding", accept), *more) if accept else more)
        return at_once(responder.respond(Request(method, b"/", Headers(fields))))

    def octets(self, body: IBody) -> bytes:
        """:return: all of a body that need not wait."""
        return bytes(at_once(read_all(body, 1 << 30)))

    def assert_coded(self, response: Response, name: str = "gzip", body: bytes = TEXT) -> None:
        self.assertEqual(response.headers.get_all(b"content-encoding"), [name.encode()])
        self.assertEqual(decoded(name, self.octets(response.body)), body)

    def assert_not_coded(self, response: Response, body: bytes = TEXT) -> None:
        self.assertNotIn(b"content-encoding", response.headers)
        self.assertEqual(self.octets(response.body), body)

    def test_every_coding(self) -> None:
        """Each coding that is offered decodes to the body, and is named in Content-Encoding."""
        for coding in self.shared.codings:
            response = self.asked(Response(200, headers(), Octets(TEXT)), coding.name)
            self.assert_coded(response, coding.name.decode())
            self.assertEqual(response.headers.get_all(b"vary"), [b"Accept-Encoding"])

    def test_small_ones_have_a_length(self) -> None:
        """A body that is coded in one go is framed by its length."""
        response = self.asked(Response(200, headers(), Octets(TEXT)))
        assert isinstance(response.body, Octets)
        self.assertLess(response.body.length, len(TEXT))

    def test_not_asked_for(self) -> None:
        """Without a coding that the client accepts, the body stays as it is, and Vary is added."""
        for accept in (b"", b"compress", b"gzip;q=0", b"identity;q=0", b"gzip;q=7"):
            response = self.asked(Response(200, headers(etag='"x"'), Octets(TEXT)), accept)
            self.assert_not_coded(response)
            self.assertEqual(response.headers.get_all(b"vary"), [b"Accept-Encoding"])
            self.assertEqual(response.headers.get(b"etag"), b'"x"')

    def test_types(self) -> None:
        """Only configured types are coded, in any case, with any parameters; never events."""
        for kind in ("APPLICATION/json", "text/plain; charset=utf-8", "text/plain ;a=b"):
            self.assert_coded(self.asked(Response(200, headers(content_type=kind), Octets(TEXT))))
        for kind in ("image/png", "text/event-stream", "application/jsonp", "", "json"):
            response = self.asked(Response(200, headers(content_type=kind), Octets(TEXT)))
            self.assert_not_coded(response)
            self.assertNotIn(b"vary", response.headers)

    def test_no_types(self) -> None:
        """Without configured types, no response is changed, and no 304."""
        for types in ((), ("text/event-stream",)):
            for status in (200, 304):
                response = Response(status, headers(etag='"x"'), Octets(TEXT))
                inner = RecordingResponder.of(response)
                compressing = Compressing(inner, compressible(types),
                                          self.shared, self.clock)
                asked = Request(b"GET", b"/", Headers(((b"Accept-Encoding", b"gzip"),
                                                       (b"If-None-Match", b'W/"x"'))))
                self.assertIs(at_once(compressing.respond(asked)), response)

    def test_types_of_place(self) -> None:
        """The coded types are those of the answering backend, unless options name some."""
        kind, runtime = CompressionType(), FakeRuntime()
        place = Place("a", compressible=compressible(["text/plain"]))
        asked = Request(b"GET", b"/", Headers(((b"Accept-Encoding", b"gzip"),)))
        for types, text, json in ((None, True, False), (("application/json",), False, True)):
            for content_type, is_coded in (("text/plain", text), ("application/json", json)):
                inner = RecordingResponder.of(
                    Response(200, headers(content_type=content_type), Octets(TEXT)))
                wrapped = kind.wrap(inner, CompressionOptions(types), runtime)
                span = Span()
                span.place = place
                response = at_once(wrapped.respond(asked.with_span(span)))
                self.assertEqual(b"content-encoding" in response.headers, is_coded)
        unobserved = Compressing(RecordingResponder.of(Response(200, headers(), Octets(TEXT))),
                                 None, self.shared, self.clock)
        self.assertNotIn(b"content-encoding", at_once(unobserved.respond(asked)).headers)

    def test_never_twice(self) -> None:
        """A response that has a coding, even C{identity}, is left as it is."""
        for coding in ("gzip", "identity", "x"):
            before = headers(content_encoding=coding, etag='"x"')
            response = self.asked(Response(200, before, Octets(TEXT)))
            self.assertEqual(response.headers, before)
            self.assertEqual(self.octets(response.body), TEXT)

    def test_no_transform(self) -> None:
        """C{no-transform} is obeyed: the origin's for all clients, a client's for itself."""
        response = self.asked(Response(
            200, headers(cache_control="max-age=9, No-Transform"), Octets(TEXT)))
        self.assert_not_coded(response)
        self.assertNotIn(b"vary", response.headers)
        response = self.asked(Response(200, headers(), Octets(TEXT)), b"gzip", b"GET",
                              (b"cache-control", b"no-transform"))
        self.assert_not_coded(response)
        self.assertIn(b"vary", response.headers)

    def test_too_small(self) -> None:
        """A body below 512 octets is not coded."""
        self.assert_not_coded(self.asked(Response(200, headers(), Octets(TEXT[:511]))), TEXT[:511])
        self.assert_coded(self.asked(Response(200, headers(), Octets(TEXT[:512]))),
                          body=TEXT[:512])

    def test_statuses(self) -> None:
        """Whole bodies of final responses are coded; parts, redirects and bodiless ones are not."""
        for status in (200, 201, 203, 400, 404, 422, 503):
            self.assert_coded(self.asked(Response(status, headers(), Octets(TEXT))))
        for status in (101, 204, 205, 206, 226, 302, 304, 416):
            response = self.asked(Response(status, headers(accept_ranges="bytes"), Octets(TEXT)))
            self.assert_not_coded(response)
            self.assertIn(b"accept-ranges", response.headers)

    def test_parts_vary(self) -> None:
        """A 206 says what the 200 would vary by (RFC 9110 section 15.3.7)."""
        for kind, vary in (("text/plain", [b"Accept-Encoding"]), ("image/png", [])):
            response = self.asked(Response(206, headers(content_type=kind), Octets(b"part")))
            self.assertEqual(response.headers.get_all(b"vary"), vary)

    def test_the_rest_stays(self) -> None:
        """Phrase, outcome and other fields of a coded response are as they were."""
        before = Response(200, headers(x_a="b"), Octets(TEXT), HIT, b"Fine")
        after = self.asked(before)
        self.assertEqual((after.status, after.outcome, after.phrase, after.headers.get(b"x-a")),
                         (200, HIT, b"Fine", b"b"))

    def test_304(self) -> None:
        """A 304 has the entity tag that the client has, unless nothing may be transformed."""
        asked = (b"If-None-Match", b'W/"x"')
        response = self.asked(Response(304, headers(content_type="", etag='"x"')),
                              b"gzip", b"GET", asked)
        self.assertEqual(response.headers.get(b"etag"), b'W/"x"')
        before = headers(content_type="", etag='"x"', cache_control="no-transform")
        self.assertEqual(self.asked(Response(304, before), b"gzip", b"GET", asked).headers, before)

    # HEAD

    def test_head(self) -> None:
        """HEAD gets the fields that GET gets, but for lengths, and no body."""
        told = headers(etag='"x"', content_length="1000", accept_ranges="bytes")
        untold = headers(etag='"x"')
        for before in (Response(200, told), Response(200, untold, Octets(TEXT)),
                       Response(200, untold, Pieces.of([TEXT])), Response(200, untold)):
            for accept in (b"gzip", b"br;q=0"):
                head = self.asked(before, accept, b"HEAD")
                get = self.asked(Response(200, untold, Octets(TEXT)), accept)
                for name in (b"content-encoding", b"vary", b"etag"):
                    self.assertEqual(head.headers.get(name), get.headers.get(name))
                is_coded = b"content-encoding" in head.headers
                self.assertEqual(b"content-length" in head.headers,
                                 b"content-length" in before.headers and not is_coded)
                if is_coded:
                    self.assertEqual(head.body.length, 0)

    def test_head_of_a_small_one(self) -> None:
        """The answer to HEAD is left as it is where the one to GET would be."""
        small = headers(content_length="511", etag='"x"')
        self.assertEqual(self.asked(Response(200, small), b"gzip", b"HEAD").headers, small)
        for body in (Octets(b"small"), Pieces.streamed([b"sm", b"all"])):
            head = self.asked(Response(200, headers(), body), b"gzip", b"HEAD")
            self.assertNotIn(b"content-encoding", head.headers)

    def test_head_with_a_strange_length(self) -> None:
        """A malformed Content-Length in the answer to HEAD counts as unknown."""
        for length in ("x", "-1", "9" * 5000, "1e9"):
            head = self.asked(Response(200, headers(content_length=length)), b"gzip", b"HEAD")
            self.assertIn(b"content-encoding", head.headers)

    # Bodies

    def test_many_buffers(self) -> None:
        """A small body of many buffers is coded whole."""
        for body in (Pieces.of([TEXT[:9], TEXT[9:]]), Pieces.streamed([TEXT[:9], TEXT[9:]])):
            response = self.asked(Response(200, headers(), body))
            self.assertIs(type(response.body), Octets)
            self.assert_coded(response)

    def test_small_after_all(self) -> None:
        """A body of unknown length that turns out small stays as it is."""
        response = self.asked(Response(200, headers(etag='"x"'), Pieces.streamed([b"small"])))
        self.assert_not_coded(response, b"small")
        self.assertEqual(response.headers.get(b"etag"), b'"x"')

    def test_streamed(self) -> None:
        """A body that is still coming is coded as it comes, from the first octet."""
        source = PausedBody()
        response = self.asked(Response(200, headers(), source))
        self.assertIsNone(response.body.length)
        source.feed(TEXT, TEXT, b"")
        self.assert_coded(response, body=TEXT * 2)

    def test_large_pieces(self) -> None:
        """A body that is not whole in the first pieces loses none of them."""
        pieces = [bytes([n % 251]) * 30_000 for n in range(20)]
        for body in (Pieces.streamed(list(pieces)), Pieces.of(pieces)):
            response = self.asked(Response(200, headers(), body))
            self.assertIsNone(response.body.length)
            self.assertEqual(decoded("gzip", self.all_in_turns(response.body)), b"".join(pieces))

    def all_in_turns(self, body: IBody) -> bytes:
        """:return: all of a body that lets the reactor have its turns."""
        octets = []
        while True:
            reading = _started(body.read())
            while not reading.called:
                self.clock.advance(0)
            piece = self.successResultOf(reading)
            if not piece:
                return b"".join(octets)
            octets.append(piece)

    def test_held_while_it_is_read(self) -> None:
        """A large body exists for as long as its coded form is read, and so is counted."""
        for make in (lambda: Octets(TEXT * 2000), lambda: Pieces.of([TEXT] * 2000)):
            body: IBody = make()
            seen = ref(body)
            response = self.asked(Response(200, headers(), body))
            del body
            reading = Deferred.fromCoroutine(read_all(response.body, 1 << 30))
            self.assertNoResult(reading)
            self.assertIsNotNone(seen())
            self.clock.advance(0)
            self.successResultOf(reading)
            del response, reading
            self.assertIsNone(seen())

    def test_closed_where_coding_fails(self) -> None:
        """A body that fails to be coded is closed."""
        def broken() -> Any:
            raise MemoryError

        self.shared = Compression((Coding(b"gzip", broken),))
        source = PausedBody()
        with self.assertRaises(MemoryError):
            self.asked(Response(200, headers(), source))
        self.assertTrue(source.is_closed)

    # What is asked for again

    def test_hits_are_coded_once(self) -> None:
        """A hit is coded the first time only, for each coding, however its octets come."""
        first = self.asked(Response(200, headers(), Octets(TEXT), HIT))
        copy = bytes(bytearray(TEXT))
        for body in (Octets(TEXT), Octets(copy), Pieces.streamed([TEXT[:7], TEXT[7:]])):
            again = self.asked(Response(200, headers(), body, HIT))
            assert isinstance(again.body, Octets) and isinstance(first.body, Octets)
            self.assertIs(again.body.octets, first.body.octets)
        self.assert_coded(self.asked(Response(200, headers(), Octets(TEXT), HIT), b"deflate"),
                          "deflate")

    def test_large_hits_are_coded_once(self) -> None:
        """A hit that is coded in several turns is remembered once it has been read."""
        body = TEXT * 500
        first = self.all_in_turns(self.asked(Response(200, headers(), Octets(body), HIT)).body)
        again = self.asked(Response(200, headers(), Octets(body), HIT))
        self.assertEqual(again.body.length, len(first))
        self.assert_coded(again, body=body)

    def test_the_largest_hits_are_not_remembered(self) -> None:
        """A hit that is too large is streamed each time."""
        self.shared = Compression(codings(), CodedMemo(3_200_000))
        body = TEXT * 500
        for _ in range(2):
            for source in (Octets(body), Pieces.of([body[:99], body[99:]])):
                response = self.asked(Response(200, headers(), source, HIT))
                assert isinstance(response.body, CodedBody)
                self.assertIsNone(response.body.keep)
                self.assertEqual(decoded("gzip", self.all_in_turns(response.body)), body)
        self.assertEqual(self.shared.memo.kept.octets, 0)

    def test_others_are_not_remembered(self) -> None:
        """The coded form of a response that is no full hit is not remembered."""
        for status in (Status.PROXY_ONLY, Status.KEY_MISS, Status.PARTIAL_HIT):
            self.asked(Response(200, headers(), Octets(TEXT), evolve(HIT, status=status)))
        self.assertEqual(self.shared.memo.kept.octets, 0)


def _started(awaitable: Any) -> Deferred[Any]:
    return Deferred.fromCoroutine(awaitable)


class HeaderTests(SynchronousTestCase):
    """Header fields of coded responses, and of those that are coded for other clients."""

    def test_vary(self) -> None:
        """Accept-Encoding is added to Vary, unless it is there or Vary is an asterisk."""
        self.assertEqual(varied(headers(vary="Origin")).get_all(b"vary"),
                         [b"Origin, Accept-Encoding"])
        for there in ("*", "accept-ENCODING", "Origin ,Accept-Encoding,X", "a, *"):
            self.assertEqual(varied(headers(vary=there)), headers(vary=there))
        twice = Headers(((b"Vary", b"A"), (b"vary", b"B")))
        self.assertEqual(varied(twice).joined(b"vary"), b"A, B, Accept-Encoding")

    def test_entity_tags(self) -> None:
        """A strong entity tag becomes weak; a weak and a malformed one stay."""
        for before, after in (('"x"', b'W/"x"'), ('W/"x"', b'W/"x"'), ("x", b"x")):
            coded = coded_headers(headers(etag=before), b"gzip")
            self.assertEqual(coded.get_all(b"etag"), [after])

    def test_bound_to_octets(self) -> None:
        """Fields that depend on the octets before coding, or on ranges, are removed."""
        before = headers(content_length="9", content_md5="x", digest="x", content_digest="x",
                         repr_digest="x", accept_ranges="bytes", last_modified="x")
        self.assertEqual([name for name, _ in coded_headers(before, b"br")],
                         [b"Content-Type", b"Last-Modified", b"Content-Encoding"])

    def test_unmodified(self) -> None:
        """A 304 has the very entity tag that the client has: the weak one if it has that."""
        strong, weak = headers(content_type="", etag='"x"'), b'W/"x"'
        for asked, after in ((b'W/"x"', weak), (b'"y", W/"x"', weak), (b'"x"', b'"x"'),
                             (b'W/"x", "x"', b'"x"'), (b"*", b'"x"'), (b'W/"y"', b'"x"'),
                             (b'"', b'"x"'), (b'"a, W/"x"', b'"x"')):
            request = Headers(((b"If-None-Match", asked),))
            said = unmodified_headers(request, strong)
            self.assertEqual(said.get_all(b"etag"), [after], asked)
            self.assertEqual(b"vary" in said, after == weak)

    def test_unmodified_without_entity_tag(self) -> None:
        """A 304 with Vary gets Accept-Encoding added to it; one without gets no Vary."""
        self.assertEqual(unmodified_headers(Headers(), headers(vary="Origin")).get(b"vary"),
                         b"Origin, Accept-Encoding")
        self.assertEqual(unmodified_headers(Headers(), headers()), headers())


class ContractTests(middleware_contract(CompressionType()),  # type: ignore[misc]
                    SynchronousTestCase):
    """Compression does what every middleware does."""
