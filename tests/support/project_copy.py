"""A copy of the project, in which tests edit stack files and add versions."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.support import local_stack
from tests.support.local_stack import ROOT, Object, Outcome

STACK_FILE = "stacks/Pulumi.local.yaml"
MODELS = "model-deployment:models"


class ProjectCopy:
    """The same stack, deployed from a copy of the files until `give_back`.

    Not a clone, so that uncommitted changes are tested, too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changed = False
        tracked = local_stack.run(
            "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"
        ).succeeded()
        for name in filter(None, tracked.text.split("\0")):
            if (ROOT / name).is_file():  # a file of the index may be deleted
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)

    def read(self) -> Object:
        """Return the project's stack file for editing."""
        content: Object = yaml.safe_load((ROOT / STACK_FILE).read_text())
        return content

    def read_back(self) -> Object:
        """Return the copy's stack file, with the keys that Pulumi wrote."""
        content: Object = yaml.safe_load((self.folder / STACK_FILE).read_text())
        return content

    def write(self, content: Object) -> None:
        """Write the copy's stack file."""
        (self.folder / STACK_FILE).write_text(yaml.safe_dump(content, sort_keys=False))

    def source(self, path: str, files: dict[str, str]) -> str:
        """Replace a version's folder; return its path as a stack file names it."""
        shutil.rmtree(self.folder / path, ignore_errors=True)
        (self.folder / path).mkdir(parents=True)
        for name, text in files.items():
            (self.folder / path / name).write_text(text)
        return path

    def up(self, *arguments: str) -> Outcome:
        """Run `pulumi up` in the copy."""
        self._changed = True
        return local_stack.up(*arguments, cwd=self.folder)

    def pulumi(self, *arguments: str) -> Outcome:
        """Run a command in the copy."""
        return local_stack.pulumi(*arguments, cwd=self.folder)

    def give_back(self) -> Outcome | None:
        """Bring the stack to what the project's own file says; nothing to do the second time."""
        if not self._changed:
            return None
        outcome = local_stack.up().succeeded()
        self._changed = False
        return outcome
