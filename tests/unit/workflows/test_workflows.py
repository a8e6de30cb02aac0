"""Rules that the workflows for users must keep."""

from __future__ import annotations

import json
import os
import re
import subprocess
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
    names = {"check.yml", "deploy-stack.yml", "deploy.yml", "test.yml"}
    assert {path.name for path in FILES} == names


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


def test_prod_deploys_after_tests_and_staging_in_its_environment() -> None:
    deploy = jobs(ROOT / ".github/workflows/deploy.yml")
    stacks = {name: job["with"]["stack"] for name, job in deploy.items() if "with" in job}
    assert stacks == {"staging": "staging", "prod": "prod"}
    assert deploy["test"]["uses"] == "./.github/workflows/test.yml"
    assert deploy["staging"]["needs"] == "test"
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


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with three stacks and the file of models of one."""
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    for name in ("Pulumi.local", "Pulumi.prod", "Pulumi.staging", "models.prod"):
        (folder / f"stacks/{name}.yaml").write_text("config: {}\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "base")
    return folder


def stacks_of_change(project: Path, change: str) -> list[str]:
    """Run the script of check.yml on a change of one file; return the stacks that it finds."""
    base = git(project, "rev-parse", "HEAD").strip()
    file = project / change
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("changed\n")
    return found_stacks(project, base)


def found_stacks(project: Path, base: str) -> list[str]:
    git(project, "add", ".")
    git(project, "commit", "-qm", "change")
    [step] = (
        step
        for step in jobs(ROOT / ".github/workflows/check.yml")["stacks"]["steps"]
        if step.get("id") == "changed"
    )
    output = project.parent / "output"
    environment = {"PATH": os.environ["PATH"], "BASE": base, "GITHUB_OUTPUT": str(output)}
    # as GitHub runs a step without `shell`
    command = ["bash", "-e", "-c", step["run"]]
    subprocess.run(command, cwd=project, env=environment, check=True)
    names: list[str] = json.loads(output.read_text().removeprefix("names="))
    return names


@pytest.mark.parametrize(
    "change",
    [
        "__main__.py",
        "Pulumi.yaml",
        "requirements.txt",
        "components/stack.py",
        "cluster_client/pod_diagnosis.py",
        "harness/python/Dockerfile",
        "models/iris/v1/predict.py",
        "watcher/app.py",
        "watcher/static/page.css",
    ],
)
def test_changed_program_concerns_every_stack(project: Path, change: str) -> None:
    assert stacks_of_change(project, change) == ["prod", "staging"]


@pytest.mark.parametrize(
    ("change", "stacks"),
    [
        ("stacks/Pulumi.staging.yaml", ["staging"]),
        ("stacks/models.prod.yaml", ["prod"]),
        ("stacks/Pulumi.new.yaml", ["new"]),
        ("stacks/Pulumi.local.yaml", []),
        ("stacks/models.unknown.yaml", []),
        ("stacks/schema.json", []),
        ("docs/components.md", []),
        ("tests/components/test_x.py", []),
        ("requirements.txt.md", []),
    ],
)
def test_other_changes_concern_their_own_stack(
    project: Path, change: str, stacks: list[str]
) -> None:
    assert stacks_of_change(project, change) == stacks


def test_removed_stack_file_and_two_files_of_a_stack(project: Path) -> None:
    base = git(project, "rev-parse", "HEAD").strip()
    (project / "stacks/Pulumi.staging.yaml").unlink()
    for name in ("Pulumi.prod", "models.prod"):
        (project / f"stacks/{name}.yaml").write_text("changed\n")
    assert found_stacks(project, base) == ["prod"]


COMMENT = """
const calls = [];
const listed = JSON.parse(process.env.COMMENTS);
const issues = {
  listComments: 'list',
  updateComment: async call => calls.push({ updated: call.comment_id, body: call.body }),
  createComment: async call => calls.push({ body: call.body }),
};
const github = { paginate: async () => listed, rest: { issues } };
const context = { repo: { owner: 'o', repo: 'r' }, issue: { number: 1 } };
(async () => { %s })().then(() => console.log(JSON.stringify(calls)));
"""


@pytest.fixture(scope="module")
def node() -> str:
    """The JavaScript engine that comes with playwright."""
    from playwright._impl._driver import compute_driver_executable  # noqa: PLC0415 - slow

    return str(compute_driver_executable()[0])


def posted(node: str, folder: Path, text: str, comments: list[dict[str, Any]]) -> dict[str, Any]:
    """Run the script that posts a preview; return the comment that it writes."""
    (folder / "preview.txt").write_text(text)
    [script] = (
        step["with"]["script"]
        for step in jobs(ROOT / ".github/workflows/check.yml")["preview"]["steps"]
        if "script" in step.get("with", {})
    )
    environment = {"STACK": "prod", "OUTCOME": "success", "COMMENTS": json.dumps(comments)}
    done = subprocess.run(
        [node, "-e", COMMENT % script],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    [call] = json.loads(done.stdout)
    result: dict[str, Any] = call
    return result


@pytest.mark.parametrize("text", ["", "plain", "`````\n# not a heading\n`````", "`" * 12])
def test_text_of_a_preview_does_not_leave_its_fence(node: str, tmp_path: Path, text: str) -> None:
    body = posted(node, tmp_path, text, [])["body"]
    first, *inner, last = body.split("\n")[2:]
    assert first == f"{last}diff"
    assert set(last) == {"`"}
    assert len(last) >= 3
    assert "\n".join(inner) == text
    assert last not in text


def test_only_the_comment_of_the_workflow_is_edited(node: str, tmp_path: Path) -> None:
    mark = "<!-- preview of prod -->"
    person = {"id": 1, "user": {"login": "mallory"}, "body": mark}
    another_bot_comment = {
        "id": 2,
        "user": {"login": "github-actions[bot]"},
        "body": "<!-- another -->",
    }
    deleted_user = {"id": 3, "user": None, "body": mark}
    own = {"id": 4, "user": {"login": "github-actions[bot]"}, "body": f"{mark}\nold"}
    assert "updated" not in posted(node, tmp_path, "x", [person, another_bot_comment, deleted_user])
    assert (
        posted(node, tmp_path, "x", [person, another_bot_comment, deleted_user, own])["updated"]
        == 4
    )
