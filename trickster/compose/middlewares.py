"""The middlewares that a configuration names, put around what it names them for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen
from zope.interface import implementer

from trickster.config.options.middlewares import MiddlewareOptions
from trickster.contracts import checked_middleware
from trickster.errors import BrokenPlugin
from trickster.http.h1.encoding import can_be_sent
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime
from trickster.messages import Headers, Request, Response
from trickster.plugins import MIDDLEWARES, Plugins


@frozen
class Middlewares:
    """
    The middlewares of a configuration.

    :ivar configured: their options, by name.
    """

    configured: Mapping[str, MiddlewareOptions]
    plugins: Plugins
    runtime: IRuntime

    def around(self, inner: IResponder, names: Sequence[str]) -> IResponder:
        """
        :param names: of middlewares, the outermost first.
        :return: the responder with all of them around it; itself where there are none.
        :raises PluginError: one of them cannot be used.
        """
        for name in reversed(names):
            options = self.configured[name]
            kind = self.plugins.load(MIDDLEWARES, options.kind, IMiddlewareType)
            around = checked_middleware(kind, inner, options.plugin, self.runtime)
            inner = _Verified(around, name)
        return inner


@implementer(IResponder)
@frozen
class _Verified:
    """
    A middleware, where what it answers with is looked at: a fault is told with its name, and
    not as one of what stands around it.
    """

    around: IResponder
    name: str

    async def respond(self, request: Request) -> Response:
        response = await self.around.respond(request)
        fault = _fault(response)
        if fault:
            raise BrokenPlugin(f"middleware {self.name!r} is broken: it answers with {fault}")
        return response


def _fault(response: Response) -> str:
    if not _is(response, Response):
        return f"{type(response).__name__}, which is no Response"
    if not hasattr(response.body, "read"):
        return f"a body that is {type(response.body).__name__}, and no Octets or other IBody"
    fault = ""
    if not (_is(response.status, int) and 100 <= response.status <= 599 and _is(
            response.headers, Headers)):
        fault = "a status that is no status code, or headers that are no Headers"
    elif not can_be_sent(response):
        fault = "header fields that are no octets, or have line ends in them"
    if fault:
        response.body.close()
    return fault


def _is(given: object, kind: type) -> bool:
    return isinstance(given, kind)
