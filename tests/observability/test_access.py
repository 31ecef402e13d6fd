"""Tests of C{trickster.observability.access}."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve
from prometheus_client import CollectorRegistry
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.observability.logging.doubles import Lines
from trickster.errors import (
    BadRequest,
    MethodNotAllowed,
    Overloaded,
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamTimeout,
)
from trickster.interfaces import IBody, IDuplex, IRefusalFormat, IRefuser, IResponder
from trickster.messages import Engine, Headers, Octets, Outcome, Request, Response, Status
from trickster.observability.access import Observed
from trickster.observability.accesslog import AccessLog
from trickster.observability.decisionlog import DecisionLog
from trickster.observability.forms import FormsKept
from trickster.observability.logging.lines import logfmt
from trickster.observability.metrics import Metrics
from trickster.observability.refusals import SpelledRefusal
from trickster.routes import StaticResponse
from trickster.spans import Place, Span
from trickster.testing.bodies import PausedDuplex, ScriptedBody
from trickster.testing.doubles import RecordingResponder

PLACE = Place("prom", "prometheus", "/api/v1/query")
GET = Request(b"GET", b"/api/v1/query?query=up")
HIT = Outcome(Engine.OBJECT, Status.HIT)


@implementer(IResponder)
@define
class Placed:
    """Says where in the configuration an inner responder answers."""

    inner: Any
    place: Place = PLACE
    target: bytes = b""

    def respond(self, request: Request) -> Any:
        """See L{IResponder.respond}."""
        assert request.span is not None
        request.span.place, request.span.target = self.place, self.target
        return self.inner.respond(request)


@implementer(IResponder)
class Reading:
    """Reads requests."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        while await request.body.read():
            pass
        return Response(200, outcome=HIT)


@implementer(IResponder)
class Noting:
    """Notes down a key."""

    was_asked = False

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        self.was_asked = request.noted is not None
        if request.noted is not None:
            request.noted("key", "k")
        return Response(200, outcome=HIT)


@implementer(IRefusalFormat)
class Spelling:
    """Spells path and status."""

    def spelled_refusal(self, path: bytes, status: int, reason: Reason,
                        text: str) -> StaticResponse | None:
        """See L{IRefusalFormat.spelled_refusal}."""
        headers = Headers(((b"Content-Type", b"a/b"),))
        return StaticResponse(status, path + b" %d" % status, headers)


class ObservedTestCase(SynchronousTestCase):
    """Sets up something to look through."""

    def setUp(self) -> None:
        """Make a clock, a registry and a log."""
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.sink = Lines()

    def observed(self, answer: Any, spelling: Any = None) -> Observed:
        """:return: an observed responder that answers so."""
        log = AccessLog(self.sink, logfmt, self.clock.seconds)
        placed = Placed(RecordingResponder.of(answer), evolve(PLACE, spelling=spelling))
        return Observed(placed, self.metrics, log, self.clock)

    def answer(self, answer: Any, request: Request = GET, spelling: Any = None) -> Response:
        """:return: what comes of an answer that is there at once."""
        return self.now(self.observed(answer, spelling).respond(request))

    def now(self, coroutine: Any) -> Any:
        """:return: the result of what has no need to wait."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def requests(self, http_status: str, cache_status: str, method: str = "GET") -> float | None:
        """:return: how many requests were counted so."""
        return self.registry.get_sample_value("trickster_proxy_requests_total", {
            "backend_name": "prom", "provider": "prometheus", "path": "/api/v1/query",
            "method": method, "http_status": http_status, "cache_status": cache_status})

    def frontend(self, name: str, http_status: str, method: str = "GET") -> float | None:
        """:return: a sample of the frontend's metrics."""
        return self.registry.get_sample_value(f"trickster_frontend_{name}", {
            "backend_name": "prom", "provider": "prometheus", "path": "/api/v1/query",
            "method": method, "http_status": http_status})

    def reasons(self, cache_status: str, reason: str) -> float | None:
        """:return: how often a reason was counted."""
        return self.registry.get_sample_value("trickster_proxy_reasons_total", {
            "backend_name": "prom", "provider": "prometheus", "path": "/api/v1/query",
            "cache_status": cache_status, "reason": reason})


