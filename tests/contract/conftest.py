"""The harnesses run as processes here; only R's codec is also imported."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from local import packages
from tests.contract.harness_process import HarnessProcess, Serve

_HARNESS = Path(__file__).resolve().parents[2] / "harness"
for _folder in ("python", "r"):
    if str(_HARNESS / _folder) not in sys.path:
        sys.path.insert(0, str(_HARNESS / _folder))


@pytest.fixture(scope="session", autouse=True)
def programs_of_the_harnesses() -> None:
    """R, where this machine lacks it."""
    packages.install(packages.TEST_PACKAGES)


@pytest.fixture
def package() -> str:
    """The harness: Python's, where a module does not say that it is R's."""
    return "model_harness"


@pytest.fixture
def serve(folder: Path, package: str) -> Iterator[Serve]:
    """Serve functions of the module `predict` (or whole handlers) in a test's own `folder`."""
    with ExitStack() as started:

        def start(function: str, **settings: str) -> HarnessProcess:
            handler = function if ":" in function else f"predict:{function}"
            process = HarnessProcess(folder, handler, settings, package=package)
            process.start()
            started.callback(process.end)
            process.await_ready()
            return process

        yield start


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """As many clients at once as a test needs."""
    with ThreadPoolExecutor(32) as pool:
        yield pool
