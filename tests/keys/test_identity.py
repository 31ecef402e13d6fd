"""Tests of C{trickster.keys.identity}, by itself and in each cache."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import World, fields, progressive
from tests.ranges.deltarig import Rig
from trickster.errors import Reason
from trickster.http.fields import FORWARDING_FIELDS
from trickster.identity import IDENTITY_HEADERS, OVERRIDE_HEADERS
from trickster.keys.identity import Identity, Overrides, field_names
from trickster.messages import NO_HEADERS, Headers, Status
from trickster.objects.options import ObjectOptions
from trickster.routes import Route, Serve

WHO = ("X-Scope-OrgID", "THANOS-TENANT", "X-Grafana-User", "X-WEBAUTH-USER", "X-Tenant",
       "X-Forwarded-User", "X-Api-Key", "X-ClickHouse-User", "X-Auth-Request-Email", "Remote-User",
       "X-Forwarded-Prefix", "X-Forwarded-Scheme", "Front-End-Https", "X-Forwarded-Proto",
       "X-Forwarded-Host")
OVERRIDING = ("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method",
              "X-Method-Override", "X-Host", "X-Original-Host", "X-Forwarded-Method",
              "X-Forwarded-Foo", "x-forwarded-tenant", "X-FORWARDED-", "X-Forwarded")
# Who a client is, said by proxies, and what no proxy would say there.
ADDRESSES = (("X-Forwarded-For", "192.0.2.1, 2001:db8::1"), ("X-Real-IP", "[2001:db8::1]:80"),
             ("True-Client-IP", "unknown"), ("Forwarded", 'for="[2001:db8::1]:_p";by=_a, for=unknown'),
             ("Forwarded", "for=192.0.2.1"))
NO_ADDRESSES = (("X-Forwarded-For", "a.example"), ("X-Real-IP", "127.0.0.1'--"),
                ("CF-Connecting-IP", "<a>"), ("Forwarded", 'for="<a>"'),
                ("Forwarded", 'for=192.0.2.1, by="a b"'))
PAIRS = st.lists(st.tuples(st.sampled_from([b"x-a", b"X-B", b"x-c", b"forwarded"]),
                           st.sampled_from([b"", b"1", b"1, 2", b"2", b"for=1.1.1.1;host=a"])),
                 max_size=4)


class IdentityTests(SynchronousTestCase):
    """The identity of a request, by the values of its identity fields."""

    @settings(max_examples=300, deadline=None)
    @given(PAIRS, PAIRS)
    def test_equal(self, one: list[tuple[bytes, bytes]], other: list[tuple[bytes, bytes]]) -> None:
        """Two identities are equal exactly where all values of all counted fields are."""
        identity = Identity(frozenset((b"x-a", b"x-b")))
        first, second = Headers(tuple(one)), Headers(tuple(other))
        are_equal = all(first.joined(n) == second.joined(n) for n in (b"x-a", b"x-b"))
        self.assertEqual(identity.of(first) == identity.of(second), are_equal)

    def test_nobody(self) -> None:
        """A request without any of the identity fields has no identity."""
        identity = Identity(field_names(IDENTITY_HEADERS))
        self.assertIsNone(identity.of(fields(X_Other="1", Accept="a")))
        self.assertIsNone(identity.of(NO_HEADERS))
        self.assertIsNone(Identity(frozenset((b"forwarded",))).of(fields(Forwarded="for=1.1.1.1")))

    def test_forwarded(self) -> None:
        """Parameters of C{Forwarded} count if about the request, and not if about hops."""
        identity = Identity(frozenset((b"forwarded",)))
        said = [identity.of(fields(Forwarded=value)) for value in (
            "for=192.0.2.1;host=a", "host=a;for=unknown", "host=b", "host=a;proto=https", "x")]
        self.assertEqual(said[0], said[1])
        self.assertEqual(len(set(said)), 4)


class OverridesTests(SynchronousTestCase):
    """Requests with header fields that override the method, target or host."""

    def test_found(self) -> None:
        """A field is an override by its name, or where it should hold an address and does not."""
        overrides = Overrides(field_names(OVERRIDE_HEADERS))
        for name, value in (*((name, "a") for name in OVERRIDING), *NO_ADDRESSES):
            self.assertTrue(overrides.are_in(Headers(((name.encode(), value.encode()),))), name)
        for name, value in (*ADDRESSES, ("Accept", "a"), ("X-Scope-OrgID", "a")):
            self.assertFalse(overrides.are_in(Headers(((name.encode(), value.encode()),))), name)

    def test_beginnings(self) -> None:
        """A field that is known, or in the key, is no override, though its name begins as one."""
        names = field_names(OVERRIDE_HEADERS)
        known = {name.decode() for name in FORWARDING_FIELDS} | {
            name for name in IDENTITY_HEADERS if name.startswith("x-forwarded-")}
        for name in known:
            self.assertFalse(Overrides(names).are_in(Headers(((name.encode(), b"unknown"),))), name)
        team = Headers(((b"X-Forwarded-Team", b"a"),))
        self.assertTrue(Overrides(names).are_in(team))
        self.assertFalse(Overrides(names, frozenset((b"x-forwarded-team",))).are_in(team))
        self.assertFalse(Overrides(frozenset((b"x-forwarded-tea",))).are_in(team))
        self.assertTrue(Overrides(frozenset((b"*",))).are_in(team))

    def test_second_line(self) -> None:
        """All lines of an override field count."""
        self.assertTrue(Overrides().are_in(fields(X_Forwarded_For="1.1.1.1\na.example")))


def _world(**options: object) -> World:
    return World.of(**options)


class ObjectTests(SynchronousTestCase):
    """Identities in the object cache, by the rules of HTTP and for a configured time."""

    WORLDS = ({}, {"route": Route("/x", Serve.OBJECT, ttl=30.0)},
              {"route": Route("/x", Serve.OBJECT, ttl=30.0, form=True)})

    def test_identities(self) -> None:
        """Each identity has stored responses of its own, also where the origin says C{public}."""
        for name in WHO:
            for said in ("max-age=9", "public, max-age=9", "s-maxage=9"):
                for options in self.WORLDS:
                    world = _world(**options)
                    world.given(*[world.answer(body=b"%d" % n, Cache_Control=said)
                                  for n in range(3)])
                    key = name.replace("-", "_")
                    got = [world.ask(**asked).octets for asked in (
                        {key: "a"}, {}, {key: "b"}, {key: "a"}, {}, {key: "b"})]
                    self.assertEqual(got, [b"0", b"1", b"2"] * 2, (name, said))

    def test_cookies(self) -> None:
        """Cookies separate stored responses unless the origin's response is for all users."""
        for said, asked in (("max-age=9", 3), ("public, max-age=9", 1), ("s-maxage=9", 1)):
            for options in self.WORLDS:
                world = _world(**options)
                world.given(*[world.answer(Cache_Control=said) for _ in range(3)])
                for cookie in ("a=1", None, "a=2", "a=1", None, "a=2"):
                    world.ask(**({} if cookie is None else {"Cookie": cookie}))
                self.assertEqual(world.asked, asked, said)

    def test_switched_off(self) -> None:
        """An operator may say that cookies separate nothing; credentials always do."""
        world = World.of(identity_headers=frozenset())
        world.given(world.answer(Cache_Control="max-age=9"), world.answer())
        for asked in ({"Cookie": "1"}, {"X_Tenant": "1"}, {"Authorization": "1"}):
            world.ask(**asked)
        self.assertEqual(world.asked, 2)

    def test_waiters(self) -> None:
        """Tenants never wait for each other's fetch, cookies do until they are known to matter."""
        for options in ({}, {"progressive": True}):
            world = progressive() if options else World.of()
            world.ask(X_Tenant="a"), world.ask(X_Tenant="b"), world.ask()
            self.assertEqual(len(world.origin.waiting), 3)
            clients = [world.ask(b"/y", Cookie=str(n)) for n in range(3)]
            self.assertEqual(len(world.origin.waiting), 4)
            world.origin.answer(world.answer(Cache_Control="max-age=9"), 3)
            self.assertEqual([one.response is None for one in clients], [False, True, True])

    def test_waiters_of_what_is_for_all(self) -> None:
        """A response for all users is fetched once for all waiters, with any cookies."""
        for world in (World.of(), progressive()):
            clients = [world.ask(Cookie=str(n)) for n in range(3)]
            world.origin.answer(world.answer(Cache_Control="public, max-age=9"))
            self.assertEqual([one.octets for one in clients], [b"hello"] * 3)
            self.assertEqual(world.asked, 1)

    def test_overrides(self) -> None:
        """A request with an override neither gets a stored response, nor leaves one."""
        for options in self.WORLDS:
            for name, value in (*((name, "a") for name in OVERRIDING), *NO_ADDRESSES):
                world = _world(**options)
                world.given(*[world.answer(body=b"%d" % n, Cache_Control="max-age=9")
                              for n in range(3)])
                asked = {name.replace("-", "_"): value}
                clients = [world.ask(**one) for one in (asked, {}, asked, {})]
                self.assertEqual([one.octets for one in clients], [b"0", b"1", b"2", b"1"], name)
                self.assertEqual([one.outcome.reason for one in clients[::2]],
                                 [Reason.OVERRIDE_HEADER] * 2)

    def test_addresses(self) -> None:
        """The client's address separates no stored responses."""
        for name, value in ADDRESSES:
            world = World.of()
            world.given(world.answer(Cache_Control="max-age=9"))
            world.ask(**{name.replace("-", "_"): value})
            self.assertEqual(world.ask().result, "hit", name)

    def test_vary_by_what_is_made_here(self) -> None:
        """A response that varies by a field that is made here is not stored."""
        for name in ("Forwarded", "X-Forwarded-For, Accept"):
            world = World.of()
            world.given(world.answer(Cache_Control="max-age=9", Vary=name))
            self.assertEqual(world.ask().outcome.reason, Reason.VARY)

    def test_every_header(self) -> None:
        """The default identity fields are the whole list."""
        options = ObjectOptions("b", Route("/", Serve.OBJECT))
        self.assertEqual(options.identity_headers, field_names(IDENTITY_HEADERS))


