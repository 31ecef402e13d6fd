"""Tests for L{trickster.frontend.resources}: any resource of L{twisted.web} in the tree."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, make_wsgi_app
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.static import Data, File
from twisted.web.util import redirectTo
from twisted.web.wsgi import WSGIResource
from zope.interface import implementer

from tests.cycles import left_in_cycles
from tests.frontend.connection import Connection, Echo, answers, get, lose, post
from trickster.frontend.tree import ListenerRoot, ResponderResource


@implementer(IPushProducer)
class Pushing:
    """Writes pieces when the test says, and notes what it is told."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.told: list[str] = []
        request.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


@implementer(IPullProducer)
class Pulled:
    """Writes one piece each time it is asked, and then ends."""

    def __init__(self, request: Request, pieces: int) -> None:
        self.request, self.left = request, pieces
        self.is_stopped = False
        request.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.request.write(b"x" * 100_000)
        self.left -= 1
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()

    def stopProducing(self) -> None:
        self.is_stopped = True


class Page(Resource):
    """Leaves it to the test what is written and when."""

    isLeaf = True
    request: Any

    def render_GET(self, request: Request) -> int:
        self.request = request
        return NOT_DONE_YET


class AtOnce:
    """A reactor and its threads, in which everything runs where it is asked for."""

    def callFromThread(self, function: Any, *args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    def callInThread(self, function: Any, *args: Any) -> None:
        function(*args)


class Served(SynchronousTestCase):
    """A listener with a page of its own."""

    def serve(self, resource: Resource, path: bytes = b"/own/") -> Connection:
        """:return: a connection to a listener that serves the resource below a path."""
        root = ListenerRoot(ResponderResource(Echo()), {path: resource})
        self.connection = Connection(root)
        return self.connection

    def body(self, octets: bytes) -> bytes:
        """:return: what was sent in chunks, or the body of one answer."""
        head, _, rest = octets.partition(b"\r\n\r\n")
        if b"Transfer-Encoding: chunked" not in head:
            return rest
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[:int(size, 16)]
            rest = rest[int(size, 16) + 2:]
        return body


class StreamingTests(Served):
    """Answers that are written little by little."""

    def test_as_it_comes(self) -> None:
        """What a resource writes is sent before the answer is whole."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        page.request.write(b"one")
        self.assertTrue(connection.received().endswith(b"3\r\none\r\n"))
        page.request.write(b"two")
        self.assertEqual(connection.received(), b"3\r\ntwo\r\n")
        page.request.finish()
        self.assertEqual(connection.received(), b"0\r\n\r\n")
        self.assertEqual(answers(connection.exchange(get())), [(200, b"GET / ")])

    def test_length(self) -> None:
        """A resource that says how much it will write need not write in chunks."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        page.request.setHeader(b"Content-Length", b"6")
        page.request.write(b"one")
        page.request.write(b"two")
        page.request.finish()
        self.assertEqual(answers(connection.received()), [(200, b"onetwo")])

    def test_lies(self) -> None:
        """A resource that writes more or less than its C{Content-Length} ends the connection."""
        for octets in (b"four!", b"on"):
            page = Page()
            connection = self.serve(page)
            connection.send(get(b"/own/"))
            page.request.setHeader(b"Content-Length", b"3")
            page.request.write(octets[:1])
            page.request.write(octets[1:])
            if not page.request._disconnected:
                page.request.finish()
            self.assertNotEqual(connection.ending, "open")

    def test_pushing(self) -> None:
        """A producer pauses while the client does not take what is there, and goes on then."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        producer = Pushing(page.request)
        connection.channel.pauseProducing()
        for _ in range(4):
            page.request.write(b"x" * 100_000)
        self.assertEqual(producer.told, ["pause"])
        connection.channel.resumeProducing()
        self.assertEqual(producer.told, ["pause", "resume"])
        page.request.unregisterProducer()
        page.request.finish()
        self.assertEqual(self.body(connection.received()), b"x" * 400_000)

    def test_pulled(self) -> None:
        """A producer that is asked for each piece is asked while the client takes them."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        Pulled(page.request, 7)
        self.assertEqual(self.body(connection.received()), b"x" * 700_000)
        self.assertEqual(connection.ending, "open")

    def test_pulled_no_faster(self) -> None:
        """A pull producer is not asked while the client does not take what is there."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        connection.channel.pauseProducing()
        producer = Pulled(page.request, 7)
        self.assertEqual(producer.left, 6)
        connection.channel.resumeProducing()
        self.assertEqual(producer.left, 0)

    def test_client_leaves(self) -> None:
        """A client that leaves in the middle stops the producer, and fires C{notifyFinish}."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        finished = page.request.notifyFinish()
        producer = Pushing(page.request)
        page.request.write(b"one")
        connection.leave()
        self.failureResultOf(finished)
        self.assertEqual(producer.told, ["stop"])

    def test_resource_gives_up(self) -> None:
        """A resource may close the connection in the middle: the client sees the break."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        finished = page.request.notifyFinish()
        page.request.write(b"one")
        page.request.loseConnection()
        self.assertFalse(connection.received().endswith(b"0\r\n\r\n"))
        self.assertNotEqual(connection.ending, "open")
        self.failureResultOf(finished)

    def test_gives_up_before(self) -> None:
        """A resource that closes the connection before its answer began is a 502."""
        page = Page()
        connection = self.serve(page)
        connection.send(get(b"/own/"))
        page.request.loseConnection()
        self.assertTrue(connection.received().startswith(b"HTTP/1.1 502 "))

    def test_in_no_cycle(self) -> None:
        """Counting references suffices to forget a request, however it ends."""
        ends = ("finish", "loseConnection", "")

        def act() -> None:
            for end in ends:
                page = Page()
                connection = self.serve(page)
                connection.send(get(b"/own/"))
                page.request.write(b"one")
                if end:
                    getattr(page.request, end)()
                lose(connection)
                del page.request, self.connection

        self.assertEqual(left_in_cycles(act), {})


class OthersTests(Served):
    """Resources of other packages."""

    def test_metrics(self) -> None:
        """The exporter of prometheus_client answers as it does in other programs."""
        registry = CollectorRegistry()
        Counter("requests", "All.", registry=registry).inc(3)
        threads: Any = AtOnce()
        exporter = WSGIResource(threads, threads, make_wsgi_app(registry))
        octets = self.serve(exporter).exchange(get(b"/own/"))
        self.assertTrue(octets.startswith(b"HTTP/1.1 200 "))
        self.assertIn(b"requests_total 3.0\n", octets)

    def test_file(self) -> None:
        """A static file is sent whole, by ranges, and not again where it has not changed."""
        content = bytes(range(256)) * 2048
        path = self.mktemp()
        with open(path, "wb") as out:
            out.write(content)
        connection = self.serve(File(path), b"/own")
        octets = connection.exchange(get(b"/own"))
        self.assertEqual(self.body(octets), content)
        self.assertIn(b"Content-Length: %d\r\n" % len(content), octets)
        part = connection.exchange(get(b"/own", b"Range: bytes=10-19"))
        self.assertTrue(part.startswith(b"HTTP/1.1 206 "))
        self.assertEqual(self.body(part), content[10:20])
        [changed] = [line for line in octets.split(b"\r\n") if line.startswith(b"Last-Modified")]
        since = b"If-Modified-Since:" + changed.partition(b":")[2]
        again = connection.exchange(get(b"/own", since))
        self.assertTrue(again.startswith(b"HTTP/1.1 304 "))
        self.assertTrue(again.endswith(b"\r\n\r\n"))
        self.assertEqual(connection.ending, "open")

    def test_head_of_a_file(self) -> None:
        """HEAD tells the length, and has no body."""
        octets = self.serve(Data(b"page", "text/plain")).exchange(
            get(b"/own/").replace(b"GET", b"HEAD"))
        self.assertIn(b"Content-Length: 4\r\n", octets)
        self.assertTrue(octets.endswith(b"\r\n\r\n"))

    def test_redirect(self) -> None:
        """Status, phrase and fields of a resource arrive; none that frames the message does."""
        class Elsewhere(Resource):
            isLeaf = True

            def render_GET(self, request: Request) -> bytes:
                request.addCookie(b"a", b"b")
                request.setHeader(b"Connection", b"X-Gone, close")
                request.setHeader(b"X-Gone", b"1")
                request.setHeader(b"Transfer-Encoding", b"gzip")
                return redirectTo(b"/there", request)

        octets = self.serve(Elsewhere()).exchange(get(b"/own/"))
        self.assertTrue(octets.startswith(b"HTTP/1.1 302 Found\r\n"))
        self.assertIn(b"Location: /there\r\n", octets)
        self.assertIn(b"Set-Cookie: a=b\r\n", octets)
        for field in (b"Transfer-Encoding", b"X-Gone", b"Connection"):
            self.assertNotIn(field, octets)

    def test_session(self) -> None:
        """Sessions and parameters of forms are there, as in any site; a broken form is a 400."""
        class Form(Resource):
            isLeaf = True

            def render_POST(self, request: Request) -> bytes:
                session = request.getSession()
                self.session = session
                return b"%b %b" % (request.args[b"q"][0], request.getClientAddress().host.encode())

        form = Form()
        received = self.serve(form).exchange(post(
            b"q=1", b"Content-Type: application/x-www-form-urlencoded", target=b"/own/"))
        self.addCleanup(form.session.expire)
        broken = self.connection.exchange(post(
            b"q=1", b"Content-Type: multipart/form-data", target=b"/own/"))
        self.assertTrue(broken.startswith(b"HTTP/1.1 400 "))
        self.assertIn(b"Set-Cookie: TWISTED_SESSION", received)
        self.assertTrue(received.endswith(b" 192.168.1.1"))
