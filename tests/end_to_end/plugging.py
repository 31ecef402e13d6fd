"""Example plugins, built, and installed where only those find them that are to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
