"""Tests for L{trickster.frontend.connection}: requests, their order, their timing."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv6Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.frontend.connection import DATE, NOW, Connection, Echo, Streaming, answers, get, post
from trickster.errors import RequestError
from trickster.frontend.limits import ListenerLimits
from trickster.frontend.refusals import PreparedRefusals
from trickster.http.h1.head_reader import HeadLimits
from trickster.http.h1.requests import RequestHead
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import NO_HEADERS, Octets, Peer, Request, Response, octets_of
from trickster.testing.doubles import PausedOrigin, RecordingResponder

CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


@implementer(IResponder, IRefuser)
class Teapot:
    """Reads requests to their ends, and has a status of its own for what goes wrong."""

    async def respond(self, request: Request) -> Response:
        try:
            while await request.body.read():
                pass
        except RequestError as error:
            return Response(418, body=Octets(b"%d" % error.status))
        return ok()

    async def refused(self, request: Request, error: RequestError) -> Response:
        return Response(418, body=Octets(b"%d refused" % error.status))


def ok(body: bytes = b"") -> Response:
    return Response(200, body=Octets(body))


class RequestTests(SynchronousTestCase):
    """What a responder is asked."""

    def asked(self, octets: bytes) -> Request:
        responder = RecordingResponder.of(ok())
        Connection(responder).send(octets)
        [request] = responder.requests
        return request

    def test_values(self) -> None:
        """A request has the method, target, version and fields that were sent, and the peer."""
        request = self.asked(get(b"/a?b=%20c", b"X-Y: 1"))
        self.assertEqual((request.method, request.target, request.authority, request.version),
                         (b"GET", b"/a?b=%20c", b"h", b"HTTP/1.1"))
        self.assertEqual(request.headers.pairs, ((b"Host", b"h"), (b"X-Y", b"1")))
        self.assertEqual(request.peer, Peer("192.168.1.1", 54321, False, 12345))

    def test_mapped_address(self) -> None:
        """A client that came by IPv4 to an IPv6 socket has an IPv4 address."""
        responder = RecordingResponder.of(ok())
        address = IPv6Address("TCP", "::ffff:10.1.2.3", 4567)
        Connection(responder, peer=address).send(get())
        self.assertEqual(responder.requests[0].peer.host, "10.1.2.3")

    def test_whole_body(self) -> None:
        """A body that came with its head is there at once."""
        self.assertEqual(octets_of(self.asked(post(b"a=b")).body), b"a=b")

    def test_whole_chunked_body(self) -> None:
        """A chunked body that came with its head is there at once."""
        self.assertEqual(octets_of(self.asked(CHUNKED + b"2\r\nab\r\n0\r\n\r\n").body), b"ab")

    def test_interim(self) -> None:
        """Only HTTP/1.1 clients may get interim answers."""
        self.assertIsNotNone(self.asked(get()).interim)
        self.assertIsNone(self.asked(b"GET / HTTP/1.0\r\n\r\n").interim)

    def test_asterisk(self) -> None:
        """OPTIONS * is about the listener: no responder is asked."""
        responder = RecordingResponder.of(ok())
        received = Connection(responder).exchange(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertIn(b"204 No Content\r\nAllow: GET, HEAD,", received)
        self.assertEqual(responder.requests, [])


class OrderTests(SynchronousTestCase):
    """One request after the other."""

    def test_persistent(self) -> None:
        """A connection serves many requests."""
        connection = Connection(Echo())
        self.assertEqual(answers(connection.exchange(get(b"/1"))), [(200, b"GET /1 ")])
        self.assertEqual(answers(connection.exchange(get(b"/2"))), [(200, b"GET /2 ")])
        self.assertEqual(connection.ending, "open")

    def test_pipelined(self) -> None:
        """Requests sent together are answered in order."""
        received = Connection(Echo()).exchange(get(b"/1") + post(b"x") + get(b"/2"))
        self.assertEqual([body for _, body in answers(received)],
                         [b"GET /1 ", b"POST / x", b"GET /2 "])

    def test_pipelined_behind_a_slow_one(self) -> None:
        """A request is not begun before the one before it is answered."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(get(b"/1") + get(b"/2"))
        self.assertEqual([paused.request.target for paused in origin.waiting], [b"/1"])
        origin.waiting[0].answer(ok(b"one"))
        self.assertEqual(answers(connection.received()), [(200, b"one")])
        self.assertEqual([paused.request.target for paused in origin.waiting], [b"/2"])

    def test_read_ahead_is_bounded(self) -> None:
        """While a request is answered, a bounded amount of the following ones is read ahead."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(get(), get() * 300)
        self.assertTrue(connection.is_reading)
        connection.send(get() * 600)
        self.assertFalse(connection.is_reading)
        origin.waiting[0].answer(ok())
        self.assertTrue(connection.is_reading)

    def test_many_pipelined_take_turns(self) -> None:
        """A client's very many pipelined requests are answered in several turns of the reactor."""
        connection = Connection(Echo())
        self.assertEqual(len(answers(connection.exchange(get() * 100))), 16)
        for _ in range(10):
            connection.clock.advance(0)
        self.assertEqual(len(answers(connection.received())), 84)
        self.assertTrue(connection.is_reading)

    def test_nobody_fetches_the_answers(self) -> None:
        """Where the transport is full, pipelined requests wait."""
        connection = Connection(Echo())
        connection.channel.pauseProducing()
        self.assertEqual(len(answers(connection.exchange(get() * 5))), 1)
        self.assertFalse(connection.is_reading)
        connection.channel.resumeProducing()
        self.assertEqual(len(answers(connection.received())), 4)
        self.assertTrue(connection.is_reading)

    def test_never_fetched(self) -> None:
        """A client that fetches no answers is given up."""
        connection = Connection(Echo(), ListenerLimits(write_timeout=20))
        connection.channel.pauseProducing()
        connection.send(get())
        connection.clock.advance(20)
        self.assertEqual(connection.ending, "aborted")

    def test_fetched_slowly(self) -> None:
        """A client that fetches a little within the write timeout has as much time again."""
        connection = Connection(Echo(), ListenerLimits(write_timeout=20))
        connection.transport.unsent = 1000
        connection.channel.pauseProducing()
        connection.send(get())
        for unsent in (999, 500):
            connection.transport.unsent = unsent
            connection.clock.advance(20)
            self.assertEqual(connection.ending, "open")
        connection.clock.advance(20)
        self.assertEqual(connection.ending, "aborted")


