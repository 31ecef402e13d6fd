"""The documentation keeps up with the code."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

import trickster
from trickster.errors import Reason
from trickster.origins.prometheus import prometheus

ROOT = Path(__file__).parent.parent


def load(path: Path) -> ModuleType:
    """:return: the module in a file that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class GeneratedTests(SynchronousTestCase):
    """Generated parts of the documentation are committed and current."""

    def setUp(self) -> None:
        self.patch(sys, "path", [str(ROOT / "docs" / "_writers"), *sys.path])
        self.addCleanup(self.forget, set(sys.modules))
        self.writers = load(ROOT / "docs" / "_writers" / "pages.py")

    def forget(self, before: set[str]) -> None:
        """Leave no module behind that is named as one of somewhere else may be."""
        for name in {"metrics", "plugins", "prometheus", "reasons"} - before:
            sys.modules.pop(name, None)

    def test_current(self) -> None:
        """The generated parts are current; C{make reference} writes them anew."""
        self.assertEqual([path.name for path in self.writers.outdated()], [])

    def test_each_is_used(self) -> None:
        """Each part that can be generated has a place in some page."""
        text = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
        self.assertEqual(set(re.findall(r"<!-- generated: (\w+) -->", text)),
                         set(self.writers.WRITERS))

    def test_filled(self) -> None:
        """Filling replaces only the text between the marks, and filling again changes nothing."""
        page = "a\n<!-- generated: x -->\nold\n<!-- end of generated -->\nb\n"
        once = self.writers.filled(page, {"x": lambda: "| new \\1 |"})
        self.assertEqual(once, "a\n<!-- generated: x -->\n\n| new \\1 |\n\n"
                               "<!-- end of generated -->\nb\n")
        self.assertEqual(self.writers.filled(once, {"x": lambda: "| new \\1 |"}), once)

    def test_reasons(self) -> None:
        """Each reason has a meaning and a row in the reference, spelled as in the header."""
        reasons = sys.modules["reasons"]
        self.assertEqual(set(reasons.MEANINGS), set(Reason))
        spelled = re.findall(r"^\| `([a-z-]+)` \|", reasons.render(), re.MULTILINE)
        self.assertEqual(spelled, [reason.value for reason in Reason])

    def test_endpoints(self) -> None:
        """
        Each handler of a Prometheus route has a meaning in the reference, and nothing else does.
        """
        meanings = sys.modules["prometheus"].MEANINGS
        self.assertEqual(set(meanings),
                         {route.handler for route in prometheus.routes(prometheus.options())})

    def test_metrics(self) -> None:
        """Metrics that are read at each scrape are in the table as well."""
        table = sys.modules["metrics"].render()
        for name in ("build_info", "proxy_requests_total", "origin_active_connections",
                     "in_flight_bytes", "cache_up", "cache_usage_bytes"):
            self.assertIn(f"`trickster_{name}`", table)


class Links(SynchronousTestCase):
    """Links between pages of the documentation."""

    def test_linked_files_exist(self) -> None:
        """A relative link in a page names a file of the project."""
        pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"),
                 *(ROOT / "docs" / "decisions").glob("*.md")]
        self.assertTrue(pages)
        for page in pages:
            for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
                with self.subTest(page=page.name, target=target):
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")


class Glossary(SynchronousTestCase):
    """The glossary of the documentation."""

    def test_in_order(self) -> None:
        """Each word of the glossary has one entry, and the entries are in alphabetical order."""
        text = (ROOT / "docs" / "glossary.md").read_text()
        entries = re.findall(r"^(\S.*)\n: ", text, re.MULTILINE)
        words = [entry.partition(",")[0] for entry in entries]
        self.assertEqual(words, sorted(set(words), key=str.casefold))


class Layers(SynchronousTestCase):
    """The list of layers in docs/architecture.md."""

    def test_every_module_has_a_layer(self) -> None:
        """Each module and package directly in trickster is named in the list of layers."""
        text = (ROOT / "docs" / "architecture.md").read_text()
        listed = set(re.findall(r"`([a-z_]+)`", text.split("## Layers")[1].split("\n## ")[0]))
        package = Path(trickster.__file__).parent
        names = {path.stem for path in package.iterdir()
                 if path.suffix == ".py" or (path / "__init__.py").exists()}
        self.assertLessEqual(names - {"__init__"}, listed)
