"""What the parts of a configuration must be to one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from trickster.config.checks.addresses import address_fault, authority_fault, network_fault
from trickster.config.checks.cycles import check_cycles
from trickster.config.checks.fields import (
    check_changes,
    check_expected,
    check_fields,
    check_method,
    check_name,
    check_names,
    check_patterns,
)
from trickster.config.checks.idle import SHARED, said
from trickster.config.checks.paths import check_paths, check_routes
from trickster.config.document.problems import BUILT_IN, Problems, meant, one_of, shown
from trickster.config.options.backends import VIRTUAL_PROVIDERS, BackendOptions
from trickster.config.options.hereafter import AlbOptions, UserRouterOptions
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration
from trickster.errors import PluginError
from trickster.http.forwarded import pseudonym
from trickster.http.origin_url import origin_fault
from trickster.messages import NEVER_STORED
from trickster.routes import Route
from trickster.units import format_duration

Routes = Callable[[str, Any], Sequence[Route]]

_NAME = re.compile(r"(?!\.{1,2}$)[^\s/?#%\\\x00-\x20\x7f]+")
_ANY = ("", "0.0.0.0", "::", "*")
# Mechanisms that choose by other things than the members of a pool.
_POOLLESS = ("ur", "user_router")

# RFC 1035 section 2.3.4: no name of a host is longer.
_LONGEST_NAME = 255


def check(configuration: Configuration, routes: Routes, problems: Problems) -> None:
    """
    :param routes: from an origin type's name and its options to its routes; raises
        L{PluginError}.
    :param problems: is told of all that does not fit.
    """
    checks = _Checks(configuration, problems)
    checks.check_main()
    checks.check_listeners()
    checks.check_mgmt()
    checks.check_negative_caches()
    checks.check_backends()
    for name, backend in configuration.backends.items():
        checks.check_backend(name, backend)
        check_paths(f"backends.{name}", backend, problems)
        known = checks.routes(f"backends.{name}", backend, routes)
        if known is not None:
            check_routes(f"backends.{name}", backend, known, problems)
    checks.check_references()
    checks.check_middlewares()
    checks.check_later()
    check_cycles(configuration, problems)


@define
class _Checks:
    configuration: Configuration
    problems: Problems
    _known: dict[str, Collection[str]] = field(init=False)

    def check_main(self) -> None:
        name = self.configuration.main.server_name
        sent = pseudonym(name).decode("ascii")
        if len(name) > _LONGEST_NAME:
            self.problems.at("main.server_name", f"{shown(name)} is too long a name; expected "
                             f"at most {_LONGEST_NAME} characters")
        elif name and sent != name:
            self.problems.remark("main.server_name", f"is sent as {sent!r}, since {shown(name)} "
                                 "is no name for Via and Forwarded")

    def check_listeners(self) -> None:
        taken: list[tuple[str, ListenerOptions]] = []
        opened = self.configuration.opened
        self._remark_unused(opened)
        for name, listener in self.configuration.listeners.items():
            fault = address_fault(listener.address)
            if fault:
                self.problems.at(f"listeners.{name}.address", fault)
            for number, network in enumerate(listener.trusted_proxies):
                fault = network_fault(network)
                if fault:
                    self.problems.at(f"listeners.{name}.trusted_proxies[{number}]", fault)
            if name not in opened or self.problems.is_unread(f"listeners.{name}.port"):
                continue
            for other, before in taken:
                if _is_same(listener, before):
                    self._tell_same(name, other, listener.port)
                    break
            taken.append((name, listener))
        closed = [name for name, each in self.configuration.frontends.items()
                  if not each.is_open and name in {
                      b.listener_name for b in self.configuration.backends.values()}]
        for name in closed:
            self.problems.at(f"listeners.{name}.port",
                             "there are backends on this listener; expected a port above 0")

    def _remark_unused(self, opened: Collection[str]) -> None:
        for name, listener in self.configuration.frontends.items():
            path = f"listeners.{name}"
            is_said = self.problems.place_of(f"{path}.port") != BUILT_IN
            if listener.is_open and name not in opened and is_said:
                self.problems.remark(path, "is not opened: no backend is on it")

    def _tell_same(self, name: str, other: str, port: int) -> None:
        # Of the two, the one that is written in the file.
        if self.problems.place_of(f"listeners.{name}.port") == BUILT_IN:
            name, other = other, name
        self.problems.at(f"listeners.{name}.port", f"port {port} is that of listener {other!r} "
                         "too; expected another port or address")

    def check_mgmt(self) -> None:
        mgmt = self.configuration.mgmt
        used = {"/metrics": "the metrics"}
        for key in ("config_handler_path", "ping_handler_path", "health_handler_path"):
            path = getattr(mgmt, key)
            if not path:
                continue
            if not _is_path(path):
                self.problems.at(
                    f"mgmt.{key}", f"{shown(path)} is not a path; expected one that begins with /")
            elif path.rstrip("/") in used:
                self.problems.at(f"mgmt.{key}", f"{path} is that of {used[path.rstrip('/')]} too; "
                                 "expected a path of its own")
            used.setdefault(path.rstrip("/"), key)

    def check_negative_caches(self) -> None:
        for name, ttls in self.configuration.negative_caches.items():
            for code in ttls:
                if not re.fullmatch(r"[45][0-9]{2}", code):
                    self.problems.at(
                        f"negative_caches.{name}.{code}",
                        f"{shown(code)} is not a status code of a failure; "
                        "expected one from 400 to 599")
                elif int(code) in NEVER_STORED:
                    self.problems.at(
                        f"negative_caches.{name}.{code}", f"answers with status {code} are about "
                        "one request, and are never kept (RFC 6585, RFC 9110); leave it out")

    def check_backends(self) -> None:
        backends = self.configuration.backends
        if not backends:
            self.problems.at("backends", "there is no backend; name one in backends:, or give "
                             "-origin-url and -provider")
        marked = [name for name, each in backends.items() if each.is_default]
        for name in marked[1:]:
            self.problems.at(
                f"backends.{name}.is_default",
                f"backend {marked[0]!r} is the default already; expected one at most")
        self._check_hosts(backends)

    def _check_hosts(self, backends: Mapping[str, BackendOptions]) -> None:
        taken: dict[tuple[str, str], str] = {}
        for name, backend in backends.items():
            for number, host in enumerate(backend.hosts):
                path = f"backends.{name}.hosts[{number}]"
                fault = authority_fault(host)
                if fault:
                    self.problems.at(path, fault)
                other = taken.setdefault((backend.listener_name, host.lower()), name)
                if other != name:
                    self.problems.at(path, f"{shown(host)} is served by {other!r} already")

    def check_backend(self, name: str, backend: BackendOptions) -> None:
        path = f"backends.{name}"
        self._check_name(name, path)
        if not backend.provider:
            self.problems.at(f"{path}.provider", "is missing; expected for example prometheus, "
                             "reverseproxycache or reverseproxy")
        if backend.provider not in VIRTUAL_PROVIDERS:
            self._check_origin(backend, path)
        self._check_shards(backend, path)
        if bool(backend.tls.client_cert_path) != bool(backend.tls.client_key_path):
            self.problems.at(f"{path}.tls", "client_cert_path and client_key_path need each other")
        if bool(backend.tls.full_chain_cert_path) != bool(backend.tls.private_key_path):
            self.problems.at(
                f"{path}.tls", "full_chain_cert_path and private_key_path need each other")
        if backend.latency_max and backend.latency_min > backend.latency_max:
            self.problems.at(f"{path}.latency_min", "is longer than latency_max")
        self._check_probe(backend, path)
        check_changes(f"{path}.request_headers", backend.request_headers, self.problems)
        check_changes(f"{path}.cors.headers", backend.cors.headers if backend.cors else {},
                      self.problems)
        check_names(f"{path}.identity_headers", backend.identity_headers, self.problems)
        check_patterns(f"{path}.override_headers", backend.override_headers, self.problems)
        if backend.is_virtual:
            self._check_virtual(backend, path)

    def _check_virtual(self, backend: BackendOptions, path: str) -> None:
        if backend.request_headers:
            self.problems.at(f"{path}.request_headers", "has no effect here: it is the members "
                             "that have origins; expected there")
        for idle in said(backend, SHARED, "it is the members that have caches; expected there"):
            self.problems.at(f"{path}.{idle.key}", f"has no effect here: {idle.text}")

    def _check_name(self, name: str, path: str) -> None:
        own = self.configuration.mgmt.ping_handler_path.lstrip("/").partition("/")[0]
        if name in ("", "frontend", own):
            self.problems.at(path, f"the name {name!r} is reserved; expected another")
        elif not _NAME.fullmatch(name):
            self.problems.at(path, f"the name {shown(name)} cannot begin a path; expected one "
                             "without spaces and without / ? # % \\")

    def _check_origin(self, backend: BackendOptions, path: str) -> None:
        if not backend.origin_url:
            self.problems.at(f"{path}.origin_url", "is missing; expected one like "
                             "http://prometheus:9090")
            return
        fault = origin_fault(backend.origin_url)
        if fault:
            self.problems.at(f"{path}.origin_url", f"{shown(backend.origin_url)} {fault}; "
                             "expected one like http://prometheus:9090")

    def _check_shards(self, backend: BackendOptions, path: str) -> None:
        if backend.shard_max_size_points and backend.shard_max_size_time:
            self.problems.at(f"{path}.shard_max_size_points",
                             "cannot go with shard_max_size_time; expected one of them")
        step, whole = round(backend.shard_step * 1e9), round(backend.shard_max_size_time * 1e9)
        if step and whole % step:
            self.problems.at(
                f"{path}.shard_max_size_time",
                f"{format_duration(backend.shard_max_size_time)} is not a multiple of "
                f"shard_step, {format_duration(backend.shard_step)}")

    def _check_probe(self, backend: BackendOptions, path: str) -> None:
        probe = backend.healthcheck
        if probe.path is not None and not _is_path(probe.path):
            self.problems.at(f"{path}.healthcheck.path", f"{shown(probe.path)} is not a path; "
                             "expected one that begins with /")
        if probe.host is not None and ("/" in probe.host or origin_fault(f"http://{probe.host}")):
            self.problems.at(f"{path}.healthcheck.host", f"{shown(probe.host)} is not a host; "
                             "expected one such as prometheus:9090")
        if probe.timeout < probe.patience:
            self.problems.remark(f"{path}.healthcheck.timeout",
                                 f"is taken for {format_duration(probe.patience)}")
        if probe.query is not None and re.fullmatch(r"[!-\"$-~]*", probe.query) is None:
            self.problems.at(f"{path}.healthcheck.query", f"{shown(probe.query)} is not a query; "
                             "expected visible ASCII without #, all else percent-encoded")
        check_method(f"{path}.healthcheck.verb", probe.verb, self.problems)
        check_fields(f"{path}.healthcheck.headers", probe.headers, self.problems)
        check_expected(f"{path}.healthcheck.expected_headers", probe.expected_headers or {},
                       self.problems)
        for number, code in enumerate(probe.expected_codes or ()):
            if not 100 <= code <= 599:
                self.problems.at(f"{path}.healthcheck.expected_codes[{number}]",
                                 f"{code} is no status code; expected one from 100 to 599")

    def routes(self, path: str, backend: BackendOptions, routes: Routes) -> Sequence[Route] | None:
        """The routes of a backend's origin type; None where they are not known."""
        if backend.plugin is None:
            return None
        try:
            return routes(backend.origin_type, backend.plugin)
        except PluginError as error:
            self.problems.at(f"{path}.provider", str(error))
            return None

    def check_references(self) -> None:
        for name, backend in self.configuration.backends.items():
            path = f"backends.{name}"
            self._refer_backend(path, backend)
            for number, each in enumerate(backend.paths):
                within = f"{path}.paths.{each.name}" if each.name else f"{path}.paths[{number}]"
                self._refer(f"{within}.req_rewriter_name", each.req_rewriter_name, "rewriter")
                self._refer(f"{within}.authenticator_name", each.authenticator_name,
                            "authenticator")
        self._refer_rules()
        for name, rewriter in self.configuration.request_rewriters.items():
            for number, words in enumerate(rewriter.instructions):
                if words[:2] == ("chain", "exec"):
                    self._refer(f"request_rewriters.{name}.instructions[{number}]",
                                "".join(words[2:3]), "rewriter")

    def check_middlewares(self) -> None:
        used = set(self._refer_middlewares())
        for name, middleware in self.configuration.middlewares.items():
            path = f"middlewares.{name}"
            if not middleware.kind and not self.problems.is_unread(f"{path}.kind"):
                self.problems.at(f"{path}.kind", "is missing; expected what is installed, for "
                                 "example rewriting")
            if name not in used:
                self.problems.remark(path, "has no effect: no listener, backend or path names "
                                     "it in its middlewares")

    def _refer_middlewares(self) -> Iterator[str]:
        it = self.configuration
        named = {f"listeners.{name}": each.middlewares for name, each in it.listeners.items()}
        for name, backend in it.backends.items():
            named[f"backends.{name}"] = backend.middlewares
            for number, path in enumerate(backend.paths):
                within = f"paths.{path.name}" if path.name else f"paths[{number}]"
                named[f"backends.{name}.{within}"] = path.middlewares or ()
        for within, middlewares in named.items():
            for number, name in enumerate(middlewares):
                self._refer(f"{within}.middlewares[{number}]", name, "middleware", may_be_none=False)
                yield name

    def check_later(self) -> None:
        """Check header fields of what is read already, and has an effect in a later release."""
        it = self.configuration
        for name, rule in it.rules.items():
            if rule.input_source == "header":
                check_name(f"rules.{name}.input_key", rule.input_key, self.problems)
        for name, rewriter in it.request_rewriters.items():
            for number, words in enumerate(rewriter.instructions):
                if words[:1] == ("header",) and len(words) > 2:
                    check_name(f"request_rewriters.{name}.instructions[{number}]", words[2],
                               self.problems)
        for name, tracer in it.tracing.items():
            check_fields(f"tracing.{name}.headers", tracer.headers, self.problems)

    def _refer_backend(self, path: str, backend: BackendOptions) -> None:
        self._refer(f"{path}.cache_name", backend.cache_name, "cache")
        self._refer(f"{path}.negative_cache_name", backend.negative_cache_name, "negative cache")
        self._refer(f"{path}.tracing_name", backend.tracing_name, "tracer")
        self._refer(f"{path}.listener_name", backend.listener_name, "listener")
        self._refer(f"{path}.authenticator_name", backend.authenticator_name, "authenticator")
        self._refer(f"{path}.req_rewriter_name", backend.req_rewriter_name, "rewriter")
        self._refer(f"{path}.rule_name", backend.rule_name, "rule")
        if backend.provider == "rule" and not backend.rule_name:
            self.problems.at(f"{path}.rule_name", "is missing; expected the name of a rule")
        alb = backend.alb or AlbOptions()
        if backend.provider == "alb" and not alb.pool and alb.mechanism not in _POOLLESS:
            self.problems.at(f"{path}.alb.pool", "is missing; expected names of backends")
        for number, member in enumerate(alb.pool):
            self._refer(f"{path}.alb.pool[{number}]", member, "backend", may_be_none=False)
        self._refer_users(f"{path}.alb.user_router", alb.user_router)

    def _refer_users(self, path: str, router: UserRouterOptions) -> None:
        self._refer(f"{path}.default_backend", router.default_backend, "backend")
        for name, user in router.users.items():
            self._refer(f"{path}.users.{name}.to_backend", user.to_backend, "backend")

    def _refer_rules(self) -> None:
        for name, rule in self.configuration.rules.items():
            path = f"rules.{name}"
            for key in ("ingress", "egress", "nomatch"):
                full = f"{key}_req_rewriter_name"
                self._refer(f"{path}.{full}", getattr(rule, full), "rewriter")
            self._refer(f"{path}.next_route", rule.next_route, "route")
            for number, case in enumerate(rule.cases):
                within = f"{path}.cases.{case.name}" if case.name else f"{path}.cases[{number}]"
                self._refer(f"{within}.next_route", case.next_route, "route")
                self._refer(f"{within}.req_rewriter_name", case.req_rewriter_name, "rewriter")

    def _refer(self, path: str, name: str | None, what: str, may_be_none: bool = True) -> None:
        """
        :param may_be_none: whether an empty name says that there is none; in a list of names it
            does not.
        """
        known = self._known[what]
        is_none = not name or (what == "authenticator" and name == "none")
        if name in known or (is_none and may_be_none):
            return
        what = "backend" if what == "route" else what
        if what == "listener" and name in self.configuration.listeners:
            self.problems.at(path, lambda: f"listener {name!r} serves no backends; expected "
                             f"one of {one_of(known)}")
            return
        self.problems.at(path, lambda: f"there is no {what} {shown(name or '')}; expected one of "
                         f"{one_of(known)}{meant(name or '', known)}")

    @_known.default
    def _names(self) -> dict[str, Collection[str]]:
        it = self.configuration
        return {
            "cache": it.caches, "negative cache": it.negative_caches, "tracer": it.tracing,
            "listener": it.frontends, "authenticator": it.authenticators, "rule": it.rules,
            "rewriter": it.request_rewriters, "backend": it.backends,
            "middleware": it.middlewares,
            "route": dict.fromkeys((*it.backends, "frontend")),
        }


def _is_path(path: str) -> bool:
    return path.startswith("/") and re.fullmatch(r"[!-~]+", path) is not None


def _is_same(one: ListenerOptions, other: ListenerOptions) -> bool:
    addresses = {one.address, other.address}
    return one.port == other.port and (len(addresses) == 1 or bool(addresses & set(_ANY)))
