"""Whether there is what parts of a configuration name."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from attrs import define, field

from trickster.config.document.problems import Problems, meant, one_of, shown
from trickster.config.document.reading import items_at
from trickster.config.options.backends import BackendOptions
from trickster.config.options.hereafter import AlbOptions, UserRouterOptions
from trickster.config.options.model import Configuration

# Mechanisms that choose by other things than the members of a pool.
_POOLLESS = ("ur", "user_router")


def check_references(configuration: Configuration, problems: Problems) -> None:
    """
    :param problems: is told of every name of something that there is not, with the nearest.
    """
    references = _References(configuration, problems)
    for name, backend in configuration.backends.items():
        references.check_backend(f"backends.{name}", backend)
    references.check_rules()
    references.check_rewriters()
    references.check_middlewares()


@define
class _References:
    configuration: Configuration
    problems: Problems
    _known: dict[str, Collection[str]] = field(init=False)

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

    def check_backend(self, path: str, backend: BackendOptions) -> None:
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
        self._check_users(f"{path}.alb.user_router", alb.user_router)
        for within, each in items_at(f"{path}.paths", backend.paths):
            self._refer(f"{within}.req_rewriter_name", each.req_rewriter_name, "rewriter")
            self._refer(f"{within}.authenticator_name", each.authenticator_name, "authenticator")

    def _check_users(self, path: str, router: UserRouterOptions) -> None:
        self._refer(f"{path}.default_backend", router.default_backend, "backend")
        for name, user in router.users.items():
            self._refer(f"{path}.users.{name}.to_backend", user.to_backend, "backend")

    def check_rules(self) -> None:
        for name, rule in self.configuration.rules.items():
            path = f"rules.{name}"
            for key in ("ingress", "egress", "nomatch"):
                full = f"{key}_req_rewriter_name"
                self._refer(f"{path}.{full}", getattr(rule, full), "rewriter")
            self._refer(f"{path}.next_route", rule.next_route, "route")
            for within, case in items_at(f"{path}.cases", rule.cases):
                self._refer(f"{within}.next_route", case.next_route, "route")
                self._refer(f"{within}.req_rewriter_name", case.req_rewriter_name, "rewriter")

    def check_rewriters(self) -> None:
        for name, rewriter in self.configuration.request_rewriters.items():
            for number, words in enumerate(rewriter.instructions):
                if words[:2] == ("chain", "exec"):
                    self._refer(f"request_rewriters.{name}.instructions[{number}]",
                                "".join(words[2:3]), "rewriter")

    def check_middlewares(self) -> None:
        used = set(self._named_middlewares())
        for name, middleware in self.configuration.middlewares.items():
            path = f"middlewares.{name}"
            if not middleware.kind and not self.problems.is_unread(f"{path}.kind"):
                self.problems.at(f"{path}.kind", "is missing; expected what is installed, for "
                                 "example rewriting")
            if name not in used:
                self.problems.remark(path, "has no effect: no listener, backend or path names "
                                     "it in its middlewares")

    def _named_middlewares(self) -> Iterator[str]:
        """:return: the names in all lists of middlewares, each of which is checked."""
        it = self.configuration
        named = {f"listeners.{name}": each.middlewares for name, each in it.listeners.items()}
        for name, backend in it.backends.items():
            named[f"backends.{name}"] = backend.middlewares
            named |= {within: each.middlewares or () for within, each in items_at(
                f"backends.{name}.paths", backend.paths)}
        for within, middlewares in named.items():
            for number, name in enumerate(middlewares):
                self._refer(f"{within}.middlewares[{number}]", name, "middleware",
                            may_be_none=False)
                yield name

    def _refer(self, path: str, name: str | None, what: str, may_be_none: bool = True) -> None:
        """
        Tell of a name of something that there is not.

        :param path: of the key, or of the item of a list, that has the name.
        :param what: kind of thing that is named; C{"route"} is a backend, or the frontend.
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
