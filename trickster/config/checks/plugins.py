"""What plugins say of the options that they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface.interface import InterfaceClass

from trickster.config.document.problems import Problems
from trickster.config.options.backends import BackendOptions
from trickster.config.options.model import Configuration
from trickster.errors import PluginError
from trickster.interfaces import ICheckedOptions, IMiddlewareType, IStoreType
from trickster.routes import Route

# From an origin type's name and its options to its routes; raises L{PluginError}.
Routes = Callable[[str, Any], Sequence[Route]]
# From what a plugin provides, and the name and the options of what is to be made of it, to
# nothing; raises L{PluginError} where it cannot be made.
Check = Callable[[InterfaceClass, str, Any], None]


def check_plugins(configuration: Configuration, check: Check, problems: Problems) -> None:
    """
    :param check: of one store or middleware.
    :param problems: is told of each cache and each middleware that cannot be made, and of the
        options of which it cannot.
    """
    made: list[tuple[InterfaceClass, str, str, str, Any]] = [
        *((IStoreType, "caches", name, "provider", cache)
          for name, cache in configuration.caches.items()),
        *((IMiddlewareType, "middlewares", name, "kind", middleware)
          for name, middleware in configuration.middlewares.items())]
    for interface, group, name, key, options in made:
        path = f"{group}.{name}"
        kind = options.store if interface is IStoreType else options.kind
        if options.plugin is None or _has_faults(f"{path}.{kind}", options.plugin, problems):
            continue
        try:
            check(interface, name, options)
        except PluginError as error:
            problems.at(f"{path}.{key}", str(error))


def _has_faults(block: str, options: Any, problems: Problems) -> bool:
    if not ICheckedOptions.providedBy(options):
        return False
    faults = list(options.faults())
    for key, text in faults:
        problems.at(f"{block}.{key}", text)
    return bool(faults)


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
