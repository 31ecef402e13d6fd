"""The sample configurations are true."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import PLUGINS
from trickster.config.document.settings import keys_of
from trickster.config.load import Sources, load
from trickster.config.options.hereafter import RewriterOptions
from trickster.config.options.model import Configuration
from trickster.config.reference import blocks_within
from trickster.errors import ConfigurationError

SAMPLES = Path(__file__).parents[2] / "examples" / "conf"
FULL = SAMPLES / "example.full.yaml"


class SampleTests(SynchronousTestCase):
    """Sample configurations in C{examples/conf} load."""

    def test_all_load(self) -> None:
        """Each sample loads without a problem, the full one where ineffective keys are allowed."""
        samples = sorted(SAMPLES.glob("*.yaml"))
        self.assertGreater(len(samples), 3)
        for path in samples:
            allowed = path == FULL
            configuration = load(Sources(str(path), allows_ineffective=allowed), PLUGINS)
            self.assertTrue(configuration.backends, path)
            self.assertEqual(bool(configuration.unprotected), allowed)

    def test_full_is_refused(self) -> None:
        """The full sample is refused at each guarding key that has no effect yet."""
        error = self.assertRaises(ConfigurationError, load, Sources(str(FULL)), PLUGINS)
        keys = [re.sub(r"^.*:\d+:\d+: ", "", line).split(": ")[0] for line in error.problems]
        self.assertEqual(keys, [
            "backends.prometheus.authenticator_name", "backends.prometheus.req_rewriter_name",
            "backends.prometheus.sigv4", "backends.web.paths.files.req_rewriter_name"])

    def test_only_the_full_one_is_noisy(self) -> None:
        """The small samples use effective keys only."""
        for path in SAMPLES.glob("*.yaml"):
            if path.name != "example.full.yaml":
                self.assertEqual(load(Sources(str(path)), PLUGINS).notices, (), path)

    def test_full_is_full(self) -> None:
        """The full sample names every key of every block."""
        said = set(re.findall(r"^[ -]*(\w+):", (SAMPLES / "example.full.yaml").read_text(),
                              re.MULTILINE))
        blocks = [Configuration, *(block for _, block in blocks_within("", Configuration))]
        known = {key.name for block in blocks for key in keys_of(block) if not key.facts.hidden}
        self.assertEqual(known - said, set())
        self.assertIn(RewriterOptions, blocks)

    def test_legacy_as_now(self) -> None:
        """The sample of older names loads as the same configuration with the present names."""
        configuration = load(Sources(str(SAMPLES / "example.legacy.yaml")), PLUGINS)
        (path,) = configuration.backends["default"].paths
        self.assertTrue(path.is_progressive)
        self.assertEqual(configuration.listeners["mgmt"].port, 8484)
