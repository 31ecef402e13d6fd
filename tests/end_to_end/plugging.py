"""Example plugins, built, and installed where only those find them that are to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase


def done(command: list[str],
         environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """:return: how a command ended."""
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env={**os.environ, **(environment or {})}, timeout=120)


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """
    :return: what a command has said.
    :raises AssertionError: it failed.
    """
    ended = done(command, environment)
    if ended.returncode:
        raise AssertionError(f"{command} failed:\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout + ended.stderr


def installed(plugin: Path, directory: Path) -> Path:
    """:return: where a plugin has been installed, from a wheel, as its users would do."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels, target, sources = (directory / name for name in ("wheels", "site", "sources"))
    sources.mkdir()
    for each in plugin.iterdir():
        if each.is_file():
            (sources / each.name).write_bytes(each.read_bytes())
    run([*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(wheels),
         str(sources)])
    [wheel] = wheels.glob("*.whl")
    run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)])
    return target


@contextmanager
def found_at(site: Path) -> Iterator[None]:
    """What is started meanwhile finds what is installed there."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


class PluginCase(SynchronousTestCase):
    """
    Tests of a program that has one of the example plugins.

    :cvar plugin: where the sources of the plugin are.
    :cvar directory: for what the tests leave behind; it goes with them.
    :cvar site: where the plugin is installed.
    """

    plugin: ClassVar[Path]
    directory: ClassVar[tempfile.TemporaryDirectory[str]]
    site: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        """Install it once."""
        cls.directory = tempfile.TemporaryDirectory()
        cls.site = installed(cls.plugin, Path(cls.directory.name))

    @classmethod
    def tearDownClass(cls) -> None:
        """Leave nothing."""
        cls.directory.cleanup()

    def assertOwnTestsPass(self, module: str) -> None:
        """The plugin's own tests, in this module, pass where it is installed."""
        path = os.pathsep.join([str(self.site), str(self.plugin)])
        scratch = tempfile.mkdtemp(dir=self.directory.name)
        said = run([sys.executable, "-m", "twisted.trial", "--temp-directory",
                    os.path.join(scratch, "trial"), module],
                   {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertIn("PASSED", said)
