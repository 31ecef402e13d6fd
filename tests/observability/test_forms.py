"""Tests of C{trickster.observability.forms}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.bodies import Pieces, read_all
from trickster.interfaces import IBody
from trickster.messages import Headers, Octets, Request
from trickster.observability.forms import FormsKept, ReadForm, form_of, with_form_kept
from trickster.spans import Span
from trickster.testing.doubles import RecordingResponder, at_once

FORM = ((b"Content-Type", b"Application/X-WWW-Form-Urlencoded; charset=utf-8"),)


def post(body: IBody, *fields: tuple[bytes, bytes], method: bytes = b"POST") -> Request:
    """:return: a request with a body."""
    return Request(method, b"/api/v1/query", Headers(fields or FORM), body)


class FormTests(SynchronousTestCase):
    """A form is kept for the log while a responder reads it."""

    def test_here(self) -> None:
        """A form that is whole is not copied for the log, and read only once."""
        request = with_form_kept(post(Octets(b"query=up")))
        self.assertIs(type(request.body), Octets)
        self.assertEqual(at_once(request.body.read()), b"query=up")
        self.assertEqual(form_of(request, Span()), b"query=up")

    def test_on_its_way(self) -> None:
        """A form that is still coming is logged as far as it was read."""
        request = with_form_kept(post(Pieces.of([b"query", b"=up"])))
        verifyObject(IBody, request.body)
        self.assertEqual((request.body.length, form_of(request, Span())), (8, b""))
        self.assertEqual(bytes(at_once(read_all(request.body, 99))), b"query=up")
        self.assertEqual(form_of(request, Span()), b"query=up")

    def test_bounded(self) -> None:
        """A long form is logged up to a bound, however it comes."""
        for body in (Octets(b"x" * 9999), Pieces.of([b"x" * 2000, b"x" * 7999])):
            request = with_form_kept(post(body))
            self.assertEqual(len(bytes(at_once(read_all(request.body, 99999)))), 9999)
            self.assertEqual(form_of(request, Span()), b"x" * 2049)

    def test_no_form(self) -> None:
        """A body that is no form, or is coded, is not logged."""
        for request in (post(Octets(b"a=b"), method=b"PUT"),
                        post(Octets(b"a=b"), (b"Content-Type", b"text/plain")),
                        post(Octets(b"a=b"), *FORM, (b"Content-Encoding", b"gzip")),
                        post(Pieces.of([b"a"]), (b"Content-Type", b"application/json"))):
            self.assertIs(with_form_kept(request), request)
            self.assertEqual(form_of(request, Span()), b"")

    def test_closed(self) -> None:
        """Closing a form that is kept for the log closes the body within."""
        inner = Pieces.of([b"a", b"b"])
        ReadForm(inner).close()
        self.assertEqual(at_once(inner.read()), b"")

    def test_in_the_span(self) -> None:
        """A form is kept in the request's span, though a responder inside got another body."""
        span = Span()
        request = post(Pieces.of([b"query", b"=up"])).with_span(span)
        inner = RecordingResponder()
        at_once(FormsKept(inner).respond(request))
        at_once(read_all(inner.requests[-1].body, 100))
        self.assertEqual(form_of(request, span), b"query=up")
