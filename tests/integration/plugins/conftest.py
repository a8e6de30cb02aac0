"""Real stacks on a real API server: the environment of `make env` is all they need."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.plugins.stacks import PROGRAM, Stack, kubectl


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    name = f"plugins-test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def _stack(folder: Path, namespace: str) -> Stack:
    (folder / "Pulumi.yaml").write_text("name: plugins\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    made = Stack(folder, namespace)
    made.declare()
    made.succeed("stack", "init")
    return made


@pytest.fixture
def stack(tmp_path: Path, namespace: str) -> Iterator[Stack]:
    made = _stack(tmp_path, namespace)
    yield made
    made.run("destroy", "--yes", "--skip-preview", "--suppress-progress")


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory, namespace: str) -> Iterator[Stack]:
    made = _stack(tmp_path_factory.mktemp("stack"), namespace)
    yield made
    made.run("destroy", "--yes", "--skip-preview", "--suppress-progress")
