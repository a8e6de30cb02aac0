"""The harnesses run as processes here; only R's codec is also imported."""

import sys
from pathlib import Path

import pytest

from local import packages

_HARNESS = Path(__file__).resolve().parents[2] / "harness"
for _folder in ("python", "r"):
    if str(_HARNESS / _folder) not in sys.path:
        sys.path.insert(0, str(_HARNESS / _folder))


@pytest.fixture(scope="session", autouse=True)
def programs_of_the_harnesses() -> None:
    """R, where this machine lacks it."""
    packages.install(packages.TEST_PACKAGES)
