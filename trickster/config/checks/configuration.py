"""What the parts of a configuration must be, and to one another."""

from __future__ import annotations

import re

from trickster.config.checks.backends import check_backend, check_backends
from trickster.config.checks.caches import check_caches
from trickster.config.checks.cycles import check_cycles
from trickster.config.checks.endpoints import check_endpoints
from trickster.config.checks.hereafter import check_hereafter
from trickster.config.checks.listeners import check_listeners
from trickster.config.checks.paths import check_paths, check_routes
from trickster.config.checks.plugins import Routes, routes_of
from trickster.config.checks.references import check_references
from trickster.config.document.problems import Problems, shown
from trickster.config.options.model import Configuration
from trickster.config.options.workers import number_of
from trickster.http.forwarded import pseudonym
from trickster.messages import NEVER_STORED

# RFC 1035 section 2.3.4: no name of a host is longer.
_LONGEST_NAME = 255


def check(configuration: Configuration, routes: Routes, problems: Problems) -> None:
    """
    :param routes: of origin types.
    :param problems: is told of all that does not fit.
    """
    _check_server_name(configuration.main.server_name, problems)
    _check_workers(configuration.main.workers, problems)
    check_listeners(configuration, problems)
    check_endpoints(configuration.mgmt, problems)
    _check_negative_caches(configuration, problems)
    check_caches(configuration, problems)
    check_backends(configuration, problems)
    for name, backend in configuration.backends.items():
        path = f"backends.{name}"
        check_backend(path, backend, problems)
        check_paths(path, backend, problems)
        known = routes_of(path, backend, routes, problems)
        if known is not None:
            check_routes(path, backend, known, problems)
    check_references(configuration, problems)
    check_hereafter(configuration, problems)
    check_cycles(configuration, problems)


def _check_server_name(name: str, problems: Problems) -> None:
    sent = pseudonym(name).decode("ascii")
    if len(name) > _LONGEST_NAME:
        problems.at("main.server_name", f"{shown(name)} is too long a name; expected "
                    f"at most {_LONGEST_NAME} characters")
    elif name and sent != name:
        problems.remark("main.server_name", f"is sent as {sent!r}, since {shown(name)} "
                        "is no name for Via and Forwarded")


def _check_workers(workers: str, problems: Problems) -> None:
    try:
        number_of(workers, lambda: 1)
    except ValueError as error:
        problems.at("main.workers", f"{shown(workers)} is no number of processes; {error}")


def _check_negative_caches(configuration: Configuration, problems: Problems) -> None:
    for name, ttls in configuration.negative_caches.items():
        for code in ttls:
            path = f"negative_caches.{name}.{code}"
            if not re.fullmatch(r"[45][0-9]{2}", code):
                problems.at(path, f"{shown(code)} is not a status code of a failure; "
                            "expected one from 400 to 599")
            elif int(code) in NEVER_STORED:
                problems.at(path, f"answers with status {code} are about one request, and are "
                            "never kept (RFC 6585, RFC 9110); leave it out")
