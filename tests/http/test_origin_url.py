"""Tests of L{trickster.http.origin_url}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import ConfigurationError
from trickster.http.origin_url import OriginURL, is_host_name, origin_fault

GOOD = ("http://h", "http://h:9090/", "HTTPS://H.example.", "http://[::1]:9", "http://10.0.0.1",
        "http://h/a%20b/c", "http://h_x-y/~a;b=c,d@e:f!$&'()*+", "http://h/a/../b", "http://h_x", "http://b\u00fccher.example")
BAD = {
    "credentials": ("http://u:p@h", "http://u@h", "http://@h"),
    "begin": ("prometheus:9090", "h:9090", "ftp://h", "//h", "http:h"),
    "host": ("http:///x", "http://", "http://h:", "http://h:0", "http://-h", "http://h-",
             "http://a..b", "http://h..", "http://" + "a" * 64, "http://*", "http://a,b",
             "http://:80", "http://1.2.3", "http://h.0x1.2", "http://\u00fc" + "\u00fc" * 63),
    "URL": ("http://h:99999", "http://h:8x", "http://[::1", "http://[::g]"),
    "query": ("http://h?", "http://h#", "http://h/?a=b"),
    "path": ("http://h/%zz", 'http://h/"', "http://h/[x]", "http://h/\u00e4", "http://h/<", "http://h/a|b", "http://h/{x}"),
    "spaces": (" http://h", "http://h/a b", "http://h\n", ""),
}


class ParseTests(SynchronousTestCase):
    """URLs of origins are parsed."""

    def test_whole(self) -> None:
        """An origin is a scheme, a host, a port and a path."""
        origin = OriginURL.parse("https://Prometheus.Example:9090/a/b%20c/")
        self.assertEqual(origin, OriginURL("https", "prometheus.example", 9090, b"/a/b%20c"))
        self.assertEqual(str(origin), "https://prometheus.example:9090/a/b%20c")

    def test_ports(self) -> None:
        """Each scheme has a default port, which Host leaves out."""
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
        """A host name may have underscores."""
        self.assertEqual(OriginURL.parse("http://my_service:1").host, "my_service")

    def test_no_path(self) -> None:
        """An origin URL whose path is a slash has no path."""
        self.assertEqual(OriginURL.parse("http://a/").prefix, b"")

    def test_good(self) -> None:
        """Host names, addresses, ports and encoded paths are taken."""
        for text in GOOD:
            self.assertEqual(origin_fault(text), "", text)
            OriginURL.parse(text)

    def test_refused(self) -> None:
        """A malformed origin URL is refused, with the reason."""
        for word, texts in BAD.items():
            for text in texts:
                self.assertIn(word, origin_fault(text), text)
                error = self.assertRaises(ConfigurationError, OriginURL.parse, text)
                self.assertIn(word, error.problems[0], text)

    def test_secrets(self) -> None:
        """A password is not repeated in the message that refuses it."""
        error = self.assertRaises(ConfigurationError, OriginURL.parse, "http://u:secret@a")
        self.assertNotIn("secret", str(error))

    @settings(max_examples=200, deadline=None)
    @given(st.text("ahtps:/[].%@?#1 0\xe9-_\x00", max_size=25).map("http://".__add__))
    def test_anything(self, text: str) -> None:
        """Any text is an origin that prints as the same, or is refused."""
        try:
            origin = OriginURL.parse(text)
        except ConfigurationError:
            return
        self.assertEqual(OriginURL.parse(str(origin)), origin)


class HostNameTests(SynchronousTestCase):
    """Names of hosts."""

    def test_names(self) -> None:
        """A host name has letters, digits, hyphens and underscores, and ends in no number."""
        for text in ("a", "A.example", "a.b.", "my_service", "1a", "1.a"):
            self.assertTrue(is_host_name(text), text)
        for text in ("", ".", "a..b", "-a", "a-", "1.2.3", "1", "a b", "a,b", "\u00e4", "a\n"):
            self.assertFalse(is_host_name(text), text)
