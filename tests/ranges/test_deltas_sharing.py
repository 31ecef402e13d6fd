"""Tests of C{trickster.ranges.delta_cache}: whom the origin lets see an answer, and keep it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import Answer, Rig
from tests.ranges.fakeprometheus import FORBIDDING, doubtful, headed, status
from trickster.errors import Reason
from trickster.http.freshness import FreshnessRules
from trickster.messages import FastForward, Status

# Fields that say nothing about who may see an answer: a lifetime is our own affair.
ALLOWING = (
    (b"Cache-Control", b"max-age=0"), (b"Cache-Control", b"s-maxage=0, must-revalidate"),
    (b"Cache-Control", b"public"), (b"Expires", b"0"), (b"Pragma", b"no-cache"),
    (b"Vary", b"Accept-Encoding"), (b"Vary", b"authorization , accept-encoding"), (b"Vary", b""),
    (b"CDN-Cache-Control", b"max-age=1"), (b"Warning", b"199 - no-store"),
)


def told(answer: Answer) -> tuple[Status, Reason | None]:
    return answer.status, answer.outcome.reason


class ForbiddenTests(SynchronousTestCase):
    """The origin's word on who may see a range answer, by GET and by POST."""

    def test_not_stored(self) -> None:
        """An answer for one alone is passed on as it is, with its reason, and not stored."""
        for pair, reason in FORBIDDING:
            for method in (b"GET", b"POST"):
                rig = Rig()
                rig.origin.always = headed(pair)
                for _ in range(2):
                    answer = rig.ask(-600, -60, method=method)
                    self.assertEqual(told(answer), (Status.PROXY_ONLY, reason), pair)
                    self.assertEqual(answer.octets, rig.direct(-600, -60))
                    self.assertIn(pair, answer.response.headers.pairs)
                self.assertEqual((len(rig.fetches()), rig.held()), (2, []), pair)

    def test_aligned(self) -> None:
        """Where alignment would change the range, the client's own request is asked."""
        rig = Rig()
        rig.origin.always = headed((b"Cache-Control", b"no-store"))
        self.assertEqual(told(rig.ask(-590, -60)), (Status.PROXY_ONLY, Reason.NO_STORE))
        self.assertEqual((rig.fetches(), rig.held()), ([(-600, -60), (-590, -60)], []))

    def test_allowed(self) -> None:
        """
        Directives about a lifetime, and Vary on fields in the key or never sent, do not prevent
        storing.
        """
        for pair in ALLOWING:
            rig = Rig()
            rig.origin.always = headed(pair)
            self.assertEqual([rig.ask(-600, -60).status for _ in range(2)],
                             [Status.KEY_MISS, Status.HIT], pair)

    def test_doubtful(self) -> None:
        """An answer that servers may differ about is passed on as it is, and not stored."""
        for method in (b"GET", b"POST"):
            rig = Rig()
            rig.origin.always = doubtful
            for _ in range(2):
                answer = rig.ask(-600, -60, method=method)
                self.assertEqual(told(answer), (Status.PROXY_ONLY, Reason.ORIGIN_DOUBTFUL))
                self.assertEqual(answer.octets, rig.direct(-600, -60))
            self.assertEqual((len(rig.fetches()), rig.held()), (2, []))

    def test_again_after_a_while(self) -> None:
        """The key is passed for some seconds; then what may be kept is kept."""
        rig = Rig()
        rig.origin.faults = [headed((b"Cache-Control", b"no-store"))]
        self.assertEqual([rig.ask(-600, -60).status for _ in range(2)], [Status.PROXY_ONLY] * 2)
        rig.now.advance(15)
        self.assertEqual([rig.ask(-600, -60).status for _ in range(2)],
                         [Status.KEY_MISS, Status.HIT])

    def test_part(self) -> None:
        """A fetched part that may not be shared makes the whole merged response private."""
        rig = Rig()
        rig.ask(-600, -300)
        rig.origin.always = headed((b"Cache-Control", b"no-store"))
        answer = rig.ask(-600, -60)
        self.assertEqual(told(answer), (Status.PROXY_ONLY, Reason.NO_STORE))
        self.assertEqual(answer.octets, rig.direct(-600, -60))

    def test_no_longer_for_all(self) -> None:
        """What was kept before an answer was private, or varied, is not used any more."""
        for pair, held in (((b"Cache-Control", b"private"), []), ((b"Vary", b"X-Team"), []),
                           ((b"Cache-Control", b"no-store"), [(-600, -300)])):
            rig = Rig()
            rig.ask(-600, -300)
            rig.origin.always = headed(pair)
            rig.ask(-600, -60)
            self.assertEqual(rig.held(), held, pair)

    def test_cookies_that_may_be_shared(self) -> None:
        """Where the path allows it, a response with Set-Cookie is stored without the cookie."""
        rig = Rig(rules=FreshnessRules(shares_cookies=True))
        rig.origin.always = headed((b"Set-Cookie", b"a=b"))
        first, second = rig.ask(-600, -60), rig.ask(-600, -60)
        self.assertEqual((first.status, second.status), (Status.KEY_MISS, Status.HIT))
        self.assertNotIn(b"set-cookie", second.response.headers)