class AnswerTests(ObservedTestCase):
    """Responses whose bodies are whole are observed."""

    def test_provides(self) -> None:
        """An observed responder provides C{IResponder}."""
        verifyObject(IResponder, self.observed(None))

    def test_adds_both_fields(self) -> None:
        """A response has its result in fields after its own ones."""
        mine = Headers(((b"ETag", b'"x"'),))
        response = self.answer(Response(200, mine, Octets(b"abc"), HIT))
        self.assertEqual(response.headers.pairs, (
            (b"ETag", b'"x"'),
            (b"X-Trickster-Result", b"engine=ObjectProxyCache; status=hit"),
            (b"Cache-Status", b"Trickster; hit")))

    def test_hit_again(self) -> None:
        """Equal fields with another outcome have another result field."""
        mine = Headers(((b"ETag", b'"x"'),))
        stale = Outcome(Engine.OBJECT, Status.HIT, Reason.STALE)
        told = [self.answer(Response(200, mine, Octets(b"abc"), outcome)).headers
                for outcome in (HIT, HIT, stale, HIT)]
        self.assertEqual([headers.get(b"x-trickster-result") for headers in told], [
            b"engine=ObjectProxyCache; status=hit", b"engine=ObjectProxyCache; status=hit",
            b"engine=ObjectProxyCache; status=hit; reason=stale",
            b"engine=ObjectProxyCache; status=hit"])

    def test_keeps_the_rest(self) -> None:
        """Status, phrase, body and outcome are passed on as they are."""
        body = Octets(b"abc")
        response = self.answer(Response(404, Headers(), body, HIT, b"Nope"))
        self.assertEqual((response.status, response.phrase), (404, b"Nope"))
        self.assertIs(response.body, body)
        self.assertIs(response.outcome, HIT)

    def test_upstream_trickster(self) -> None:
        """Another Trickster's result is replaced, its Cache-Status stays before ours."""
        headers = Headers(((b"x-trickster-result", b"engine=x"), (b"Cache-Status", b"Up; hit")))
        response = self.answer(Response(200, headers, Octets(), HIT))
        self.assertEqual(response.headers.get_all(b"x-trickster-result"),
                         [b"engine=ObjectProxyCache; status=hit"])
        self.assertEqual(response.headers.joined(b"cache-status"), b"Up; hit, Trickster; hit")

    def test_kept_error(self) -> None:
        """An error that a plugin raises time and again holds no frame of a request."""
        error = Overloaded("full")
        self.answer(error)
        self.assertIsNone(error.__traceback__)

    def test_ends_in_its_first_step(self) -> None:
        """Where the inner responder need not wait, neither does this."""
        response = Response(200, body=Octets(b"x"), outcome=HIT)
        with self.assertRaises(StopIteration):
            self.observed(response).respond(GET).send(None)

    def test_counts(self) -> None:
        """An answer is counted with its octets, under the configured path."""
        self.answer(Response(200, body=Octets(b"abc"), outcome=HIT))
        self.assertEqual(self.requests("200", "hit"), 1)
        self.assertEqual(self.frontend("requests_total", "2xx"), 1)
        self.assertEqual(self.frontend("written_bytes_total", "2xx"), 3)

    def test_head(self) -> None:
        """No octets are written in answer to HEAD."""
        self.answer(Response(200, body=Octets(b"abc"), outcome=HIT), Request(b"HEAD", b"/"))
        self.assertEqual(self.frontend("written_bytes_total", "2xx", "HEAD"), 0)

    def test_invented_method(self) -> None:
        """Unknown methods share one label."""
        for method in (b"BREW", b"WHEN"):
            self.answer(Response(200, outcome=HIT), Request(method, b"/"))
        self.assertEqual(self.requests("200", "hit", "other"), 2)

    def test_reason(self) -> None:
        """The reason of a response that was no full hit is counted."""
        self.answer(Response(200, outcome=Outcome(reason=Reason.PROXY_PATH)))
        self.assertEqual(self.reasons("proxy-only", "proxy-path"), 1)

    def test_duration(self) -> None:
        """The time until the answer is observed in seconds."""
        waiting: Deferred[Response] = Deferred()
        done = Deferred.fromCoroutine(self.observed(waiting).respond(GET))
        self.clock.advance(0.75)
        waiting.callback(Response(200, outcome=HIT))
        self.successResultOf(done)
        self.assertEqual(self.frontend("requests_duration_seconds_sum", "2xx"), 0.75)

    def test_log_line(self) -> None:
        """The request is logged with what became of it."""
        self.answer(Response(200, body=Octets(b"abc"), outcome=HIT))
        [line] = self.sink.lines
        for piece in ("method=GET", 'uri="/api/v1/query?query=up"', "status=200", "bytes=3",
                      "backendName=prom", "cacheStatus=hit"):
            self.assertIn(piece, line)


