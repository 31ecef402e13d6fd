"""Tests for L{trickster.upstream.forwarding.fields}."""

from __future__ import annotations

from itertools import product

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.h1.encoding import encode_fields
from trickster.http.hop_by_hop import response_headers, upgrade_of
from trickster.messages import Headers, Pair, Peer, Request
from trickster.upstream.forwarding.fields import (
    ForwardedMode,
    OutgoingFields,
    request_fields,
)

PEER = Peer("192.0.2.7", 5000, False, 8480)


def a_request(*fields: Pair, peer: Peer = PEER, authority: bytes = b"shop.test") -> Request:
    return Request(b"GET", b"/", Headers(fields), authority=authority, peer=peer)


def sent(request: Request, mode: str = "standard") -> Headers:
    return Headers(tuple(request_fields(request, b"origin:9090", ForwardedMode(mode), "trk")))


class OutgoingFieldsTests(SynchronousTestCase):
    """Request fields that are remembered for the requests of one connection."""

    def test_as_made_anew(self) -> None:
        """
        Remembered request fields equal those made anew, also for the same fields of another client.
        """
        outgoing = OutgoingFields(b"origin:9090", ForwardedMode.BOTH, "trk")
        headers = Headers(((b"Host", b"shop.test"), (b"A", b"1"), (b"Connection", b"b"),
                           (b"B", b"2"), (b"Upgrade", b"x")))
        peers = (PEER, Peer("192.0.2.8", 5000, True, 8480), PEER, evolve(PEER))
        for peer, version, authority, configured in product(
                peers, (b"HTTP/1.1", b"HTTP/1.0"), (b"shop.test", b"other.test"),
                (frozenset(), frozenset((b"b",)), frozenset((b"via",)))):
            request = Request(b"GET", b"/", headers, authority=authority, peer=peer,
                              version=version, configured=configured)
            for _ in range(2):
                self.assertEqual(outgoing.lines(request), encode_fields(
                    request_fields(request, b"origin:9090", ForwardedMode.BOTH, "trk")))

    def test_kept(self) -> None:
        """Only short fields are remembered, since an idle connection must not hold much."""
        outgoing = OutgoingFields(b"origin:9090", ForwardedMode.X, "trk")
        for size, is_kept in ((100, True), (5000, False)):
            request = a_request((b"A", b"x" * size))
            lines = outgoing.lines(request)
            self.assertIs(outgoing.lines(request) is lines, is_kept)
            self.assertEqual(outgoing.lines(request), lines)

    def test_two_origins(self) -> None:
        """Requests with equal fields to different origins get each origin's own Host."""
        request = a_request((b"A", b"1"))
        for authority in (b"one.test", b"two.test", b"one.test"):
            lines = OutgoingFields(authority, ForwardedMode.NONE, "trk").lines(request)
            self.assertIn(b"Host: %b\r\n" % authority, lines)


class HopByHopTests(SynchronousTestCase):
    NAMES = (b"Connection", b"Keep-Alive", b"Proxy-Authenticate", b"Proxy-Authorization",
             b"Proxy-Connection", b"TE", b"Trailer", b"Transfer-Encoding", b"Upgrade",
             b"Proxy-Authentication-Info")

    def test_fixed(self) -> None:
        """Hop-by-hop fields are not forwarded, in either direction."""
        for name in self.NAMES:
            headers = Headers(((name, b"x"), (name.lower(), b"y"), (b"A", b"b")))
            self.assertEqual(response_headers(headers, True).pairs, ((b"A", b"b"),))
            self.assertNotIn(name.lower(), sent(Request(b"GET", b"/", headers)))

    def test_named(self) -> None:
        """
        Fields that Connection names are not forwarded, however often and in either case it names
        them.
        """
        headers = Headers((
            (b"Connection", b"close, X-One ,,x-two"), (b"X-ONE", b"1"), (b"x-Two", b"2"),
            (b"X-Three", b"3"), (b"connection", b"\tX-Three"), (b"X-Four", b"4")))
        self.assertEqual(response_headers(headers, True).pairs, ((b"X-Four", b"4"),))
        self.assertNotIn(b"x-one", sent(Request(b"GET", b"/", headers)))

    def test_our_own_are_not_to_be_named(self) -> None:
        """A client's Connection cannot remove the proxy's own fields."""
        said = sent(a_request((b"Connection", b"Host, Via, Forwarded"), (b"Host", b"x")))
        self.assertEqual([name for name, _ in said], [b"Host", b"Via", b"Forwarded"])

    def test_kept(self) -> None:
        """What concerns no single connection passes unchanged, in order, with every repetition."""
        pairs = ((b"X-A", b"1"), (b"Accept-Encoding", b"br"), (b"X-a", b"2"), (b"Cookie", b""))
        self.assertEqual(sent(a_request(*pairs)).pairs[1:5], pairs)

    def test_framing(self) -> None:
        """Content-Length is not forwarded, except in a response without a body."""
        headers = Headers(((b"Content-Length", b"5"),))
        self.assertEqual(response_headers(headers, True).pairs, ())
        self.assertEqual(response_headers(headers, False).pairs, headers.pairs)
        self.assertNotIn(b"content-length", sent(Request(b"GET", b"/", headers)))

    def test_host(self) -> None:
        """Host is the origin's own name."""
        said = sent(a_request((b"Host", b"shop.test"), (b"host", b"other")))
        self.assertEqual(said.get_all(b"host"), [b"origin:9090"])


