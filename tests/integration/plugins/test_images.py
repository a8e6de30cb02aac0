"""Images: built by the real daemon, pushed to a registry, referred to by digest."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from local.pulumi.plugins.docker.client import executable
from tests.integration.plugins.stacks import Declared, Stack

BASE = "python:3.11-slim-bookworm"
REGISTRY = "localhost:5000"


@pytest.fixture
def repository(stack: Stack) -> Iterator[str]:
    folder = stack.folder / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"FROM {BASE}\nARG WORD\nCOPY word /word\nRUN test -s /word\n"
    )
    (folder / "word").write_text("one")
    name = f"{REGISTRY}/plugins-test/{uuid.uuid4().hex[:8]}"
    yield name
    list_command = [executable(), "image", "ls", "--quiet", "--filter", f"reference={name}"]
    image_ids = subprocess.run(
        list_command, capture_output=True, text=True, check=True
    ).stdout.split()
    if image_ids:
        subprocess.run([executable(), "image", "rm", "--force", *image_ids], check=False)


def image(repository: str, **build: object) -> Declared:
    return Declared(
        "docker:index/image:Image",
        "image",
        {
            "imageName": f"{repository}:v1",
            "build": {
                "context": "context",
                "platform": "linux/amd64",
                "network": "host",
                "args": {"WORD": "x"},
                **build,
            },
        },
    )


def manifest(reference: str) -> dict[str, object]:
    repository, _, digest = reference.removeprefix(f"{REGISTRY}/").partition("@")
    request = urllib.request.Request(
        f"http://{REGISTRY}/v2/{repository}/manifests/{digest}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
    )
    with urllib.request.urlopen(request) as answer:
        manifest: dict[str, object] = json.load(answer)
    return manifest


def test_image_is_built_once_and_pushed_by_digest(stack: Stack, repository: str) -> None:
    stack.declare(image(repository))
    assert "+ 2 to create" in stack.succeed("preview", "--suppress-progress")
    stack.up()
    outputs = stack.state()["image"]["outputs"]
    assert re.fullmatch(rf"{repository}@sha256:[0-9a-f]{{64}}", outputs["repoDigest"])
    assert manifest(outputs["repoDigest"])["schemaVersion"] == 2
    assert outputs["imageName"] == f"{repository}:v1"
    stack.unchanged()
    (stack.folder / "context" / "word").touch()
    stack.unchanged()
    stack.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")


@pytest.mark.parametrize("change", ["content", "mode", "new file"])
def test_changed_context_is_rebuilt_with_new_digest(
    stack: Stack, repository: str, change: str
) -> None:
    config = Declared(
        "kubernetes:core/v1:ConfigMap",
        "user",
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "user", "namespace": stack.namespace},
            "data": {"image": {"$output": ["image", "repoDigest"]}},
        },
    )
    (stack.folder / "context" / "Dockerfile").write_text(f"FROM {BASE}\nCOPY . /all\n")
    stack.declare(image(repository), config)
    stack.up()
    before = stack.state()["image"]["outputs"]["repoDigest"]
    file = stack.folder / "context" / "word"
    if change == "content":
        file.write_text("two")
    elif change == "mode":
        file.chmod(0o755)
    else:
        (file.parent / "more").write_text("more")
    diff = stack.succeed("preview", "--diff", "--suppress-progress")
    assert "~ contextDigest" in diff
    stack.up()
    after = stack.state()["image"]["outputs"]["repoDigest"]
    assert after != before
    assert stack.state()["user"]["outputs"]["data"]["image"] == after


def test_ignored_file_changes_nothing(stack: Stack, repository: str) -> None:
    (stack.folder / "context" / ".dockerignore").write_text("*.log\n!keep.log\n")
    stack.declare(image(repository))
    stack.up()
    (stack.folder / "context" / "noise.log").write_text("x")
    stack.unchanged()
    (stack.folder / "context" / "keep.log").write_text("x")
    assert "contextDigest" in stack.succeed("preview", "--diff", "--suppress-progress")


def test_failed_build_shows_last_lines(stack: Stack, repository: str) -> None:
    dockerfile = f"FROM {BASE}\nRUN echo the weights are missing >&2; exit 7\n"
    (stack.folder / "context" / "Dockerfile").write_text(dockerfile)
    stack.declare(image(repository))
    output = stack.fail_up()
    assert f"Building {repository}:v1 failed" in output
    assert "the weights are missing" in output
    assert "7" in output


def test_failed_push_shows_reason_without_password(stack: Stack, repository: str) -> None:
    declared = image(repository)
    declared.inputs["imageName"] = "localhost:1/plugins-test/none:v1"
    declared.inputs["registry"] = {"username": "me", "password": {"$secret": "hunter2"}}
    stack.declare(declared)
    output = stack.fail_up()
    assert "Pushing localhost:1/plugins-test/none:v1 failed" in output
    assert "connection refused" in output
    assert "hunter2" not in output
    assert "hunter2" not in json.dumps(stack.state())


def test_unsupported_inputs_are_refused(stack: Stack, repository: str) -> None:
    declared = image(repository, shm="1g")
    declared.inputs["buildOnPreview"] = True
    stack.declare(declared)
    output = stack.fail("preview", "--suppress-progress")
    assert "only at an update" in output
    assert "build.shm" in output
    stack.declare(Declared("docker:index/container:Container", "box", {"image": "x"}))
    assert "serves docker:index/image:Image only" in stack.fail("preview", "--suppress-progress")
    unqualified = image(repository)
    unqualified.inputs["imageName"] = "word:v1"
    stack.declare(unqualified)
    assert "docker.io/word:v1" in stack.fail("preview", "--suppress-progress")
