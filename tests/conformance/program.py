"""All the cases, and the program that they are run against."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.cases import (
    ages,
    coding,
    directives,
    expiry,
    freshness,
    heuristics,
    invalidating,
    partials,
    staleness,
    storing,
    targeted,
    telling,
    updating,
    validating,
    varying,
)
from tests.end_to_end.servers import Trickster

MODULES = (freshness, ages, expiry, heuristics, directives, varying, validating, updating,
           partials, invalidating, staleness, targeted, storing, coding, telling)

GROUPS = tuple(group for module in MODULES for group in module.GROUPS)


def started(directory: Path, origin_port: int) -> Trickster:
    """
    :param origin_port: of the scripted origin, on loopback.
    :return: C{twistd trickster}: the backend C{plain} has nothing but defaults, the origin
        of C{prefixed} is below a path, C{cookies} keeps answers with C{Set-Cookie}, the others
        honour the directives of clients, everywhere or on one path.
    """
    url = f"http://127.0.0.1:{origin_port}"
    return Trickster(directory, {
        "plain": {"provider": "rpc", "origin_url": url, "is_default": True},
        "prefixed": {"provider": "rpc", "origin_url": f"{url}/prefix"},
        "strict": {"provider": "rpc", "origin_url": url, "honour_request_directives": True},
        "cookies": {"provider": "rpc", "origin_url": url, "paths": [
            {"path": "/", "match_type": "prefix", "cache_set_cookie": True}]},
        "pathwise": {"provider": "rpc", "origin_url": url, "paths": [
            {"path": "/", "match_type": "prefix", "honour_request_directives": True}]},
    })
