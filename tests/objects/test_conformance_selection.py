"""Which stored answer a request selects, and what makes it forgotten (RFC 9111 4.1 and 4.4)."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World, web_route
from trickster.messages import MalformedParams, Params
from trickster.testing.doubles import DictStore


class VaryTests(SynchronousTestCase):
    """Each case: Vary, two requests, and whether the second is answered by the first."""

    def matches(self, vary: str, first: dict[str, str], second: dict[str, str],
                **headers: str) -> bool:
        """:return: whether the second request is answered from the cache."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=99", Vary=vary, **headers),
                    world.answer(body=b"second"))
        world.ask(**first)
        world.ask(**second)
        return world.asked == 1

    def test_equal(self) -> None:
        """All listed fields are equal, in any order of the request."""
        self.assertTrue(self.matches("Foo", {"Foo": "1"}, {"Foo": "1"}))
        self.assertTrue(self.matches("Foo, Bar", {"Foo": "1", "Bar": "a"},
                                     {"Bar": "a", "Foo": "1"}))
        self.assertTrue(self.matches("foo, BAR\nBaz", {"Foo": "1", "Bar": "a", "Baz": "x"},
                                     {"Foo": "1", "Bar": "a", "Baz": "x"}))

    def test_unequal(self) -> None:
        """A request in which one field that Vary lists differs does not match."""
        self.assertFalse(self.matches("Foo", {"Foo": "1"}, {"Foo": "2"}))
        self.assertFalse(self.matches("Foo, Bar, Baz", {"Foo": "1", "Bar": "a", "Baz": "x"},
                                      {"Foo": "1", "Bar": "a", "Baz": "y"}))
        self.assertFalse(self.matches("Foo\nBar", {"Foo": "1", "Bar": "a"},
                                      {"Foo": "1", "Bar": "b"}))

    def test_absent(self) -> None:
        """An absent field matches only an absent one, and not an empty one."""
        self.assertTrue(self.matches("Foo", {}, {}))
        self.assertTrue(self.matches("Foo", {}, {"Bar": "1"}))
        self.assertFalse(self.matches("Foo", {}, {"Foo": "1"}))
        self.assertFalse(self.matches("Foo", {"Foo": "1"}, {}))
        self.assertFalse(self.matches("Foo", {"Foo": ""}, {}))

    def test_unlisted(self) -> None:
        """Request fields that Vary does not list do not matter."""
        self.assertTrue(self.matches("Foo", {"Foo": "1", "Other": "2"},
                                     {"Foo": "1", "Other": "3"}))

    def test_star(self) -> None:
        """A star anywhere never matches."""
        for vary in ("*", "*, *", ", *", "Foo, *", "*, Foo", "Foo\n*", "*\n*"):
            self.assertFalse(self.matches(vary, {"Foo": "1"}, {"Foo": "1"}), vary)

    def test_spelling(self) -> None:
        """White space and lines of a list mean nothing."""
        self.assertTrue(self.matches("Foo", {"Foo": "1,2"}, {"Foo": "1 ,\t2"}))
        self.assertTrue(self.matches("Foo", {"Foo": "1, 2"}, {"Foo": "1\n2"}))
        self.assertFalse(self.matches("Foo", {"Foo": "1, 2"}, {"Foo": "2, 1"}))
        self.assertFalse(self.matches("Foo", {"Foo": '"1,2"'}, {"Foo": '"1, 2"'}))

    def test_language(self) -> None:
        """Case, order and white space of Accept-Language mean nothing; weights do."""
        name = "Accept_Language"
        self.assertTrue(self.matches("Accept-Language", {name: "en, de"}, {name: "DE,EN"}))
        self.assertTrue(self.matches("Accept-Language", {name: "en;q=0.5, de"},
                                     {name: "de, en; q=0.500"}))
        self.assertFalse(self.matches("Accept-Language", {name: "en, de;q=0.5"},
                                      {name: "en;q=0.5, de"}))

    def test_language_by_weight(self) -> None:
        """A stored answer in the language that a request likes best does for it."""
        name = "Accept_Language"
        self.assertTrue(self.matches("Accept-Language", {name: "en, de"},
                                     {name: "fr;q=0.5, de;q=1.0"}, Content_Language="de"))
        self.assertFalse(self.matches("Accept-Language", {name: "en, de"},
                                      {name: "fr;q=1.0, de;q=0.1"}, Content_Language="de"))
        self.assertFalse(self.matches("Accept-Language", {name: "en, de"},
                                      {name: "fr, de"}, Content_Language="de"))

    def test_language_of_one_variant(self) -> None:
        """
        Of several variants, the one in the preferred language is selected if other fields match.
        """
        for store in (None, DictStore):
            world = World.of(store) if store else World.of()
            for language in ("de", "fr"):
                world.given(world.answer(
                    Cache_Control="max-age=99", Vary="Accept-Language, Foo",
                    Content_Language=language, body=language.encode()))
                world.ask(Accept_Language=f"{language}, en;q=0.5", Foo="1")
            got = [world.ask(Accept_Language=f"{language}, it;q=0.1", Foo="1").octets
                   for language in ("de", "fr")]
            self.assertEqual((got, world.asked), ([b"de", b"fr"], 2))
            world.ask(Accept_Language="de, it;q=0.1", Foo="2")
            self.assertEqual(world.asked, 3)

    def test_no_best_language(self) -> None:
        """Where no language is preferred, the Accept-Language fields have to be equal."""
        for said in ("", "*", "*, de;q=0.5", "de, fr"):
            one, other = {"Accept_Language": said}, {"Accept_Language": "de"}
            self.assertTrue(self.matches("Accept-Language", one, one, Content_Language="fr"))
            self.assertFalse(self.matches("Accept-Language", one, other, Content_Language="fr"))
            self.assertFalse(self.matches("Accept-Language", other, one, Content_Language="de"))
        self.assertFalse(self.matches("Accept-Language", {"Accept_Language": "*"},
                                      {"Accept_Language": "*, de;q=0.5"}))

    def test_several_variants(self) -> None:
        """Variants are kept side by side, in any kind of store."""
        for store in (None, DictStore):
            world = World.of(store) if store else World.of()
            for value in ("1", "2", "3"):
                world.given(world.answer(Cache_Control="max-age=99", Vary="Foo",
                                         body=value.encode()))
                world.ask(Foo=value)
            self.assertEqual([world.ask(Foo=v).octets for v in "123"], [b"1", b"2", b"3"])
            self.assertEqual(world.asked, 3)

    def test_other_vary(self) -> None:
        """Each stored response is matched by its own Vary."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=99", Vary="Foo", body=b"1"),
                    world.answer(Cache_Control="max-age=99", Vary="Bar", body=b"2"))
        world.ask(Foo="1", Bar="1")
        world.ask(Foo="2", Bar="2")
        self.assertEqual(world.ask(Foo="1", Bar="3").octets, b"1")
        self.assertEqual(world.ask(Foo="3", Bar="2").octets, b"2")

    def test_newest(self) -> None:
        """Of several variants that match, the newest is used (RFC 9111 section 4)."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=99", Vary="Foo", body=b"1"))
        world.ask(Foo="1", Bar="1")
        world.clock.advance(2)
        world.given(world.answer(Cache_Control="max-age=99", Vary="Bar", body=b"2"))
        world.ask(Foo="2", Bar="1")
        self.assertEqual(world.ask(Foo="1", Bar="1").octets, b"2")

    def test_vary_goes(self) -> None:
        """An answer that no longer varies is for all clients."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=1", Vary="Foo", body=b"1"))
        world.ask(Foo="1")
        world.clock.advance(2)
        world.given(world.answer(Cache_Control="max-age=99", body=b"2"))
        world.ask(Foo="1")
        self.assertEqual(world.ask(Foo="2").octets, b"2")


class KeyTests(SynchronousTestCase):
    """Which parts of a request are part of the cache key."""

    def is_shared(self, first: bytes, second: bytes) -> bool:
        """:return: whether two targets are one object."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=99"), world.answer())
        world.ask(first)
        world.ask(second)
        return world.asked == 1

    def test_targets(self) -> None:
        """Path and query, as they are spelled, are part of the key."""
        self.assertTrue(self.is_shared(b"/a?b", b"/a?b"))
        for other in (b"/a", b"/a?", b"/a?b=", b"/a/?b", b"/A?b", b"/a?B", b"/%61?b", b"/a?b&c"):
            self.assertFalse(self.is_shared(b"/a?b=1", other), other)

    def test_order(self) -> None:
        """The order of parameters counts where the configuration does not say otherwise."""
        self.assertFalse(self.is_shared(b"/a?b=1&c=2", b"/a?c=2&b=1"))

    def test_head_is_answered_from_get(self) -> None:
        """
        HEAD is answered from a stored GET response, with the length of the body and without the
        body.
        """
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=99"))
        world.ask()
        head = world.ask(method=b"HEAD")
        self.assertEqual((head.result, head.octets, head.header(b"content-length")),
                         ("hit", b"", b"5"))

    def test_head_is_not_stored(self) -> None:
        """An answer to HEAD is no answer to GET."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=99", body=b""), world.answer())
        world.ask(method=b"HEAD")
        self.assertEqual(world.origin.requests[0].method, b"HEAD")
        self.assertEqual(world.ask().octets, b"hello")


class InvalidationTests(SynchronousTestCase):
    """What unsafe requests invalidate (RFC 9111 section 4.4)."""

    def is_forgotten(self, method: bytes = b"POST", status: int = 200, target: bytes = b"/x",
                     **headers: str) -> bool:
        """:return: whether what was stored for /x is gone after such a request."""
        world = World.of()
        world.given(world.answer(Cache_Control="max-age=99"), world.answer(status, **headers),
                    world.answer(body=b"new"))
        world.ask(b"/x")
        world.ask(target, method)
        return world.ask(b"/x").octets == b"new"

    def test_methods(self) -> None:
        """Every method that is not known to be safe invalidates stored responses."""
        for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"M-SEARCH"):
            for status in (200, 204, 303):
                self.assertTrue(self.is_forgotten(method, status), (method, status))

    def test_safe_methods(self) -> None:
        """A safe request invalidates no stored response."""
        for method in (b"OPTIONS", b"TRACE", b"HEAD"):
            self.assertFalse(self.is_forgotten(method), method)

    def test_failures(self) -> None:
        """An unsafe request that failed invalidates nothing."""
        for status in (400, 404, 500, 503):
            self.assertFalse(self.is_forgotten(status=status), status)

    def test_locations(self) -> None:
        """Location and Content-Location of the same origin are forgotten too."""
        for name in ("Location", "Content_Location"):
            for value in ("/x", "x", "http://example.org/x", "http://EXAMPLE.org:80/x", "./x#f"):
                self.assertTrue(self.is_forgotten(target=b"/y", **{name: value}), value)

    def test_other_origins(self) -> None:
        """A Location of another origin invalidates no stored response."""
        for value in ("http://example.com/x", "//evil/x", "http://example.org:81/x", "/z",
                      "ftp://example.org/x", "http://[/x", "http://example.org:x/x", "\xe9"):
            self.assertFalse(self.is_forgotten(target=b"/y", Location=value), value)

    @given(st.lists(st.sampled_from(
        [b"a", b"b", b"=", b"&", b"%", b"%zz", b"%41", b";", b"+", b"?", b"\xc3", b"%c3", b"&" * 1000,
         b"x" * 131_072]), max_size=8).map(b"".join), st.booleans())
    def test_any_query(self, query: bytes, named: bool) -> None:
        """
        No stored response for a target outlives a successful unsafe request for that target, or one
        whose response names the target, however the target's query is spelled, also where
        parameters are a set of named values: a response to a query with more than one reading is
        never stored.
        """
        if named and not query.isascii():
            return
        target = b"/x?" + query
        world = World.of(route=web_route(form=True))
        for body in (b"1", b"2"):
            world.given(world.answer(Cache_Control="max-age=99", body=body))
        stored = [world.ask(target).octets for _ in range(2)] == [b"1", b"1"]
        with contextlib.suppress(MalformedParams):
            Params.parse(query)
            self.assertTrue(stored)
        world.origin.script[:] = [
            world.answer(204, **({"Location": target.decode()} if named else {})),
            world.answer(body=b"new")]
        world.ask(b"/y" if named else target, b"PUT")
        self.assertEqual(world.ask(target).octets, b"new")

    def test_all_variants(self) -> None:
        """An unsafe request invalidates every stored variant of its target."""
        world = World.of()
        for value in ("1", "2"):
            world.given(world.answer(Cache_Control="max-age=99", Vary="Foo"))
            world.ask(Foo=value)
        world.given(world.answer(), world.answer(body=b"a"), world.answer(body=b"b"))
        world.ask(method=b"PUT")
        self.assertEqual([world.ask(Foo=v).octets for v in "12"], [b"a", b"b"])

    def test_on_the_way(self) -> None:
        """
        A response that was on its way when its target was invalidated is given to its client and
        not stored.
        """
        world = World.of()
        early = world.ask()
        world.ask(method=b"POST")
        world.origin.answer(world.answer(), 1)
        late = world.ask()
        self.assertEqual(world.asked, 3)
        world.origin.answer(world.answer(Cache_Control="max-age=99", body=b"old"))
        world.origin.answer(world.answer(Cache_Control="max-age=99", body=b"new"))
        self.assertEqual((early.octets, late.octets, world.ask().octets),
                         (b"old", b"new", b"new"))
