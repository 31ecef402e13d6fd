"""Tests for L{trickster.frontend.exchange}: how answers are sent."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.frontend.connection import DATE, Connection, Streaming, answers, get, post
from trickster.errors import Overloaded, Reason, UpstreamBroke
from trickster.frontend.limits import ListenerLimits
from trickster.interfaces import IResponder
from trickster.messages import Headers, Octets, Request, Response
from trickster.observability.refusals import SpelledRefusal
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import PausedOrigin, RecordingResponder

_BROKE = b"the origin went away before its answer was whole\n"


def received(response: Response | Exception, octets: bytes | None = None) -> bytes:
    return Connection(RecordingResponder.of(response)).exchange(octets or get())


def head_of(octets: bytes) -> list[bytes]:
    return octets.partition(b"\r\n\r\n")[0].split(b"\r\n")


class NominatedTests(SynchronousTestCase):
    """Fields that the client's C{Connection} names."""

    def test_never_seen(self) -> None:
        """Fields that C{Connection} names are removed before a cache makes the request's key."""
        responder = RecordingResponder.of(Response(200))
        Connection(responder).exchange(
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: other\r\nA: b\r\n"
            b"Connection: x-scope-orgid, keep-alive\r\n\r\n")
        [request] = responder.requests
        self.assertEqual((request.headers.get(b"x-scope-orgid"), request.headers.get(b"a")),
                         (None, b"b"))


class WholeTests(SynchronousTestCase):
    """Answers whose bodies are whole."""

    def test_octets(self) -> None:
        """An answer whose body is whole is sent as head and body, framed by length."""
        response = Response(200, Headers(((b"X-A", b"1"), (b"x-a", b"2"))), Octets(b"body"))
        self.assertEqual(received(response), b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nDate: " + DATE
                         + b"\r\nContent-Length: 4\r\n\r\nbody")

    def test_one_write(self) -> None:
        """A small answer leaves in one piece."""
        connection = Connection(RecordingResponder.of(Response(200, body=Octets(b"x"))))
        connection.send(get())
        self.assertEqual(len(connection.transport.writes), 1)

    def test_middling(self) -> None:
        """A body that is one piece goes behind its head as it is, neither copied nor cut."""
        body = Octets(b"x" * 100 * 1024)
        connection = Connection(RecordingResponder.of(Response(200, body=body)))
        connection.send(get())
        self.assertEqual(len(connection.transport.writes), 2)
        self.assertIs(connection.transport.writes[1], body.octets)

    def test_unsendable(self) -> None:
        """An answer whose fields cannot be sent is replaced, and the log says which it was."""
        events: list[LogEvent] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        odd: Any = ("X-A", "1")
        for pair in ((b"X-A", b"1\r\nX-B: 1"), odd):
            for body in (Octets(b"x"), PausedBody()):
                answer = received(Response(200, Headers((pair,)), body))
                self.assertEqual(head_of(answer)[0], b"HTTP/1.1 502 Bad Gateway")
        told = "The answer to b'GET' b'/' has header fields that cannot be sent"
        self.assertEqual([formatEvent(event) for event in events].count(told), 4)

    def test_head(self) -> None:
        """The answer to HEAD is the head alone."""
        octets = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
        answer = received(Response(200, body=Octets(b"body")), octets)
        self.assertIn(b"Content-Length: 4", head_of(answer))
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_large(self) -> None:
        """A large body is sent in pieces, as the transport takes them."""
        body = bytes(range(256)) * 4096
        connection = Connection(RecordingResponder.of(Response(200, body=Octets(body))))
        connection.channel.pauseProducing()
        first = connection.exchange(get())
        self.assertLess(len(first), 300 * 1024)
        rest = b""
        while len(first) + len(rest) < len(body):
            connection.channel.resumeProducing()
            rest += connection.received()
        self.assertEqual(answers(first + rest), [(200, body)])

    def test_slow_reader(self) -> None:
        """A client that fetches nothing of a large answer for long is given up."""
        responder = RecordingResponder.of(Response(200, body=Octets(b"x" * (1 << 20))))
        connection = Connection(responder, ListenerLimits(write_timeout=30))
        connection.channel.pauseProducing()
        connection.send(get())
        connection.clock.advance(30)
        self.assertEqual(connection.ending, "aborted")
        connection.leave()


