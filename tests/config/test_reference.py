"""Tests of L{trickster.config.reference} and L{trickster.config.document.settings}."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import PrometheusLike
from trickster.config.document.settings import keys_of
from trickster.config.options.backends import BackendOptions
from trickster.config.options.model import Configuration
from trickster.config.reference import render


class ReferenceTests(SynchronousTestCase):
    """The generated reference."""

    def setUp(self) -> None:
        self.text = render({"backends.<name>.prometheus": PrometheusLike})

    def section(self, title: str) -> str:
        """:return: the text of one section."""
        return self.text.split(f"## {title}\n")[1].split("\n## ")[0]

    def test_every_key(self) -> None:
        """Every key of a backend is a row of its table, hidden ones are not."""
        rows = re.findall(r"^\| `(\w+)` \|", self.section("`backends.<name>`"), re.MULTILINE)
        self.assertEqual(rows, [k.name for k in keys_of(BackendOptions) if not k.facts.hidden])

    def test_row(self) -> None:
        """A row says type, default in its unit, meaning, and whether it is effective."""
        backend = self.section("`backends.<name>`")
        self.assertIn("| `max_ttl` | duration | `1d1h` | Longest time an answer is kept. |",
                      backend)
        self.assertIn("| `latency_min` | duration | `0s` | Least delay to simulate. "
                      "*Not yet effective.* |", backend)
        self.assertIn("| `hosts` | list of texts |  |", backend)
        self.assertIn("| `forwarded_headers` | `standard`, `x`, `both`, `none` | `standard` |",
                      backend)

    def test_sections(self) -> None:
        """There is a section for each block, for plugins, and for older names."""
        for title in ("The whole file", "`listeners.<name>`", "`backends.<name>.paths[]`",
                      "`backends.<name>.paths[].cors`", "`caches.<name>.index`",
                      "`backends.<name>.prometheus`", "`rules.<name>.cases[]`", "Older names"):
            self.assertIn(f"## {title}\n", self.text)
        self.assertIn("| `frontend.listen_port` | `listeners.default.port` |", self.text)

    def test_plugins_in_place(self) -> None:
        """A plugin's block comes after the block that it stands in."""
        titles = re.findall(r"^## `(.*)`$", self.text, re.MULTILINE)
        at = titles.index("backends.<name>")
        self.assertEqual(titles[at:at + 2], ["backends.<name>", "backends.<name>.prometheus"])

    def test_markup(self) -> None:
        """The docstrings' markup is turned into that of the page."""
        self.assertIn("A cache, which backends name by `cache_name`.", self.text)
        self.assertNotRegex(self.text, r"[CL]\{")

    def test_everything_is_explained(self) -> None:
        """Every key has an explanation."""
        for row in re.findall(r"^\| `.*", render(), re.MULTILINE):
            self.assertRegex(row, r"\. (\*Not yet effective\.\* )?\|$|^\| `[\w.<>]+` \| `")

    def test_keys(self) -> None:
        """Every key has a default, so that a block may be empty."""
        self.assertEqual(Configuration().backends, {})
        for key in keys_of(BackendOptions):
            self.assertIsNotNone(key.hint)
