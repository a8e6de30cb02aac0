"""The stack that `make up` brought up; tests leave it, and the work tree, as they found them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import local_stack
from tests.support.project_copy import ProjectCopy


@pytest.fixture(scope="session", autouse=True)
def rolled_out_stack() -> None:
    """No test begins while an update before it is still rolling out."""
    local_stack.settle()


@pytest.fixture(scope="module", autouse=True)
def untouched_work_tree() -> Iterator[None]:
    """Whatever a module does, `git status` says the same before and after it."""
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
