"""Changes of requests and responses by path."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Headers, Params, Request, Response
from trickster.middleware.rewriting import (
    AnswerHeaders,
    Rewriting,
    RewritingOptions,
    RewritingResponder,
    RewritingType,
    changed_headers,
    changed_params,
    changed_query,
    changes,
    static_response,
)
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.middlewares import middleware_contract
from trickster.testing.runtime import FakeRuntime

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.text("xyz& =+", max_size=3)


class HeaderTests(SynchronousTestCase):
    """Header fields are set, added and removed."""

    def changed(self, configured: dict[str, str], *pairs: tuple[bytes, bytes]) -> Headers:
        """:return: fields after changes."""
        return changed_headers(Headers(pairs), changes(configured))

    def test_set(self) -> None:
        """A plain name sets the field to this value alone."""
        self.assertEqual(self.changed({"X": "1"}, (b"x", b"0"), (b"X", b"9")).pairs,
                         ((b"X", b"1"),))

    def test_add(self) -> None:
        """A name with a plus adds one more value."""
        self.assertEqual(self.changed({"+x": "1"}, (b"X", b"0")).get_all(b"x"), [b"0", b"1"])

    def test_remove(self) -> None:
        """A name with a minus removes all values, however it is spelled."""
        self.assertEqual(self.changed({"-x": ""}, (b"X", b"0"), (b"x", b"1")).pairs, ())

    def test_framing_is_left_alone(self) -> None:
        """No change can forge the borders of a message."""
        pairs = ((b"Content-Length", b"3"),)
        for name in ("Content-Length", "-Content-Length", "+Transfer-Encoding", "a b", ""):
            self.assertEqual(self.changed({name: "x"}, *pairs).pairs, pairs)
        self.assertEqual(self.changed({"X": "a\r\nB: c"}, *pairs).pairs, pairs)


class ParamTests(SynchronousTestCase):
    """Parameters are set, added and removed."""

    def test_all_signs(self) -> None:
        """Parameters are set by plain names, added with a plus and removed with a minus."""
        params = changed_params(Params((("a", "1"), ("b", "2"), ("b", "3"))),
                                changes({"b": "9", "+a": "4", "-c": ""}))
        self.assertEqual(params.pairs, (("a", "1"), ("b", "9"), ("a", "4")))

    def test_others_keep_their_spelling(self) -> None:
        """Parameters that no change names are sent as the client spelled them."""
        self.assertEqual(changed_query(b"q=%41b;c&%zz&x=1", changes({"x": "2"})),
                         b"q=%41b;c&%zz&x=2")

    def test_empty(self) -> None:
        """All parameters may be removed."""
        self.assertEqual(changed_query(b"a=1&a=2", changes({"-a": ""})), b"")

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(NAMES, VALUES), max_size=5),
           st.dictionaries(st.builds(str.__add__, st.sampled_from(["", "+", "-"]), NAMES),
                           VALUES, max_size=1))
    def test_query_means_the_same(self, pairs: list[tuple[str, str]],
                                  configured: dict[str, str]) -> None:
        """A changed query means what changing its decoded parameters gives."""
        params, todo = Params(tuple(pairs)), changes(configured)
        spelled = Params.parse(changed_query(params.encode(), todo))
        self.assertEqual(sorted(spelled.pairs), sorted(changed_params(params, todo).pairs))


class ResponderTests(SynchronousTestCase):
    """Requests and responses are changed around a responder."""

    def test_both_ways(self) -> None:
        """The origin sees the changed request, the client the changed response."""
        origin = RecordingResponder([Response(200, Headers(((b"Cache-Control", b"private"),)))])
        responder = RewritingResponder(origin, Rewriting(
            changes({"Authorization": "Basic x", "-Cookie": ""}), changes({"k": "v w"}),
            changes({"Cache-Control": "max-age=9"})))
        response = at_once(responder.respond(Request(
            b"GET", b"/p?a=1", Headers(((b"cookie", b"c"),)))))
        [sent] = origin.requests
        self.assertEqual(sent.target, b"/p?a=1&k=v+w")
        self.assertEqual(sent.headers.pairs, ((b"Authorization", b"Basic x"),))
        self.assertEqual(response.headers.get_all(b"cache-control"), [b"max-age=9"])

    def test_nothing_to_do(self) -> None:
        """Without changes the target stays as it is."""
        self.assertEqual(Rewriting().request(Request(b"GET", b"/p?")).target, b"/p?")

    def test_all_params_removed(self) -> None:
        """A target of which all parameters are removed has no question mark."""
        rewriting = Rewriting(request_params=changes({"-a": ""}))
        self.assertEqual(rewriting.request(Request(b"GET", b"/p?a=1")).target, b"/p")


class StaticResponseTests(SynchronousTestCase):
    """Static responses need no origin."""

    def test_configured(self) -> None:
        """A static response has the status, body and fields of its configuration."""
        answer = static_response(418, "t\xe9", {"X-A": "1", "Content-Type": "text/x"})
        self.assertEqual((answer.status, answer.body), (418, "t\xe9".encode()))
        self.assertEqual(answer.headers.get_all(b"content-type"), [b"text/x"])

    def test_defaults(self) -> None:
        """A static response without configuration is an empty 200."""
        answer = static_response(None, None, {})
        self.assertEqual((answer.status, answer.body, answer.headers.pairs), (200, b"", ()))


class AnswerHeadersTests(SynchronousTestCase):
    """Configured changes are made to the fields of every response."""

    def answered(self, *pairs: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """:return: the fields of an answer that had these."""
        todo = changes({"X-Set": "1", "+X-More": "2", "-Server": ""})
        inner = RecordingResponder([Response(200, Headers(pairs))])
        response = at_once(AnswerHeaders(inner, todo).respond(Request(b"GET", b"/")))
        return sorted(response.headers.pairs)

    def test_made(self) -> None:
        """Each configured change is made to a response's fields."""
        self.assertEqual(self.answered((b"Server", b"s"), (b"X-More", b"1")),
                         [(b"X-More", b"1"), (b"X-More", b"2"), (b"X-Set", b"1")])

    def test_made_already(self) -> None:
        """A response of the origin that has the changes already gets none twice."""
        changed = [(b"X-More", b"2"), (b"X-Set", b"1")]
        self.assertEqual(self.answered(*changed), changed)


class KindTests(middleware_contract(RewritingType(), RewritingOptions(  # type: ignore[misc]
        {"X-A": "1"}, {"b": "2"}, {"X-C": "3"})), SynchronousTestCase):
    """Rewriting keeps the contract of middlewares."""

    def test_configured(self) -> None:
        """Requests and responses are changed as the options say."""
        response = at_once(self.wrapped().respond(Request(b"GET", b"/p")))
        [asked] = self.inner.requests
        self.assertEqual((asked.target, asked.headers.get(b"x-a")), (b"/p?b=2", b"1"))
        self.assertEqual(response.headers.get(b"x-c"), b"3")

    def test_nothing(self) -> None:
        """Rewriting without changes is the inner responder itself."""
        inner = RecordingResponder()
        self.assertIs(RewritingType().wrap(inner, RewritingOptions(), FakeRuntime()), inner)
