"""Tests of L{trickster.objects.requests}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import fields, web_route
from trickster.errors import Reason
from trickster.keys.form_fields import UnreadableBody
from trickster.messages import MalformedParams, Octets, Params, Request, octets_of
from trickster.objects.options import ObjectOptions
from trickster.objects.requests import (
    fetch_request,
    fetch_slot,
    forwarded_request,
    is_more_than_reading,
    lookup_of,
    why_passed,
)
from trickster.testing.bodies import PausedBody

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def options(form: bool = False, **given: Any) -> ObjectOptions:
    """:return: options of a plain route."""
    return ObjectOptions("p", web_route(form=form), **given)


class ReadingTests(SynchronousTestCase):
    """What no stored answer can be an answer to."""

    def test_bodies(self) -> None:
        """A request with a body of any length is more than plain reading."""
        for body, expected in ((Octets(), False), (Octets(b"x"), True), (PausedBody(), True),
                               (PausedBody(3), True)):
            self.assertIs(is_more_than_reading(Request(b"GET", b"/", body=body)), expected)

    def test_upgrades(self) -> None:
        """A request for an upgrade to any protocol but HTTP/2 is more than plain reading."""
        for said, expected in (("websocket", True), ("h2c, x", True), (" H2C ", False)):
            self.assertIs(is_more_than_reading(
                Request(b"GET", b"/", fields(Upgrade=said))), expected)


class PassTests(SynchronousTestCase):
    """Which requests are passed without a lookup."""

    def test_reasons(self) -> None:
        """A request is passed for an override first, then for its method, then for its body."""
        body = Octets(b"a=1")
        for request, given, reason in (
                (Request(b"GET", b"/"), options(), None),
                (Request(b"HEAD", b"/"), options(), None),
                (Request(b"GET", b"/", body=body), options(), Reason.PROXY_PATH),
                (Request(b"GET", b"/", fields(X_HTTP_Method_Override="PUT")), options(),
                 Reason.OVERRIDE_HEADER),
                (Request(b"POST", b"/", fields(**FORM), body), options(), Reason.METHOD),
                (Request(b"PUT", b"/", fields(**FORM), body), options(True), Reason.METHOD),
                (Request(b"POST", b"/", fields(**FORM), body), options(True), None),
                (Request(b"POST", b"/", body=body), options(True), Reason.UNPARSABLE_BODY),
                (Request(b"POST", b"/"), options(True), None),
                (Request(b"POST", b"/", body=body), options(key_form_fields=("a",)), None)):
            self.assertIs(why_passed(request, given), reason, request)


class LookupTests(SynchronousTestCase):
    """What a request asks of the cache."""

    def test_directives(self) -> None:
        """
        All request directives are read where they are honoured; else only those for a fresh
        response.
        """
        request = Request(b"GET", b"/", fields(Cache_Control="max-age=5"))
        for honoured in (True, False):
            asked = lookup_of(request, None, options(honour_request_directives=honoured))
            self.assertIs(b"max-age" in asked.directives, honoured)

    def test_unreadable(self) -> None:
        """What has not one reading only is refused."""
        with self.assertRaises(MalformedParams):
            lookup_of(Request(b"GET", b"/?a=%zz"), None, options(True))
        with self.assertRaises(UnreadableBody):
            lookup_of(Request(b"POST", b"/", fields(Content_Type="text/plain")), b"x",
                      options(key_form_fields=("a",)))


class RequestTests(SynchronousTestCase):
    """The requests that origins get."""

    def test_head(self) -> None:
        """A HEAD is forwarded as one, and fetched as a GET."""
        asked = lookup_of(Request(b"HEAD", b"/x", fields(If_None_Match='"1"')), None, options())
        forwarded, fetched = forwarded_request(asked, options()), fetch_request(asked, options())
        self.assertEqual((forwarded.method, fetched.method), (b"HEAD", b"GET"))
        self.assertEqual(forwarded.headers.get(b"if-none-match"), b'"1"')

    def test_whole(self) -> None:
        """Where only whole answers are of use, no condition, range or coding is sent."""
        given = ObjectOptions("p", web_route(ttl=5.0))
        headers = fields(Range="bytes=0-1", If_None_Match='"1"', Accept_Encoding="gzip", X="1")
        sent = fetch_request(lookup_of(Request(b"GET", b"/", headers), None, given), given)
        self.assertEqual([name for name, _ in sent.headers.pairs], [b"X"])

    def test_unreadable_ranges(self) -> None:
        """A range that means nothing is not sent, nor what depends on it."""
        headers = fields(Range="lines=0-1", If_Range='"1"')
        sent = fetch_request(lookup_of(Request(b"GET", b"/", headers), None, options()), options())
        self.assertFalse(sent.headers.has_any(frozenset((b"range", b"if-range"))))

    def test_normalised(self) -> None:
        """What its key is made of is what is sent: in the target, or in the form."""
        def normalise(params: Params) -> Params:
            return Params(tuple(sorted(params.pairs)))

        given = ObjectOptions("p", web_route(form=True, normalise=normalise))
        got = Request(b"GET", b"/q?b=2&a=1")
        self.assertEqual(fetch_request(lookup_of(got, None, given), given).target, b"/q?a=1&b=2")
        posted = Request(b"POST", b"/q", fields(**FORM), Octets(b"b=2&a=1"))
        sent = fetch_request(lookup_of(posted, b"b=2&a=1", given), given)
        self.assertEqual((sent.method, sent.target, octets_of(sent.body)),
                         (b"POST", b"/q", b"a=1&b=2"))

    def test_slots(self) -> None:
        """Lookups of one variant share a fetch, unless they differ in conditions or ranges."""
        slots = [fetch_slot("k", fields(**said)) for said in (
            {}, {"X": "1"}, {"Range": "bytes=0-1"}, {"If_None_Match": '"1"'},
            {"Range": "bytes=0-1", "X": "2"})]
        self.assertEqual(slots[:2], ["k", "k"])
        self.assertEqual((len(set(slots)), slots[2]), (3, slots[4]))
