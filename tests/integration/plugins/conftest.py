"""Real stacks on a real API server: the environment of `make env` is all they need."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.plugins.stacks import PROGRAM, Stack, kubectl
from tests.support import local_stack


@pytest.fixture(scope="session", autouse=True)
def ground() -> Iterator[None]:
    """What `make env` exports, in whatever shell the tests were started."""
    with local_stack.exported():
        yield


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[Stack]:
    """A stack and a namespace of its own; both are gone afterwards."""
    namespace = f"plugins-test-{uuid.uuid4().hex[:8]}"
    (folder / "Pulumi.yaml").write_text("name: plugins\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    made = Stack(folder, namespace)
    made.declare()
    made.succeed("stack", "init")
    kubectl("create", "namespace", namespace)
    try:
        yield made
        made.destroy()
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with fresh(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with fresh(tmp_path_factory.mktemp("stack")) as made:
        yield made