class StreamTests(SynchronousTestCase):
    """Answers whose bodies are still coming."""

    def test_chunked(self) -> None:
        """A body of unknown length is chunked; the head does not wait for it."""
        streaming = Streaming()
        connection = Connection(streaming)
        self.assertIn(b"Transfer-Encoding: chunked", head_of(connection.exchange(get())))
        streaming.body.feed(b"abc")
        self.assertEqual(connection.received(), b"3\r\nabc\r\n")
        streaming.body.feed(b"")
        self.assertEqual(connection.received(), b"0\r\n\r\n")
        self.assertEqual(connection.ending, "open")
        self.assertTrue(streaming.body.is_closed)

    def test_length(self) -> None:
        """A streamed body of known length is not chunked."""
        streaming = Streaming(3)
        connection = Connection(streaming)
        self.assertIn(b"Content-Length: 3", head_of(connection.exchange(get())))
        streaming.body.feed(b"ab", b"c", b"")
        self.assertEqual(connection.received(), b"abc")

    def test_old_version(self) -> None:
        """For HTTP/1.0 the end of the connection is the end of the body."""
        streaming = Streaming()
        connection = Connection(streaming)
        head = head_of(connection.exchange(b"GET / HTTP/1.0\r\n\r\n"))
        self.assertIn(b"Connection: close", head)
        self.assertFalse([line for line in head if line.startswith(b"Transfer-Encoding")])
        streaming.body.feed(b"abc", b"")
        self.assertEqual((connection.received(), connection.ending), (b"abc", "closed"))

    def test_no_body(self) -> None:
        """A body of an answer that must not have one is closed unread."""
        for status in (204, 304):
            streaming = Streaming(5, status)
            connection = Connection(streaming)
            answer = connection.exchange(get())
            self.assertTrue(answer.endswith(b"\r\n\r\n"))
            self.assertNotIn(b"Content-Length", answer)
            self.assertTrue(streaming.body.is_closed)
            self.assertEqual(answers(connection.exchange(get()))[0][0], status)

    def test_head_and_first_piece(self) -> None:
        """The head and the pieces of a body that are there at once leave in one write."""
        streaming = Streaming()
        streaming.body.feed(b"abc", b"")
        writes = []
        connection = Connection(streaming)
        connection.transport.writeSequence = writes.append  # type: ignore[method-assign]
        connection.send(get())
        self.assertEqual([len(parts) for parts in writes], [4])

    def test_takes_turns(self) -> None:
        """A body that comes and goes as fast as it can leaves other work a turn now and then."""
        streaming = Streaming()
        connection = Connection(streaming)
        connection.send(get())
        connection.received()
        streaming.body.feed(*[b"x" * (1 << 18)] * 6, b"")
        self.assertLess(len(connection.received()), 5 << 18)
        connection.clock.advance(0)
        self.assertIn(b"0\r\n\r\n", connection.received()[-5:])

    def test_back_pressure(self) -> None:
        """A body is not read while the transport is full."""
        streaming = Streaming()
        connection = Connection(streaming)
        connection.send(get())
        connection.channel.pauseProducing()
        streaming.body.feed(b"a", b"b")
        self.assertIn(b"1\r\na\r\n", connection.received())
        self.assertFalse(streaming.body.is_awaited)
        connection.channel.resumeProducing()
        self.assertEqual(connection.received(), b"1\r\nb\r\n")

    def test_slow_reader(self) -> None:
        """A client may not keep the transport full for ever; progress renews its time."""
        streaming = Streaming()
        connection = Connection(streaming, ListenerLimits(write_timeout=30))
        connection.send(get())
        for _ in range(3):
            connection.channel.pauseProducing()
            streaming.body.feed(b"a")
            connection.clock.advance(29)
            connection.channel.resumeProducing()
        self.assertEqual(connection.ending, "open")
        connection.channel.pauseProducing()
        streaming.body.feed(b"a")
        connection.clock.advance(30)
        self.assertEqual(connection.ending, "aborted")

    def test_gone_while_full(self) -> None:
        """A client that leaves while the transport is full closes the body."""
        streaming = Streaming()
        connection = Connection(streaming)
        connection.send(get())
        connection.channel.pauseProducing()
        streaming.body.feed(b"a")
        connection.leave()
        self.assertTrue(streaming.body.is_closed)

    def test_views(self) -> None:
        """Any buffer may come from a body."""
        streaming = Streaming()
        streaming.body.feed(memoryview(b"abc"), bytearray(b"d"))  # type: ignore[arg-type]
        answer = Connection(streaming).exchange(get())
        self.assertTrue(answer.endswith(b"3\r\nabc\r\n1\r\nd\r\n"))


