"""Tests of L{trickster.objects.variant_store}: variants in stores of both kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import fields, stored_response, variants_in
from trickster.http.freshness import FreshnessRules
from trickster.objects.stored_response import StoredResponse
from trickster.objects.variant_store import VariantStore
from trickster.testing.doubles import (
    BrokenOctetStore,
    BrokenStore,
    DictStore,
    RecordingStore,
    ReferenceStore,
    SlowStore,
    at_once,
)

RULES = FreshnessRules()


class VariantStoreTests(SynchronousTestCase):
    """Lookups in both kinds of store."""

    def each_kind(self, run: Callable[[VariantStore, Any], None]) -> None:
        """Run a test with both kinds."""
        for kind in (ReferenceStore, DictStore):
            clock = Clock()
            clock.advance(10**9)
            store = kind(clock)
            run(variants_in(store, clock), store)

    def body(self, variants: VariantStore, **request: str) -> bytes | None:
        """:return: the body of what is found."""
        found = at_once(variants.find("k", fields(**request))).stored
        return None if found is None else b"".join(found.parts[0].buffers)

    def keep(self, variants: VariantStore, body: bytes, *names: bytes, received: float = 10.0**9,
             **request: str) -> StoredResponse:
        """:return: what was kept."""
        made = stored_response(body, fields(**request), received, (b"authorization", *names))
        at_once(variants.keep("k", made, 60.0))
        return made

    def test_validated(self) -> None:
        """A stored response of which only fields have changed is put without its body."""
        clock = Clock()
        clock.advance(10**9)
        store = RecordingStore(clock)
        variants, body = variants_in(store, clock), b"x" * 3_000_000
        self.keep(variants, body)
        store.puts.clear()
        self.keep(variants, body, received=10.0**9 + 30)
        self.assertLess(sum(size for _, size in store.puts), 2000)
        self.assertEqual(self.body(variants_in(store, clock)), body)

    def test_alone(self) -> None:
        """A lone stored response is found by the requests that select it, and by no others."""

        def run(variants: VariantStore, store: Any) -> None:
            self.keep(variants, b"1", b"foo", Foo="x")
            self.assertEqual(self.body(variants, Foo="x"), b"1")
            self.assertIsNone(self.body(variants, Foo="y"))
            self.assertIsNone(self.body(variants, Foo="x", Authorization="z"))
            self.assertEqual(list(store.entries), ["k"])

        self.each_kind(run)

    def test_variants(self) -> None:
        """Several variants are stored apart from each other, the first included."""

        def run(variants: VariantStore, store: Any) -> None:
            for value in "123":
                self.keep(variants, value.encode(), b"foo", Foo=value)
            self.keep(variants, b"A", b"foo", Foo="1", Authorization="a")
            self.assertEqual([self.body(variants, Foo=v) for v in "1234"], [b"1", b"2", b"3", None])
            self.assertEqual(self.body(variants, Foo="1", Authorization="a"), b"A")

        self.each_kind(run)

    def test_newest(self) -> None:
        """Of several variants that match, the one made last is found."""

        def run(variants: VariantStore, store: Any) -> None:
            self.keep(variants, b"new", b"foo", received=10.0**9 + 5, Foo="1", Bar="1")
            self.keep(variants, b"old", b"bar", received=10.0**9, Foo="2", Bar="1")
            self.assertEqual(self.body(variants, Foo="1", Bar="1"), b"new")
            self.assertEqual(self.body(variants, Foo="2", Bar="1"), b"old")

        self.each_kind(run)

    def test_newest_of_a_second(self) -> None:
        """
        Of two that were made in the same second, as far as their dates tell, it is the one that
        came last, or was validated: by how much both are older is known to a microsecond or so.
        """

        def run(variants: VariantStore, store: Any) -> None:
            for number, (name, received) in enumerate(((b"foo", 0.25), (b"bar", 0.5))):
                made = stored_response(name, fields(Foo="1", Bar="1"), 10.0**9 + received, (name,))
                at_once(variants.keep("k", evolve(
                    made, initial_age=received + number * 1e-6), 60.0))
            self.assertEqual(self.body(variants, Foo="1", Bar="1"), b"bar")

        self.each_kind(run)

    def test_field_sets_are_bounded(self) -> None:
        """An origin that varies by ever new fields costs only so many look-ups."""

        def run(variants: VariantStore, store: Any) -> None:
            for n in range(9):
                self.keep(variants, b"%d" % n, b"f%d" % n)
            found = at_once(variants.find("k", fields()))
            self.assertEqual(b"".join(found.stored.parts[0].buffers), b"8")
            entry = at_once(variants._entries.get("k"))
            self.assertEqual(len(entry.fields), 4)

        self.each_kind(run)

    def test_variants_of_different_age(self) -> None:
        """A variant is found as long as it is kept, with or without the others."""

        def run(variants: VariantStore, store: Any) -> None:
            for value, ttl in (("1", 60.0), ("2", 60.0), ("3", 1.0)):
                made = stored_response(value.encode(), fields(Foo=value), names=(b"foo",))
                at_once(variants.keep("k", made, ttl))
            store.clock.advance(30)
            self.assertEqual([self.body(variants, Foo=v) for v in "123"], [b"1", b"2", None])

        self.each_kind(run)

    @given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("12"), st.booleans()),
                    max_size=8))
    @settings(max_examples=60, deadline=None)
    def test_fenced(self, steps: list[tuple[int, str, bool]]) -> None:
        """
        Of each variant, what was fetched under the newest lease is kept, or dropped, whenever the
        others come; what was fetched without one takes the place of any other.
        """

        def run(variants: VariantStore, store: Any) -> None:
            expected: dict[str, tuple[int, bytes | None]] = {}
            for number, (token, value, is_dropped) in enumerate(steps):
                body = b"%d" % number
                made = evolve(stored_response(body, fields(Foo=value), names=(b"foo",)),
                              token=token)
                newest, held = expected.get(value, (0, None))
                if is_dropped:
                    at_once(variants.drop_one("k", made, token))
                    if held is not None and not 0 < token < newest:
                        expected[value] = 0, None
                else:
                    is_kept = at_once(variants.keep("k", made, 60.0))
                    self.assertEqual(is_kept, not 0 < token < newest)
                    if is_kept:
                        expected[value] = max(token, newest), body
                for each, (_, body) in expected.items():
                    self.assertEqual(self.body(variants, Foo=each), body)

        self.each_kind(run)

    def test_slots(self) -> None:
        """A slot is equal for requests that select alike, as far as is known."""

        def run(variants: VariantStore, store: Any) -> None:
            def slot(**request: str) -> str:
                return str(at_once(variants.find("k", fields(**request))).slot)

            self.assertEqual(slot(Foo="1"), slot(Foo="2"))
            self.assertNotEqual(slot(), slot(Authorization="a"))
            self.keep(variants, b"1", b"foo", Foo="1")
            self.keep(variants, b"2", b"foo", Foo="2")
            self.assertNotEqual(slot(Foo="3"), slot(Foo="4"))
            self.assertEqual(slot(Foo="3", Bar="1"), slot(Foo="3", Bar="2"))
            self.assertTrue(slot(Foo="3").startswith("k"))

        self.each_kind(run)

    def test_dropped(self) -> None:
        """
        All variants or one of them are dropped, and variants stored later do not bring them back.
        """

        def run(variants: VariantStore, store: Any) -> None:
            one = self.keep(variants, b"1", b"foo", Foo="1")
            self.keep(variants, b"2", b"foo", Foo="2")
            at_once(variants.drop_one("k", one))
            self.assertEqual([self.body(variants, Foo=v) for v in "12"], [None, b"2"])
            at_once(variants.drop("k"))
            self.assertIsNone(self.body(variants, Foo="2"))
            variants._clock.advance(1)  # type: ignore[attr-defined]
            self.keep(variants, b"3", b"foo", Foo="3")
            self.keep(variants, b"4", b"foo", Foo="4")
            self.assertIsNone(self.body(variants, Foo="2"))

        self.each_kind(run)

    def test_forgotten_already(self) -> None:
        """Dropping a variant that is gone drops none that has taken its place."""

        def run(variants: VariantStore, store: Any) -> None:
            one = self.keep(variants, b"1", b"foo", Foo="1")
            at_once(variants.drop("k"))
            self.keep(variants, b"2", b"foo", Foo="2")
            at_once(variants.drop_one("k", one))
            self.assertEqual(self.body(variants, Foo="2"), b"2")

        self.each_kind(run)

    def test_forgotten_for_good(self) -> None:
        """What was forgotten does not come back with what is kept at the same moment."""

        def run(variants: VariantStore, store: Any) -> None:
            for value in ("a", "b"):
                self.keep(variants, b"old", b"foo", Foo=value)
            at_once(variants.drop("k"))
            for value in ("c", "d"):
                self.keep(variants, b"new", b"foo", Foo=value)
            self.assertEqual(self.body(variants, Foo="c"), b"new")
            self.assertIsNone(self.body(variants, Foo="a"))

        self.each_kind(run)

    def test_nothing_without_time(self) -> None:
        """What is of no use any more is not stored."""

        def run(variants: VariantStore, store: Any) -> None:
            at_once(variants.keep("k", stored_response(), 0.0))
            self.assertEqual(store.entries, {})

        self.each_kind(run)

    def test_rubbish(self) -> None:
        """What another writer has put there is not there."""
        clock = Clock()
        octets = DictStore(clock, {"k": (b"rubbish", 99.0)})
        self.assertIsNone(self.body(variants_in(octets, clock)))
        objects = ReferenceStore(clock, {"k": ("rubbish", 99.0)})
        self.assertIsNone(self.body(variants_in(objects, clock)))

    def test_store_fails(self) -> None:
        """A store that fails looks empty."""
        for store in (BrokenStore(), BrokenOctetStore()):
            variants = variants_in(store, Clock())
            self.keep(variants, b"1")
            self.assertIsNone(self.body(variants))
            at_once(variants.drop("k"))


class SlowStoreTests(SynchronousTestCase):
    """Changes of one key in a store that takes its time."""

    def setUp(self) -> None:
        """Empty."""
        self.store = SlowStore(Clock())
        self.variants = variants_in(self.store, Clock())

    def keep(self, foo: str) -> Deferred[None]:
        """:return: fires when a variant has been kept."""
        made = stored_response(foo.encode(), fields(Foo=foo), names=(b"foo",))
        return Deferred.fromCoroutine(self.variants.keep("k", made, 60.0))

    def found(self, foo: str) -> bytes | None:
        """:return: the body of a variant, once all else has been done."""
        finding = Deferred.fromCoroutine(self.variants.find("k", fields(Foo=foo)))
        self.store.catch_up()
        stored = self.successResultOf(finding).stored
        return None if stored is None else b"".join(stored.parts[0].buffers)

    def test_two_writers(self) -> None:
        """Variants that are stored at the same time do not lose each other."""
        keeping = [self.keep(foo) for foo in "abc"]
        self.store.catch_up()
        for one in keeping:
            self.successResultOf(one)
        self.assertEqual([self.found(foo) for foo in "abc"], [b"a", b"b", b"c"])
        self.assertEqual(len(self.variants._entries.locks), 0)

    def test_dropped_while_kept(self) -> None:
        """What is being kept when its key is forgotten is forgotten too."""
        keeping = self.keep("a")
        dropping = Deferred.fromCoroutine(self.variants.drop("k"))
        self.store.catch_up()
        self.successResultOf(keeping)
        self.successResultOf(dropping)
        self.assertIsNone(self.found("a"))

    def test_one_dropped_while_another_is_kept(self) -> None:
        """A variant that is dropped while another is being stored leaves the others in place."""
        self.keep("a")
        self.store.catch_up()
        one = stored_response(b"a", fields(Foo="a"), names=(b"foo",))
        keeping = self.keep("b")
        dropping = Deferred.fromCoroutine(self.variants.drop_one("k", one))
        self.store.catch_up()
        self.successResultOf(keeping)
        self.successResultOf(dropping)
        self.assertEqual([self.found(foo) for foo in "ab"], [None, b"b"])

    def test_readers(self) -> None:
        """A reader does not wait for a change that is being made."""
        self.keep("a")
        self.store.catch_up()
        self.keep("b")
        finding = Deferred.fromCoroutine(self.variants.find("k", fields(Foo="a")))
        self.store.go_on(-1)
        self.assertIsNotNone(self.successResultOf(finding).stored)

    def test_cancelled(self) -> None:
        """A change that is cancelled leaves no lock, and holds up no other."""
        first, second = self.keep("a"), self.keep("b")
        first.addErrback(lambda _: None).cancel()
        self.store.catch_up()
        self.successResultOf(second)
        self.assertEqual(self.found("b"), b"b")
        self.assertEqual(len(self.variants._entries.locks), 0)