class DeltaTests(SynchronousTestCase):
    """Identities in the delta cache."""

    def _rig(self) -> Rig:
        return Rig(identity=Identity(field_names((*IDENTITY_HEADERS, "X-Forwarded-Proto",
                                                  "X-Forwarded-Host"))),
                   overrides=Overrides(field_names(OVERRIDE_HEADERS)))

    def test_identities(self) -> None:
        """Each identity has an entry of its own, also where hits are given again as they are."""
        for name in (*WHO, "Cookie", "Authorization"):
            rig = self._rig()
            asked = [((name.encode(), b"a"),), (), ((name.encode(), b"b"),)] * 3
            answers = []
            for number, headers in enumerate(asked):
                rig.origin.salt = str(number)  # so that no two answers of the origin are equal
                answers.append(rig.ask(-600, -60, headers=headers))
            self.assertEqual([one.status for one in answers],
                             [Status.KEY_MISS] * 3 + [Status.HIT] * 6, name)
            self.assertEqual([one.octets for one in answers],
                             [one.octets for one in answers[:3]] * 3, name)
            self.assertEqual(len({one.octets for one in answers}), 3, name)

    def test_waiters(self) -> None:
        """No client waits for the fetch of another identity."""
        rig = self._rig()
        rig.origin.is_paused = True
        for headers in (((b"X-Tenant", b"a"),), ((b"X-Tenant", b"b"),), ((b"Cookie", b"a"),), ()):
            rig.start(-600, -60, headers=headers)
        self.assertEqual(len(rig.origin.waiting), 4)

    def test_overrides(self) -> None:
        """A request with an override neither gets a stored response, nor leaves one."""
        for name, value in (*((name, "a") for name in OVERRIDING), *NO_ADDRESSES):
            rig = self._rig()
            odd = ((name.encode(), value.encode()),)
            for headers, status in ((odd, Status.PROXY_ONLY), ((), Status.KEY_MISS),
                                    ((), Status.HIT), (odd, Status.PROXY_ONLY)):
                answer = rig.ask(-600, -60, headers=headers)
                self.assertIs(answer.status, status, name)
            self.assertIs(answer.outcome.reason, Reason.OVERRIDE_HEADER)

    def test_addresses(self) -> None:
        """The client's address separates no stored responses."""
        for name, value in ADDRESSES:
            rig = self._rig()
            rig.ask(-600, -60, headers=((name.encode(), value.encode()),))
            self.assertIs(rig.ask(-600, -60).status, Status.HIT, name)