class BreakTests(SynchronousTestCase):
    """Bodies that do not come to their end."""

    def broken(self, streaming: Streaming, *items: bytes | Exception,
               request: bytes = b"") -> tuple[bytes, str]:
        connection = Connection(streaming)
        connection.send(request or get())
        connection.received()
        streaming.body.feed(*items)
        self.assertTrue(streaming.body.is_closed)
        return connection.received(), connection.ending

    def test_chunked(self) -> None:
        """A chunked body that breaks off ends without its last chunk."""
        self.assertEqual(self.broken(Streaming(), b"a", UpstreamBroke("x")),
                         (b"1\r\na\r\n", "closed"))

    def test_length(self) -> None:
        """A body framed by length that breaks off closes the connection short of the length."""
        self.assertEqual(self.broken(Streaming(5), b"a", UpstreamBroke("x")), (b"a", "closed"))

    def test_unframed(self) -> None:
        """A body delimited by the connection's end that breaks off resets the connection."""
        _, ending = self.broken(Streaming(), b"a", UpstreamBroke("x"),
                                request=b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(ending, "aborted")

    def test_too_short(self) -> None:
        """A body that ends before its length is broken."""
        self.assertEqual(self.broken(Streaming(5), b"a", b""), (b"a", "closed"))

    def test_too_long(self) -> None:
        """A body longer than its length is cut at it, and the connection is closed."""
        self.assertEqual(self.broken(Streaming(2), b"a", b"bcd"), (b"a", "closed"))

    def test_unexpected(self) -> None:
        """An unforeseen error of a body is logged."""
        self.broken(Streaming(), ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_before_the_head(self) -> None:
        """A body that breaks before anything is sent is an error answer."""
        streaming = Streaming()
        streaming.body.feed(UpstreamBroke("it broke"))
        connection = Connection(streaming)
        self.assertEqual(answers(connection.exchange(get())), [(502, _BROKE)])
        self.assertEqual(connection.ending, "open")

    def test_spelled(self) -> None:
        """A body that breaks with a spelled refusal gives the client that refusal."""
        streaming = Streaming()
        instead = Response(502, body=Octets(b"{}"))
        streaming.body.feed(SpelledRefusal(UpstreamBroke("it broke"), instead))
        self.assertEqual(answers(Connection(streaming).exchange(get())), [(502, b"{}")])


class ErrorTests(SynchronousTestCase):
    """Responders that fail."""

    def test_request_error(self) -> None:
        """A request error is answered by its status and its detail."""
        self.assertEqual(answers(received(Overloaded("too much"))), [(503, b"too much\n")])

    def test_without_detail(self) -> None:
        """A request error without detail is answered by the phrase of its status."""
        self.assertEqual(answers(received(Overloaded())), [(503, b"Service Unavailable\n")])

    def test_unexpected(self) -> None:
        """An unforeseen error of a responder is logged, and its text is not sent to the client."""
        self.assertEqual(answers(received(ZeroDivisionError("secret"))),
                         [(500, b"Internal Server Error\n")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_later(self) -> None:
        """A responder that fails after a wait is answered as one that fails at once."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(get())
        origin.waiting[0].fail(Overloaded("too much", Reason.IN_FLIGHT_BUDGET))
        self.assertEqual(answers(connection.received()), [(503, b"too much\n")])
        self.assertEqual(connection.ending, "open")

    def test_unsendable(self) -> None:
        """Line ends in a field are an error of the origin's, never two answers."""
        for headers, phrase in [(((b"A", b"b\r\nC: d"),), b""), (((b"A", b"b\rc"),), b""),
                                (((b"A\n", b""),), b""), ((), b"x\r\ny")]:
            answer = received(Response(200, Headers(headers), Octets(b"x"), phrase=phrase))
            self.assertEqual([status for status, _ in answers(answer)], [502])
            streaming = Streaming(headers=Headers(headers) if headers else Headers(((b"\n", b""),)))
            self.assertEqual(answers(Connection(streaming).exchange(get()))[0][0], 502)
            self.assertTrue(streaming.body.is_closed)

    def test_swallowed_cancellation(self) -> None:
        """The answer of a responder that has been cancelled is dropped."""
        streaming = Streaming()

        @implementer(IResponder)
        class Stubborn:
            async def respond(self, request: Request) -> Response:
                try:
                    await Deferred()
                except Exception:  # noqa: BLE001 - that is its point
                    return streaming.response
                raise AssertionError

        connection = Connection(Stubborn())
        connection.send(get())
        connection.leave()
        self.assertTrue(streaming.body.is_closed)
        self.assertEqual(connection.received(), b"")

    def test_interim_as_final(self) -> None:
        """A final answer with an interim status is an error of the responder."""
        self.assertEqual(answers(received(Response(103)))[0][0], 502)
        self.assertEqual(answers(received(Response(101, body=Octets(b"x"))))[0][0], 502)


class InterimTests(SynchronousTestCase):
    """Interim answers (RFC 9110 section 15.2)."""

    def setUp(self) -> None:
        self.origin = PausedOrigin()
        self.connection = Connection(self.origin)
        self.connection.send(get())
        [self.paused] = self.origin.waiting

    def interim(self, status: int, *pairs: tuple[bytes, bytes]) -> bytes:
        relay = self.paused.request.interim
        assert relay is not None
        relay(status, Headers(pairs))
        return self.connection.received()

    def test_relayed(self) -> None:
        """An interim answer is sent before the final one."""
        self.assertEqual(self.interim(103, (b"Link", b"</a>")),
                         b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        self.paused.answer(Response(200))
        self.assertEqual(answers(self.connection.received()), [(200, b"")])

    def test_ours(self) -> None:
        """100 and 101 are between neighbours, and others are not interim."""
        self.assertEqual([self.interim(status) for status in (100, 101, 200)], [b""] * 3)

    def test_too_late(self) -> None:
        """An interim answer that comes after the final one has begun is dropped."""
        self.paused.answer(Response(200))
        self.connection.received()
        self.assertEqual(self.interim(103), b"")

    def test_bounded(self) -> None:
        """Interim answers without end are not relayed without end."""
        sent = [self.interim(103) for _ in range(100)]
        self.assertEqual(sum(map(bool, sent)), 64)

    def test_unsendable(self) -> None:
        """An interim answer with line ends in its fields is dropped."""
        self.assertEqual(self.interim(103, (b"A", b"b\r\nc")), b"")


class LargeUploadTests(SynchronousTestCase):
    """Uploads that are answered early."""

    def test_answer_is_streamed_meanwhile(self) -> None:
        """An answer that begins before its request has ended is the connection's last one."""
        streaming = Streaming()
        connection = Connection(streaming)
        connection.send(post(b"abcd")[:-2])
        self.assertIn(b"Connection: close", head_of(connection.received()))
        connection.send(b"cd")
        streaming.body.feed(b"x", b"")
        self.assertEqual(connection.received(), b"1\r\nx\r\n0\r\n\r\n")
        self.assertNotEqual(connection.ending, "open")
