"""Configurations that are made up of the options classes: they build, or are told to be wrong."""

from __future__ import annotations

import re
from typing import Any, get_args, get_origin

import attrs
import yaml
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from trickster.commandline import plugin_options
from trickster.compose import build
from trickster.config.document.masking import MASK
from trickster.config.document.settings import Key, keys_of
from trickster.config.load import Sources, load
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.config.options.hereafter import (
    AlbOptions,
    AuthenticatorOptions,
    CorsOptions,
    RuleOptions,
    Sigv4Options,
    TracingOptions,
)
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration, LoggingOptions, MainOptions, MgmtOptions
from trickster.config.options.paths import PathOptions
from trickster.config.render import rendered
from trickster.errors import ConfigurationError
from trickster.origins.prometheus import PrometheusOptions
from trickster.plugins import Plugins

_NAMES = st.sampled_from(["default", "a", "b", "nowhere"])
_TEXTS = st.sampled_from(["", "a", "b", "default", "none", "/a", "X-A", "GET", "127.0.0.1",
                          "10.0.0.0/8", "${HOME}", "a b", "x\ny", "*", "text/*", "404"])
_DURATIONS = st.sampled_from(["0s", "1s", "90s", "1h30m", "250ms"])
_WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 2.5, "nonsense", [1], [[]], {"a": 1}, {"": {}}, "9" * 30, "2024-01-01"])
_PLUGINS = Plugins()
# Files would be read.
_LEFT_OUT = re.compile(r"(_paths?|log_file|users_file)$")


def _values(key: Key) -> st.SearchStrategy[Any]:
    facts = key.facts
    if facts.choices:
        return st.sampled_from(facts.choices)
    if facts.unit == "duration" and key.hint in (float, float | None):
        return _DURATIONS
    if facts.unit == "size":
        return st.integers(0, 1 << 20)
    return _by_hint(key.hint, facts)


def _by_hint(hint: Any, facts: Any) -> st.SearchStrategy[Any]:
    kinds = [each for each in get_args(hint) if each is not type(None)]
    origin = get_origin(hint)
    if isinstance(hint, type) and attrs.has(hint):
        return _blocks(hint)
    if origin is dict:
        inner = _DURATIONS if facts.unit else _by_hint(kinds[-1], facts)
        return st.dictionaries(_NAMES, inner, max_size=2)
    if origin is tuple:
        return st.lists(_by_hint(kinds[0], facts), max_size=2)
    if kinds:
        return _by_hint(kinds[0], facts)
    if hint is bool:
        return st.booleans()
    if hint in (int, float):
        return st.integers(int(facts.minimum or 0), int(facts.maximum or 1000))
    return _TEXTS


def _blocks(options: type) -> st.SearchStrategy[dict[str, Any]]:
    """:return: blocks in which some keys are given, each with a value of its kind or, rarely, none."""
    keys = {key.name: key for key in keys_of(options)
            if not key.facts.hidden and not _LEFT_OUT.search(key.name)}

    @st.composite
    def made(draw: Any) -> dict[str, Any]:
        if not keys:
            return {}
        names = draw(st.lists(st.sampled_from(sorted(keys)), max_size=4, unique=True))
        is_wrong = draw(st.integers(0, 19)) == 0
        return {name: draw(_WRONG if is_wrong else _values(keys[name])) for name in names}

    return made()


def _backend(provider: str) -> st.SearchStrategy[dict[str, Any]]:
    base = {"provider": provider, "origin_url": "http://127.0.0.1:1"}
    paths = st.lists(_blocks(PathOptions).map(lambda each: {"path": "/a", **each}), max_size=2)
    more = st.fixed_dictionaries({"paths": paths}, optional={
        "prometheus": _blocks(PrometheusOptions), "alb": _blocks(AlbOptions),
        "cors": _blocks(CorsOptions), "sigv4": _blocks(Sigv4Options)})
    return st.tuples(_blocks(BackendOptions), more).map(lambda two: {**two[0], **two[1], **base})


