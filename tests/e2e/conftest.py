"""The stack that `make up` started; tests leave it and the work tree unchanged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import local_stack
from tests.support.project_copy import ProjectCopy


@pytest.fixture(scope="session", autouse=True)
def rolled_out_stack() -> None:
    """Wait until rollouts of earlier tests are complete."""
    local_stack.settle()


@pytest.fixture(scope="module", autouse=True)
def untouched_work_tree() -> Iterator[None]:
    """Check that `git status` is the same before and after each module."""
    before = local_stack.work_tree()
    yield
    assert local_stack.work_tree() == before


@pytest.fixture(scope="module")
def project_copy(
    untouched_work_tree: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProjectCopy]:
    """A copy of the project's files to edit and to deploy from."""
    copy = ProjectCopy(tmp_path_factory.mktemp("project"))
    yield copy
    copy.give_back()
