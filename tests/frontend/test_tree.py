"""Tests for L{trickster.frontend.tree}, C{.resources} and C{.site}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.frontend.connection import Connection, Echo, answers, get, post
from trickster.errors import Overloaded, RequestError
from trickster.frontend.overload import Lateness, Overload
from trickster.frontend.site import ProxySite
from trickster.frontend.tree import ListenerRoot, ResponderResource
from trickster.interfaces import IRefuser, IResponder
from trickster.messages import Request as RequestValue
from trickster.messages import Response
from trickster.observability.refusals import refusal


class Page(Resource):
    """Answers as L{twisted.web} resources do."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"X-Path", b"/".join(request.postpath or []))
        return b"page " + request.args.get(b"q", [b""])[0]

    def render_POST(self, request: Request) -> bytes:
        return b"posted " + request.content.read()

    def render_PUT(self, request: Request) -> int:
        self.request = request
        return NOT_DONE_YET

    def render_PATCH(self, request: Request) -> bytes:
        raise ZeroDivisionError("secret")


class ListenerRootTests(SynchronousTestCase):
    """A listener's root has the endpoints of its own, and a responder for all other paths."""

    def setUp(self) -> None:
        self.page, below = Page(), Page()
        self.connection = Connection(ListenerRoot(
            ResponderResource(Echo()), {b"/trickster/ping": self.page, b"/debug/": below}))

    def answer(self, octets: bytes) -> tuple[int, bytes]:
        [answer] = answers(self.connection.exchange(octets))
        return answer

    def test_interfaces(self) -> None:
        """The root and a responder's resource provide C{IResource}."""
        verifyObject(IResource, ResponderResource(Echo()))
        verifyObject(IResource, ListenerRoot(notFound(), {}))

    def test_own_path(self) -> None:
        """An endpoint is rendered as usual, with parameters parsed."""
        self.assertEqual(self.answer(get(b"/trickster/ping?q=1")), (200, b"page 1"))

    def test_below(self) -> None:
        """A path with a slash at its end stands for what is below."""
        self.connection.send(get(b"/debug/a/b"))
        self.assertIn(b"X-Path: a/b\r\n", self.connection.received())

    def test_rest(self) -> None:
        """Paths without a resource of their own go to the responder."""
        self.assertEqual(self.answer(get(b"/trickster/pin?x")), (200, b"GET /trickster/pin?x "))

    def test_body(self) -> None:
        """A request's body is read to its end before a resource is rendered."""
        octets = post(b"abc", target=b"/trickster/ping")
        self.connection.send(octets[:-2])
        self.assertEqual(self.answer(octets[-2:]), (200, b"posted abc"))

    def test_too_large(self) -> None:
        """A body too large for a resource, but read to its end, is a 413 on a kept connection."""
        octets = post(bytes(2 << 20), target=b"/trickster/ping")
        self.assertEqual(self.answer(octets)[0], 413)
        self.assertEqual(self.answer(get(b"/trickster/ping")), (200, b"page "))

    def test_too_large_unread(self) -> None:
        """A body too large for a resource is not read to its end where it is still on its way."""
        octets = post(bytes(2 << 20), target=b"/trickster/ping")
        self.assertEqual(self.answer(octets[:-1])[0], 413)
        self.assertEqual(self.connection.ending, "half-closed")

    def test_head(self) -> None:
        """HEAD of a resource is GET without the body."""
        octets = self.connection.exchange(get(b"/trickster/ping").replace(b"GET", b"HEAD"))
        self.assertTrue(octets.endswith(b"\r\n\r\n"))
        self.assertIn(b"Content-Length: 5", octets)

    def test_many(self) -> None:
        """A resource keeps the connection, and sends no C{Server}."""
        for _ in range(2):
            octets = self.connection.exchange(get(b"/trickster/ping"))
            self.assertNotIn(b"Server:", octets)
            self.assertIn(b"Date: ", octets)
        self.assertEqual(self.connection.ending, "open")

    def test_pipelined(self) -> None:
        """Pipelined requests to resources and to responders are answered in order."""
        received = self.connection.exchange(get(b"/trickster/ping") + get(b"/1") + get(b"/debug/"))
        self.assertEqual([body for _, body in answers(received)],
                         [b"page ", b"GET /1 ", b"page "])

    def test_close(self) -> None:
        """A resource's answer to C{Connection: close} closes the connection."""
        octets = self.connection.exchange(get(b"/trickster/ping", b"Connection: close"))
        self.assertIn(b"Connection: close", octets)
        self.assertEqual(self.connection.ending, "closed")

    def test_later(self) -> None:
        """A resource may answer later, and the next pipelined request waits for its answer."""
        self.connection.send(get(b"/trickster/ping").replace(b"GET", b"PUT") + get(b"/2"))
        self.assertEqual(self.connection.received(), b"")
        self.page.request.write(b"done")
        self.page.request.finish()
        received = self.connection.received()
        self.assertIn(b"4\r\ndone\r\n0\r\n\r\n", received)
        self.assertTrue(received.endswith(b"GET /2 "))

    def test_client_gone(self) -> None:
        """A resource's C{notifyFinish} fires when the client leaves."""
        self.connection.send(get(b"/trickster/ping").replace(b"GET", b"PUT"))
        finished = self.page.request.notifyFinish()
        self.connection.leave()
        self.failureResultOf(finished)

    def test_client_gone_early(self) -> None:
        """A resource is not rendered for a client that leaves before its body is whole."""
        self.connection.send(post(b"abc", target=b"/trickster/ping")[:-1])
        self.connection.leave()
        self.assertEqual(self.connection.received(), b"")

    def test_broken_body(self) -> None:
        """A malformed body is refused."""
        head = b"POST /trickster/ping HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.connection.send(head)
        self.assertEqual(self.answer(b"x\r\n")[0], 400)

    def test_wrong_method(self) -> None:
        """A method that a resource does not have is a 405 by the resource."""
        self.assertEqual(self.answer(get(b"/trickster/ping").replace(b"GET", b"DELETE"))[0], 405)

    def test_resource_fails(self) -> None:
        """The error of a resource that fails is not sent to the client."""
        status, body = self.answer(get(b"/trickster/ping").replace(b"GET", b"PATCH"))
        self.assertEqual(status, 500)
        self.assertNotIn(b"secret", body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class NestedTests(SynchronousTestCase):
    """Responders inside another program's tree of resources."""

    def test_below_a_resource(self) -> None:
        """A responder's resource works anywhere in the tree."""
        root = Resource()
        root.putChild(b"a", ResponderResource(Echo()))
        connection = Connection(root)
        received = connection.exchange(get(b"/a/b") + post(b"x", target=b"/a"))
        self.assertEqual([body for _, body in answers(received)], [b"GET /a/b ", b"POST /a x"])

    def test_no_children(self) -> None:
        """A responder is a leaf."""
        leaf = ResponderResource(Echo())
        self.assertRaises(TypeError, leaf.putChild, b"a", notFound())
        self.assertIs(leaf.getChildWithDefault(b"a", None), leaf)  # type: ignore[arg-type]


class IdleTests(SynchronousTestCase):
    """Idle connections make room where a listener has as many as it may have."""

    def setUp(self) -> None:
        self.clock, self.ended = Clock(), 0
        self.site = ProxySite(ResponderResource(Echo()), self.clock)
        self.site.ended = self.note
        self.connections = []
        for _ in range(3):
            self.clock.advance(1)
            self.connections.append(Connection(Echo(), clock=self.clock, site=self.site))
            self.connections[-1].exchange(get())

    def note(self) -> None:
        self.ended += 1

    def endings(self) -> list[str]:
        return [connection.ending for connection in self.connections]

    def test_longest(self) -> None:
        """Connections that have been idle for longest are closed first."""
        self.assertEqual(self.site.close_idle(2), 2)
        self.assertEqual(self.endings(), ["closed", "closed", "open"])

    def test_all(self) -> None:
        """Fewer idle connections than are wanted may be closed, and none is closed twice."""
        self.assertEqual((self.site.close_idle(9), self.site.close_idle(9)), (3, 0))

    def test_not_idle(self) -> None:
        """A connection with a request on its way, or yet to send its first one, is not idle."""
        first, second, third = self.connections
        first.send(b"GET")
        second.send(post(b"x")[:-1])
        third.leave()
        new = Connection(Echo(), clock=self.clock, site=self.site)
        self.assertEqual(self.site.close_idle(9), 0)
        self.assertEqual((first.ending, second.ending, new.ending), ("open",) * 3)

    def test_told(self) -> None:
        """The port is called when a connection is gone."""
        self.connections[0].leave()
        self.assertEqual(self.ended, 1)


@implementer(IResponder, IRefuser)
class Refusable(Echo):
    """Answers, or refuses."""

    async def respond(self, request: RequestValue) -> Response:
        if request.target == b"/crowded":
            return refusal(Overloaded("crowded", retry_after=1))
        return await super().respond(request)

    async def refused(self, request: RequestValue, error: RequestError) -> Response:
        return refusal(error)


class OverloadedTests(SynchronousTestCase):
    """A listener of a process that has too much to do."""

    def setUp(self) -> None:
        self.clock = Clock()
        lateness = Lateness(0.25)
        lateness.ended(5.0, 0.0)
        self.overload = overload = Overload(self.clock, lateness)
        self.connect()
        for _ in range(64):
            overload.refuses()
        self.clock.rightNow += 1.0

    def connect(self) -> None:
        root = ListenerRoot(ResponderResource(Refusable()),
                            {b"/ping": ResponderResource(Echo())})
        self.connection = Connection(root, clock=self.clock)
        self.connection.site.overload = self.overload

    def busy(self) -> None:
        """One long turn is over, and the next one is long as well."""
        self.clock.advance(0)
        self.overload.refuses()
        self.clock.rightNow += 0.6

    def statuses(self, *requests: bytes) -> list[int]:
        return [status for status, _ in answers(self.connection.exchange(*requests))]

    def test_refused(self) -> None:
        """Requests are refused once they are read, and their connection is kept."""
        for asked in (get(), post(b"body"), get(b"/?a=b")):
            received = self.connection.exchange(asked)
            self.assertEqual(answers(received), [(503, b"there is too much to do\n")])
            self.assertIn(b"\r\nRetry-After: 1\r\n", received)
            self.assertIn(b"\r\nDate: ", received)
        self.assertEqual((self.connection.ending, self.overload.refused_total), ("open", 3))

    def test_head(self) -> None:
        """A refusal of HEAD has no body."""
        received = self.connection.exchange(get().replace(b"GET", b"HEAD"))
        self.assertTrue(received.startswith(b"HTTP/1.1 503 "))
        self.assertTrue(received.endswith(b"\r\n\r\n"))

    def test_last(self) -> None:
        """A refused request with C{Connection: close} closes the connection."""
        received = self.connection.exchange(get(b"/", b"Connection: close"))
        self.assertIn(b"Connection: close", received)
        self.assertEqual(self.connection.ending, "closed")

    def test_unread_body(self) -> None:
        """The body of a refused request is not waited for where it is still on its way."""
        received = self.connection.exchange(post(b"body")[:-1])
        self.assertTrue(received.startswith(b"HTTP/1.1 503 "))
        self.assertEqual(self.connection.ending, "half-closed")

    def test_at_once(self) -> None:
        """A refusal after a single pause is sent at once, and the next request is read."""
        self.assertEqual(self.statuses(get(), get(), get()), [503, 503, 503])

    def test_put_off(self) -> None:
        """A refusal is put off where turns stay long, and the next request waits."""
        self.busy()
        self.assertEqual(self.statuses(get(), get(), get()), [])
        self.clock.advance(0.5)
        self.assertEqual([status for status, _ in answers(self.connection.received())],
                         [503, 200, 200])

    def test_put_off_body(self) -> None:
        """The refusal of a request whose body is on its way is put off where turns stay long."""
        self.busy()
        self.assertEqual(self.connection.exchange(post(b"body")[:-1]), b"")
        self.clock.advance(0.5)
        self.assertTrue(self.connection.received().startswith(b"HTTP/1.1 503 "))
        self.assertEqual(self.connection.ending, "half-closed")

    def test_put_off_last(self) -> None:
        """A refusal of a request with C{Connection: close} may be put off as well."""
        self.busy()
        self.statuses(get(b"/", b"Connection: close"))
        self.assertEqual(self.connection.ending, "open")
        self.clock.advance(0.5)
        self.assertIn(b"Connection: close", self.connection.received())
        self.assertEqual(self.connection.ending, "closed")

    def test_gone_while_put_off(self) -> None:
        """A client that leaves while its refusal is put off leaves no timer behind."""
        for asked in (get(), post(b"body")[:-1]):
            self.busy()
            self.statuses(asked)
            self.connection.leave()
            self.clock.advance(0.5)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.connect()

    def test_drained_while_put_off(self) -> None:
        """Stopping waits until refusals that are put off have been sent, and no longer."""
        self.busy()
        self.statuses(get())
        self.connection.channel.drain()
        self.assertEqual(self.connection.ending, "open")
        self.clock.advance(0.5)
        self.assertEqual([status for status, _ in answers(self.connection.received())], [503])
        self.assertEqual(self.connection.ending, "closed")

    def test_not_idle_while_put_off(self) -> None:
        """A connection whose refusal is put off is not idle."""
        self.busy()
        self.statuses(get())
        self.assertEqual(self.connection.site.close_idle(10), 0)
        self.clock.advance(0.5)
        self.assertEqual(self.connection.site.close_idle(10), 1)

    def test_crowded_origin(self) -> None:
        """A refusal by the responder itself is put off as well, and sent once."""
        self.busy()
        self.clock.advance(0)
        self.assertEqual(self.statuses(get(b"/crowded"), get(b"/next")), [])
        self.clock.advance(0.5)
        self.assertEqual(answers(self.connection.received()),
                         [(503, b"crowded\n"), (200, b"GET /next ")])

    def test_remembered(self) -> None:
        """Refusals are made once a second for each path, and a bounded number is remembered."""
        first = self.connection.exchange(get(b"/a"))
        self.clock.rightNow += 5.0
        second = self.connection.exchange(get(b"/a"))
        self.assertNotEqual(first, second)  # another date
        for number in range(3000):
            self.connection.send(get(b"/%d" % number))
        self.assertLessEqual(len(self.connection.site.refusals), 1024)

    def test_own(self) -> None:
        """The listener's own endpoints answer under any load."""
        self.assertEqual(self.statuses(get(b"/ping")), [200])
        asked = post(b"body", target=b"/ping")
        self.assertEqual(self.statuses(asked[:-1], asked[-1:]), [200])

    def test_over(self) -> None:
        """All requests are answered once the overload is over."""
        self.clock.advance(0)
        self.assertEqual(self.statuses(get()), [200])


class SiteTests(SynchronousTestCase):
    """What all connections of a listener share is its site's."""

    def test_protocols(self) -> None:
        """Over TLS, only HTTP/1.1 is offered."""
        self.assertEqual(ProxySite(notFound(), Clock()).acceptableProtocols(), [b"http/1.1"])

    def test_no_timer(self) -> None:
        """Starting a site needs no timer and no log."""
        clock = Clock()
        site = ProxySite(notFound(), clock)
        site.doStart()
        self.assertEqual(clock.getDelayedCalls(), [])
        site.doStop()

    def test_connection_while_draining(self) -> None:
        """A connection accepted just before a drain is closed; after resuming, it is kept."""
        site = ProxySite(ResponderResource(Echo()), Clock())
        site.drain()
        self.assertEqual(Connection(Echo(), site=site).ending, "closed")
        site.drain(2.0)
        self.assertEqual(Connection(Echo(), site=site).ending, "open")
        site.resume()
        self.assertEqual(Connection(Echo(), site=site).ending, "open")
