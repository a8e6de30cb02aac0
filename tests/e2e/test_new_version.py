"""A new version is published quickly, appears at its addresses, and changes no other."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import pytest

from tests.support import local_stack
from tests.support.local_stack import Outcome
from tests.support.project_copy import MODELS, ProjectCopy
from tests.support.time_limits import at_most
from tests.support.traffic import call

FIRST_ANSWER_SECONDS = 30.0
UP_SECONDS = 20.0


@dataclass(frozen=True)
class Published:
    """Version 4 of iris, and the state before it."""

    up: Outcome
    first_answer_seconds: float
    pods: dict[str, list[str]]
    routes: dict[str, tuple[str, local_stack.Object]]


def _pods() -> dict[str, list[str]]:
    return {
        f"{model}-{version}": local_stack.pods(model, version)
        for model, version in (("iris", "v1"), ("iris", "v2"), ("iris", "v3"), ("echo", "v1"))
    }


@pytest.fixture(scope="module")
def published(project_copy: ProjectCopy) -> Published:
    """Publish iris v4: v3 with changed code, the same packages, and no weight."""
    pods, routes = _pods(), local_stack.routes()
    second = project_copy.folder / "models/iris/v2"
    files = {file.name: file.read_text() for file in second.iterdir() if file.is_file()}
    files["predict.py"] = files["predict.py"].replace("version 2", "version 4") + "\n_EDITED = 4\n"
    started = time.monotonic()
    content = project_copy.read()
    versions = content["config"][MODELS]["iris"]["versions"]
    versions["v4"] = {**versions["v3"], "source": project_copy.source("models/iris/v4", files)}
    project_copy.write(content)
    outcome = project_copy.up().succeeded()
    while call("iris", "versions/v4").status_code != 200:
        assert time.monotonic() - started < at_most(2 * FIRST_ANSWER_SECONDS)
        time.sleep(0.2)
    return Published(outcome, time.monotonic() - started, pods, routes)


def test_new_version_answers_within_limit(published: Published, report: list[str]) -> None:
    report.append(
        f"pulumi up {published.up.seconds:.1f} s, first answer after "
        f"{published.first_answer_seconds:.1f} s"
    )
    assert published.up.seconds < at_most(UP_SECONDS)
    assert published.first_answer_seconds < at_most(FIRST_ANSWER_SECONDS)


def test_other_versions_keep_their_pods(published: Published) -> None:
    assert _pods() == published.pods


def test_unchanged_packages_are_not_reinstalled(published: Published) -> None:
    images = local_stack.images()
    layers = {}
    for version in ("v3", "v4"):
        inspected = local_stack.run(
            "docker", "image", "inspect", images[f"iris-{version}"], env=local_stack.environment()
        )
        layers[version] = json.loads(inspected.succeeded().text)[0]["RootFS"]["Layers"]
    # an installation changes times in its layer and so its digest; code layers come later
    same = [
        first_layer == second_layer
        for first_layer, second_layer in zip(layers["v3"], layers["v4"], strict=True)
    ]
    assert same == sorted(same, reverse=True)
    assert not same[-1]
    assert local_stack.images()["iris-v3"] != local_stack.images()["iris-v4"]
    code_layers = 2  # COPY of the source, RUN of compileall
    assert sum(not is_same for is_same in same) <= code_layers, same


def test_new_version_becomes_latest_and_keeps_prod(published: Published) -> None:
    assert call("iris", "latest").headers["X-Model-Version"] == "v4"
    now = local_stack.routes()
    moved = {name for name in now if now[name] != published.routes.get(name)}
    assert moved == {"IngressRoute iris-latest"}
    assert now.keys() == published.routes.keys()


def test_next_update_has_no_changes(published: Published, project_copy: ProjectCopy) -> None:
    project_copy.up("--expect-no-changes").succeeded()


def test_removed_version_is_deleted_without_other_changes(
    published: Published, project_copy: ProjectCopy
) -> None:
    """Last in this module: deploys the project's stack file again."""
    project_copy.give_back()
    assert call("iris", "versions/v4").status_code == 404
    assert call("iris", "latest").headers["X-Model-Version"] == "v3"
    assert call("iris", "prod").status_code == 200
    assert _pods() == published.pods
    assert local_stack.pods("iris", "v4") == []
    assert not [name for name in local_stack.declared() if name.endswith(" iris-v4")]
    prod = "TraefikService iris-prod"
    assert local_stack.routes()[prod] == published.routes[prod]
