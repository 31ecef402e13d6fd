"""Tests of L{trickster.http.forwarded}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.fields import COUNTED_FIELDS
from trickster.http.forwarded import (
    FORWARDING_FIELDS,
    PRIVATE_NETWORKS,
    Asked,
    Trusted,
    addresses,
    asked,
    client_of,
    counted_value,
    elements,
)
from trickster.messages import Headers


class TrustTests(SynchronousTestCase):
    """Which peers are trusted to say whom they forward for."""

    def test_networks(self) -> None:
        """An address within one of the networks, of either version."""
        trusted = Trusted.of(("10.0.0.0/8", "2001:db8::1"))
        self.assertTrue(trusted.has("10.255.0.1"))
        self.assertTrue(trusted.has("2001:db8::1"))
        for other in ("11.0.0.1", "2001:db8::2", "", "localhost", "/run/socket"):
            self.assertFalse(trusted.has(other), other)

    def test_private(self) -> None:
        """By default the trusted networks are those that are not on the Internet."""
        trusted = Trusted.of(PRIVATE_NETWORKS)
        for host in ("127.0.0.1", "::1", "192.168.1.1", "172.31.0.1", "fd00::1", "fe80::1%eth0"):
            self.assertTrue(trusted.has(host), host)
        for host in ("203.0.113.9", "172.32.0.1", "2001:db8::1", "0.0.0.0"):
            self.assertFalse(trusted.has(host), host)


class ElementTests(SynchronousTestCase):
    """Reading C{Forwarded}."""

    def test_example(self) -> None:
        """The examples of RFC 7239 section 4 are read as they are meant."""
        self.assertEqual(elements(b'for="_gazonk"'), (((b"for", b"_gazonk"),),))
        self.assertEqual(elements(b'For="[2001:db8:cafe::17]:4711"'),
                         (((b"for", b"[2001:db8:cafe::17]:4711"),),))
        self.assertEqual(elements(b"for=192.0.2.60;proto=http;by=203.0.113.43"),
                         (((b"for", b"192.0.2.60"), (b"proto", b"http"), (b"by", b"203.0.113.43")),))
        self.assertEqual(elements(b"for=192.0.2.43, for=198.51.100.17"),
                         (((b"for", b"192.0.2.43"),), ((b"for", b"198.51.100.17"),)))

    def test_quotes(self) -> None:
        """Separators within quotes separate nothing; what is escaped stands for itself."""
        self.assertEqual(elements(rb'a="x,\"y;z";b=1'), (((b"a", b'x,"y;z'), (b"b", b"1")),))

    def test_unclear(self) -> None:
        """A C{Forwarded} that readers could take for different things is ignored."""
        for said in (b"", b"for", b"for=", b"=a", b'for="a', b'for="a\\"', b"for=a,", b"for=a b",
                     b",for=a", b"for=a;", b"for= a", b"for=a\x00"):
            self.assertIsNone(elements(said), said)

    @settings(max_examples=50, deadline=None)
    @given(st.text('abc=",; \\', max_size=40))
    def test_time(self, said: str) -> None:
        """The time to read C{Forwarded} grows no faster than its length."""
        elements(said.encode() * 2000)


class AskedTests(SynchronousTestCase):
    """Scheme and host for which the client asked the first hop."""

    def asked(self, *pairs: tuple[bytes, bytes]) -> Asked:
        return asked(Headers(pairs))

    def test_nothing(self) -> None:
        """Without forwarding fields, nothing is known of the first hop."""
        self.assertFalse(self.asked((b"Host", b"a"), (b"X-Forwarded-For", b"::1")))

    def test_first(self) -> None:
        """Of several values, the first hop's counts."""
        self.assertEqual(self.asked((b"X-Forwarded-Proto", b"https , http"),
                                    (b"X-Forwarded-Host", b"a"), (b"X-Forwarded-Host", b"b")),
                         Asked(b"https", b"a"))

    def test_forwarded(self) -> None:
        """What one family of forwarding fields leaves out is taken from the other."""
        self.assertEqual(self.asked((b"Forwarded", b"proto=https;host=a"),
                                    (b"X-Forwarded-Host", b"b")), Asked(b"https", b"b"))

    def test_addresses(self) -> None:
        """Addresses are taken from C{X-Forwarded-For}, else from C{Forwarded}."""
        self.assertEqual(addresses(Headers(((b"X-Forwarded-For", b"a, b"), (b"Forwarded", b"for=c")))),
                         [b"a", b"b"])
        self.assertEqual(addresses(Headers(((b"Forwarded", b"for=c, proto=x"),))),
                         [b"c", b"unknown"])
        self.assertEqual(addresses(Headers()), [])


