"""pytest, made to treat trial's test cases as trial does."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# With fresh seeds as with fixed ones: how long an example takes is no test of the code.
settings.register_profile("default", settings.get_profile("default"), deadline=None)


@pytest.fixture(scope="session", autouse=True)
def scratch_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in a directory of our own: C{TestCase.mktemp} makes its files where it is."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("trial"))
    yield
    os.chdir(before)
