"""The middlewares that a configuration names, put around what it names them for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from trickster.config.options.middlewares import MiddlewareOptions
from trickster.contracts import checked_middleware
from trickster.interfaces import IMiddlewareType, IResponder, IRuntime
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
            inner = checked_middleware(kind, inner, options.plugin, self.runtime)
        return inner
