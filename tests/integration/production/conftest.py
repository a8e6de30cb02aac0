"""Production's objects as the program declares them, in a separate namespace."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support import local_stack, rendered_manifests
from tests.support.rendered_manifests import Object


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """An empty namespace for the tests: a dry run writes nothing."""
    name = f"production-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def objects(namespace: str) -> list[Object]:
    return rendered_manifests.objects("prod", namespace)


def kubectl(*arguments: str) -> str:
    environment = local_stack.environment()
    return local_stack.run("kubectl", *arguments, env=environment).succeeded().text
