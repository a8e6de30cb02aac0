"""The workflows as GitHub reads them: its grammar, expressions and inputs, checked offline."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.build import go_tools
from local.paths import Paths

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def actionlint() -> Path:
    """Compile actionlint once into the cache (about a minute)."""
    paths = Paths.of_user()
    go_tools.build(paths, go_tools.ACTIONLINT)
    return go_tools.ACTIONLINT.folder(paths) / "actionlint"


def checked(actionlint: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    # other programs that it would call are not the same everywhere
    command = [actionlint, "-no-color", "-shellcheck=", "-pyflakes=", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_actionlint_accepts_workflows(actionlint: Path) -> None:
    assert FILES
    done = checked(actionlint, *FILES)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("runs-on:", "run-on:", "unexpected key"),
        ("${{ inputs.stack }}", "${{ inputs.stak }}", 'property "stak" is not defined'),
    ],
)
def test_actionlint_refuses_invalid_workflow(
    actionlint: Path, tmp_path: Path, right: str, wrong: str, message: str
) -> None:
    text = (ROOT / ".github/workflows/deploy-stack.yml").read_text()
    assert right in text
    file = tmp_path / "wrong.yml"
    file.write_text(text.replace(right, wrong))
    done = checked(actionlint, file)
    assert done.returncode == 1
    assert message in done.stdout
