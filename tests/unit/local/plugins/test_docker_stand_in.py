"""Build contexts, arguments, credentials and commands of the docker stand-in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from local.plugins.docker import client, credentials, image
from local.plugins.docker.context import digest
from local.plugins.docker.ignore import is_ignored, rules
from local.plugins.failures import PluginError


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").write_text("1")
    return tmp_path


def of(context: Path) -> str:
    return digest(context, context / "Dockerfile")


def test_the_digest_is_the_same_for_the_same_files_elsewhere(
    context: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "app").mkdir()
    (other / "app" / "a.py").write_text("1")
    (other / "Dockerfile").write_text("FROM scratch\n")
    (other / "empty").mkdir()
    assert of(context) == of(other)


@pytest.mark.parametrize("change", ["content", "name", "mode", "more", "link", "dockerfile"])
def test_whatever_a_build_could_see_changes_the_digest(context: Path, change: str) -> None:
    before, file = of(context), context / "app" / "a.py"
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
    assert of(context) != before


def test_a_missing_context_or_dockerfile_is_told_with_its_place(context: Path) -> None:
    with pytest.raises(PluginError, match=r"build\.context: there is no folder"):
        digest(context / "none", context / "Dockerfile")
    with pytest.raises(PluginError, match=r"build\.dockerfile: there is no file"):
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
        ("# app\n\n", "app/a.py", False),
    ],
)
def test_dockerignore_means_what_docker_means(
    context: Path, lines: str, path: str, ignored: bool
) -> None:
    (context / ".dockerignore").write_text(lines)
    assert is_ignored(path, rules(context, context / "Dockerfile")) is ignored


def test_the_dockerfiles_own_ignore_file_goes_before_the_contexts(context: Path) -> None:
    (context / ".dockerignore").write_text("app")
    (context / "Dockerfile.dockerignore").write_text("none")
    assert not is_ignored("app/a.py", rules(context, context / "Dockerfile"))


def inputs(**changes: Any) -> dict[str, Any]:
    return {"imageName": "localhost:5000/models/iris:v1", **changes}


def test_an_image_has_the_official_defaults() -> None:
    found = image.read(inputs())
    assert (str(found.context), str(found.dockerfile)) == (".", "Dockerfile")
    assert found.platform == image.host_platform()
    assert (found.skip_push, found.buildkit) == (False, "1")
    assert str(image.read(inputs(build={"context": "a/b"})).dockerfile) == "a/b/Dockerfile"


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("localhost:5000/models/iris:v1", "localhost:5000/models/iris"),
        ("localhost:5000/iris", "localhost:5000/iris"),
        ("docker.io/a/b@sha256:0", "docker.io/a/b"),
    ],
)
def test_the_repository_is_the_name_without_its_tag(name: str, repository: str) -> None:
    assert image.read(inputs(imageName=name)).repository == repository


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (inputs(buildOnPreview=True), "buildOnPreview"),
        (inputs(build={"shm": "1g"}), "build.shm"),
        (inputs(extra=1), "extra"),
        (inputs(build={"builderVersion": "V3"}), "build.builderVersion"),
        (inputs(build={"cacheFrom": {}}), "build.cacheFrom"),
        ({"imageName": "iris:v1"}, "imageName"),
        ({}, "imageName"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_its_place(wrong: dict[str, Any], place: str) -> None:
    assert [found for found, _ in image.problems(wrong)] == [place]


@pytest.mark.parametrize(
    "fine",
    [
        inputs(buildOnPreview=False, skipPush=False),
        {"imageName": "iris:v1", "skipPush": True},
        inputs(build={"cacheFrom": {"images": ["docker.io/a"]}, "builderVersion": "BuilderV1"}),
    ],
)
def test_what_can_be_honoured_is_not_refused(fine: dict[str, Any]) -> None:
    assert image.problems(fine) == []


def test_every_argument_reaches_the_command_and_a_secret_one_only_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CLI", "/opt/docker")
    build = {
        "context": "ctx",
        "dockerfile": "other/Dockerfile",
        "platform": "linux/arm64",
        "target": "last",
        "network": "host",
        "args": {"TOKEN": "hunter2", "A": "1"},
        "addHosts": ["x:1.2.3.4"],
        "cacheFrom": {"images": ["localhost:5000/cache"]},
    }
    command = client.build_command(image.read(inputs(build=build)), frozenset({"TOKEN"}))
    assert command == [
        *["/opt/docker", "build", "--tag", "localhost:5000/models/iris:v1"],
        *["--file", "other/Dockerfile", "--platform", "linux/arm64", "--progress", "plain"],
        *["--target", "last", "--network", "host", "--add-host", "x:1.2.3.4"],
        *["--cache-from", "localhost:5000/cache"],
        *["--build-arg", "A=1", "--build-arg", "TOKEN", "ctx"],
    ]


def test_credentials_live_in_a_folder_that_goes_and_keep_the_users_other_ones(
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


def test_without_credentials_the_users_configuration_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with credentials.environment(image.read(inputs())) as variables:
        assert variables["DOCKER_CONFIG"] == str(tmp_path)
        assert variables["DOCKER_BUILDKIT"] == "1"


@pytest.mark.parametrize(
    ("name", "server", "expected"),
    [
        ("localhost:5000/a:1", "", "localhost:5000"),
        ("docker.io/a/b:1", "", "https://index.docker.io/v1/"),
        ("a.example/b:1", "https://b.example/v2/", "b.example"),
    ],
)
def test_the_registry_is_named_as_dockers_configuration_does(
    name: str, server: str, expected: str
) -> None:
    wanted = image.read({"imageName": name, "registry": {"server": server}})
    assert credentials.server_of(wanted) == expected
