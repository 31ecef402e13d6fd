"""Tests for L{trickster.frontend.request_body}."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.errors import RequestTooLarge
from trickster.frontend.request_body import EndlessFraming, RequestBody
from trickster.http.h1.framing import request_body_reader
from trickster.interfaces import IBody


@define
class Source:
    """Notes what the body wants."""

    calls: list[str] = field(factory=list)

    def body_wanted(self) -> None:
        self.calls.append("wanted")

    def body_unwanted(self) -> None:
        self.calls.append("unwanted")


class RequestBodyTests(SynchronousTestCase):
    """A body that comes as it is read."""

    def setUp(self) -> None:
        self.source = Source()
        self.body = RequestBody(4, request_body_reader(4), self.source)

    def read(self, body: RequestBody | None = None) -> Deferred[bytes]:
        return Deferred.fromCoroutine((body or self.body).read())

    def arrive(self, data: bytes) -> bytes:
        rest = self.body.arrived(data)
        self.body.deliver()
        return rest

    def test_interface(self) -> None:
        """A request body provides C{IBody}."""
        verifyObject(IBody, self.body)

    def test_read_waits(self) -> None:
        """A reader gets what comes, then the end."""
        reading = self.read()
        self.assertEqual(self.source.calls, ["wanted"])
        self.arrive(b"ab")
        self.assertEqual(self.successResultOf(reading), b"ab")
        self.assertEqual(self.arrive(b"cdrest"), b"rest")
        self.assertEqual([self.successResultOf(self.read()) for _ in range(3)], [b"cd", b"", b""])

    def test_waits_on(self) -> None:
        """A reader to whom framing brings no octets waits on, from that time."""
        self.body = RequestBody(None, request_body_reader(None), self.source)
        reading = self.read()
        self.arrive(b"2\r\n")
        self.assertNoResult(reading)
        self.assertEqual(self.source.calls, ["wanted", "wanted"])
        self.arrive(b"ab")
        self.assertEqual(self.successResultOf(reading), b"ab")

    def test_here_already(self) -> None:
        """Octets that are there are read without resuming the connection."""
        self.arrive(b"ab")
        self.assertEqual(self.successResultOf(self.read()), b"ab")
        self.assertEqual(self.source.calls, [])

    def test_too_much_ahead(self) -> None:
        """An unread body stops the connection from being read from."""
        self.body = RequestBody(None, request_body_reader(1 << 20), self.source)
        self.arrive(bytes(65536))
        self.assertEqual(self.source.calls, [])
        self.arrive(b"x")
        self.assertEqual(self.source.calls, ["unwanted"])

    def test_cancelled(self) -> None:
        """A reader of a request body may be cancelled."""
        reading = self.read()
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertFalse(self.body.is_wanted)
        self.arrive(b"ab")

    def test_closed(self) -> None:
        """After closing there is nothing more to read."""
        self.arrive(b"ab")
        self.body.close()
        self.body.close()
        self.arrive(b"cd")
        self.assertEqual(self.successResultOf(self.read()), b"")

    def test_limit(self) -> None:
        """A body of more octets than allowed raises an error at its reader."""
        body = RequestBody(None, request_body_reader(9), self.source, 3)
        body.arrived(b"abc")
        self.assertRaises(RequestTooLarge, body.arrived, b"d")

    def test_truncated(self) -> None:
        """A body that is truncated ends at the limit, and its reader does not wait for the rest."""
        body = RequestBody(3, request_body_reader(9), self.source, 3, True)
        body.arrived(b"abcd")
        self.assertEqual([self.successResultOf(self.read(body)) for _ in range(2)], [b"abc", b""])
        self.assertFalse(body.is_complete)

    def test_endless(self) -> None:
        """The body of a tunnel ends when C{ended} is called."""
        body = RequestBody(None, EndlessFraming(), self.source)
        reading = self.read(body)
        body.ended()
        self.assertEqual(self.successResultOf(reading), b"")

    def test_taken(self) -> None:
        """All octets of a body that are there can be taken at once."""
        self.arrive(b"ab")
        self.arrive(b"cd")
        self.assertEqual((self.body.taken(), self.body.is_complete), (b"abcd", True))