class EndTests(SynchronousTestCase):
    """When a connection ends."""

    def test_asked_to_close(self) -> None:
        """A connection closes after the answer to a request with C{Connection: close}."""
        connection = Connection(Echo())
        self.assertIn(b"\r\nConnection: close\r\n",
                      connection.exchange(get(b"/", b"Connection: close")))
        self.assertEqual(connection.ending, "closed")

    def test_nothing_after_close(self) -> None:
        """Octets after a request with C{Connection: close} are not read; its answer is sent."""
        echo = Echo()
        connection = Connection(echo)
        connection.send(get(b"/", b"Connection: close") + get(b"/2"), get(b"/3"))
        self.assertEqual(len(echo.requests), 1)
        self.assertEqual(connection.ending, "half-closed")

    def test_old_version(self) -> None:
        """An HTTP/1.0 client gets one answer."""
        connection = Connection(Echo())
        received = connection.exchange(b"GET / HTTP/1.0\r\n\r\n")
        self.assertTrue(received.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual(connection.ending, "closed")

    def test_unread_body(self) -> None:
        """An answer sent before the end of its request closes the connection."""
        connection = Connection(RecordingResponder.of(ok(b"no")))
        received = connection.exchange(CHUNKED + b"5\r\nab")
        self.assertIn(b"Connection: close", received)
        self.assertEqual(connection.ending, "half-closed")
        connection.send(b"cde\r\n")
        self.assertEqual(connection.received(), b"")

    def test_lingering_is_bounded(self) -> None:
        """A client that sends on and on is cut off, by time and by octets."""
        for action in (lambda c: c.clock.advance(2), lambda c: c.send(b"x" * (1 << 20), b"x")):
            connection = Connection(RecordingResponder.of(ok(b"no")))
            connection.send(CHUNKED)
            action(connection)
            self.assertEqual(connection.ending, "aborted")

    def test_client_closes_idle(self) -> None:
        """A connection whose idle client closes its side is closed."""
        connection = Connection(Echo())
        connection.send(get())
        connection.channel.readConnectionLost()
        self.assertEqual(connection.ending, "closed")

    def test_client_closes_after_us(self) -> None:
        """A connection that the listener has closed is over once the client closes its side."""
        connection = Connection(RecordingResponder.of(ok(b"no")))
        connection.send(CHUNKED)
        self.assertEqual(connection.ending, "half-closed")
        connection.channel.readConnectionLost()
        self.assertEqual(connection.ending, "closed")

    def test_client_closes_idle_with_answers_unread(self) -> None:
        """A client that closes its side and does not fetch its answers is cut off in the end."""
        connection = Connection(Echo(), ListenerLimits(write_timeout=30, idle_timeout=0))
        connection.send(get())
        connection.channel.readConnectionLost()
        connection.clock.advance(30)
        self.assertEqual(connection.ending, "aborted")

    def test_client_closes_waiting(self) -> None:
        """A client that closes its side while it waits for an answer is gone."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(get())
        connection.channel.readConnectionLost()
        self.assertEqual(connection.ending, "aborted")

    def test_client_gone(self) -> None:
        """A client that leaves cancels the responder."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(get())
        connection.leave()
        self.assertTrue(origin.asked[0].is_cancelled)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_client_gone_while_sending(self) -> None:
        """A client that leaves while an answer is sent closes the body of the answer."""
        streaming = Streaming()
        connection = Connection(streaming)
        connection.send(get())
        connection.leave()
        self.assertTrue(streaming.body.is_closed)

    def test_nothing_left_behind(self) -> None:
        """No timer outlives a connection."""
        connection = Connection(Echo())
        connection.send(get(), b"GET")
        connection.leave()
        self.assertEqual(connection.clock.getDelayedCalls(), [])


class DrainTests(SynchronousTestCase):
    """A listener that is to stop."""

    def test_idle(self) -> None:
        """Idle connections are closed at once."""
        connection = Connection(Echo())
        connection.send(get())
        gone = connection.site.drain()
        self.assertEqual(connection.ending, "closed")
        self.assertNoResult(gone)
        connection.leave()
        self.successResultOf(gone)

    def test_busy(self) -> None:
        """A request that runs when the listener drains is answered with C{Connection: close}."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(get())
        connection.site.drain()
        self.assertEqual(connection.ending, "open")
        origin.waiting[0].answer(ok())
        self.assertIn(b"Connection: close", connection.received())
        self.assertEqual(connection.ending, "closed")

    def test_half_a_head(self) -> None:
        """A request that has begun is still served."""
        connection = Connection(Echo())
        connection.send(get()[:10])
        connection.site.drain()
        self.assertEqual(answers(connection.exchange(get()[10:])), [(200, b"GET / ")])
        self.assertEqual(connection.ending, "closed")

    def test_half_a_head_for_ever(self) -> None:
        """A request head that is not completed while the listener drains gets a 408."""
        connection = Connection(Echo())
        connection.send(get()[:10])
        connection.site.drain()
        connection.clock.advance(1.1)
        self.assertIn(b" 408 ", connection.received())
        self.assertEqual(connection.ending, "half-closed")

    def patient(self) -> Connection:
        """:return: one without a request, of a listener that drains with patience."""
        connection = Connection(Echo())
        connection.send(get())
        connection.received()
        connection.site.drain(2.0)
        self.assertEqual(connection.ending, "open")
        return connection

    def test_patience(self) -> None:
        """With patience, idle connections are kept for that long, and closed then."""
        connection = self.patient()
        connection.clock.advance(1.9)
        self.assertEqual(connection.ending, "open")
        connection.clock.advance(0.2)
        self.assertEqual((connection.ending, connection.received()), ("closed", b""))

    def test_on_its_way(self) -> None:
        """A request that was on its way is answered, as the last one of its connection."""
        connection = self.patient()
        connection.clock.advance(1.9)
        answer = connection.exchange(get())
        self.assertEqual(answers(answer), [(200, b"GET / ")])
        self.assertIn(b"Connection: close", answer)
        self.assertEqual(connection.ending, "closed")

    def test_nobody_there(self) -> None:
        """Draining a listener without connections is done at once."""
        connection = Connection(Echo())
        connection.leave()
        self.successResultOf(connection.site.drain())

    def test_abort(self) -> None:
        """A listener that aborts resets its connections."""
        connection = Connection(PausedOrigin())
        connection.send(get())
        connection.site.abort()
        self.assertEqual(connection.ending, "aborted")


class RefusalTests(SynchronousTestCase):
    """What is no request."""

    def refused(self, octets: bytes, limits: ListenerLimits | None = None) -> int:
        echo = Echo()
        connection = Connection(echo, limits)
        [(status, body)] = answers(connection.exchange(octets))
        self.assertEqual(echo.requests, [])
        self.assertEqual(connection.ending, "half-closed")
        self.assertTrue(body.endswith(b"\n"))
        return status

    def test_malformed(self) -> None:
        """A malformed request is answered by its status, and the connection is closed."""
        self.assertEqual(self.refused(b"GET / HTTP/1.1\r\n\r\n"), 400)
        self.assertEqual(self.refused(b"GET / HTTP/2.0\r\n"), 505)
        self.assertEqual(self.refused(b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n"), 501)
        self.assertEqual(self.refused(get(b"/", b"Expect: x")), 417)

    def test_too_long(self) -> None:
        """A request head longer than the listener's limits is refused."""
        limits = ListenerLimits(HeadLimits(line=100, block=100, fields=5))
        self.assertEqual(self.refused(get(b"/" * 100), limits), 414)
        self.assertEqual(self.refused(get(b"/", b"a:" + b"b" * 100), limits), 431)

    def test_malformed_chunks(self) -> None:
        """A body broken in the same packet never reaches the responder."""
        self.assertEqual(self.refused(CHUNKED + b"x\r\n"), 400)

    def test_nothing_smuggled(self) -> None:
        """Octets after a malformed request are never served as another one."""
        self.assertEqual(self.refused(CHUNKED + b"0\r\n\n" + get()), 400)

    def test_after_good_ones(self) -> None:
        """Pipelined requests before a malformed one are answered."""
        connection = Connection(Echo())
        received = connection.exchange(get(b"/1") + b"GET\r\n\r\n" + get(b"/2"))
        self.assertEqual([status for status, _ in answers(received)], [200, 400])


class BodyLimitTests(SynchronousTestCase):
    """C{max_request_body_size_bytes}."""

    def status(self, octets: bytes, limit: int, truncate: bool = False) -> tuple[int, bytes]:
        connection = Connection(Echo(), ListenerLimits(body=limit, truncate=truncate))
        [answer] = answers(connection.exchange(octets))
        return answer

    def test_exactly(self) -> None:
        """A request body of exactly the allowed size is taken."""
        self.assertEqual(self.status(post(b"abc"), 3), (200, b"POST / abc"))
        self.assertEqual(self.status(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", 3), (200, b"POST / abc"))

    def test_one_more(self) -> None:
        """A request body one octet longer than allowed is a 413."""
        self.assertEqual(self.status(post(b"abcd"), 3)[0], 413)
        self.assertEqual(self.status(CHUNKED + b"4\r\nabcd\r\n", 3)[0], 413)

    def test_before_it_is_sent(self) -> None:
        """A C{Content-Length} above the limit is refused before the body, or 100 Continue."""
        octets = post(b"", b"Expect: 100-continue").replace(b"th: 0", b"th: 4")
        self.assertEqual(self.status(octets, 3)[0], 413)

    def test_none(self) -> None:
        """A limit of 0 allows no request body, and one below 0 is no limit."""
        self.assertEqual(self.status(post(b"a"), 0)[0], 413)
        self.assertEqual(self.status(get(), 0)[0], 200)
        self.assertEqual(self.status(CHUNKED + b"0\r\n\r\n", 0)[0], 200)
        self.assertEqual(self.status(post(b"a" * 99999), -1)[0], 200)

    def test_while_it_streams(self) -> None:
        """A chunked body that grows too large ends the request."""
        connection = Connection(Echo(), ListenerLimits(body=3))
        connection.send(CHUNKED + b"3\r\nabc\r\n")
        self.assertEqual(connection.received(), b"")
        [(status, _)] = answers(connection.exchange(b"1\r\nd\r\n"))
        self.assertEqual((status, connection.ending), (413, "half-closed"))

    def test_nothing_smuggled(self) -> None:
        """Octets after a body that is too large are never read as a request."""
        for responder in (Teapot(), Echo()):
            connection = Connection(responder, ListenerLimits(body=3))
            connection.send(CHUNKED + b"400\r\n")
            octets = get(b"/hidden").ljust(0x400, b"x") + b"\r\n0\r\n\r\n"
            [(status, _)] = answers(connection.exchange(octets + get(b"/next")))
            self.assertIn(status, (413, 418))
            self.assertEqual(connection.ending, "half-closed")

    def test_told_to_the_reader(self) -> None:
        """A reader of a body that becomes too large gets the error, and may answer in its form."""
        connection = Connection(Teapot(), ListenerLimits(body=3))
        connection.send(CHUNKED + b"3\r\nabc\r\n")
        self.assertEqual(answers(connection.exchange(b"1\r\nd\r\n")), [(418, b"413")])
        self.assertEqual(connection.ending, "half-closed")

    def test_refused_by_the_responder(self) -> None:
        """A body that is too large from the start is refused in the responder's own form."""
        for octets in (post(b"abcd"), post(b"").replace(b"th: 0", b"th: 4"),
                       CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n"):
            connection = Connection(Teapot(), ListenerLimits(body=3))
            self.assertEqual(answers(connection.exchange(octets + get())), [(418, b"413 refused")])
            self.assertEqual(connection.ending, "half-closed")
        for octets, answer in ((b"4\r\nabcd\r\n", b"413 refused"), (b"x\r\n", b"400 refused")):
            connection = Connection(Teapot(), ListenerLimits(body=3))
            self.assertEqual(answers(connection.exchange(CHUNKED + octets)), [(418, answer)])

    def test_truncated(self) -> None:
        """A request body that is too large is cut off where the listener truncates."""
        self.assertEqual(self.status(post(b"abcd"), 3, True), (200, b"POST / abc"))
        self.assertEqual(self.status(CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n", 3, True),
                         (200, b"POST / abc"))

    def test_truncated_while_it_streams(self) -> None:
        """A streamed request body is cut off at the limit, and the rest of it is not waited for."""
        echo = Echo()
        connection = Connection(echo, ListenerLimits(body=3, truncate=True))
        connection.send(post(b"abcdef")[:-4])
        [(status, body)] = answers(connection.exchange(b"cd"))
        self.assertEqual((status, body), (200, b"POST / abc"))
        self.assertEqual(echo.requests[0].body.length, 3)
        self.assertEqual(connection.ending, "half-closed")


class RefusedInOverloadTests(SynchronousTestCase):
    """Refusals that are made once a second."""

    def test_bounded(self) -> None:
        """Requests with large paths, each another one, leave next to nothing behind."""
        refusals, responder = PreparedRefusals(), Teapot()
        path = b"/" + b"x" * 60_000
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(100):
            head = RequestHead(b"GET", b"%b%d" % (path, number), b"HTTP/1.1", NO_HEADERS, b"h", 0,
                               True, False)
            self.assertIn(b"503 refused", refusals.octets(head, responder, DATE) or b"")
        self.assertLess(tracemalloc.get_traced_memory()[0], 1 << 20)


class StreamedBodyTests(SynchronousTestCase):
    """A body that comes after its head."""

    def test_responder_starts_at_once(self) -> None:
        """The responder does not wait for the body."""
        echo = Echo()
        connection = Connection(echo)
        connection.send(post(b"abcd")[:-3])
        self.assertEqual(len(echo.requests), 1)
        self.assertEqual(answers(connection.exchange(b"bc", b"d")), [(200, b"POST / abcd")])

    def test_next_request(self) -> None:
        """What follows the body is the next request."""
        connection = Connection(Echo())
        connection.send(post(b"abcd")[:-3])
        received = connection.exchange(b"bcd" + get(b"/2"))
        self.assertEqual([body for _, body in answers(received)], [b"POST / abcd", b"GET /2 "])
        self.assertEqual(connection.ending, "open")

    def test_back_pressure(self) -> None:
        """Without a reader, no more than a little is taken in."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(post(b"x" * 200000)[:-200000], b"x" * 65536)
        self.assertTrue(connection.is_reading)
        connection.send(b"x" * 65536)
        self.assertFalse(connection.is_reading)

    def test_reading_resumes(self) -> None:
        """The connection is read from again when all octets of the body that are there are read."""
        echo = Echo()
        connection = Connection(echo, ListenerLimits(body=-1))
        connection.send(post(b"x" * 300000)[:-300000])
        connection.send(b"x" * 100000)
        self.assertTrue(connection.is_reading)

    def test_continue(self) -> None:
        """A client that waits for C{100 Continue} is sent one when the body is read."""
        connection = Connection(Echo())
        octets = post(b"ab", b"Expect: 100-continue")
        self.assertEqual(connection.exchange(octets[:-2]), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(answers(connection.exchange(b"ab")), [(200, b"POST / ab")])

    def test_no_continue(self) -> None:
        """No C{100 Continue} is sent where the body is not read."""
        connection = Connection(RecordingResponder.of(ok(b"no")))
        received = connection.exchange(post(b"ab", b"Expect: 100-continue")[:-2])
        self.assertEqual(answers(received), [(200, b"no")])
        self.assertIn(b"Connection: close", received)

    def test_no_continue_when_it_is_here(self) -> None:
        """100 Continue is not sent where the client did not wait for it."""
        received = Connection(Echo()).exchange(post(b"ab", b"Expect: 100-continue"))
        self.assertEqual(answers(received), [(200, b"POST / ab")])

    def test_breaks(self) -> None:
        """Broken framing cancels the responder, and is answered."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(CHUNKED + b"1\r\na\r\n")
        [(status, _)] = answers(connection.exchange(b"x\r\n"))
        self.assertEqual((status, connection.ending), (400, "half-closed"))
        self.assertTrue(origin.asked[0].is_cancelled)

    def test_breaks_while_it_is_read(self) -> None:
        """Broken framing is answered where the responder waits for the body."""
        connection = Connection(Echo())
        connection.send(CHUNKED)
        [(status, _)] = answers(connection.exchange(b"x\r\n" + get()))
        self.assertEqual((status, connection.ending), (400, "half-closed"))

    def test_breaks_after_the_answer_began(self) -> None:
        """Framing that breaks after the answer began ends the connection."""
        connection = Connection(Streaming())
        connection.send(CHUNKED, b"x\r\n")
        self.assertEqual(connection.ending, "aborted")

    def test_client_gone(self) -> None:
        """A body that is being read ends with its connection."""
        echo = Echo()
        connection = Connection(echo)
        connection.send(CHUNKED)
        connection.leave()
        self.assertEqual(connection.received(), b"")


class TimingTests(SynchronousTestCase):
    """Slow clients."""

    def test_header_timeout(self) -> None:
        """A request head has to be whole within the header timeout, however it drips."""
        connection = Connection(Echo(), ListenerLimits(header_timeout=10))
        for octet in get()[:9]:
            connection.send(bytes([octet]))
            connection.clock.advance(1)
        self.assertEqual((connection.received(), connection.ending), (b"", "open"))
        connection.clock.advance(1)
        self.assertIn(b" 408 Request Timeout\r\n", connection.received())
        self.assertEqual(connection.ending, "half-closed")

    def test_silence(self) -> None:
        """A client that sends nothing is disconnected without an answer."""
        connection = Connection(Echo(), ListenerLimits(header_timeout=10))
        connection.clock.advance(10)
        self.assertEqual((connection.received(), connection.ending), (b"", "closed"))

    def test_second_head(self) -> None:
        """The time begins anew with the first octet of each head."""
        connection = Connection(Echo(), ListenerLimits(header_timeout=10, idle_timeout=100))
        connection.send(get())
        connection.clock.advance(50)
        connection.send(b"G")
        connection.clock.advance(9)
        self.assertEqual(answers(connection.exchange(get()[1:]))[-1][0], 200)
        connection.send(b"G")
        connection.clock.advance(10)
        self.assertIn(b" 408 ", connection.received())

    def test_idle(self) -> None:
        """A connection has an idle timeout between requests, which each request renews."""
        connection = Connection(Echo(), ListenerLimits(idle_timeout=30))
        for _ in range(3):
            connection.send(get())
            connection.clock.advance(29)
        self.assertEqual(connection.ending, "open")
        connection.clock.advance(1)
        self.assertEqual(connection.ending, "closed")

    def test_no_timeouts(self) -> None:
        """A timeout of 0 is none."""
        limits = ListenerLimits(header_timeout=0, idle_timeout=0, body_timeout=0)
        connection = Connection(Echo(), limits)
        for piece in (b"G", get()[1:], CHUNKED):
            connection.clock.advance(9999)
            connection.send(piece)
        connection.clock.advance(9999)
        self.assertEqual(connection.ending, "open")

    def test_slow_answer(self) -> None:
        """While a request is answered, the client owes nothing."""
        origin = PausedOrigin()
        connection = Connection(origin)
        connection.send(get())
        connection.clock.advance(99999)
        origin.waiting[0].answer(ok(b"late"))
        self.assertEqual(answers(connection.received()), [(200, b"late")])

    def test_body_for_ever(self) -> None:
        """A body without a timeout may take for ever, however short the header timeout is."""
        for body_timeout in (0, 100):
            limits = ListenerLimits(header_timeout=10, idle_timeout=5, body_timeout=body_timeout)
            connection = Connection(Echo(), limits)
            connection.exchange(get())
            connection.send(post(b"abc")[:-1])
            connection.clock.pump([1] * 60)
            self.assertEqual(answers(connection.exchange(b"c")), [(200, b"POST / abc")])

    def test_body_timeout(self) -> None:
        """A body that is waited for and does not come is a 408."""
        connection = Connection(Echo(), ListenerLimits(body_timeout=20))
        connection.send(CHUNKED)
        connection.clock.advance(19)
        connection.send(b"1\r\na\r\n")
        for _ in range(2):
            connection.clock.advance(19)
        self.assertEqual(connection.ending, "open")
        connection.clock.advance(20)
        self.assertIn(b" 408 ", connection.received())
        self.assertEqual(connection.ending, "half-closed")

    def test_body_of_framing_alone(self) -> None:
        """Framing that brings nothing to the reader, who still waits, is no end of waiting."""
        connection = Connection(Echo(), ListenerLimits(body_timeout=20))
        connection.send(CHUNKED)
        connection.clock.advance(1)
        connection.send(b"5")
        connection.clock.pump([20] * 3)
        self.assertIn(b" 408 ", connection.received())

    def test_body_rate(self) -> None:
        """A body that drips, and takes too long for it, is a 408."""
        connection = Connection(Echo(), ListenerLimits(body_timeout=10, body_rate=100))
        connection.send(CHUNKED)
        for _ in range(10):
            connection.send(b"1\r\na\r\n")
            connection.clock.advance(1)
        self.assertIn(b" 408 ", connection.received())

    def test_body_not_waited_for(self) -> None:
        """Where the body is not read, the client is not to blame."""
        connection = Connection(PausedOrigin(), ListenerLimits(body_timeout=10))
        connection.send(CHUNKED)
        connection.clock.advance(99999)
        self.assertEqual(connection.ending, "open")

    def test_closing_while_draining(self) -> None:
        """A listener that stops keeps the write timeout of a connection's last answer."""
        closing = Connection(Echo(), ListenerLimits(write_timeout=30))
        closing.transport.loseWriteConnection = lambda: None  # type: ignore[method-assign]
        closing.send(b"GET /" + b"x" * 100_000)
        closing.site.drain()
        closing.clock.advance(29)
        self.assertNotEqual(closing.ending, "aborted")
        closing.clock.advance(1)
        self.assertEqual(closing.ending, "aborted")

    def test_closing_takes_time(self) -> None:
        """A connection that does not flush is cut off in the end."""
        connection = Connection(Echo(), ListenerLimits(write_timeout=30))
        connection.send(get(b"/", b"Connection: close"))
        connection.clock.advance(30)
        self.assertEqual(connection.ending, "aborted")

    def test_closing_takes_its_time(self) -> None:
        """A connection that is closing and still flushes is not cut off."""
        connection = Connection(Echo(), ListenerLimits(write_timeout=30))
        connection.transport.unsent = 2
        connection.send(get(b"/", b"Connection: close"))
        connection.transport.unsent = 1
        connection.clock.advance(30)
        self.assertEqual(connection.ending, "closed")
        connection.clock.advance(30)
        self.assertEqual(connection.ending, "aborted")

    def test_time_now(self) -> None:
        """The C{Date} of an answer is the clock's time."""
        connection = Connection(Echo())
        self.assertIn(b"Date: Fri, 02 Jan 2026 03:04:05 GMT", connection.exchange(get()))
        connection.clock.advance(1)
        self.assertIn(b"03:04:06 GMT", connection.exchange(get()))
        self.assertEqual(connection.clock.seconds(), NOW + 1)


REQUESTS = st.lists(st.sampled_from([
    get(b"/1"), post(b"abc", target=b"/2"), CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: u\r\n\r\n",
    b"\r\n" + get(b"/3"), get(b"/4", b"Connection: close"), CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n", b"GET /\n", get(b"/5", b"Content-Length: 3"),
]), max_size=5).map(b"".join)


class SegmentationTests(SynchronousTestCase):
    """How the network cuts a request does not matter."""

    def outcome(self, pieces: list[bytes]) -> tuple[list[tuple[int, bytes]], list[bytes], str]:
        echo = Echo()
        connection = Connection(echo)
        received = connection.exchange(*pieces)
        whole = [request.target for request in echo.requests]
        return answers(received), whole, connection.ending

    @settings(max_examples=150, deadline=None)
    @given(REQUESTS, st.lists(st.integers(0, 500), max_size=8))
    def test_any_cut(self, octets: bytes, places: list[int]) -> None:
        """Pieces of any size give the same answers and the same end."""
        edges = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
        pieces = [octets[a:b] for a, b in pairwise(edges)]
        in_one, in_pieces = self.outcome([octets]), self.outcome(pieces)
        self.assertEqual(in_pieces[0], in_one[0])
        self.assertEqual(in_pieces[2] == "open", in_one[2] == "open")
