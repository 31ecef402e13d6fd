"""Tests of L{trickster.peers.envelope}."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster import errors
from trickster.errors import MethodNotAllowed, Reason, RequestError
from trickster.messages import (
    Engine,
    FastForward,
    Headers,
    Octets,
    Outcome,
    Peer,
    Principal,
    Request,
    Response,
    Status,
)
from trickster.peers.envelope import (
    LENGTH,
    Asked,
    Forgotten,
    Order,
    Raised,
    Reply,
    decoded_order,
    decoded_reply,
    encoded_order,
    encoded_reply,
    refusal_of,
    reply_of,
)
from trickster.testing.bodies import PausedBody

TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)  # with surrogates
PLAIN = st.text(max_size=8)
OCTETS = st.binary(max_size=8)
PAIRS = st.lists(st.tuples(OCTETS, OCTETS), max_size=3).map(tuple)
SMALL = st.integers(-(1 << 63), (1 << 63) - 1)
PRINCIPALS = st.builds(Principal, TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple))
PEERS = st.builds(Peer, PLAIN, st.integers(0, 65535), st.booleans(), st.integers(0, 65535), PLAIN)
REQUESTS = st.builds(
    Request, OCTETS, OCTETS, PAIRS.map(Headers), OCTETS.map(Octets), OCTETS, PEERS, OCTETS,
    configured=st.frozensets(OCTETS, max_size=3), identity=st.none() | PRINCIPALS)
REASONS = st.none() | st.sampled_from(Reason)


def outcomes(texts: st.SearchStrategy[str], instants: st.SearchStrategy[int]
             ) -> st.SearchStrategy[Outcome]:
    """:return: any outcome of these texts and instants."""
    spans = st.lists(st.tuples(instants, instants), max_size=2).map(tuple)
    count, seconds = st.integers(0, 1 << 40), st.none() | st.floats(allow_nan=False)
    return st.builds(
        Outcome, st.sampled_from(Engine), st.sampled_from(Status), REASONS, texts, spans, spans,
        st.none() | st.sampled_from(FastForward),
        st.none() | st.tuples(st.none() | instants, st.none() | instants), count, count,
        st.booleans(), seconds, seconds, st.none() | st.integers(0, 999), REASONS, REASONS)


def responses(made: st.SearchStrategy[Outcome]) -> st.SearchStrategy[Response]:
    """:return: any answer with such an outcome."""
    return st.builds(Response, st.integers(0, 999), PAIRS.map(Headers), outcome=made, phrase=OCTETS,
                     is_doubtful=st.booleans())


def sent_order(order: Order) -> Order:
    """:return: the order, as it arrives."""
    return decoded_order(encoded_order(order))


def sent_reply(reply: Reply) -> Reply:
    """:return: the reply, as it arrives."""
    octets = encoded_reply(reply)
    assert int.from_bytes(octets[:LENGTH], "big") == len(octets) - LENGTH
    return decoded_reply(octets[LENGTH:])


def sent_error(error: RequestError) -> RequestError:
    """:return: the error, as it is raised by the other process."""
    raised = sent_reply(refusal_of(error)).raised
    assert raised is not None
    return raised.error()


def classes_of(base: type[RequestError]) -> Iterator[type[RequestError]]:
    """:return: a class of errors that all processes know, and those below it."""
    if base.__module__ == errors.__name__:
        yield base
    for each in base.__subclasses__():
        yield from classes_of(each)


class OrderTests(SynchronousTestCase):
    """Requests on their way to another process."""

    @given(REQUESTS)
    def test_requests(self, request: Request) -> None:
        """Nothing of a request is lost or changed, whatever octets it has."""
        sent = sent_order(Order(Asked.of("web 1", request))).asked
        assert sent is not None
        self.assertEqual((sent.cache, sent.request()), ("web 1", request))
        self.assertEqual(sent.request().body, request.body)

    @given(PRINCIPALS, PRINCIPALS)
    def test_principals(self, one: Principal, other: Principal) -> None:
        """A principal arrives as itself, and as no other."""
        said = [sent_order(Order(Asked.of("", Request(b"GET", b"/", identity=each)))).asked
                for each in (one, other)]
        found = [each.request().identity for each in said if each is not None]
        self.assertEqual(found, [one, other])

    def test_body(self) -> None:
        """A body that is still on its way cannot be sent: never is another one in its place."""
        with self.assertRaises(ValueError):
            Asked.of("", Request(b"POST", b"/", body=PausedBody()))

    @given(OCTETS, OCTETS)
    def test_forgotten(self, target: bytes, authority: bytes) -> None:
        """What has become invalid arrives as it was."""
        order = Order(forgotten=Forgotten("web", target, authority))
        self.assertEqual(sent_order(order), order)

    @given(st.binary())
    def test_foreign(self, octets: bytes) -> None:
        """What is no order is told from one."""
        try:
            found = decoded_order(octets)
        except ValueError:
            return
        self.assertIsInstance(found, Order)

    @given(REQUESTS, st.integers(1, 40))
    def test_torn(self, request: Request, missing: int) -> None:
        """A part of an order is none."""
        octets = encoded_order(Order(Asked.of("web 1", request)))
        with self.assertRaises(ValueError):
            decoded_order(octets[:-missing])


class ReplyTests(SynchronousTestCase):
    """Answers on their way back."""

    @given(responses(outcomes(PLAIN, SMALL)))
    def test_answers(self, response: Response) -> None:
        """Nothing of an answer is lost or changed but its body, which comes after it."""
        head = sent_reply(reply_of(response)).head
        assert head is not None
        self.assertEqual(head.response(), response)

    @given(responses(outcomes(TEXTS, st.integers())))
    def test_unsendable(self, response: Response) -> None:
        """Texts and instants that have no form to be sent in keep no client from its answer."""
        head = sent_reply(reply_of(response)).head
        assert head is not None
        found = head.response()
        self.assertEqual((found.status, found.headers, found.outcome.status),
                         (response.status, response.headers, response.outcome.status))
        instants = [each for span in (*found.outcome.fetched, *found.outcome.failed)
                    for each in span]
        self.assertTrue(all(-(1 << 63) <= each < 1 << 63 for each in instants))

    @given(st.sampled_from(sorted(set(classes_of(RequestError)) - {MethodNotAllowed}, key=repr)),
           TEXTS, REASONS, st.none() | st.integers(400, 599),
           st.none() | st.floats(0, 1e9))
    def test_errors(self, kind: type[RequestError], detail: str, reason: Reason | None,
                    status: int | None, retry_after: float | None) -> None:
        """An error of any class is raised as it was."""
        error = kind(detail, reason, status, retry_after=retry_after)
        found = sent_error(error)
        self.assertIs(type(found), kind)
        self.assertEqual(
            (found.reason, found.status, found.retry_after, found.fields),
            (error.reason, error.status, error.retry_after, error.fields))
        if detail.isprintable():
            self.assertEqual(found.detail, detail)

    def test_fields(self) -> None:
        """An error with fields has them on the other side, whatever its class is there."""
        error = MethodNotAllowed(("GET", "HEAD"))
        found = sent_error(error)
        self.assertEqual((found.status, found.reason, found.fields),
                         (405, Reason.METHOD_NOT_ALLOWED, ((b"Allow", b"GET, HEAD"),)))

    def test_unknown(self) -> None:
        """An error of an unknown class is the nearest known one, in both directions."""
        class Special(errors.UpstreamBroke):
            """An error of a plugin."""

        self.assertIs(type(sent_error(Special("no"))), errors.UpstreamBroke)
        raised = Raised("Foreign", "no", Reason.INTERNAL, 500, None, ())
        self.assertIs(type(raised.error()), RequestError)

    @given(st.binary())
    def test_foreign(self, octets: bytes) -> None:
        """What is no reply is told from one."""
        try:
            found = decoded_reply(octets)
        except ValueError:
            return
        self.assertIsInstance(found, Reply)
