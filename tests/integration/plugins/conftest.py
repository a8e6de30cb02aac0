"""Stacks on a real API server, in the environment of `make env`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.plugins.stacks import PROGRAM, Stack, kubectl
from tests.support import local_stack


@pytest.fixture(scope="session", autouse=True)
def shell_environment() -> Iterator[None]:
    """Return the variables of `make env`, whichever shell runs the tests."""
    with local_stack.exported():
        yield


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Create a stack and a namespace; delete both afterwards."""
    namespace = f"plugins-test-{uuid.uuid4().hex[:8]}"
    (tmp_path / "Pulumi.yaml").write_text("name: plugins\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    created = Stack(tmp_path, namespace)
    created.declare()
    created.succeed("stack", "init")
    kubectl("create", "namespace", namespace)
    try:
        yield created
        created.destroy()
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")
