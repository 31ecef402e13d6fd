"""What is installed is pinned: the lock files of C{make lock} hold what C{setup.py} asks for."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ENTRY = re.compile(r"^(?P<requirement>[^\s#-][^\\\n]*?) \\\n(?P<hashes>(?:    --hash=.*\n)+)",
                   re.MULTILINE)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?\n")
# The names of those that setup.py asks for itself.
OURS = re.compile(r"^([\w.-]+)==[^\n]*\n(?:    --hash=.*\n)+(?:    #.*\n)*?"
                  r"    # (?:via |  )txtrickster \(setup\.py\)\n", re.MULTILINE)
COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)

Pins = dict[str, str]


def text_of(name: str) -> str:
    """:return: a lock file."""
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="ascii")


def pins_of(name: str, python: str) -> Pins:
    """:return: the version of each distribution that the lock has for a Python on Linux."""
    environment = {"python_version": python, "python_full_version": f"{python}.2",
                   "implementation_name": "cpython", "platform_python_implementation": "CPython",
                   "sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"}
    found: Pins = {}
    for entry in ENTRY.finditer(text_of(name)):
        requirement = Requirement(entry["requirement"])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            [pin] = requirement.specifier
            assert pin.operator == "==", entry["requirement"]
            assert canonicalize_name(requirement.name) not in found, entry["requirement"]
            found[canonicalize_name(requirement.name)] = pin.version
    return found


class LockTests(SynchronousTestCase):
    def setUp(self) -> None:
        asked: dict[str, Any] = {}
        self.patch(setuptools, "setup", asked.update)
        runpy.run_path(str(ROOT / "setup.py"))
        extras, needed = asked["extras_require"], asked["install_requires"]
        backend = ["setuptools>=77"]
        self.asked = {"run": needed + extras["demo"] + backend, "test": needed + extras["test"],
                      "dev": needed + extras["dev"], "lowest": needed + extras["test"]}

    def test_all_there(self) -> None:
        """Each lock file pins, for each Python, a version in range of every requirement."""
        for name, asked in self.asked.items():
            for python in PYTHONS:
                pins = pins_of(name, python)
                for requirement in map(Requirement, asked):
                    version = pins.get(canonicalize_name(requirement.name), "none")
                    self.assertTrue(version != "none" and requirement.specifier.contains(version),
                                    f'{name}.txt: {version} for {requirement}: run "make lock"')

    def test_nothing_given_up(self) -> None:
        """Each package pinned for our own sake is still required."""
        for name, asked in self.asked.items():
            ours = {canonicalize_name(found) for found in OURS.findall(text_of(name))}
            wanted = {canonicalize_name(Requirement(each).name) for each in asked}
            self.assertEqual(ours - wanted, set(), f'{name}.txt: run "make lock"')
            self.assertTrue(ours)

    def test_one_version(self) -> None:
        """The lock files for running and for testing are parts of the one for development."""
        for python in PYTHONS:
            whole = pins_of("dev", python).items()
            for name in ("run", "test"):
                self.assertLessEqual(pins_of(name, python).items(), whole)

    def test_oldest(self) -> None:
        """The lock file of oldest releases has the lowest versions that setup.py allows."""
        pins = pins_of("lowest", "3.11")
        for requirement in map(Requirement, self.asked["lowest"]):
            least = {s.version for s in requirement.specifier if s.operator == ">="}
            pinned = pins[canonicalize_name(requirement.name)]
            self.assertTrue(any(pinned.startswith(version) for version in least),
                            f"{pinned} for {requirement}")

    def test_nothing_else(self) -> None:
        """Lock files have versions and hashes only: no options, and no place to fetch from."""
        for name in self.asked:
            rest = COMMENT.sub("", ENTRY.sub("", text_of(name)))
            self.assertEqual(rest, "", name)
            self.assertNotIn("://", text_of(name))
            for entry in ENTRY.finditer(text_of(name)):
                self.assertEqual(HASH.sub("", entry["hashes"]), "")
