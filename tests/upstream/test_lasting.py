"""Tests for connections that last: they starve nothing, end nowhere by chance, and age."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from tests.upstream.scripted import OK, ClientCase, a_client, a_request, reading
from trickster.errors import Overloaded, UpstreamTimeout
from trickster.messages import Collecting, Request, Response
from trickster.testing.bodies import PausedBody

SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
          b"Upgrade: websocket\r\n\r\n")
EVENTS = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
          b"Transfer-Encoding: chunked\r\n\r\n")
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n"


def upgrading() -> Request:
    """:return: a request to speak another protocol."""
    return a_request(b"GET", b"/ws", (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))


class ApartTests(ClientCase):
    """A client with one connection for short exchanges and two for lasting ones."""

    def setUp(self) -> None:
        super().setUp()
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=1,
                               max_streaming_conns=2)

    def begun(self, head: bytes, request: Request | None = None) -> Response:
        return self.answered(head, request=request)

    def test_streams_leave_room(self) -> None:
        """Upgrades and event streams take no slot of short exchanges from their first octet on."""
        for head, request in ((SWITCH, upgrading()), (EVENTS, None)):
            self.begun(head, request)
            self.assertEqual(self.client.stats.active, 0)
            self.assertEqual(self.answered(OK).status, 200)
        self.assertEqual(self.client.stats.lasting, 2)

    def test_streams_are_bounded(self) -> None:
        """A stream or upgrade above the limit of lasting exchanges is refused and takes no slot."""
        for _ in range(2):
            self.begun(EVENTS)
        for head, request in ((SWITCH, upgrading()), (EVENTS, None)):
            asked = self.asked(request)
            self.origin.wire.sends(head)
            self.failureResultOf(asked, Overloaded)
            self.assertTrue(self.origin.wire.is_aborted)
        self.assertEqual((self.client.stats.active, self.client.stats.lasting), (0, 2))

    def test_end_of_a_stream(self) -> None:
        """A stream that ends makes room for another one."""
        responses = [self.begun(EVENTS) for _ in range(2)]
        responses[0].body.close()
        self.begun(EVENTS)
        self.assertEqual(self.client.stats.lasting, 2)

    def test_slow_answer(self) -> None:
        """A slow response becomes lasting as soon as a request has to wait for its slot."""
        for head in (SIZED, CHUNKS, UNTIL_CLOSED):
            response = self.begun(head)
            waiting = self.asked()
            self.assertNoResult(waiting)
            self.clock.pump([1] * 6)
            self.assertEqual(self.client.stats.lasting, 1)
            self.origin.wire.sends(OK)
            self.assertEqual(self.successResultOf(waiting).status, 200)
            response.body.close()
            self.assertEqual((self.client.stats.active, self.client.stats.lasting), (0, 0))

    def test_slow_answer_that_ends_well(self) -> None:
        """The connection of a slow response that ends well is used again."""
        response = self.begun(SIZED)
        self.clock.advance(6)
        waiting = self.asked()
        self.origin.wires[0].sends(b"x" * 100)
        self.assertEqual(self.whole(response.body), b"x" * 100)
        self.origin.wires[1].sends(OK)
        self.successResultOf(waiting)
        self.assertEqual((self.client.stats.active, self.client.stats.lasting,
                          self.client.stats.idle), (0, 0, 2))

    def test_slow_reader(self) -> None:
        """A response whose reader keeps it waiting becomes lasting after a moment."""
        self.begun(LARGE + b"x" * 300_000)
        self.assertFalse(self.origin.wire.is_read)
        self.clock.advance(1)
        self.assertEqual(self.answered(OK).status, 200)
        self.assertEqual(self.client.stats.lasting, 1)

    def test_reader_that_goes_on(self) -> None:
        """A response whose reader has gone on reading is not counted as lasting."""
        response = self.begun(LARGE + b"x" * 300_000)
        self.successResultOf(reading(response.body))
        self.clock.advance(1)
        self.assertNoResult(self.asked())
        self.assertEqual(self.client.stats.lasting, 0)

    def test_slow_upload(self) -> None:
        """A request whose body takes long becomes lasting."""
        body = PausedBody()
        uploading = self.asked(a_request(b"POST", body=body))
        self.clock.advance(6)
        self.assertEqual(self.answered(OK).status, 200)
        self.assertEqual(self.client.stats.lasting, 1)
        body.feed(b"")
        self.origin.wires[0].sends(OK)
        self.assertEqual(self.successResultOf(uploading).status, 200)
        self.assertEqual((self.client.stats.active, self.client.stats.lasting), (0, 0))

    def test_upload_that_is_over(self) -> None:
        """A request whose body has been sent is not lasting while the origin works."""
        body = PausedBody()
        self.asked(a_request(b"POST", body=body))
        self.clock.advance(4)
        body.feed(b"")
        self.clock.advance(6)
        self.assertNoResult(self.asked())
        self.assertEqual(self.client.stats.lasting, 0)

    def test_upgrade_that_is_over(self) -> None:
        """
        A closed upgrade whose last octets are still being sent takes and gives no further slot.
        """
        response = self.begun(SWITCH, upgrading())
        self.clock.advance(6)
        response.body.close()
        self.assertTrue(self.origin.wire.is_open)
        self.asked()
        self.assertNoResult(self.asked())
        self.assertEqual((self.client.stats.active, self.client.stats.lasting), (1, 0))

    def test_announced_length(self) -> None:
        """An event stream with a known length is treated like any other response."""
        self.begun(EVENTS.replace(b"Transfer-Encoding: chunked", b"Content-Length: 9"))
        self.assertEqual((self.client.stats.active, self.client.stats.lasting), (1, 0))

    def test_no_answer_is_not_lasting(self) -> None:
        """A request to an origin that does not respond keeps its slot, so the load is bounded."""
        self.asked()
        waiting = self.asked()
        self.clock.pump([1] * 9)
        self.assertNoResult(waiting)
        self.assertEqual(self.client.stats.lasting, 0)

    def test_nothing_is_left_with_the_clock(self) -> None:
        """No timer is left once no request waits for a slot."""
        first, second = self.asked(), self.asked()
        second.cancel()
        self.failureResultOf(second)
        first.cancel()
        self.failureResultOf(first)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SilenceTests(ClientCase):
    """Silence is a timeout where a response has to go on, and allowed in streams."""

    def test_streams_may_be_silent(self) -> None:
        """An answer of unknown length that is passed on may tell nothing for a day."""
        for head in (EVENTS, CHUNKS, UNTIL_CLOSED):
            response = self.answered(head)
            read = reading(response.body)
            self.clock.advance(86400)
            self.assertNoResult(read)
            response.body.close()

    def test_events_for_a_cache(self) -> None:
        """An event stream may be silent for every client, also behind a cache."""
        response = self.answered(EVENTS, request=evolve(a_request(), collecting=Collecting()))
        read = reading(response.body)
        self.clock.advance(86400)
        self.assertNoResult(read)
        response.body.close()

    def test_answers_that_hang(self) -> None:
        """
        A response of known length, or one that is read whole first, has to go on within the
        timeout.
        """
        for head, collected in ((SIZED, False), (SIZED, True), (CHUNKS, True),
                                (UNTIL_CLOSED, True)):
            response = self.answered(head, request=evolve(
                a_request(), collecting=Collecting() if collected else None))
            read = reading(response.body)
            self.clock.advance(60)
            self.failureResultOf(read, UpstreamTimeout)

    def test_bound_for_streams(self) -> None:
        """A configured idle timeout of streams holds for streams alone."""
        self.client = a_client(self.origin, self.clock, timeout=2.0, stream_idle_timeout=600.0)
        response = self.answered(CHUNKS)
        self.clock.advance(599)
        self.origin.wire.sends(b"2\r\nab\r\n")
        self.assertEqual(self.successResultOf(reading(response.body)), b"ab")
        read = reading(response.body)
        self.clock.advance(599)
        self.assertNoResult(read)
        self.clock.advance(1)
        self.failureResultOf(read, UpstreamTimeout)

    def test_upgrades(self) -> None:
        """
        The idle timeout of streams holds for upgraded connections on which neither side sends.
        """
        self.client = a_client(self.origin, self.clock, stream_idle_timeout=30.0)
        body: Any = self.answered(SWITCH, request=upgrading()).body
        for _ in range(3):
            self.clock.advance(20)
            self.successResultOf(Deferred.fromCoroutine(body.write(b"x")))
            self.clock.advance(20)
            self.origin.wire.sends(b"y")
        self.assertEqual(self.successResultOf(reading(body)), b"yyy")
        self.clock.advance(30)
        self.failureResultOf(reading(body), UpstreamTimeout)
        self.assertEqual(self.client.stats.lasting, 0)

    def test_upgrade_that_blocks(self) -> None:
        """
        An upgraded connection times out when the origin stops reading, or is silent after that.
        """
        self.client = a_client(self.origin, self.clock, timeout=10.0, stream_idle_timeout=30.0)
        body: Any = self.answered(SWITCH, request=upgrading()).body
        self.origin.wire.producer.pauseProducing()
        writing = Deferred.fromCoroutine(body.write(b"x"))
        self.clock.advance(9)
        self.origin.wire.producer.resumeProducing()
        self.successResultOf(writing)
        read = reading(body)
        self.clock.advance(29)
        self.assertNoResult(read)
        self.clock.advance(1)
        self.failureResultOf(read, UpstreamTimeout)

    def test_let_go_by_a_cache(self) -> None:
        """A response that a cache no longer stores is treated as a stream from then on."""
        request = evolve(a_request(), collecting=Collecting())
        response = self.answered(CHUNKS, request=request)
        request.collecting.end()
        read = reading(response.body)
        self.clock.advance(86400)
        self.assertNoResult(read)
        self.origin.wire.sends(b"3\r\nnew\r\n")
        self.assertEqual(self.successResultOf(read), b"new")

    def test_total_time(self) -> None:
        """A total timeout holds for streams as well."""
        self.client = a_client(self.origin, self.clock, total_timeout=100.0)
        response = self.answered(EVENTS)
        self.clock.advance(100)
        self.failureResultOf(reading(response.body), UpstreamTimeout)


class AgeTests(ClientCase):
    """Connections have a greatest age, so that a name which has moved is found."""

    def setUp(self) -> None:
        super().setUp()
        self.client = a_client(self.origin, self.clock, max_conn_age=300.0)

    def test_steady_use(self) -> None:
        """A connection of the greatest age is not used again, however often it has been used."""
        for _ in range(30):
            self.assertEqual(self.answered(OK).status, 200)
            self.clock.advance(10)
        self.assertEqual(len(self.origin.wires), 1)
        self.answered(OK)
        self.assertEqual(len(self.origin.wires), 2)
        self.assertFalse(self.origin.wires[0].is_open)

    def test_an_answer_is_not_cut(self) -> None:
        """A response on its way is not cut when its connection reaches the greatest age."""
        response = self.answered(SIZED)
        for _ in range(10):
            self.clock.advance(50)
            self.origin.wire.sends(b"x" * 10)
        self.assertEqual(self.whole(response.body), b"x" * 100)
        self.at_rest(idle=0)

    def test_any_age(self) -> None:
        """Without a greatest age, connections are used again at any age."""
        self.client = a_client(self.origin, self.clock, max_conn_age=None)
        for _ in range(100):
            self.answered(OK)
            self.clock.advance(100)
        self.assertEqual(len(self.origin.wires), 1)
