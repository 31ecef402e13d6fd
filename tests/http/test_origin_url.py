"""Tests for L{trickster.http.origin_url}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import ConfigurationError
from trickster.http.origin_url import OriginURL


class ParseTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """An origin is a scheme, a host, a port and a path."""
        origin = OriginURL.parse("https://Prometheus.Example:9090/a/b%20c/")
        self.assertEqual(origin, OriginURL("https", "prometheus.example", 9090, b"/a/b%20c"))
        self.assertEqual(str(origin), "https://prometheus.example:9090/a/b%20c")

    def test_ports(self) -> None:
        """Each scheme has its own port, which Host does not mention."""
        for text, port, authority in (("http://a", 80, b"a"), ("https://a/", 443, b"a"),
                                      ("http://a:443", 443, b"a:443"), ("http://a:80", 80, b"a")):
            origin = OriginURL.parse(text)
            self.assertEqual((origin.port, origin.authority), (port, authority))

    def test_addresses(self) -> None:
        """An address is one, and IPv6 is in brackets where a port could follow."""
        origin = OriginURL.parse("http://[2001:DB8::0:1]:9090")
        self.assertEqual((origin.host, origin.authority, origin.is_address, origin.place),
                         ("2001:db8::1", b"[2001:db8::1]:9090", True, "[2001:db8::1]:9090"))
        self.assertTrue(OriginURL.parse("http://127.0.0.1").is_address)
        self.assertFalse(OriginURL.parse("http://localhost").is_address)

    def test_other_scripts(self) -> None:
        """A name in another script is looked up as it is registered."""
        self.assertEqual(OriginURL.parse("http://b\xfccher.example").host,
                         "xn--bcher-kva.example")

    def test_underscores(self) -> None:
        """Names of services may have underscores."""
        self.assertEqual(OriginURL.parse("http://my_service:1").host, "my_service")

    def test_no_path(self) -> None:
        """A slash alone is no path."""
        self.assertEqual(OriginURL.parse("http://a/").prefix, b"")

    def test_refused(self) -> None:
        """What is not an origin is refused, with the reason."""
        for text, word in (
                ("", "empty"), ("http://a b", "spaces"), ("http://a\n", "control"),
                ("prometheus:9090", "scheme"), ("//a", "scheme"), ("ftp://a", "ftp"),
                ("http://", "host"), ("http:///a", "host"), ("http://:80", "host"),
                ("http://a:", "port"), ("http://a:0", "port"), ("http://a:65536", "ort"),
                ("http://a:x", "ort"), ("http://u:p@a", "credentials"), ("http://a?b", "query"),
                ("http://a/?", "query"), ("http://a#b", "fragment"), ("http://a/%zz", "path"),
                ("http://a/<", "path"), ("http://[::g]", ""), ("http://[::1", ""),
                ("http://a..b", "host name"), ("http://-a", "host name"),
                ("http://a,b", "host name"), ("http://" + "a" * 64, "host name")):
            error = self.assertRaises(ConfigurationError, OriginURL.parse, text)
            self.assertIn(word, error.problems[0], text)

    def test_secrets(self) -> None:
        """A password is not repeated in the message that refuses it."""
        error = self.assertRaises(ConfigurationError, OriginURL.parse, "http://u:secret@a")
        self.assertNotIn("secret", str(error))

    @settings(max_examples=200, deadline=None)
    @given(st.text("ahtps:/[].%@?#1 0\xe9-_\x00", max_size=25).map("http://".__add__))
    def test_anything(self, text: str) -> None:
        """Any text is an origin that prints as one, or is refused properly."""
        try:
            origin = OriginURL.parse(text)
        except ConfigurationError:
            return
        self.assertEqual(OriginURL.parse(str(origin)), origin)
