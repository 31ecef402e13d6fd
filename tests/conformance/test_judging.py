"""The judge sees what is wrong: a suite that passes everything proves nothing."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance.dates import rendered
from tests.conformance.judging import Exchange, complaints
from tests.conformance.model import Answer, Interim, Source, Step, required
from tests.conformance.octets import Message
from tests.conformance.origin import MADE_FOR, Run

ASKED = Message("GET /c0 HTTP/1.1", (("foo", "1"),))
CONDITIONAL = Message("GET /c0 HTTP/1.1", (("if-none-match", '"a"'),))


def got(made_for: int | None, status: int = 200, body: str = "", **fields: str) -> Message:
    """:return: an answer that was made for a step, with that step's usual body."""
    told = () if made_for is None else ((MADE_FOR.lower(), str(made_for)),)
    text = body or f"c0, step {made_for}"
    return Message(f"HTTP/1.1 {status} X", (*told, *fields.items()), text.encode())


class ComplaintTests(SynchronousTestCase):
    """Complaints of the judge about the second of two steps."""

    def judged(self, step: Step, answer: Message | None, *seen: Message) -> list[str]:
        """:return: the complaints."""
        run = Run(required("", Step(Source.FETCHED), step), 0)
        return list(complaints(Exchange(run, "c0", 2, answer, (), seen)))

    def passes(self, step: Step, answer: Message | None, *seen: Message) -> None:
        self.assertEqual(self.judged(step, answer, *seen), [])

    def fails(self, step: Step, answer: Message | None, *seen: Message) -> None:
        self.assertEqual(len(self.judged(step, answer, *seen)), 1)

    def test_cached(self) -> None:
        """A cached response has to come from an earlier step, without a request to the origin."""
        self.passes(Step(Source.CACHED), got(1))
        self.fails(Step(Source.CACHED), got(2), ASKED)
        self.fails(Step(Source.CACHED), got(1), CONDITIONAL)

    def test_fetched(self) -> None:
        """A fetched response has to be made for this step, with a request to the origin."""
        self.passes(Step(Source.FETCHED), got(2), ASKED)
        self.fails(Step(Source.FETCHED), got(1))
        self.fails(Step(Source.FETCHED), got(1), ASKED)

    def test_validated(self) -> None:
        """
        A validated response has to come from an earlier step, with a conditional request to the
        origin.
        """
        self.passes(Step(Source.VALIDATED), got(1), CONDITIONAL)
        self.fails(Step(Source.VALIDATED), got(1))
        self.fails(Step(Source.VALIDATED), got(1), ASKED)
        self.fails(Step(Source.VALIDATED), got(2), CONDITIONAL)

    def test_stored(self) -> None:
        """
        A stored response has to come from an earlier step, whether the origin was asked or not.
        """
        self.passes(Step(Source.STORED), got(1))
        self.passes(Step(Source.STORED), got(1), ASKED)
        self.fails(Step(Source.STORED), got(2), ASKED)

    def test_nowhere(self) -> None:
        """A response from nowhere has to be made by the cache itself."""
        self.passes(Step(Source.NOWHERE, status=504), got(None, 504))
        self.fails(Step(Source.NOWHERE), got(1))
        self.fails(Step(Source.NOWHERE, status=504), got(None, 504), ASKED)

    def test_no_answer(self) -> None:
        """A missing response is excused only by an origin that hangs up."""
        self.fails(Step(Source.FETCHED), None)
        self.passes(Step(Source.FETCHED, gets=Answer(hangs_up=True)), None)

    def test_broken(self) -> None:
        """A broken response must not look like a complete one."""
        self.passes(Step(Source.BROKEN), None, ASKED)
        self.passes(Step(Source.BROKEN), got(None, 502), ASKED)
        self.fails(Step(Source.BROKEN), got(2), ASKED)

    def test_status_and_body(self) -> None:
        """
        Unless a step says otherwise, the status and body have to be those of the step that made the
        response.
        """
        self.fails(Step(Source.CACHED), got(1, 206))
        self.fails(Step(Source.CACHED), got(1, body="other"))
        self.passes(Step(Source.CACHED, status=206, text="part"), got(1, 206, "part"))
        self.fails(Step(Source.CACHED, status=206, text="part"), got(1, 206, "parts"))

    def test_fields(self) -> None:
        """Fields are judged as exact, any, at least, containing, or absent."""
        self.passes(Step(Source.CACHED, has=("A: b",)), got(1, a="b"))
        self.fails(Step(Source.CACHED, has=("A: b",)), got(1, a="bc"))
        self.passes(Step(Source.CACHED, has=("A: ~b",)), got(1, a="abc"))
        self.passes(Step(Source.CACHED, has=("A: >=5",)), got(1, a="7"))
        self.fails(Step(Source.CACHED, has=("A: >=5",)), got(1, a="4"))
        self.fails(Step(Source.CACHED, has=("A: >=5",)), got(1, a="7, 8"))
        self.fails(Step(Source.CACHED, has=("A: *",)), got(1))
        self.fails(Step(Source.CACHED, lacks=("A",)), got(1, a="b"))

    def test_requests(self) -> None:
        """The requests that the origin sees are judged by their fields and number."""
        self.passes(Step(Source.FETCHED, seen=("Foo: 1",)), got(2), ASKED)
        self.fails(Step(Source.FETCHED, seen=("Foo: 2",)), got(2), ASKED)
        self.fails(Step(Source.FETCHED, unseen=("Foo",)), got(2), ASKED)
        self.fails(Step(Source.STORED, seen=("Foo: 1",)), got(1))
        self.fails(Step(Source.FETCHED, times=1), got(2), ASKED, ASKED)

    def test_interims(self) -> None:
        """The interim responses have to be those that were relayed, in order."""
        self.passes(Step(Source.CACHED, relayed=()), got(1))
        self.fails(Step(Source.CACHED, relayed=(Interim(103),)), got(1))


class DateTests(SynchronousTestCase):
    """Dates in field lines."""

    def test_forms(self) -> None:
        """
        A placeholder in a field is replaced by a date relative to the case's start, in the named
        form.
        """
        start = 784111777
        self.assertEqual(rendered("A: {0}, {+60}", start),
                         "A: Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:50:37 GMT")
        self.assertEqual(rendered("{0:rfc850}", start), "Sunday, 06-Nov-94 08:49:37 GMT")
        self.assertEqual(rendered("{0:asctime}", start), "Sun Nov  6 08:49:37 1994")
        self.assertEqual(rendered("{-1:two_digit_year}", start), "Sun, 06 Nov 94 08:49:36 GMT")
        self.assertEqual(rendered("{here} {0:periods}", start),
                         "{here} Sun, 06 Nov 1994 08.49.37 GMT")
