"""The contract of middlewares finds out those that break it."""

from __future__ import annotations

import unittest
from threading import get_ident
from typing import Any

from attrs import define, evolve, frozen
from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trickster.bodies import read_all
from trickster.errors import RequestError
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime
from trickster.messages import Headers, Octets, Request, Response
from trickster.testing.doubles import at_once
from trickster.testing.middlewares import middleware_contract
from trickster.testing.runtime import FakeRuntime


@frozen
class NoOptions:
    """Nothing to say."""


@implementer(IResponder)
@define
class Around:
    """Passes on; what a broken one does otherwise is in its subclasses."""

    inner: Any

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        response: Response = await self.inner.respond(request)
        return response


class ReadsRequests(Around):
    """Reads bodies without need."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        body = bytes(await read_all(request.body, 100))
        return await super().respond(request.with_body(Octets(body)))


class ForgetsWho(Around):
    """Copies a request field by field."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        return await super().respond(Request(request.method, request.target, request.headers))


class ReadsAnswers(Around):
    """Holds answers back until they are whole."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        response = await super().respond(request)
        return response.with_body(Octets(bytes(await read_all(response.body, 100))))


class LosesBodies(Around):
    """Puts another body in the place of one that it leaves open."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        return evolve(await super().respond(request), body=Octets())


@define
class AsksAtOnce(Around):
    """Asks before there is a request."""

    def __attrs_post_init__(self) -> None:
        at_once(self.inner.respond(Request(b"GET", b"/")))


class LeavesOpen(Around):
    """Answers by itself, and leaves the body of the request open."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        return Response(200)


class Refuses(Around):
    """Refuses every request, and closes its body."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        request.body.close()
        raise RequestError("not you", status=403)


class RefusesAtOnce(Around):
    """Refuses before there is anything to await."""

    def respond(self, request: Request) -> Any:
        """See L{IResponder.respond}."""
        request.body.close()
        raise RequestError("not you", status=403)


class RefusesOpen(Around):
    """Refuses every request, and leaves its body open."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        raise RequestError("not you", status=403)


class RefusesAsDefect(Around):
    """Refuses without a status."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        request.body.close()
        raise RequestError("not you")


class ForgetsOutcome(Around):
    """Copies an answer field by field."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        response = await super().respond(request)
        return Response(response.status, response.headers, response.body)


class WritesText(Around):
    """Takes header fields of answers for text."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        response = await super().respond(request)
        fields: Any = (*response.headers.pairs, ("X-A", "1"))
        return response.with_headers(Headers(fields))


class AsksWithText(Around):
    """Takes header fields of requests for text."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        fields: Any = ((b"X-A", "1"),)
        return await super().respond(request.with_headers(Headers(fields)))


class Swallows(Around):
    """Answers although there is no client any more."""

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        try:
            return await super().respond(request)
        except CancelledError:
            return Response(200)


@implementer(IMiddlewareType)
@frozen
class Kind:
    """A kind of middleware that puts such a responder around others."""

    around: Any
    name: str = "test"
    options: type = NoOptions

    def wrap(self, inner: Any, options: NoOptions, runtime: IRuntime) -> Any:
        """See L{IMiddlewareType.wrap}."""
        return self.around(inner)


def case(around: Any, passes: bool = True) -> Any:
    """:return: the contract as a test case, for a middleware that puts this around others."""
    return type("Case", (middleware_contract(Kind(around), passes=passes), SynchronousTestCase),
                {})


def broken(around: Any, passes: bool = True) -> set[str]:
    """:return: the tests of the contract that a middleware does not pass."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case(around, passes)).run(result)
    return {test.id().rpartition(".")[2] for test, _ in (*result.failures, *result.errors)}


class ContractTests(middleware_contract(Kind(Around)),  # type: ignore[misc]
                    SynchronousTestCase):
    """Middlewares that break the contract fail."""

    def test_broken(self) -> None:
        """A middleware with a fault fails the test that is about that fault."""
        for around, test in ((ReadsRequests, "test_request_body"), (ForgetsWho, "test_who_asks"),
                             (ReadsAnswers, "test_response_body"), (LosesBodies, "test_response_body"),
                             (AsksAtOnce, "test_wraps"), (ForgetsOutcome, "test_outcome"),
                             (WritesText, "test_types"), (AsksWithText, "test_types"),
                             (Swallows, "test_cancelled")):
            self.assertIn(test, broken(around), around)
        self.assertIn("test_request_body", broken(LeavesOpen, passes=False))

    def test_refusal(self) -> None:
        """A middleware that does not pass requests on may refuse them by raising an error."""
        for around in (Refuses, RefusesAtOnce):
            self.assertEqual(broken(around, passes=False), set())

    def test_broken_refusal(self) -> None:
        """A refusal closes the body of the request, and has a status of its own."""
        self.assertEqual(broken(RefusesOpen, passes=False), {"test_request_body"})
        self.assertIn("test_every_place", broken(RefusesAsDefect, passes=False))

    def test_refusal_instead(self) -> None:
        """A middleware that is declared to pass requests on fails where it refuses them."""
        result = unittest.TestResult()
        case(Refuses)("test_every_place").run(result)
        self.assertEqual(len(result.errors), 1)

    def test_runtime(self) -> None:
        """The double of the process has all of its interface."""
        verifyObject(IRuntime, FakeRuntime())

    def test_thread(self) -> None:
        """What is to be done in a thread is done in another one, and waited for."""
        runtime = FakeRuntime()
        self.assertNotEqual(at_once(runtime.in_thread(get_ident)), get_ident())
        self.assertEqual(at_once(runtime.in_thread(divmod, 7, 2)), (3, 1))
        self.assertRaises(ZeroDivisionError, at_once, runtime.in_thread(divmod, 7, 0))
