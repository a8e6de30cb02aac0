"""Rules that the workflows for users must keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


def jobs(path: Path) -> dict[str, Any]:
    jobs_by_name: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return jobs_by_name


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in FILES:
        for name, job in jobs(path).items():
            for step in job.get("steps", []):
                yield f"{path.name} {name}", step


def test_workflow_files_are_complete() -> None:
    assert {path.name for path in FILES} == {"check.yml", "deploy-stack.yml", "deploy.yml"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_release(path: Path) -> None:
    own = "uses: ./.github/workflows/"
    for line in path.read_text().splitlines():
        if "uses:" not in line or own in line:
            continue
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_action_uses_one_commit_everywhere() -> None:
    used = {step["uses"] for _, step in steps() if "uses" in step}
    assert len({action.partition("@")[0] for action in used}) == len(used)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_workflow_token_is_read_only_by_default(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_workflows_use_no_long_lived_keys() -> None:
    for path in FILES:
        assert "secrets." not in path.read_text()
        assert "aws-access-key-id" not in path.read_text()
    assert [where for where, step in steps() if "role-to-assume" in step.get("with", {})] == [
        "check.yml preview",
        "deploy-stack.yml deploy",
    ]


def test_scripts_contain_no_expressions() -> None:
    """An expression in a script is pasted in before the shell reads it."""
    for where, step in steps():
        assert "${{" not in step.get("run", ""), where
        assert "${{" not in step.get("with", {}).get("script", ""), where


def test_prod_deploys_after_staging_in_its_environment() -> None:
    deploy = jobs(ROOT / ".github/workflows/deploy.yml")
    assert [job["with"]["stack"] for job in deploy.values()] == ["staging", "prod"]
    assert deploy["prod"]["needs"] == "staging"
    called = jobs(ROOT / ".github/workflows/deploy-stack.yml")["deploy"]
    assert called["environment"] == "${{ inputs.stack }}"


def test_pull_request_workflow_changes_nothing() -> None:
    check = (ROOT / ".github/workflows/check.yml").read_text()
    assert "pulumi up" not in check
    assert "pull_request_target" not in check
    assert (
        "head.repo.full_name == github.repository"
        in jobs(ROOT / ".github/workflows/check.yml")["preview"]["if"]
    )


def test_workflows_use_pulumi_version_of_requirements() -> None:
    (pinned,) = re.findall(r"^pulumi==(\S+)$", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    used = {
        step["with"]["pulumi-version"] for _, step in steps() if "pulumi/" in step.get("uses", "")
    }
    assert used == {pinned}
