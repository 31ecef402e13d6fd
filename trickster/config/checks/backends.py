"""What backends must be, each by itself and beside each other."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trickster.config.checks.addresses import authority_fault
from trickster.config.checks.fields import check_changes, check_names, check_patterns
from trickster.config.checks.health_checks import check_health_check
from trickster.config.checks.idle import SHARED, said
from trickster.config.document.problems import Problems, shown
from trickster.config.options.backends import BackendOptions, TlsOptions
from trickster.config.options.model import Configuration
from trickster.http.origin_url import origin_fault
from trickster.units import format_duration

# A name is the first segment of paths, and so none of the two that lead elsewhere.
_NAME = re.compile(r"(?!\.{1,2}$)[^\s/?#%\\\x00-\x20\x7f]+")


def check_backends(configuration: Configuration, problems: Problems) -> None:
    """
    :param problems: is told where there is none, of names that cannot begin a path, and of
        what several backends claim: to be the default, or to serve one host.
    """
    backends = configuration.backends
    if not backends:
        problems.at("backends", "there is no backend; name one in backends:, or give "
                    "-origin-url and -provider")
    marked = [name for name, each in backends.items() if each.is_default]
    for name in marked[1:]:
        problems.at(f"backends.{name}.is_default",
                    f"backend {marked[0]!r} is the default already; expected one at most")
    ping = configuration.mgmt.ping_handler_path.lstrip("/").partition("/")[0]
    for name in backends:
        _check_name(name, ("", "frontend", ping), problems)
    _check_hosts(backends, problems)


def _check_name(name: str, reserved: tuple[str, ...], problems: Problems) -> None:
    if name in reserved:
        problems.at(f"backends.{name}", f"the name {name!r} is reserved; expected another")
    elif not _NAME.fullmatch(name):
        problems.at(f"backends.{name}", f"the name {shown(name)} cannot begin a path; expected "
                    "one without spaces and without / ? # % \\")


def _check_hosts(backends: Mapping[str, BackendOptions], problems: Problems) -> None:
    taken: dict[tuple[str, str], str] = {}
    for name, backend in backends.items():
        for number, host in enumerate(backend.hosts):
            path = f"backends.{name}.hosts[{number}]"
            fault = authority_fault(host)
            if fault:
                problems.at(path, fault)
            other = taken.setdefault((backend.listener_name, host.lower()), name)
            if other != name:
                problems.at(path, f"{shown(host)} is served by {other!r} already")


def check_backend(path: str, backend: BackendOptions, problems: Problems) -> None:
    """
    :param path: of the backend in the configuration.
    :param problems: is told of what of its own keys does not fit together; of its C{paths},
        and of the names in it, others tell.
    """
    if not backend.provider:
        problems.at(f"{path}.provider", "is missing; expected for example prometheus, "
                    "reverseproxycache or reverseproxy")
    if not backend.is_virtual:
        _check_origin(f"{path}.origin_url", backend.origin_url, problems)
    _check_shards(path, backend, problems)
    _check_tls(f"{path}.tls", backend.tls, problems)
    if backend.latency_max and backend.latency_min > backend.latency_max:
        problems.at(f"{path}.latency_min", "is longer than latency_max")
    check_health_check(f"{path}.healthcheck", backend.healthcheck, problems)
    check_changes(f"{path}.request_headers", backend.request_headers, problems)
    check_changes(f"{path}.cors.headers", backend.cors.headers if backend.cors else {}, problems)
    check_names(f"{path}.identity_headers", backend.identity_headers, problems)
    check_patterns(f"{path}.override_headers", backend.override_headers, problems)
    if backend.is_virtual:
        _check_virtual(path, backend, problems)


def _check_origin(path: str, url: str, problems: Problems) -> None:
    if not url:
        problems.at(path, "is missing; expected one like http://prometheus:9090")
        return
    fault = origin_fault(url)
    if fault:
        problems.at(path, f"{shown(url)} {fault}; expected one like http://prometheus:9090")


def _check_shards(path: str, backend: BackendOptions, problems: Problems) -> None:
    if backend.shard_max_size_points and backend.shard_max_size_time:
        problems.at(f"{path}.shard_max_size_points",
                    "cannot go with shard_max_size_time; expected one of them")
    step, whole = round(backend.shard_step * 1e9), round(backend.shard_max_size_time * 1e9)
    if step and whole % step:
        problems.at(
            f"{path}.shard_max_size_time",
            f"{format_duration(backend.shard_max_size_time)} is not a multiple of "
            f"shard_step, {format_duration(backend.shard_step)}")


def _check_tls(path: str, tls: TlsOptions, problems: Problems) -> None:
    if bool(tls.client_cert_path) != bool(tls.client_key_path):
        problems.at(path, "client_cert_path and client_key_path need each other")
    if bool(tls.full_chain_cert_path) != bool(tls.private_key_path):
        problems.at(path, "full_chain_cert_path and private_key_path need each other")


def _check_virtual(path: str, backend: BackendOptions, problems: Problems) -> None:
    if backend.request_headers:
        problems.at(f"{path}.request_headers", "has no effect here: it is the members that have "
                    "origins; expected there")
    for idle in said(backend, SHARED, "it is the members that have caches; expected there"):
        problems.at(f"{path}.{idle.key}", f"has no effect here: {idle.text}")
