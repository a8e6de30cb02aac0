"""The harnesses run as processes; only the serialization of R is also imported."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.build import apt
from tests.contract.harness_process import HarnessProcess, Serve

_HARNESS = Path(__file__).resolve().parents[2] / "harness"
for _folder in ("python", "r"):
    if str(_HARNESS / _folder) not in sys.path:
        sys.path.insert(0, str(_HARNESS / _folder))


@pytest.fixture(scope="session", autouse=True)
def installed_programs() -> None:
    """Install R where it is missing."""
    apt.install(apt.TEST_PACKAGES)


@pytest.fixture
def package() -> str:
    """Return the package of the Python harness; modules for R override it."""
    return "model_harness"


@pytest.fixture
def serve(folder: Path, package: str) -> Iterator[Serve]:
    """Serve functions of the module `predict`, or handlers, in the `folder` of the test."""
    with ExitStack() as processes:

        def start(function: str, **settings: str) -> HarnessProcess:
            handler = function if ":" in function else f"predict:{function}"
            process = HarnessProcess(folder, handler, settings, package=package)
            process.start()
            processes.callback(process.end)
            process.await_ready()
            return process

        yield start


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Run up to 32 concurrent clients."""
    with ThreadPoolExecutor(32) as pool:
        yield pool
