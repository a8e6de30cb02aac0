"""`make preview STACK=prod` for somebody who has nothing: no credentials, no cluster, no state."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import yaml

from local import environment
from local.blind import UNSEEN, nowhere, without_secrets
from local.paths import ROOT, Paths
from local.plugins.access import mapping
from local.plugins.install import PLUGINS, install
from local.progress import say
from local.shell import run
from local.stack import stack_file

_PROGRAM = ("Pulumi.yaml", "__main__.py", "components", "harness", "models", "watcher")
"""What a preview reads, besides the stack file and the files that it names."""
_PLACEHOLDER = "stand-in"


def preview(paths: Paths, name: str) -> None:
    """Preview a copy of stack `name` against nothing; the project's own files stay untouched."""
    file = stack_file(name)
    pulumi = environment.pulumi(paths)
    plain, secrets = without_secrets(yaml.safe_load(file.read_text()))
    platform = mapping(mapping(plain, "config"), "model-deployment:platform")
    plugins = [*PLUGINS, "aws"] if "aws" in platform else list(PLUGINS)
    for line in install(pulumi, paths.pulumi_home, Path(sys.executable), ROOT, plugins):
        say(f"    {line}")
    with tempfile.TemporaryDirectory() as place:
        folder, state = Path(place, "project"), Path(place, "state")
        state.mkdir()
        _copy(folder)
        (folder / f"stacks/Pulumi.{name}.yaml").write_text(yaml.safe_dump(plain))
        env = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        env |= environment.shared(paths)
        env |= {
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": _PLACEHOLDER,
            "KUBECONFIG": str(nowhere(Path(place))),
        }
        stack = ["--stack", name, "--non-interactive"]
        run([pulumi, "stack", "init", *stack], cwd=folder, env=env)
        for key in secrets:
            run(
                [pulumi, "config", "set", "--secret", key, _PLACEHOLDER, *stack],
                cwd=folder,
                env=env,
            )
        say(run([pulumi, "preview", "--diff", "--suppress-outputs", *stack], cwd=folder, env=env))
    say("\n".join(["Not looked at:", *(f"  - {each}" for each in UNSEEN)]))


def _copy(folder: Path) -> None:
    folder.mkdir()
    for item in _PROGRAM:
        source = ROOT / item
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / item)
    shutil.copytree(ROOT / "stacks", folder / "stacks")
