"""Tests of L{trickster.middleware.translating}: requests and responses in other words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import read_all
from trickster.errors import BadRequest, RequestTooLarge, UpstreamBroke
from trickster.interfaces import IBody
from trickster.messages import (
    LONGEST_PARAMS,
    MOST_PARAMS,
    Headers,
    Octets,
    Params,
    Request,
    Response,
)
from trickster.middleware.translating import Change, TranslatingResponder
from trickster.routes import Translation
from trickster.testing.doubles import RecordingResponder, at_once

FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


async def whole(body: IBody) -> bytes:
    """:return: all of a body."""
    return bytes(await read_all(body, 1 << 30))


async def collected(body: IBody, change: Change) -> IBody:
    """:return: a body of what is made of all of another."""
    return Octets(await change(await whole(body)))


def shouted(request: Request, params: Params) -> Translation:
    """:return: the request in upper case; its answer in lower case."""
    pairs = tuple((name, value.upper()) for name, value in params.pairs)
    return Translation(request.path, Params(pairs), answer=bytes.lower)


class TranslatingTests(SynchronousTestCase):
    """Requests and responses are translated between a cache and its origin."""

    def setUp(self) -> None:
        self.in_threads: list[Any] = []

    def asked(self, request: Request, response: Response | None = None,
              translate: Callable[[Request, Params], Translation] = shouted
              ) -> tuple[Request, Response]:
        """:return: what the origin was asked, and what came of it."""
        async def offload(function: Any, *args: Any) -> Any:
            self.in_threads.append(function)
            return function(*args)

        origin = RecordingResponder.of(response or Response(200, body=Octets(b"YES")))
        answer = at_once(TranslatingResponder(origin, translate, collected, offload).respond(request))
        return origin.requests[0], answer

    def test_query(self) -> None:
        """A request is translated, and its response is translated back."""
        for method in (b"GET", b"POST"):
            sent, answer = self.asked(Request(method, b"/q?a=b&a=c%26"))
            self.assertEqual((sent.method, sent.target), (method, b"/q?a=B&a=C%26"))
            self.assertEqual(at_once(whole(answer.body)), b"yes")

    def test_form(self) -> None:
        """Parameters of query and form become one form."""
        sent, _ = self.asked(Request(b"POST", b"/q?a=b", Headers((FORM,)), Octets(b"c=d")))
        self.assertEqual((sent.target, sent.body), (b"/q", Octets(b"C=D&A=B".replace(
            b"C=", b"c=").replace(b"A=", b"a="))))

    def test_other_bodies(self) -> None:
        """A body that is no form is sent as it came, since origins read no parameters of it."""
        for fields in ((), ((b"Content-Type", b"text/plain"),), (FORM, (b"Content-Encoding", b"x"))):
            sent, _ = self.asked(Request(b"POST", b"/q?a=b", Headers(fields), Octets(b"c=d")))
            self.assertEqual((sent.target, sent.body), (b"/q?a=B", Octets(b"c=d")))

    def test_unchanged(self) -> None:
        """A request whose path and parameters stay the same is sent as the client spelled it."""
        sent, _ = self.asked(Request(b"GET", b"/q?a=%42&b"), translate=lambda r, p: Translation(
            r.path, p))
        self.assertEqual(sent.target, b"/q?a=%42&b")
        sent, _ = self.asked(Request(b"GET", b"/q?a=%42&b"), translate=lambda r, p: Translation(
            b"/other", p))
        self.assertEqual(sent.target, b"/other?a=B&b=")

    def test_whole(self) -> None:
        """A response that is to be translated is asked for whole, and without a coding."""
        fields = ((b"Accept-Encoding", b"gzip"), (b"If-None-Match", b'"x"'), (b"Range", b"bytes=0-1"),
                  (b"X", b"y"))
        sent, _ = self.asked(Request(b"GET", b"/q?a=b", Headers(fields)))
        self.assertEqual(sent.headers.pairs, ((b"X", b"y"),))
        sent, _ = self.asked(Request(b"GET", b"/q?a=b", Headers(fields)), translate=lambda r, p: (
            Translation(r.path, p)))
        self.assertEqual(sent.headers.pairs, fields)

    def test_accept(self) -> None:
        """Accept is reduced to the types that can be translated."""
        sent, _ = self.asked(Request(b"GET", b"/q"), translate=lambda r, p: Translation(
            r.path, p, b"text/plain"))
        self.assertEqual(sent.headers.get(b"accept"), b"text/plain")

    def test_what_is_said_of_octets(self) -> None:
        """Fields about the octets of the origin's body are removed from the translated one."""
        response = Response(200, Headers(((b"ETag", b'"x"'), (b"Content-Length", b"3"), (b"X", b"y"))),
                            Octets(b"YES"))
        for method in (b"GET", b"HEAD"):
            _, answer = self.asked(Request(method, b"/q"), response)
            self.assertEqual(answer.headers.pairs, ((b"X", b"y"),))

    def test_refusals(self) -> None:
        """A response that is no 200 is passed on untranslated."""
        response = Response(400, Headers(((b"ETag", b'"x"'),)), Octets(b"NO"))
        self.assertEqual(self.asked(Request(b"GET", b"/q"), response)[1], response)

    def test_coded(self) -> None:
        """An answer in a coding that was not asked for cannot be read."""
        response = Response(200, Headers(((b"Content-Encoding", b"gzip"),)), Octets(b"x"))
        with self.assertRaises(UpstreamBroke):
            self.asked(Request(b"GET", b"/q"), response)

    def test_other_methods(self) -> None:
        """Requests with methods that ask no query are passed on."""
        sent, answer = self.asked(Request(b"OPTIONS", b"/q?a=b"))
        self.assertEqual((sent.target, at_once(whole(answer.body))), (b"/q?a=b", b"YES"))

    def test_unreadable(self) -> None:
        """A query that cannot be read is sent as it is for the origin to refuse."""
        for request in (Request(b"GET", b"/q?a=%zz"), Request(b"GET", b"/q?" + b"a&" * MOST_PARAMS)):
            sent, answer = self.asked(request, Response(400, body=Octets(b"NO")))
            self.assertEqual((sent, answer.status), (request, 400))
            with self.assertRaises(RequestTooLarge):
                self.asked(request)

    def test_refused(self) -> None:
        """A request that cannot be translated is not sent."""
        def refuse(_: Request, __: Params) -> Translation:
            raise BadRequest("no such words")

        with self.assertRaises(BadRequest):
            self.asked(Request(b"GET", b"/q"), translate=refuse)

    def test_long(self) -> None:
        """Long requests and long answers are translated in a thread."""
        self.asked(Request(b"GET", b"/q?a=b"))
        self.assertEqual(self.in_threads, [])
        self.asked(Request(b"GET", b"/q?a=" + b"b" * 10_000), Response(200, body=Octets(
            b"A" * 200_000)))
        self.assertEqual(self.in_threads, [shouted, bytes.lower])

    def test_too_long(self) -> None:
        """A form that is too long to be parsed is refused."""
        class Endless(Octets):
            async def read(self) -> bytes:
                return b"a" * LONGEST_PARAMS

        request = Request(b"POST", b"/q", Headers((FORM,)), Endless())
        with self.assertRaises(RequestTooLarge):
            self.asked(request)
