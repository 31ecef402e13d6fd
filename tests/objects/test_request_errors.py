"""Errors that one request's own fields may have caused, in the object cache."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import Client, World, fields
from trickster.errors import Reason
from trickster.keys.request_errors import is_unremarkable
from trickster.messages import NEVER_STORED
from trickster.routes import Route, Serve

ABOUT_REQUESTS = (400, 401, 402, 403, 405, 406, 409, 414, 422, 499)
FAILURES = (500, 501, 502, 503, 504, 599)
# What browsers send.
USUAL = {
    "Host": "example.org", "Connection": "keep-alive", "DNT": "1", "Sec_Fetch_Mode": "navigate",
    "User_Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:1) Gecko/2010 Firefox/1", "Accept":
    "text/html,application/xhtml+xml,*/*;q=0.8", "Accept_Language": "de,en-US;q=0.7",
    "Accept_Encoding": "gzip, deflate, br", "Referer": "http://example.org/a?b='c'",
    "Sec_CH_UA": '"Chromium";v="1", "Not(A:Brand";v="9"', "X_Forwarded_For": "192.0.2.1, 10.0.0.1",
    "X_Request_ID": "5f3c", "traceparent": "00-4bf9-00f0-01", "Req_Num": "2",
}
# What may be too much, or a mistake, for an origin.
REMARKABLE = (
    {"X_Long": "a" * 4000}, {"X_Odd": "../../etc/passwd"}, {"X_Odd": "' or 1=1"},
    {"X_Odd": "\xe4"}, {"Accept_Charset": "\x7f"}, {"X" * 100: "a"}, {"User_Agent": "a" * 600},
    {f"X_{n}": "a" for n in range(60)}, {f"X_{n}": "a" * 60 for n in range(45)},
)


class FaultCase(SynchronousTestCase):
    """A cache that gets an error for one request, and then another request."""

    def _two(self, status: int, first: dict[str, str], then: dict[str, str], target: bytes = b"/x",
             said: str = "", **options: object) -> tuple[Client, Client, int]:
        """:return: both clients, and how often the origin was asked."""
        world = World.of(**options)
        headers = {"Cache_Control": said} if said else {}
        world.given(world.answer(status, b"no", **headers), world.answer())
        clients = world.ask(target, **first), world.ask(b"/x?a=1" if b"?" in target else b"/x",
                                                        **then)
        return (*clients, world.asked)


class NegativeTests(FaultCase):
    """Errors that a negative cache keeps."""

    def test_alike(self) -> None:
        """Where fields may be at fault, only a request with all the same ones is answered."""
        for status in ABOUT_REQUESTS:
            for odd in ({"X_Bad": "1"}, *REMARKABLE, {"Range": "x"}, {"Accept": "x/y"}):
                first, second, asked = self._two(status, odd, {}, negative={status: 20.0})
                self.assertEqual((second.status, asked), (200, 2), (status, odd))
                first, second, asked = self._two(status, odd, odd, negative={status: 20.0})
                self.assertEqual((second.status, second.result, asked), (status, "nchit", 1))
                self.assertTrue(first.outcome.stored)

    def test_target(self) -> None:
        """What is about the target is kept for all, unless the request was a strange one."""
        for status in (404, 410, *FAILURES):
            *_, asked = self._two(status, USUAL, {}, negative={status: 20.0})
            self.assertEqual(asked, 1, status)
            for odd in REMARKABLE:
                first, _, asked = self._two(status, odd, {}, negative={status: 20.0})
                self.assertEqual((first.outcome.reason, asked), (Reason.REQUEST_FAULT, 2), odd)

    def test_never(self) -> None:
        """Errors that are about one request only are never stored, in any configuration."""
        for status in sorted(s for s in NEVER_STORED if s >= 400):
            first, _, asked = self._two(status, {}, {}, negative={status: 20.0})
            self.assertEqual((first.outcome.reason, asked), (Reason.STATUS_NOT_STORABLE, 2))

    def test_parameters(self) -> None:
        """Errors are not kept where a parameter that does not count may be at fault."""
        for status in (400, 404, 414, 500):
            for rules in ({"key_params": ("a",)}, {"route": Route(
                    "/x", Serve.OBJECT, ignored_params=frozenset({"b"}))}):
                *_, asked = self._two(status, {}, {}, b"/x?a=1&b=" + b"2" * 99,
                                      negative={status: 20.0}, **rules)
                self.assertEqual(asked, 2, status)

    def test_waiters(self) -> None:
        """Waiters share an error about the request only if their requests are equal."""
        for status in (400, 414, 499):
            world = World.of(negative={status: 20.0})
            clients = [world.ask(X_A=a) for a in "112"]
            world.origin.answer(world.answer(status))
            self.assertEqual([one.response is None for one in clients], [False, False, True])

    def test_beside(self) -> None:
        """An error for some requests leaves what is stored for others alone."""
        world = World.of(negative={400: 20.0})
        world.given(world.answer(400), world.answer(Cache_Control="max-age=9"))
        got = [world.ask(**asked).status for asked in ({"X_Bad": "1"}, {}, {"X_Bad": "1"}, {})]
        # The later answer says of no field that it matters.
        self.assertEqual((got, world.asked), ([400, 200, 200, 200], 2))

    def test_form(self) -> None:
        """A request by POST is not refused since another was, and failures are kept."""
        form = "application/x-www-form-urlencoded"
        for status, asked in ((400, 2), (405, 2), (503, 1)):
            world = World.of(negative={status: 20.0}, route=Route(
                "/x", Serve.OBJECT, ttl=30.0, form=True))
            world.given(world.answer(status), world.answer())
            world.ask(b"/x", b"POST", body=b"a=1", Content_Type=form)
            world.ask(b"/x?a=1")
            self.assertEqual(world.asked, asked)


class ExplicitTests(FaultCase):
    """Errors that an origin lets be kept."""

    def test_usual(self) -> None:
        """An explicitly cacheable error response to a request with usual fields is stored."""
        for status in (*ABOUT_REQUESTS, 404, 410, *FAILURES):
            for first, then in (({}, {"Req_Num": "2"}), (USUAL, {**USUAL, "Req_Num": "3"})):
                *_, asked = self._two(status, first, then, said="public, max-age=9")
                self.assertEqual(asked, 1, status)

    def test_remarkable(self) -> None:
        """An explicitly cacheable error response to a request with unusual fields is not reused."""
        for status in (*ABOUT_REQUESTS, *FAILURES):
            for odd in REMARKABLE:
                first, _, asked = self._two(status, odd, {}, said="public, max-age=9")
                is_compared = status < 500 and bool({"User_Agent", "Accept_Charset"} & odd.keys())
                self.assertEqual((first.outcome.reason is Reason.REQUEST_FAULT, asked),
                                 (not is_compared, 2))

    def test_compared(self) -> None:
        """What the origin may have disliked has to be the same."""
        for status in ABOUT_REQUESTS:
            for name in ("Accept", "Accept_Language", "User_Agent", "Cookie", "Referer", "Origin"):
                *_, asked = self._two(status, {name: "a"}, {}, said="public, max-age=9")
                self.assertEqual(asked, 2, name)
            for odd in ({"Range": "bytes=0-1"}, {"If_None_Match": '"a"'}, {"Expect": "x"}):
                *_, asked = self._two(status, odd, {}, said="public, max-age=9")
                self.assertEqual(asked, 2, odd)


class UnremarkableTests(SynchronousTestCase):
    """What is usual in a request."""

    def test_compared_do_not_count(self) -> None:
        """What has to be equal anyway may be as long and odd as it likes."""
        self.assertTrue(is_unremarkable(400, fields(Cookie="\xe4" * 4000), {b"cookie"}))
        self.assertFalse(is_unremarkable(400, fields(Cookie="\xe4" * 4000), ()))
