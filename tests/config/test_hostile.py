"""Any file is a configuration or a list of problems."""

from __future__ import annotations

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import loaded
from trickster.config.document.settings import keys_of
from trickster.config.options.backends import BackendOptions
from trickster.config.options.caches import CacheOptions
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration, LoggingOptions, MgmtOptions
from trickster.config.options.paths import PathOptions
from trickster.config.render import rendered
from trickster.errors import ConfigurationError

_NAMES = sorted({
    key.name
    for options in (Configuration, BackendOptions, PathOptions, ListenerOptions, CacheOptions,
                    MgmtOptions, LoggingOptions)
    for key in keys_of(options)
} | {"one", "default", "frontend", "origins", "metrics", "listen_port", "origin_type",
     "prometheus", "memory", "404", "", "a.b", "<<"})

_LEAVES = st.none() | st.booleans() | st.integers(-5, 70_000) | st.floats() | st.sampled_from([
    "", "15s", "-1s", "1GiB", "http://prom:9090", "prometheus", "alb", "rule", "redis", "proxy",
    "exact", "/", "/a", "default", "none", "one", "GET", "off", "x\ny", "[", "2024-01-01",
])
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=25)

_BACKENDS = st.dictionaries(st.sampled_from(_NAMES), st.fixed_dictionaries(
    {"provider": st.sampled_from(["prometheus", "reverseproxy", "alb"]),
     "origin_url": st.sampled_from(["http://prom:9090", "x"])},
    optional={key.name: _TREES for key in keys_of(BackendOptions)[4:]}), max_size=2)


class HostileTests(SynchronousTestCase):
    """Trees and texts that no operator would write."""

    def check(self, text: str) -> None:
        """Load it; where that works, it can be shown and read again."""
        try:
            configuration = loaded(text)
        except ConfigurationError as error:
            for problem in error.problems:
                self.assertNotIn("\n", problem)
                self.assertRegex(problem, r"^(t\.yaml(:\d+:\d+)?|configuration|built in|\.\.\.)")
        else:
            loaded(rendered(configuration))

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(st.sampled_from(_NAMES), _TREES, max_size=6))
    def test_any_tree(self, tree: dict[str, object]) -> None:
        """A tree of known names in impossible places is a configuration, or a list of problems."""
        self.check(yaml.safe_dump(tree))

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(_BACKENDS)
    def test_nearly_right(self, backends: dict[str, object]) -> None:
        """A backend that is nearly right is a configuration, or a list of problems."""
        self.check(yaml.safe_dump({"backends": backends}))

    @settings(max_examples=100)
    @given(st.text(alphabet="ab:{}[]&*!|>-?'\"#%@ \n\t0", max_size=60))
    def test_any_text(self, text: str) -> None:
        """A text that is hardly YAML is a configuration, or a list of problems."""
        self.check(text)

    @settings(max_examples=50)
    @given(st.binary(max_size=40))
    def test_any_octets(self, octets: bytes) -> None:
        """Octets that are hardly text are a configuration, or a list of problems."""
        try:
            loaded(octets)
        except ConfigurationError as error:
            self.assertTrue(error.problems)