_BACKENDS = st.sampled_from(["prometheus", "reverseproxycache", "reverseproxy", "influxdb", "alb",
                             "rule", "unheard-of"]).flatmap(_backend)
_TREES = st.fixed_dictionaries(
    {"backends": st.dictionaries(_NAMES, _BACKENDS, min_size=1, max_size=3)},
    optional={
        "main": _blocks(MainOptions), "mgmt": _blocks(MgmtOptions),
        "logging": _blocks(LoggingOptions),
        "listeners": st.dictionaries(_NAMES, _blocks(ListenerOptions), max_size=2),
        "caches": st.dictionaries(_NAMES, _blocks(CacheOptions), max_size=2),
        "negative_caches": st.dictionaries(
            _NAMES, st.dictionaries(st.sampled_from(["404", "500", "200"]), _DURATIONS)),
        "tracing": st.dictionaries(_NAMES, _blocks(TracingOptions), max_size=1),
        "rules": st.dictionaries(_NAMES, _blocks(RuleOptions), max_size=2),
        "authenticators": st.dictionaries(_NAMES, _blocks(AuthenticatorOptions), max_size=1),
        "request_rewriters": st.dictionaries(_NAMES, st.fixed_dictionaries(
            {"instructions": st.lists(st.lists(_TEXTS, max_size=3) | st.tuples(
                st.just("chain"), st.just("exec"), _NAMES).map(list), max_size=2)}), max_size=2),
    })


def _loaded(text: str, allowed: bool) -> Configuration:
    sources = Sources("t.yaml", {"HOME": "/root"}, {}, allowed)
    return load(sources, plugin_options(_PLUGINS), lambda path: text.encode(), lambda path: ())


def _as_shown(configuration: Configuration) -> Configuration:
    """:return: without what is not shown: remarks."""
    return evolve(configuration, notices=(), unprotected=(), source="")


class RandomTests(SynchronousTestCase):
    """Any values of existing keys make a program, or problems."""

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_TREES, st.booleans())
    @example({"backends": {"a": {"provider": "prometheus", "origin_url": "http://127.0.0.1:1"}},
              "caches": {"default": {"badger": {"directory": "/x"}}}}, True)
    def test_built_or_told(self, tree: dict[str, Any], allowed: bool) -> None:
        """Any configuration becomes a program, or has problems of one line each with places."""
        self.check(tree, allowed)

    def check(self, tree: dict[str, Any], allowed: bool) -> None:
        """Load it; where that works, build and show it."""
        text = yaml.safe_dump(tree)
        try:
            configuration = _loaded(text, allowed)
        except ConfigurationError as error:
            self.assertTrue(error.problems)
            for problem in error.problems:
                self.assertNotIn("\n", problem)
                self.assertRegex(problem, r"^(t\.yaml:\d+:\d+: |t\.yaml: |built in: |\.\.\. and )")
            return
        self.assertFalse(configuration.unprotected and not allowed)
        program = build(configuration, MemoryReactorClock(), _PLUGINS)
        self.assertTrue(IService.providedBy(program))
        self.assert_shown(configuration)

    def assert_shown(self, configuration: Configuration) -> None:
        """What is shown of it, where no secret is masked, can be loaded, and is equal."""
        shown = rendered(configuration)
        if MASK not in shown:
            again = _loaded(shown, allowed=True)
            self.assertEqual(_as_shown(again), _as_shown(configuration))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(_NAMES, _blocks(PathOptions), max_size=3),
           _blocks(BackendOptions), st.sampled_from(["prometheus", "reverseproxycache"]))
    def test_backends(self, paths: dict[str, Any], keys: dict[str, Any], provider: str) -> None:
        """Any options of a single backend become a program, or have problems with their places."""
        said = {**keys, "paths": {n: {**p, "path": f"/{n}"} for n, p in paths.items()},
                "provider": provider, "origin_url": "http://127.0.0.1:1"}
        self.check({"backends": {"a": said}}, allowed=True)