class WaitersTests(SynchronousTestCase):
    """Clients that wait for what another one has asked for."""

    def test_for_one_alone(self) -> None:
        """
        A response that may not be shared is not given to waiters: each of them fetches for itself.
        """
        for pair, reason in FORBIDDING:
            rig = Rig()
            rig.origin.is_paused = True
            rig.origin.always = headed(pair)
            clients = [rig.start(-600, -60) for _ in range(3)]
            rig.origin.release()
            self.assertEqual(told(self.successResultOf(clients[0])), (Status.PROXY_ONLY, reason))
            self.assertNoResult(clients[1])
            self.assertEqual(len(rig.origin.waiting), 2)
            rig.origin.release()
            for client in clients[1:]:
                self.assertEqual(told(self.successResultOf(client)), (Status.PROXY_ONLY, reason))
            self.assertEqual((len(rig.fetches()), rig.left_over()), (3, (0, 0, 0)), pair)

    def test_first_leaves(self) -> None:
        """Waiters are given no private response even when the client that it was for has left."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.always = headed((b"Cache-Control", b"private"))
        first, second = rig.start(-600, -60), rig.start(-600, -60)
        first.addErrback(lambda _: None)
        first.cancel()
        rig.origin.release()
        self.assertNoResult(second)
        rig.origin.release()
        self.assertEqual(len(rig.fetches()), 2)
        self.assertEqual(told(self.successResultOf(second)), (Status.PROXY_ONLY, Reason.PRIVATE))

    def _refused(self, code: int, *pairs: tuple[bytes, bytes]) -> int:
        """:return: how often the origin is asked by two who want the same at the same time."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.always = status(code, b"no", pairs)
        clients = [rig.start(-600, -60) for _ in range(2)]
        rig.origin.release()
        rig.origin.release()
        for client in clients:
            self.assertEqual(self.successResultOf(client).code, code)
        return len(rig.fetches())

    def test_refused(self) -> None:
        """
        A refusal is not shared with waiters of other requests; a failure is shared by all of them.
        """
        for code in (400, 403, 408, 413, 414, 422, 429, 431):
            self.assertEqual(self._refused(code), 2, code)
        self.assertEqual(self._refused(503), 1)

    def test_refused_alone(self) -> None:
        """A failure that is for one alone is not given to others."""
        for pair, _ in FORBIDDING:
            self.assertEqual(self._refused(503, pair), 2, pair)


class NewestTests(SynchronousTestCase):
    """The newest sample, from an origin whose response restricts who may see the sample."""

    def test_not_remembered(self) -> None:
        """A sample for one alone is asked for each time."""
        for fault in (doubtful, *(headed(pair) for pair, _ in FORBIDDING)):
            rig = Rig(newest=True)
            rig.origin.newest_fault = fault
            rig.now.advance(50)
            answers = [rig.ask(-600, 40) for _ in range(2)]
            self.assertEqual([a.outcome.fast_forward for a in answers],
                             [FastForward.MISS] * 2)
            self.assertEqual(len(rig.origin.newest), 2)
