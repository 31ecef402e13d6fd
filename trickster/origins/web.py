"""Plain web origins: passed through, or kept whole by the rules of HTTP caching."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from zope.interface import implementer

from trickster.interfaces import IOriginType
from trickster.routes import ALL_METHODS, READ_METHODS, Match, Probe, Route, Serve

HEALTHY = tuple(range(200, 300))


@frozen
class WebOptions:
    """Nothing beyond what every backend has."""


@implementer(IOriginType)
@frozen
class WebOrigin:
    """
    An HTTP server of which nothing more is known.

    :ivar name: as C{provider} has it.
    :ivar caches: whether answers to GET and HEAD are kept.
    """

    name: str
    caches: bool
    options: type = WebOptions

    def routes(self, options: WebOptions) -> Sequence[Route]:
        """
        :return: everything below C{/}; only reading can be answered from a cache.
        """
        rest = Route("/", Serve.PROXY, Match.PREFIX, ALL_METHODS, "proxy")
        if not self.caches:
            return (rest,)
        return (Route("/", Serve.OBJECT, Match.PREFIX, READ_METHODS, "proxycache"), rest)

    def probe(self, options: WebOptions) -> Probe | None:
        """:return: whether C{/} answers with any success."""
        return Probe(b"/", expected=HEALTHY)


reverse_proxy_cache = WebOrigin("reverseproxycache", caches=True)
reverse_proxy = WebOrigin("reverseproxy", caches=False)