class FormTests(ObservedTestCase):
    """Forms of POST requests in the log."""

    def line(self, asks_by_form: bool, body: IBody) -> str:
        """:return: the line about a form."""
        headers = Headers(((b"Content-Type", b"application/x-www-form-urlencoded"),))
        observed = self.observed(Response(200, outcome=HIT))
        observed.inner = Placed(FormsKept(Reading()), evolve(PLACE, has_forms=asks_by_form))
        self.now(observed.respond(Request(b"POST", b"/api/v1/query", headers, body)))
        return self.sink.lines[-1]

    def test_shown(self) -> None:
        """On routes whose forms are queries, the log has the form, with secrets masked."""
        for body in (Octets(b"query=up&token=s3cret"),
                     ScriptedBody.of(b"query=up&tok", b"en=s3cret")):
            line = self.line(True, body)
            self.assertIn('query="query=up&token=*****"', line)
            self.assertNotIn("s3cret", line)

    def test_not_shown(self) -> None:
        """On routes whose forms are no queries, the log has no form."""
        self.assertNotIn("query=", self.line(False, Octets(b"query=up")))

    def test_notes(self) -> None:
        """Responders are asked for notes only where a log shows such notes."""
        for wanted in (False, True):
            observed = self.observed(None)
            noting = Noting()
            observed.inner = Placed(noting)
            if wanted:
                observed.access_log = DecisionLog(self.sink, logfmt, self.clock.seconds)
            self.now(observed.respond(GET))
            self.assertEqual(noting.was_asked, wanted)
        self.assertIn("key=k", self.sink.lines[-1])


class PlaceTests(ObservedTestCase):
    """The backend and path of a request are known only once it has been answered."""

    def test_each_place(self) -> None:
        """Requests are counted and logged under the backend and path that answered each."""
        observed = self.observed(None)
        for path in ("/a", "/b", "/b"):
            place = Place("prom", "prometheus", path)
            observed.inner = Placed(RecordingResponder.of(Response(200, outcome=HIT)), place, b"/as/known")
            self.now(observed.respond(GET))
        self.assertEqual([self.counted(path) for path in ("/a", "/b")], [1, 2])
        self.assertTrue(all("uri=/as/known" in line for line in self.sink.lines))
        self.assertIn("path=/b", self.sink.lines[-1])

    def counted(self, path: str) -> float | None:
        """:return: how many hits were counted at a path."""
        return self.registry.get_sample_value("trickster_proxy_requests_total", {
            "backend_name": "prom", "provider": "prometheus", "path": path,
            "method": "GET", "http_status": "200", "cache_status": "hit"})

    def test_nowhere(self) -> None:
        """A request answered before any backend was found is counted without one."""
        observed = self.observed(None)
        observed.inner = RecordingResponder.of(BadRequest("no"))
        self.now(observed.respond(GET))
        self.assertIn('backendName="" provider="" path=""', self.sink.lines[-1])
        self.assertIn('uri="/api/v1/query?query=up"', self.sink.lines[-1])

    def test_same_span(self) -> None:
        """A request that has a span keeps it."""
        span = Span()
        self.now(self.observed(Response(200)).respond(GET.with_span(span)))
        self.assertIs(span.place.path, PLACE.path)

    def test_refused(self) -> None:
        """A refusal is observed where its place is, and the inner responder is not asked."""
        observed = self.observed(AssertionError("asked"))
        observed.refuser = Refuser()
        response = self.now(observed.refused(GET, Overloaded()))
        self.assertEqual(response.status, 503)
        self.assertEqual(self.requests("503", "error"), 1)


@implementer(IRefuser)
class Refuser:
    """Knows where requests would go."""

    async def refused(self, request: Request, error: RequestError) -> Response:
        """See L{IRefuser.refused}."""
        assert request.span is not None
        request.span.place = PLACE
        raise error