class ForwardedTests(SynchronousTestCase):
    def forwarded(self, *fields: Pair, peer: Peer = PEER, authority: bytes = b"shop.test") -> bytes:
        return sent(a_request(*fields, peer=peer, authority=authority)).get(b"forwarded") or b""

    def test_standard(self) -> None:
        """Forwarded has the client, the host, the scheme and the proxy (RFC 7239)."""
        self.assertEqual(self.forwarded(),
                         b"by=_trk;for=192.0.2.7;host=shop.test;proto=http")

    def test_quoted(self) -> None:
        """A Forwarded value that is not a token is quoted."""
        self.assertIn(b';host="shop.test:8080";', self.forwarded(authority=b"shop.test:8080"))
        self.assertIn(b'host="a\\"b\\\\c"', self.forwarded(authority=b'a"b\\c'))

    def test_ipv6(self) -> None:
        """An IPv6 address is in brackets and quoted, without a zone."""
        self.assertIn(b'for="[2001:db8::1]";', self.forwarded(peer=Peer("2001:db8::1")))
        self.assertIn(b'for="[fe80::1]";', self.forwarded(peer=Peer("fe80::1%eth0")))

    def test_https(self) -> None:
        """The scheme in Forwarded is the client's."""
        self.assertTrue(self.forwarded(peer=Peer("1.2.3.4", secure=True)).endswith(b"proto=https"))

    def test_strange_peer(self) -> None:
        """A peer without an address is unknown."""
        self.assertIn(b"for=unknown", self.forwarded(peer=Peer("/run/socket")))

    def test_appended(self) -> None:
        """Elements of earlier proxies come before the proxy's own in Forwarded."""
        self.assertEqual(
            self.forwarded((b"Forwarded", b"for=10.0.0.1"), (b"forwarded", b'for="[::1]";proto=a')),
            b'for=10.0.0.1, for="[::1]";proto=a, by=_trk;for=192.0.2.7;host=shop.test;proto=http')

    def test_malformed(self) -> None:
        """A malformed Forwarded that could swallow the proxy's own element is not forwarded."""
        for said in (b'for="1.2.3.4', b"for=", b"for", b"for=a b", b'for="a\\"', b"=a",
                     b'for=a;host="x, for=b', b"for=a,", b"for=a;", b"for=a;;by=b", b'for="a"b',
                     b'for=a,"', b'for=a, for="b\\', b"for=a;host=b, =", b'for="a", "b',
                     b"for=a,for=b;", b'for="a\\"b";c, d="', b"for=a ;by=b"):
            self.assertTrue(self.forwarded((b"Forwarded", said)).startswith(b"by=_trk"), said)

    def test_from_x(self) -> None:
        """
        An X-Forwarded-For list is translated to Forwarded; what is no address becomes unknown.
        """
        said = self.forwarded((b"X-Forwarded-For", b'10.0.0.1, ::1, evil";for=1'))
        self.assertTrue(said.startswith(b'for=10.0.0.1, for="[::1]", for=unknown, by='), said)

    def test_from_x_as_asked(self) -> None:
        """
        X-Forwarded fields become Forwarded elements with the first hop's scheme and host (RFC 7239
        section 7.4).
        """
        self.assertEqual(
            self.forwarded((b"X-Forwarded-For", b"203.0.113.9, 10.0.0.1"),
                           (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"dash.example")),
            b"for=203.0.113.9;host=dash.example;proto=https, for=10.0.0.1, "
            b"by=_trk;for=192.0.2.7;host=shop.test;proto=http")

    def test_from_x_without_addresses(self) -> None:
        """A hop that says only how it was asked has an element too."""
        said = self.forwarded((b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Port", b"8443"))
        self.assertTrue(said.startswith(b'host="shop.test:8443";proto=https, by='), said)

    def test_from_x_with_port(self) -> None:
        """A port other than the scheme's own belongs to the host; a client's port is left out."""
        said = self.forwarded(
            (b"X-Forwarded-For", b"203.0.113.9:5678"), (b"X-Forwarded-Host", b"a"),
            (b"X-Forwarded-Port", b"443"), (b"X-Forwarded-Proto", b"https"))
        self.assertTrue(said.startswith(b"for=203.0.113.9;host=a;proto=https, "), said)

    def test_nobody(self) -> None:
        """Requests of the proxy itself say nothing of a client."""
        said = sent(a_request(peer=Peer()), "both")
        self.assertEqual([name for name, _ in said], [b"Host", b"Via"])

    def test_server_name(self) -> None:
        """Any configured server name becomes a token."""
        request = a_request()
        fields = dict(request_fields(request, b"o", ForwardedMode.STANDARD, "my host\r\nX: y"))
        self.assertEqual(fields[b"Via"], b"1.1 my-host--X--y")

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=30))
    def test_last_word(self, said: bytes) -> None:
        """The proxy's own Forwarded element is the last one, whatever the client sent."""
        whole = self.forwarded((b"Forwarded", said))
        self.assertEqual(split_unquoted(whole)[-1].strip(),
                         b"by=_trk;for=192.0.2.7;host=shop.test;proto=http")


