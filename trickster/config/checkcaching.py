"""Whether what a backend says about its caches can have an effect."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trickster.config.backends import BackendOptions
from trickster.config.paths import PathOptions
from trickster.config.problems import Problems, shown
from trickster.identity import IDENTITY_HEADERS, OVERRIDE_HEADERS

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Origin types of which nothing is cached unless a path says so.
_UNCACHED = ("reverseproxy", "proxy", "rp")
_UNCACHED_HANDLERS = ("proxy", "localresponse")
_DEFAULTS = {"identity_headers": IDENTITY_HEADERS, "override_headers": OVERRIDE_HEADERS}


def check_caching(within: str, backend: BackendOptions, problems: Problems) -> None:
    """
    :param within: path of the backend in the configuration.
    """
    for key, default in _DEFAULTS.items():
        names = getattr(backend, key)
        _check_names(f"{within}.{key}", names, problems)
        if names != default and not _shares_answers(backend):
            problems.at(f"{within}.{key}", "has no effect here: no answer of this backend is "
                        "given to more than one client")
    for number, each in enumerate(backend.paths):
        at = f"{within}.paths.{each.name}" if each.name else f"{within}.paths[{number}]"
        _check_names(f"{at}.cache_key_headers", each.cache_key_headers or (), problems)
        if each.cache_set_cookie is not None and not _is_cached(backend, each):
            problems.at(f"{at}.cache_set_cookie", "has no effect here: the path is not cached")


def _shares_answers(backend: BackendOptions) -> bool:
    if backend.is_virtual or backend.proxy_only:
        return False
    return backend.origin_type not in _UNCACHED or any(
        _is_cached(backend, each) or each.is_progressive for each in backend.paths)


def _is_cached(backend: BackendOptions, each: PathOptions) -> bool:
    if backend.is_virtual or backend.proxy_only:
        return False
    if each.handler is None:
        return backend.origin_type not in _UNCACHED
    return each.handler not in _UNCACHED_HANDLERS


def _check_names(at: str, names: Iterable[str], problems: Problems) -> None:
    for number, name in enumerate(names):
        if not _TOKEN.fullmatch(name):
            problems.at(f"{at}[{number}]", f"{shown(name)} is not a header name")
