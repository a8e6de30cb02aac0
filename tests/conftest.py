"""Settings of the whole test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.time_limits import at_most

SLOW_TIERS = {"contract", "integration", "e2e"}


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout reads its settings
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("timeout") is None:
        config.option.timeout = at_most(float(config.getini("timeout")))


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(Path(__file__).parent).parts[0]
        if tier in SLOW_TIERS:
            item.add_marker("slow")
    # the stack is destroyed there: nothing can run afterwards
    items.sort(key=lambda item: item.path.name == "test_lifecycle.py")


@pytest.fixture
def report(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Iterator[list[str]]:
    """Collect lines and print them whether or not the test passes."""
    lines: list[str] = []
    yield lines
    with capsys.disabled():
        for line in lines:
            print(f"\n  {request.node.name}: {line}", end="")