def split_unquoted(value: bytes) -> list[bytes]:
    """:return: the elements of a list, split by a reader that knows quotes."""
    elements, quoted, escaped = [bytearray()], False, False
    for octet in value:
        if octet == 0x2C and not quoted:
            elements.append(bytearray())
            continue
        if escaped:
            escaped = False
        elif octet == 0x5C and quoted:
            escaped = True
        elif octet == 0x22:
            quoted = not quoted
        elements[-1].append(octet)
    return [bytes(element) for element in elements]


class ModeTests(SynchronousTestCase):
    def test_x(self) -> None:
        """In mode x, each X-Forwarded field says one thing."""
        said = sent(a_request(), "x")
        self.assertEqual(said.pairs[2:], (
            (b"X-Forwarded-For", b"192.0.2.7"), (b"X-Forwarded-Host", b"shop.test"),
            (b"X-Forwarded-Proto", b"http"), (b"X-Forwarded-Port", b"8480")))

    def test_x_appended(self) -> None:
        """X-Forwarded-For grows by the client; the other fields keep what the first hop said."""
        said = sent(a_request((b"X-Forwarded-For", b"10.0.0.1"), (b"X-Forwarded-For", b"::1"),
                              (b"X-Forwarded-Host", b"dash.example"),
                              (b"X-Forwarded-Proto", b"HTTPS, http"),
                              (b"X-Forwarded-Port", b"8443")), "x")
        self.assertEqual(said.get_all(b"x-forwarded-for"), [b"10.0.0.1, ::1, 192.0.2.7"])
        self.assertEqual(said.get_all(b"x-forwarded-host"), [b"dash.example"])
        self.assertEqual(said.get_all(b"x-forwarded-proto"), [b"https"])
        self.assertEqual(said.get_all(b"x-forwarded-port"), [b"8443"])

    def test_x_invalid(self) -> None:
        """An invalid X-Forwarded field of an earlier hop is not repeated."""
        said = sent(a_request((b"X-Forwarded-Host", b"a b"), (b"X-Forwarded-Proto", b"h;t"),
                              (b"X-Forwarded-Port", b"x")), "x")
        self.assertEqual(said.get_all(b"x-forwarded-host"), [b"shop.test"])
        self.assertEqual(said.get_all(b"x-forwarded-proto"), [b"http"])
        self.assertEqual(said.get_all(b"x-forwarded-port"), [b"8480"])

    def test_x_port(self) -> None:
        """The proxy's own port is not told where the client asked another hop."""
        for fields, port in (
                (((b"X-Forwarded-Proto", b"https"),), b"443"),
                (((b"X-Forwarded-Host", b"a:81"), (b"X-Forwarded-Proto", b"https")), b"81"),
                (((b"X-Forwarded-Host", b"a"),), None)):
            self.assertEqual(sent(a_request(*fields), "x").get(b"x-forwarded-port"), port)
        # Nor where there is none: one socket of a file system knows no ports.
        nowhere = a_request(peer=Peer("192.0.2.7", 999))
        self.assertNotIn(b"x-forwarded-port", sent(nowhere, "x"))

    def test_x_from_standard(self) -> None:
        """A Forwarded list of an earlier hop is translated to X-Forwarded fields."""
        said = sent(a_request((b"Forwarded", b'for=10.0.0.1;proto=x, host=y;For="[::1]"')), "x")
        self.assertEqual(said.get(b"x-forwarded-for"), b"10.0.0.1, ::1, 192.0.2.7")

    def test_both(self) -> None:
        """In mode both, Forwarded and the X-Forwarded fields are sent."""
        said = sent(a_request(), "both")
        self.assertIn(b"forwarded", said)
        self.assertIn(b"x-forwarded-for", said)

    def test_x_from_standard_as_asked(self) -> None:
        """
        Scheme and host of a Forwarded list are sent as C{X-Forwarded-*}, and addresses without
        ports.
        """
        said = sent(a_request((b"Forwarded", b'for="[::1]:4711";proto=https;host="a:81", for=x')),
                    "x")
        self.assertEqual(said.get(b"x-forwarded-for"), b"::1, x, 192.0.2.7")
        self.assertEqual(said.get(b"x-forwarded-host"), b"a:81")
        self.assertEqual(said.get(b"x-forwarded-proto"), b"https")
        self.assertEqual(said.get(b"x-forwarded-port"), b"81")

    def test_none(self) -> None:
        """In mode none nothing is added, and fields of earlier hops stay unchanged."""
        pairs = ((b"Forwarded", b"for=1.1.1.1"), (b"X-Forwarded-For", b"1.1.1.1"),
                 (b"X-Forwarded-Host", b"a"), (b"X-Forwarded-Proto", b"https"))
        said = sent(a_request(*pairs), "none")
        self.assertEqual(said.pairs[1:-1], pairs)
        self.assertEqual(said.pairs[-1][0], b"Via")

    def test_configured(self) -> None:
        """Configured request headers replace forwarding fields, in every mode."""
        request = evolve(a_request((b"X-Forwarded-Proto", b"https"), (b"Forwarded", b"for=a")),
                         configured=frozenset((b"x-forwarded-proto", b"forwarded", b"via")))
        for mode in ForwardedMode:
            said = sent(request, mode.value)
            self.assertEqual(said.get_all(b"x-forwarded-proto"), [b"https"])
            self.assertEqual(said.get_all(b"forwarded"), [b"for=a"])
            self.assertNotIn(b"via", said)

    def test_configured_is_not_to_be_named(self) -> None:
        """A client cannot name away what is configured, such as a tenant."""
        request = evolve(a_request((b"Connection", b"X-Scope-OrgID"), (b"X-Scope-OrgID", b"a")),
                         configured=frozenset((b"x-scope-orgid",)))
        self.assertEqual(sent(request).get(b"x-scope-orgid"), b"a")

    def test_via(self) -> None:
        """Via names the proxy that forwarded the message, and the version in which it came."""
        self.assertEqual(sent(a_request()).get(b"via"), b"1.1 trk")
        old = evolve(a_request((b"Via", b"1.1 a"), (b"via", b"1.0 b")), version=b"HTTP/1.0")
        self.assertEqual(sent(old).get_all(b"via"), [b"1.1 a, 1.0 b, 1.0 trk"])


