"""What plugins say of the options that they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface.interface import InterfaceClass

from trickster.config.document.problems import Problems
from trickster.config.options.backends import BackendOptions
from trickster.config.options.model import Configuration
from trickster.errors import PluginError
from trickster.interfaces import IMiddlewareType, IStoreType
from trickster.routes import Route

# From an origin type's name and its options to its routes; raises L{PluginError}.
Routes = Callable[[str, Any], Sequence[Route]]
# From what a plugin provides, and the name and the options of what is to be made of it, to
# nothing; raises L{PluginError} where it cannot be made.
Check = Callable[[InterfaceClass, str, Any], None]


def check_plugins(configuration: Configuration, check: Check, problems: Problems) -> None:
    """
    :param check: of one store or middleware.
    :param problems: is told of each cache and each middleware that cannot be made.
    """
    made: list[tuple[InterfaceClass, str, str, Any]] = [
        *((IStoreType, f"caches.{name}.provider", name, cache)
          for name, cache in configuration.caches.items()),
        *((IMiddlewareType, f"middlewares.{name}.kind", name, middleware)
          for name, middleware in configuration.middlewares.items())]
    for interface, path, name, options in made:
        if options.plugin is None:
            continue
        try:
            check(interface, name, options)
        except PluginError as error:
            problems.at(path, str(error))


def routes_of(path: str, backend: BackendOptions, routes: Routes,
              problems: Problems) -> Sequence[Route] | None:
    """
    :param path: of the backend in the configuration.
    :param problems: is told where its origin type does not have routes as they must be.
    :return: the routes of the backend's origin type; None where they are not known.
    """
    if backend.plugin is None:
        return None
    try:
        return routes(backend.origin_type, backend.plugin)
    except PluginError as error:
        problems.at(f"{path}.provider", str(error))
        return None
