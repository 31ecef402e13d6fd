"""The documentation keeps up with the code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

import trickster
from trickster.errors import Reason

ROOT = Path(__file__).parent.parent


def load(path: Path) -> ModuleType:
    """:return: the module in a file that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ReasonTable(SynchronousTestCase):
    """The page on operations explains every reason that an answer can carry."""

    def setUp(self) -> None:
        self.reasons = load(ROOT / "docs" / "_ext" / "reasons.py")

    def test_each_reason_has_a_meaning(self) -> None:
        """Whoever adds a reason writes its meaning into docs/_ext/reasons.py."""
        self.assertEqual(set(self.reasons.MEANINGS), set(Reason))

    def test_each_reason_has_a_row(self) -> None:
        """The table spells reasons as the header does, one a row."""
        spelled = re.findall(r"^\| `([a-z-]+)` \|", self.reasons.render(), re.MULTILINE)
        self.assertEqual(spelled, [reason.value for reason in Reason])


class Links(SynchronousTestCase):
    """Pages link to one another by file, so that they can be read anywhere."""

    def test_linked_files_exist(self) -> None:
        """A relative link in a page names a file of the project."""
        pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"),
                 *(ROOT / "docs" / "decisions").glob("*.md")]
        self.assertTrue(pages)
        for page in pages:
            for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
                with self.subTest(page=page.name, target=target):
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")


class Layers(SynchronousTestCase):
    """The list of layers in the architecture is the one that is enforced."""

    def test_every_module_has_a_layer(self) -> None:
        """Each module and package directly in trickster is named in the list of layers."""
        text = (ROOT / "docs" / "architecture.md").read_text()
        listed = set(re.findall(r"`([a-z_]+)`", text.split("## Layers")[1].split("\n## ")[0]))
        package = Path(trickster.__file__).parent
        names = {path.stem for path in package.iterdir()
                 if path.suffix == ".py" or (path / "__init__.py").exists()}
        self.assertLessEqual(names - {"__init__"}, listed)