class UpgradeTests(SynchronousTestCase):
    def test_wanted(self) -> None:
        """An Upgrade is wanted only if Connection names it."""
        self.assertIsNone(upgrade_of(a_request((b"Upgrade", b"websocket"))))
        self.assertIsNone(upgrade_of(a_request((b"Connection", b"upgrade"))))
        self.assertEqual(upgrade_of(a_request((b"Upgrade", b"websocket"),
                                              (b"Connection", b"keep-alive, UPGRADE"))),
                         b"websocket")

    def test_version(self) -> None:
        """HTTP/1.0 has no upgrades (RFC 9110 section 7.8)."""
        request = a_request((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))
        self.assertIsNone(upgrade_of(evolve(request, version=b"HTTP/1.0")))

    def test_http2(self) -> None:
        """HTTP/2 and its settings are removed from an Upgrade."""
        request = a_request((b"Upgrade", b"H2C, websocket"), (b"HTTP2-Settings", b"x"),
                            (b"Connection", b"upgrade, http2-settings"))
        self.assertEqual(upgrade_of(request), b"websocket")
        self.assertNotIn(b"http2-settings", sent(request))

    def test_sent(self) -> None:
        """An Upgrade is forwarded with the Connection that it needs."""
        said = sent(a_request((b"Upgrade", b"websocket"), (b"Connection", b"upgrade")))
        self.assertEqual((said.get(b"connection"), said.get(b"upgrade")),
                         (b"Upgrade", b"websocket"))