class ClientTests(SynchronousTestCase):
    """The address of the client that asked the first proxy."""

    def client(self, *pairs: tuple[bytes, bytes], peer: str = "10.0.0.1") -> str:
        return client_of(Headers(pairs), peer, Trusted.of(PRIVATE_NETWORKS))

    def test_last_that_is_not_trusted(self) -> None:
        """The client is the last hop that is not trusted: what stands before it may be made up."""
        self.assertEqual(self.client((b"X-Forwarded-For", b"1.1.1.1, 203.0.113.9, 10.0.0.2")),
                         "203.0.113.9")
        self.assertEqual(self.client((b"Forwarded", b'for="[2001:db8::1]:80";proto=https')),
                         "2001:db8::1")

    def test_all_trusted(self) -> None:
        """Where all hops are trusted, the client is the first hop's."""
        self.assertEqual(self.client((b"X-Forwarded-For", b"10.0.0.3, 10.0.0.2")), "10.0.0.3")

    def test_unclear(self) -> None:
        """A value that is no address ends the chain of hops."""
        self.assertEqual(self.client((b"X-Forwarded-For", b"1.1.1.1, unknown, 10.0.0.2")), "10.0.0.2")
        for said in (b"unknown", b"_hidden", b"10.0.0.1"):
            self.assertEqual(self.client((b"X-Forwarded-For", said)), "")
        self.assertEqual(self.client((b"X-Forwarded-Proto", b"https")), "")


class CountedTests(SynchronousTestCase):
    """Which values of forwarding fields an answer may depend on."""

    def test_names(self) -> None:
        """Counted forwarding fields are among those that only trusted hops may set."""
        self.assertLess(set(COUNTED_FIELDS), FORWARDING_FIELDS)
        self.assertEqual(FORWARDING_FIELDS, {b"forwarded"} | {
            b"x-forwarded-" + each
            for each in (b"by", b"for", b"host", b"port", b"proto", b"server")})

    def test_addresses_do_not_count(self) -> None:
        """Addresses of clients are not counted, or no two clients would share an answer."""
        for said in (b"for=1.1.1.1", b"by=_a;for=b, for=c"):
            self.assertIsNone(counted_value(b"forwarded", Headers(((b"Forwarded", said),))))

    def test_rest_counts(self) -> None:
        """Scheme, host and all other parameters are counted, of every hop."""
        values = [counted_value(b"forwarded", Headers(((b"Forwarded", said),))) for said in (
            b"for=a;host=x", b"for=a;host=y", b"for=a;host=x, for=b;proto=https", b"secret=1",
            b'host="x', b"host=x;proto=https", b'host="x;proto=https"',
            rb'host="x\";proto=\"https"')]
        self.assertEqual(len(set(values)), len(values))
        self.assertEqual(values[0], counted_value(
            b"forwarded", Headers(((b"forwarded", b'for=b;HOST="x";by=c'),))))

    def test_others(self) -> None:
        """The C{X-Forwarded-*} fields are counted as they are."""
        for said in (b"a", b"for=a", b"by=a, for=b"):
            self.assertEqual(counted_value(
                b"x-forwarded-host", Headers(((b"X-Forwarded-Host", said),))), said)
        self.assertIsNone(counted_value(b"x-forwarded-host", Headers()))
