"""Build contexts, arguments, credentials and commands of the docker stand-in."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.rpc import is_rpc_secret

from local.pulumi.plugins.docker import client, credentials, image
from local.pulumi.plugins.docker.context import digest, files
from local.pulumi.plugins.docker.resources import DockerResources
from local.pulumi.plugins.resource import PluginError, ResourceRequest


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").write_text("1")
    return tmp_path


def digest_of(context: Path) -> str:
    return digest(context, context / "Dockerfile")


def test_digest_is_independent_of_folder(
    context: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy")
    (copy / "app").mkdir()
    (copy / "app" / "a.py").write_text("1")
    (copy / "Dockerfile").write_text("FROM scratch\n")
    (copy / "empty").mkdir()
    assert digest_of(context) == digest_of(copy)


@pytest.mark.parametrize("change", ["content", "name", "mode", "more", "link", "dockerfile"])
def test_digest_changes_with_context(context: Path, change: str) -> None:
    before, file = digest_of(context), context / "app" / "a.py"
    if change == "content":
        file.write_text("2")
    elif change == "name":
        file.rename(context / "app" / "b.py")
    elif change == "mode":
        file.chmod(0o755)
    elif change == "more":
        (context / "more").write_text("")
    elif change == "link":
        (context / "link").symlink_to("app/a.py")
    else:
        (context / "Dockerfile").write_text("FROM other\n")
    assert digest_of(context) != before


def test_missing_context_or_dockerfile_is_refused_with_path(context: Path) -> None:
    with pytest.raises(PluginError, match=r"build\.context: folder .* does not exist"):
        digest(context / "none", context / "Dockerfile")
    with pytest.raises(PluginError, match=r"build\.dockerfile: file .* does not exist"):
        digest(context, context / "none")


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        ("*.log", "a.log", True),
        ("*.log", "app/a.log", False),
        ("**/*.log", "app/deep/a.log", True),
        ("**/*.log", "a.log", True),
        ("app", "app/a.py", True),
        ("app/", "app/a.py", True),
        ("/app", "app/a.py", True),
        ("./app", "app/a.py", True),
        ("ap", "app/a.py", False),
        ("app/?.py", "app/a.py", True),
        ("app/[ab].py", "app/a.py", True),
        ("app\n!app/a.py", "app/a.py", False),
        ("!app/a.py\napp", "app/a.py", True),
        ("**/app", "deep/app/a.py", True),
        ("**/app\n!x", "deep/app/b/a.py", True),
        ("*\n!app", "app/a.py", False),
        ("*\n!app", "other", True),
        ("app/**\n!app/deep/a.py", "app/deep/a.py", False),
        ("# app\n\n", "app/a.py", False),
    ],
)
def test_dockerignore_matches_docker(context: Path, lines: str, path: str, ignored: bool) -> None:
    (context / ".dockerignore").write_text(lines)
    (context / path).parent.mkdir(parents=True, exist_ok=True)
    (context / path).touch()
    assert (Path(path) not in files(context, context / "Dockerfile")) is ignored


def test_ignore_file_of_dockerfile_takes_precedence(context: Path) -> None:
    (context / ".dockerignore").write_text("app")
    (context / "Dockerfile.dockerignore").write_text("none")
    assert Path("app/a.py") in files(context, context / "Dockerfile")


def test_files_are_in_the_official_order(context: Path) -> None:
    for name in ("app-b", "app/b/c", "app.c"):
        (context / name).parent.mkdir(exist_ok=True)
        (context / name).touch()
    (context / "link").symlink_to("app")
    result = [path.as_posix() for path in files(context, context / "Dockerfile")]
    assert result == ["Dockerfile", "app/a.py", "app/b/c", "app-b", "app.c", "link"]


def inputs(**changes: Any) -> dict[str, Any]:
    return {"imageName": "localhost:5000/models/iris:v1", **changes}


def test_image_has_official_defaults() -> None:
    result = image.read(inputs())
    assert (str(result.context), str(result.dockerfile)) == (".", "Dockerfile")
    assert result.platform == image.host_platform()
    assert str(image.read(inputs(build={"context": "a/b"})).dockerfile) == "a/b/Dockerfile"


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("localhost:5000/models/iris:v1", "localhost:5000/models/iris"),
        ("localhost:5000/iris", "localhost:5000/iris"),
        ("docker.io/a/b@sha256:0", "docker.io/a/b"),
    ],
)
def test_repository_is_name_without_tag(name: str, repository: str) -> None:
    assert image.read(inputs(imageName=name)).repository == repository


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (inputs(buildOnPreview=True), "buildOnPreview"),
        (inputs(build={"shm": "1g"}), "build.shm"),
        (inputs(extra=1), "extra"),
        (inputs(skipPush=True), "skipPush"),
        ({"imageName": "iris:v1"}, "imageName"),
        ({}, "imageName"),
    ],
)
def test_unsupported_argument_is_refused_with_path(wrong: dict[str, Any], place: str) -> None:
    assert [result for result, _ in image.problems(wrong)] == [place]


@pytest.mark.parametrize(
    "fine",
    [
        inputs(buildOnPreview=False, skipPush=False),
        inputs(build={"context": "a", "args": {"A": "1"}, "network": "host"}),
    ],
)
def test_supported_argument_is_accepted(fine: dict[str, Any]) -> None:
    assert image.problems(fine) == []


def test_build_command_has_no_values_of_build_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CLI", "/opt/docker")
    build = {
        "context": "ctx",
        "dockerfile": "other/Dockerfile",
        "platform": "linux/arm64",
        "network": "host",
        "args": {"TOKEN": "hunter2", "A": "1"},
    }
    assert client.build_command(image.read(inputs(build=build))) == [
        *["/opt/docker", "build", "--tag", "localhost:5000/models/iris:v1"],
        *["--file", "other/Dockerfile", "--platform", "linux/arm64", "--progress", "plain"],
        *["--network", "host", "--build-arg", "A", "--build-arg", "TOKEN", "ctx"],
    ]


DOCKER = """#!/bin/sh
echo "$@ / TOKEN=$TOKEN" >> {log}
[ "$1" != image ] || echo '["other@sha256:1", "localhost:5000/models/iris@sha256:2"]'
"""


def test_update_builds_pushes_and_returns_digest(
    context: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path_factory.mktemp("tools")
    docker, log = tools / "docker", tools / "log"
    docker.write_text(DOCKER.format(log=log))
    docker.chmod(0o755)
    monkeypatch.setenv("DOCKER_CLI", str(docker))
    build = {"context": str(context), "args": {"TOKEN": "hunter2"}}
    call = ResourceRequest(urn="", inputs=inputs(build=build))
    name, state = asyncio.run(DockerResources().create(call))
    assert name == "localhost:5000/models/iris:v1"
    assert state["repoDigest"] == "localhost:5000/models/iris@sha256:2"
    assert is_rpc_secret(state["__inputs"])
    built, pushed, _ = log.read_text().splitlines()
    assert built.startswith("build ")
    assert built.endswith("/ TOKEN=hunter2")
    assert pushed == "push localhost:5000/models/iris:v1 / TOKEN="


def test_configure_accepts_host_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "before")
    resources = DockerResources()
    resources.configure({"docker:config:host": "unix:///x", "docker:config:version": "5"})
    assert os.environ["DOCKER_HOST"] == "unix:///x"
    with pytest.raises(PluginError, match="docker:certPath"):
        resources.configure({"docker:config:certPath": "/x"})


def test_credentials_are_added_to_users_in_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = {"auths": {"other": {"auth": "x"}}, "credsStore": "desktop"}
    (tmp_path / "config.json").write_text(json.dumps(users))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry = {"username": "me", "password": "hunter2"}
    with credentials.environment(image.read(inputs(registry=registry))) as variables:
        folder = Path(variables["DOCKER_CONFIG"])
        assert folder != tmp_path
        file = folder / "config.json"
        assert file.stat().st_mode & 0o077 == 0
        config = json.loads(file.read_text())
    token = base64.b64encode(b"me:hunter2").decode()
    assert config["auths"] == {"other": {"auth": "x"}, "localhost:5000": {"auth": token}}
    assert "credsStore" not in config
    assert not folder.exists()


def test_without_credentials_users_configuration_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with credentials.environment(image.read(inputs())) as variables:
        assert variables["DOCKER_CONFIG"] == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "server", "expected"),
    [
        ("localhost:5000/a:1", "", "localhost:5000"),
        ("docker.io/a/b:1", "", "https://index.docker.io/v1/"),
        ("docker.io/a/b:1", "https://index.docker.io/v1/", "https://index.docker.io/v1/"),
        ("a.example/b:1", "https://b.example/v2/", "b.example"),
    ],
)
def test_registry_key_is_that_of_docker_configuration(
    name: str, server: str, expected: str
) -> None:
    target = image.read({"imageName": name, "registry": {"server": server}})
    assert credentials.server_of(target) == expected
