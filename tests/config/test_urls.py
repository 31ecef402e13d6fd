"""Tests for L{trickster.config.urls}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.urls import origin_fault
from trickster.errors import ConfigurationError
from trickster.http.origin_url import OriginURL

GOOD = ("http://h", "http://h:9090/", "HTTPS://H.example.", "http://[::1]:9", "http://10.0.0.1",
        "http://h/a%20b/c", "http://h_x-y/~a;b=c,d@e:f!$&'()*+", "http://h/a/../b")
BAD = {
    "credentials": ("http://u:p@h", "http://u@h", "http://@h"),
    "begin": ("h:9090", "ftp://h", "//h", "http:h"),
    "host": ("http:///x", "http://", "http://h:", "http://h:0", "http://-h", "http://h-",
             "http://a..b", "http://h..", "http://" + "a" * 64, "http://*"),
    "URL": ("http://h:99999", "http://h:8x", "http://[::1"),
    "query": ("http://h?", "http://h#", "http://h/?a=b"),
    "path": ("http://h/%zz", 'http://h/"', "http://h/[x]", "http://h/a|b", "http://h/{x}"),
    "spaces": (" http://h", "http://h/a b", "http://h/\u00e4", "http://h\n", ""),
}


class OriginTests(SynchronousTestCase):
    """Which URLs can be an origin's."""

    def test_good(self) -> None:
        """Hosts, addresses, ports and encoded paths can."""
        for url in GOOD:
            self.assertEqual(origin_fault(url), "", url)

    def test_bad(self) -> None:
        """What cannot be one says why."""
        for word, urls in BAD.items():
            for url in urls:
                self.assertIn(word, origin_fault(url), url)

    def test_what_is_connected_to(self) -> None:
        """What passes here can be connected to: nothing is found out only at the start."""
        for url in (*GOOD, *(url for urls in BAD.values() for url in urls)):
            if not origin_fault(url):
                OriginURL.parse(url)
            elif "\u00e4" not in url:
                self.assertRaises(ConfigurationError, OriginURL.parse, url)
