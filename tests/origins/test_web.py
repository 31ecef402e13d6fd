"""Plain web origins."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.interfaces import IOriginType
from trickster.origins.web import WebOptions, reverse_proxy, reverse_proxy_cache
from trickster.routes import Match, Serve


class WebOriginTests(SynchronousTestCase):
    """The origin types of plain web origins."""

    def test_interface(self) -> None:
        """Plain web origins are origin types without a dialect."""
        for kind in (reverse_proxy, reverse_proxy_cache):
            verifyObject(IOriginType, kind)
            self.assertIsInstance(kind.options(), WebOptions)
            self.assertEqual({r.dialect for r in kind.routes(WebOptions())}, {None})

    def test_names(self) -> None:
        """The names of plain web origins are the providers of a configuration."""
        self.assertEqual([reverse_proxy.name, reverse_proxy_cache.name],
                         ["reverseproxy", "reverseproxycache"])

    def test_proxy_never_caches(self) -> None:
        """A reverse proxy passes all requests through."""
        [route] = reverse_proxy.routes(WebOptions())
        self.assertEqual((route.path, route.match, route.methods, route.serve),
                         ("/", Match.PREFIX, ("*",), Serve.PROXY))

    def test_cache_keeps_what_is_read(self) -> None:
        """A caching reverse proxy stores responses to GET and HEAD, and passes the rest through."""
        read, rest = reverse_proxy_cache.routes(WebOptions())
        self.assertEqual((read.methods, read.serve), (("GET", "HEAD"), Serve.OBJECT))
        self.assertEqual((rest.methods, rest.serve), (("*",), Serve.PROXY))
        self.assertIsNone(read.ttl)

    def test_probe(self) -> None:
        """Any success of the root path is healthy."""
        probe = reverse_proxy_cache.probe(WebOptions())
        assert probe is not None
        self.assertEqual((probe.method, probe.target), (b"GET", b"/"))
        self.assertIn(204, probe.expected)
        self.assertNotIn(302, probe.expected)
