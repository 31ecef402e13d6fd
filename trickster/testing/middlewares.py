"""
What every middleware must do, as test cases to inherit from::

    class MyMiddlewareTests(middleware_contract(my_kind), SynchronousTestCase):
        ...

where C{SynchronousTestCase} is C{twisted.trial.unittest}'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from trickster.errors import RequestError, UpstreamTimeout
from trickster.interfaces import IBody, IMiddlewareType, IResponder
from trickster.messages import (
    Engine,
    Headers,
    Outcome,
    Principal,
    Request,
    Response,
    Status,
    text_response,
)
from trickster.spans import Span
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.runtime import FakeRuntime

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object


class MiddlewareContract(_Base):
    """
    What every middleware does; made for one of them by L{middleware_contract}.

    :ivar kind: provides L{IMiddlewareType}.
    :ivar configured: its options.
    :ivar passes: whether it passes on the requests that it gets here.
    """

    kind: Any
    configured: Any
    passes: bool

    def setUp(self) -> None:
        """Make a process, and something to put the middleware around."""
        self.runtime, self.inner = FakeRuntime(), RecordingResponder()

    def wrapped(self, *answers: Any) -> Any:
        """
        :param answers: as in L{RecordingResponder}; one plain answer where there are none.
        :return: the middleware around what gives these answers; that is C{inner}, with what has
            come through.
        """
        if answers:
            self.inner = RecordingResponder.of(*answers)
        return self.kind.wrap(self.inner, self.configured, self.runtime)

    def request(self, **said: Any) -> Request:
        """
        :param said: more fields of a L{Request}, such as C{body}.
        :return: a GET, which has a principal, and is observed.
        """
        return Request(b"GET", b"/a/path?with=query", Headers(((b"Accept", b"*/*"),)),
                       authority=b"a.example", identity=Principal("ann"), span=Span(), **said)

    async def _response(self, responder: Any, request: Request) -> Response | None:
        try:
            response: Response = await responder.respond(request)
        except RequestError as error:
            if self.passes:
                raise
            self.assertNotEqual(error.status, 500, "a refusal has a status, such as 403 or 429; "
                                "without one it counts as a defect")
            return None
        self.assertIsInstance(response, Response)
        return response

    def answered(self, responder: Any, request: Request) -> Response | None:
        """
        :param responder: what the middleware has put around another one.
        :return: its answer; None where it refuses the request, as one may that does not pass
            requests on.
        """
        response: Response | None = at_once(self._response(responder, request))
        return response

    def test_provides(self) -> None:
        """The kind has all of its interface, and options that all have defaults."""
        verifyObject(IMiddlewareType, self.kind)
        self.kind.options()

    def test_wraps(self) -> None:
        """Around a responder there is a responder, and nothing is asked yet."""
        verifyObject(IResponder, self.wrapped())
        self.assertEqual(self.inner.requests, [])
        self.assertEqual(self.runtime.clock.getDelayedCalls(), [])

    def test_every_place(self) -> None:
        """It can be put around several responders, and around itself."""
        first, other = self.wrapped(), RecordingResponder()
        second = self.kind.wrap(other, self.configured, self.runtime)
        nested = self.kind.wrap(first, self.configured, self.runtime)
        for responder in (first, second, nested):
            self.answered(responder, self.request())
        self.assertEqual((len(self.inner.requests), len(other.requests)),
                         (2, 1) if self.passes else (0, 0))

    def test_request_body(self) -> None:
        """The body of a request is not read without need, and is not left open unanswered."""
        body = PausedBody()
        self.answered(self.wrapped(), self.request(body=body))
        self.assertEqual(body.reads, 0)
        self.assertEqual(body.is_closed, not self.passes)

    def test_who_asks(self) -> None:
        """Who asks, and what observes, stay with the request."""
        request = self.request()
        self.answered(self.wrapped(), request)
        for passed in self.inner.requests:
            self.assertIs(passed.identity, request.identity)
            self.assertIs(passed.span, request.span)
            self.assertEqual(passed.peer, request.peer)

    def test_outcome(self) -> None:
        """How an answer came about stays with it."""
        outcome = Outcome(Engine.OBJECT, Status.HIT)
        response = self.answered(self.wrapped(Response(200, outcome=outcome)), self.request())
        if self.passes and response is not None:
            self.assertEqual(response.outcome.status, Status.HIT)

    def test_types(self) -> None:
        """What is passed on and answered is octets, and a status code."""
        fields = Headers(((b"Content-Type", b"text/plain"),))
        response = self.answered(self.wrapped(Response(200, fields)), self.request())
        for request in self.inner.requests:
            self.assertEqual({type(each) for each in (request.method, request.target)}, {bytes})
            self.assertOctets(request.headers)
        if response is not None:
            self.assertIsInstance(response.status, int)
            verifyObject(IBody, response.body)
            self.assertOctets(response.headers)

    def assertOctets(self, headers: Headers) -> None:
        """
        All fields are pairs of octets.

        :param headers: of a request or an answer.
        """
        self.assertIsInstance(headers, Headers)
        for name, value in headers.pairs:
            self.assertIsInstance(name, bytes, f"the name of {name!r}: {value!r}")
            self.assertIsInstance(value, bytes, f"the value of {name!r}: {value!r}")

    def test_response_body(self) -> None:
        """The body of an answer is passed on unread, and closing it closes the first one."""
        body = PausedBody()
        response = self.answered(self.wrapped(Response(200, body=body)), self.request())
        self.assertEqual((body.reads, body.closes), (0, 0))
        if response is not None:
            response.body.close()
        self.assertEqual(body.is_closed, self.passes)

    def test_back_pressure(self) -> None:
        """No more of a body is read than its reader asks for."""
        body = PausedBody()
        body.feed(b"1", b"2", b"")
        response = self.answered(self.wrapped(Response(200, body=body)), self.request())
        if response is None:
            return
        if self.passes:
            self.assertEqual(bytes(at_once(response.body.read())), b"1")
            self.assertEqual(body.reads, 1)
        response.body.close()

    def test_error(self) -> None:
        """An answer that cannot be given is refused, or another one is given."""
        for error in (UpstreamTimeout(), RequestError("no")):
            try:
                response = at_once(self.wrapped(error).respond(self.request()))
            except RequestError:
                continue
            self.assertIsInstance(response, Response)
            response.body.close()

    def test_cancelled(self) -> None:
        """When a client goes away, so does what is done for it, and the next is answered."""
        cancelled: list[Any] = []
        responder = self.wrapped(Deferred(cancelled.append), text_response(200, "ok"))
        if self.passes:
            waiting = Deferred.fromCoroutine(self._response(responder, self.request()))
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
            self.assertEqual(len(cancelled), 1)
        self.answered(responder, self.request())

    def test_reload(self) -> None:
        """While a request is answered, the next configuration can have the same middleware."""
        answer: Deferred[Response] = Deferred()
        old = self.wrapped(answer)
        waiting = Deferred.fromCoroutine(self._response(old, self.request()))
        self.addCleanup(waiting.addErrback, lambda _: None)
        new = self.kind.wrap(RecordingResponder(), self.configured, self.runtime)
        self.answered(new, self.request())
        answer.callback(text_response(200, "late"))
        self.successResultOf(waiting)


def middleware_contract(kind: Any, options: Any = None, passes: bool = True) -> type:
    """
    :param kind: provides L{IMiddlewareType}.
    :param options: an instance of its C{options}; all defaults where None.
    :param passes: whether it passes on a GET from an authenticated client, as it is or
        changed; False for one that answers it, or refuses it by raising a
        L{trickster.errors.RequestError}.
    :return: a mixin for a C{SynchronousTestCase}.
    """
    configured = kind.options() if options is None else options
    return type("MiddlewareContract", (MiddlewareContract,), {
        "kind": kind, "configured": configured, "passes": passes})
