"""What is built for the package index, from a copy of the working tree."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.message import Message
from pathlib import Path
from shutil import copytree, ignore_patterns

from twisted.trial.unittest import SynchronousTestCase

from trickster import __version__

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = (".*", "venv", "build", "dist", "*.egg-info", "__pycache__", "_trial_temp*", "_build")
NAME = f"txtrickster-{__version__}"


class DistributionTests(SynchronousTestCase):
    """The distributions that C{python -m build} makes."""

    @classmethod
    def setUpClass(cls) -> None:
        """Build both, the wheel from the archive of sources as C{build} does."""
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        tree, out = Path(directory.name) / "tree", Path(directory.name) / "out"
        copytree(ROOT, tree, ignore=ignore_patterns(*LEFT_OUT))
        copytree(ROOT / ".ci", tree / ".ci")
        done = subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)],
            check=False, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        cls.built = sorted(path.name for path in out.iterdir())
        with zipfile.ZipFile(out / f"{NAME}-py3-none-any.whl") as wheel:
            cls.installed = set(wheel.namelist())
            texts = {name: wheel.read(f"{NAME}.dist-info/{name}").decode()
                     for name in ("METADATA", "entry_points.txt")}
        cls.metadata: Message = email.message_from_string(texts["METADATA"])
        cls.entry_points = texts["entry_points.txt"]
        with tarfile.open(out / f"{NAME}.tar.gz") as archive:
            cls.sources = {name.partition("/")[2] for name in archive.getnames()}

    def test_name(self) -> None:
        """The distribution has a name of its own, and the imported package is named trickster."""
        self.assertEqual(self.built, [f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"])
        self.assertEqual(self.metadata["Name"], "txtrickster")
        self.assertIn("trickster = trickster.console:main", self.entry_points)
        for path in ("trickster/__init__.py", "trickster/py.typed",
                     "twisted/plugins/trickster_plugin.py"):
            self.assertIn(path, self.installed)

    def test_metadata(self) -> None:
        """The metadata have links, maintainers, and a licence as SPDX spells it, with its text."""
        links = dict(link.split(", ") for link in self.metadata.get_all("Project-URL") or ())
        for label in ("Homepage", "Source", "Documentation", "Changelog", "Issues"):
            self.assertRegex(links[label], r"^https://[\w.-]+(/[\w./-]*)?$")
        self.assertTrue(self.metadata["Maintainer"])
        self.assertRegex(self.metadata["Maintainer-email"], r"^\S+@\S+$")
        self.assertEqual(self.metadata["License-Expression"], "Apache-2.0")
        self.assertIn(f"{NAME}.dist-info/licenses/LICENSE", self.installed)

    def test_nothing_else(self) -> None:
        """Only the package, and one file among Twisted's plugins, are installed."""
        self.assertEqual({name.partition("/")[0] for name in self.installed},
                         {"trickster", "twisted", f"{NAME}.dist-info"})
        self.assertEqual([name for name in self.installed if name.startswith("twisted/")],
                         ["twisted/plugins/trickster_plugin.py"])

    def test_sources(self) -> None:
        """The source archive has all that the two commands need."""
        for path in ("Makefile", ".ci/run", "scripts/environment.sh", "tests/conftest.py",
                     "bench/__main__.py", "demo/__main__.py", "requirements/dev.txt",
                     "examples/origin_plugin/setup.py", "docs/index.md"):
            self.assertIn(path, self.sources)
