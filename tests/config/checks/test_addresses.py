"""Tests of C{trickster.config.checks.addresses}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.checks.addresses import (
    address_fault,
    authority_fault,
    is_host,
    network_fault,
    path_fault,
)


class FaultTests(SynchronousTestCase):
    """Hosts, addresses, networks and paths."""

    def test_hosts(self) -> None:
        """An IP address, with a zone too, or a name is a host; a URL or a wildcard is none."""
        for text in ("127.0.0.1", "::1", "fe80::1%eth0", "prom", "a.example.com", "a-b"):
            self.assertTrue(is_host(text), text)
        for text in ("", "http://a", "*.a", "a b", "1.2.3.999", "[::1]"):
            self.assertFalse(is_host(text), text)

    def test_addresses(self) -> None:
        """A listener listens on an address or a name; on all addresses where there is none."""
        for text in ("", "0.0.0.0", "::", "localhost"):
            self.assertEqual(address_fault(text), "")
        self.assertIn("'a:80' is not an address", address_fault("a:80"))

    def test_networks(self) -> None:
        """A network has no bits set beyond its prefix; an address is one of its own."""
        for text in ("10.0.0.0/8", "::/0", "192.0.2.1"):
            self.assertEqual(network_fault(text), "")
        for text in ("10.0.0.1/8", "10.0.0.0/33", "prom"):
            self.assertIn("is not a network", network_fault(text))

    def test_authorities(self) -> None:
        """A host that clients ask for is without scheme, port and wildcard; IPv6 in brackets."""
        for text in ("a.example.com", "127.0.0.1", "[::1]"):
            self.assertEqual(authority_fault(text), "")
        for text in ("a:80", "*.a", "https://a"):
            self.assertIn("is not a host name", authority_fault(text))

    def test_paths(self) -> None:
        """A path begins with a slash, and is of visible ASCII."""
        for text in ("/", "/a/b", "/a%20b"):
            self.assertEqual(path_fault(text), "")
        for text in ("", "a", "/a b", "/\u00e4", "/a\n"):
            self.assertIn("is not a path; expected one that begins with /", path_fault(text))
