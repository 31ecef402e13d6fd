"""Tests of L{trickster.config.checks.references}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, CheckCase, told_by, with_backend
from trickster.config.checks.references import check_references
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.config.options.hereafter import CaseOptions, RuleOptions
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration
from trickster.config.options.paths import PathOptions


class ReferenceTests(CheckCase):
    """A name that refers to an entry of another block has to be one of the block's."""

    def test_backend(self) -> None:
        """Each dangling name is reported, with the names that there are and a near one."""
        self.assertTold(
            with_backend("cache_name: defualt, negative_cache_name: n, tracing_name: t, "
                         "authenticator_name: a, req_rewriter_name: r, rule_name: u"),
            "backends.one.cache_name: there is no cache 'defualt'; expected one of default; "
            "did you mean 'default'?",
            "backends.one.negative_cache_name: there is no negative cache 'n'; "
            "expected one of default",
            "backends.one.tracing_name: there is no tracer 't'; expected one of default",
            "backends.one.authenticator_name: there is no authenticator 'a'; "
            "expected one of (none)",
            "backends.one.req_rewriter_name: there is no rewriter 'r'; expected one of (none)",
            "backends.one.rule_name: there is no rule 'u'; expected one of (none)")

    def test_path(self) -> None:
        """Paths refer to rewriters and authenticators; C{none} always exists."""
        self.assertTold(
            with_backend("paths: [{path: /, req_rewriter_name: r, authenticator_name: none}]"),
            "backends.one.paths[0].req_rewriter_name: there is no rewriter 'r'; "
            "expected one of (none)")

    def test_rules(self) -> None:
        """Rules lead to backends, or back to the frontend."""
        self.assertTold(
            ONE + "rules: {r: {next_route: frontend, ingress_req_rewriter_name: x, "
            "cases: [{next_route: two}]}}",
            "rules.r.ingress_req_rewriter_name: there is no rewriter 'x'; "
            "expected one of (none)",
            "rules.r.cases[0].next_route: there is no backend 'two'; "
            "expected one of one, frontend")

    def test_rewriters(self) -> None:
        """A rewriter that runs another names one that there is."""
        self.assertTold(
            ONE + "request_rewriters: {a: {instructions: [[chain, exec, b]]}}",
            "request_rewriters.a.instructions[0]: there is no rewriter 'b'; expected one of a")

    def test_virtual(self) -> None:
        """Pools have members, and rule backends a rule."""
        self.assertTold(
            "backends: {a: {provider: alb}, b: {provider: rule}, "
            "c: {provider: alb, alb: {pool: [z, '']}}}",
            "backends.a.alb.pool: is missing; expected names of backends",
            "backends.b.rule_name: is missing; expected the name of a rule",
            "backends.c.alb.pool[0]: there is no backend 'z'; expected one of a, b, c",
            "backends.c.alb.pool[1]: there is no backend ''; expected one of a, b, c")

    def test_unknown_listener(self) -> None:
        """A backend is on a listener that there is, and not on metrics or mgmt."""
        for name in ("mgmt", "metrics"):
            self.assertTold(
                with_backend(f"listener_name: {name}"), "backends.one.listener_name: listener "
                f"'{name}' serves no backends; expected one of default")
        self.assertTold(with_backend("listener_name: x"), "backends.one.listener_name: there "
                        "is no listener 'x'; expected one of default")

    def test_user_router(self) -> None:
        """A pool that is chosen from by user needs no members, but its names are checked."""
        self.assertTold(
            "backends: {a: {provider: alb, alb: {mechanism: ur, user_router: "
            "{default_backend: x, users: {joe: {to_backend: y}}}}}}",
            "backends.a.alb.user_router.default_backend: there is no backend 'x'; expected one "
            "of a",
            "backends.a.alb.user_router.users.joe.to_backend: there is no backend 'y'; expected "
            "one of a")


class OptionsTests(SynchronousTestCase):
    """Options that were not read from a file."""

    def test_all_there(self) -> None:
        """References that all exist are no problem; an empty name refers to nothing."""
        configuration = Configuration(
            listeners={"default": ListenerOptions()}, caches={"default": CacheOptions()},
            negative_caches={"default": {}}, backends={"b": BackendOptions(tracing_name="")})
        self.assertEqual(told_by(check_references, configuration), ())

    def test_places(self) -> None:
        """An entry with a name is reported by its name, and one without by its number."""
        def configuration(name: str) -> Configuration:
            return Configuration(
                listeners={"default": ListenerOptions()},
                rules={"r": RuleOptions(cases=(CaseOptions(next_route="x", name=name),))},
                backends={"b": BackendOptions(
                    cache_name="", negative_cache_name="", tracing_name="",
                    paths=(PathOptions(authenticator_name="x", name=name),))})

        for name, end in (("n", ".n"), ("", "[0]")):
            told = told_by(check_references, configuration(name))
            self.assertEqual([line.split(": ")[0] for line in told], [
                f"backends.b.paths{end}.authenticator_name", f"rules.r.cases{end}.next_route"])
