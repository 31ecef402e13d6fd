"""Tests of L{trickster.middleware.with_reason}."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import Origin
from trickster.errors import Reason
from trickster.messages import Outcome, Request, Response
from trickster.middleware.with_reason import WithReason
from trickster.testing.doubles import at_once

REQUEST = Request(b"GET", b"/")


class WithReasonTests(SynchronousTestCase):
    """The reason why a request is passed through."""

    def test_path(self) -> None:
        """The given reason stands in the place of the path's."""
        plain = Response(200, outcome=Outcome(reason=Reason.PROXY_PATH))
        responder = WithReason(Origin([plain]), Reason.AMBIGUOUS_PATH)
        response = at_once(responder.respond(REQUEST))
        self.assertEqual(response, evolve(plain, outcome=evolve(
            plain.outcome, reason=Reason.AMBIGUOUS_PATH)))

    def test_other_reasons(self) -> None:
        """A reason other than the path's stays."""
        for reason in (Reason.ORIGIN_STATUS, None):
            failed = Response(500, outcome=Outcome(reason=reason))
            responder = WithReason(Origin([failed]), Reason.PROXY_ONLY)
            self.assertIs(at_once(responder.respond(REQUEST)), failed)
