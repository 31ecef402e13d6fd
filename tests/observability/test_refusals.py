"""Tests of C{trickster.observability.refusals}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.errors import (
    BadRequest,
    NotCached,
    Overloaded,
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from trickster.interfaces import IRefusalFormat
from trickster.messages import Engine, Outcome, Status, octets_of
from trickster.observability.refusals import phrase_of, refusal
from trickster.origins.prometheus import Prometheus

INSIDES = "10.0.0.7:9090: Connection refused, /etc/ours.pem"


@implementer(IRefusalFormat)
class Stumbling:
    """Cannot spell anything."""

    def spelled_refusal(self, *what: Any) -> Any:
        """:raises ZeroDivisionError: always."""
        raise ZeroDivisionError


@implementer(IRefusalFormat)
class Silent:
    """Leaves all to plain text."""

    def spelled_refusal(self, *what: Any) -> Any:
        """:return: None."""


class RefusalTests(SynchronousTestCase):
    """Which text a client gets for an error."""

    def test_no_insides(self) -> None:
        """The text for a failing origin says how it fails, and not where it is."""
        for kind in (UpstreamBroke, UpstreamError, UpstreamMalformed, UpstreamTimeout,
                     UpstreamUnreachable):
            for reason in (None, Reason.TOO_LARGE, Reason.INTERNAL):
                response = refusal(kind(INSIDES, reason))
                text = octets_of(response.body)
                assert text is not None
                self.assertRegex(text, rb"^[A-Za-z' ]{9,}\n$")
                self.assertEqual(response.outcome.detail, INSIDES)
                self.assertNotIn(INSIDES.encode(), b"".join(map(b"".join, response.headers)))

    def test_sentences(self) -> None:
        """Each way to fail has a sentence of its own, which depends on no detail of the error."""
        for error, text in (
                (UpstreamUnreachable(INSIDES), b"the origin cannot be reached\n"),
                (UpstreamTimeout(INSIDES), b"the origin did not answer in time\n"),
                (UpstreamBroke(INSIDES), b"the origin went away before its answer was whole\n"),
                (UpstreamMalformed(INSIDES), b"the origin's answer is not valid HTTP\n"),
                (UpstreamError(INSIDES, Reason.TOO_LARGE), b"the origin's answer is too large\n"),
                (UpstreamError(INSIDES, Reason.INTERNAL), b"Bad Gateway\n")):
            self.assertEqual(octets_of(refusal(error).body), text)

    def test_own_words(self) -> None:
        """A refusal by Trickster itself has the text of the error."""
        self.assertEqual(octets_of(refusal(Overloaded("too many")).body), b"too many\n")

    def test_outcome(self) -> None:
        """An origin's failure, a miss of only-if-cached, and a refusal have three outcomes."""
        for error, engine, status in (
                (UpstreamBroke(), Engine.PROXY, Status.PROXY_ERROR),
                (NotCached(), Engine.OBJECT, Status.KEY_MISS),
                (RequestError(), Engine.PROXY, Status.ERROR)):
            self.assertEqual(refusal(error).outcome,
                             Outcome(engine, status, error.reason, error.detail))

    def test_when_to_ask_again(self) -> None:
        """A 503 has C{Retry-After}, a short one where no better is known, however it is made."""
        for error, seconds in (
                (Overloaded("too many"), b"1"), (Overloaded("too many", retry_after=2.2), b"3"),
                (Overloaded("too many", retry_after=0.0), b"1"),
                (Overloaded("too much", Reason.IN_FLIGHT_BUDGET), b"1"),
                (RequestError(status=503), b"1"), (BadRequest(status=503), b"1"),
                (UpstreamError("", status=503), b"1")):
            for spelling in (None, Silent(), Prometheus()):
                response = refusal(error, b"/api/v1/query", spelling)
                self.assertEqual(
                    [value for name, value in response.headers if name == b"Retry-After"],
                    [seconds])

    def test_not_when_to_ask_again(self) -> None:
        """Refusals other than a 503 have no C{Retry-After} by themselves."""
        for error in (UpstreamBroke(), UpstreamTimeout(), BadRequest(), RequestError(),
                      Overloaded(status=500)):
            self.assertNotIn(b"retry-after", refusal(error).headers)

    def test_plain_where_nothing_else_is_right(self) -> None:
        """Where an origin type has no form for a path, a refusal is plain text."""
        response = refusal(Overloaded("too many"), b"/x", Silent())
        self.assertEqual(octets_of(response.body), b"too many\n")
        self.assertEqual(response.headers.get(b"content-type"), b"text/plain; charset=utf-8")

    def test_stumbling(self) -> None:
        """An origin type that fails to spell a refusal has it sent as plain text, and is logged."""
        self.assertEqual(octets_of(refusal(Overloaded("too many"), b"/x", Stumbling()).body),
                         b"too many\n")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_phrases(self) -> None:
        """Registered statuses have their phrases, others a general one."""
        self.assertEqual((phrase_of(503), phrase_of(599)),
                         ("Service Unavailable", "no answer can be given"))