class ErrorTests(ObservedTestCase):
    """Errors of responders are answered and observed."""

    def test_request_error(self) -> None:
        """A request error becomes an answer of its status, in plain text."""
        response = self.answer(BadRequest("no such month"))
        self.assertEqual(response.status, 400)
        self.assertEqual(self.now(response.body.read()), b"no such month\n")
        self.assertEqual(response.headers.get(b"content-type"), b"text/plain; charset=utf-8")

    def test_client_error_outcome(self) -> None:
        """A client's fault is an error with its reason."""
        response = self.answer(BadRequest("no such month"))
        self.assertEqual(response.headers.get(b"x-trickster-result"),
                         b"engine=HTTPProxy; status=error; reason=malformed-request")

    def test_origin_error_outcome(self) -> None:
        """An origin's fault is a proxy error with its reason."""
        response = self.answer(UpstreamTimeout())
        self.assertEqual(response.status, 504)
        self.assertEqual(response.headers.get(b"x-trickster-result"),
                         b"engine=HTTPProxy; status=proxy-error; reason=origin-timeout")
        self.assertEqual(self.requests("504", "proxy-error"), 1)

    def test_no_detail(self) -> None:
        """An error without a detail is answered with the phrase of its status."""
        self.assertEqual(self.now(self.answer(Overloaded()).body.read()),
                         b"Service Unavailable\n")
        odd = self.answer(RequestError(status=599))
        self.assertEqual(self.now(odd.body.read()), b"no answer can be given\n")

    def test_client_error_of_the_proxy(self) -> None:
        """The fields that an error has are in the response."""
        response = self.answer(MethodNotAllowed(("GET", "HEAD")))
        self.assertEqual((response.status, response.headers.get(b"allow")), (405, b"GET, HEAD"))

    def test_spelled(self) -> None:
        """An origin type that has a form for refusals has each of them spelled so."""
        for error, status in ((BadRequest("no"), 400), (UpstreamTimeout("where"), 504),
                              (MethodNotAllowed(("GET",)), 405)):
            response = self.answer(error, spelling=Spelling())
            self.assertEqual((response.status, response.headers.get(b"content-type")),
                             (status, b"a/b"))
            self.assertEqual(self.now(response.body.read()), b"/api/v1/query %d" % status)
            self.assertIn(b"x-trickster-result", response.headers)
            self.assertEqual(b"allow" in response.headers, status == 405)

    def test_unforeseen_spelled(self) -> None:
        """An unforeseen error is spelled in the form that the origin type has for refusals."""
        response = self.answer(ZeroDivisionError("private"), spelling=Spelling())
        self.assertEqual(self.now(response.body.read()), b"/api/v1/query 500")
        self.flushLoggedErrors(ZeroDivisionError)

    def test_unforeseen(self) -> None:
        """An unforeseen error is a 500 without its text, and is logged whole."""
        response = self.answer(ZeroDivisionError("private"))
        self.assertEqual(response.status, 500)
        self.assertNotIn(b"private", self.now(response.body.read()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.reasons("error", "internal"), 1)

    def test_client_gone(self) -> None:
        """A cancelled request cancels what is below, and counts as 499."""
        gone: list[Any] = []
        waiting: Deferred[Response] = Deferred(gone.append)
        done = Deferred.fromCoroutine(self.observed(waiting).respond(GET))
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(len(gone), 1)
        self.assertEqual(self.requests("499", "error"), 1)
        self.assertEqual(self.reasons("error", "client-gone"), 1)


class BodyTests(ObservedTestCase):
    """Responses whose bodies are still to come are observed."""

    def body(self, *pieces: Any, length: int | None = None) -> tuple[IBody, ScriptedBody]:
        """:return: the observed body of an answer, and the one within."""
        inner = ScriptedBody(list(pieces), length)
        return self.answer(Response(200, body=inner, outcome=HIT)).body, inner

    def test_provides(self) -> None:
        """An observed body provides C{IBody}, and has the same length."""
        body, _ = self.body(length=7)
        verifyObject(IBody, body)
        self.assertEqual(body.length, 7)

    def test_counted_at_the_end(self) -> None:
        """Octets are counted once the body is over, with the time that it took."""
        body, _ = self.body(b"abc", b"de")
        self.assertEqual(self.now(body.read()), b"abc")
        self.assertIsNone(self.requests("200", "hit"))
        self.clock.advance(2)
        self.assertEqual([self.now(body.read()), self.now(body.read())], [b"de", b""])
        self.assertEqual(self.frontend("written_bytes_total", "2xx"), 5)
        self.assertEqual(self.frontend("requests_duration_seconds_sum", "2xx"), 2)

    def test_counted_once(self) -> None:
        """Reading on and closing after the end count nothing more."""
        body, inner = self.body(b"abc")
        for _ in range(3):
            self.now(body.read())
        body.close()
        self.assertEqual(self.requests("200", "hit"), 1)
        self.assertTrue(inner.is_closed)

    def test_closed_when_whole(self) -> None:
        """A reader that stops after as many octets as there are has had it all."""
        body, _ = self.body(b"abc", length=3)
        self.now(body.read())
        body.close()
        self.assertEqual(self.requests("200", "hit"), 1)

    def test_closed_before_the_end(self) -> None:
        """A reader that stops earlier is gone."""
        body, inner = self.body(b"abc", b"de", length=5)
        self.now(body.read())
        body.close()
        self.assertEqual(self.requests("499", "hit"), 1)
        self.assertEqual(self.reasons("hit", "client-gone"), 1)
        self.assertTrue(inner.is_closed)

    def test_cancelled_while_reading(self) -> None:
        """A reader that is cancelled counts as gone."""
        body, _ = self.body(Deferred())
        reading = Deferred.fromCoroutine(body.read())
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual(self.requests("499", "hit"), 1)

    def test_origin_breaks_off(self) -> None:
        """An origin that breaks off in the middle is counted by the reason of its failure."""
        body, _ = self.body(b"abc", UpstreamBroke("gone"))
        self.now(body.read())
        failing = Deferred.fromCoroutine(body.read())
        self.failureResultOf(failing, UpstreamBroke)
        self.assertEqual(self.reasons("proxy-error", "origin-broke"), 1)
        self.assertEqual(self.frontend("written_bytes_total", "2xx"), 3)

    def test_another_length(self) -> None:
        """A body of more or fewer octets than its length is counted as one that broke."""
        for pieces, whole in (((b"abc",), 1), ((b"abc", b"defg"), 1)):
            with self.subTest(pieces=pieces):
                self.setUp()
                body, _ = self.body(*pieces, length=6)
                for _ in range(whole):
                    self.now(body.read())
                self.failureResultOf(Deferred.fromCoroutine(body.read()), UpstreamBroke)
                self.assertEqual(self.reasons("proxy-error", "origin-broke"), 1)

    def test_empty_for_its_length(self) -> None:
        """A body without an octet, but with a length, is a refusal to its client."""
        body, _ = self.body(length=6)
        error = self.failureResultOf(Deferred.fromCoroutine(body.read()), SpelledRefusal).value
        self.assertEqual((error.status, error.reason), (502, Reason.ORIGIN_BROKE))
        self.assertEqual(self.requests("502", "proxy-error"), 1)

    def test_broken_at_once(self) -> None:
        """A body that breaks before its first octet is answered, and counted, as a refusal."""
        for broken, status, told in ((UpstreamBroke("gone"), 502, "proxy-error"),
                                     (BadRequest("short"), 400, "error"),
                                     (ZeroDivisionError("private"), 500, "error")):
            body = self.answer(Response(200, body=ScriptedBody.of(broken), outcome=HIT),
                               spelling=Spelling()).body
            failing = Deferred.fromCoroutine(body.read())
            error = self.failureResultOf(failing, SpelledRefusal).value
            instead = error.response
            self.assertEqual((error.status, error.reason), (status, instead.outcome.reason))
            self.assertEqual(self.now(instead.body.read()), b"/api/v1/query %d" % status)
            self.assertIn(b"x-trickster-result", instead.headers)
            self.assertEqual(self.requests(str(status), told), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_head_leaves_the_body(self) -> None:
        """The body of an answer to HEAD is not counted."""
        inner = ScriptedBody.of(b"x")
        response = self.answer(Response(200, body=inner, outcome=HIT), Request(b"HEAD", b"/"))
        self.assertIs(response.body, inner)

    def test_tunnel(self) -> None:
        """After an upgrade, octets still go both ways."""
        inner = PausedDuplex()
        inner.feed(b"down")
        body = self.answer(Response(101, body=inner, outcome=HIT)).body
        verifyObject(IDuplex, body)
        self.now(body.write(b"up"))
        body.end()
        self.assertEqual((self.now(body.read()), inner.written, inner.has_ended),
                         (b"down", [b"up"], True))
