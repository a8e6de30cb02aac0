"""Every command refuses a wrong stack file before anything changes."""

from __future__ import annotations

import pytest

from tests.support import local_stack
from tests.support.project_copy import MODELS, ProjectCopy

EXPECTED = [
    "models.iris.versions.v1.replicas: found '2'; ",
    "models.iris.versions.v4.source: ",
    "models.iris.routes.prod.weights: found a total of 80; ",
    "models.iris.wieghts: ",
    "models.echo.versions.v1.threads: ",
]


@pytest.mark.parametrize(
    "command", [("preview",), ("up", "--yes", "--skip-preview")], ids=["preview", "up"]
)
def test_every_mistake_is_reported_and_nothing_changes(
    project_copy: ProjectCopy, command: tuple[str, ...]
) -> None:
    content = project_copy.read()
    models = content["config"][MODELS]
    models["iris"]["versions"]["v1"]["replicas"] = "2"
    models["iris"]["versions"]["v4"] = {"source": "models/iris/v4"}
    models["iris"]["routes"]["prod"]["weights"] = {"v1": 70, "v2": 10}
    models["iris"]["wieghts"] = {}
    models["echo"]["versions"]["v1"]["threads"] = 0
    project_copy.write(content)
    objects, state = local_stack.declared(), local_stack.state()

    outcome = project_copy.pulumi(*command).failed()

    assert f"The stack file has {len(EXPECTED)} errors; nothing was changed." in outcome.text
    lines = [line.strip() for line in outcome.text.splitlines()]
    for expected in EXPECTED:
        matching_lines = [line for line in lines if line.startswith(expected)]
        assert len(matching_lines) == 1, outcome.text
        actual, _, hint = matching_lines[0].partition("; ")
        assert actual
        assert len(hint.split()) >= 2, matching_lines
    assert local_stack.declared() == objects
    assert local_stack.state() == state
