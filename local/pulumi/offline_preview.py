"""Preview of any stack without its credentials, state and cluster: `make preview STACK=prod`."""

import copy
import os
import shutil
import sys
import tempfile
from pathlib import Path

import yaml

from local.paths import ROOT, Paths
from local.progress import print_line
from local.pulumi import environment
from local.pulumi.plugins.install import PLUGINS, install
from local.pulumi.plugins.json_access import mapping
from local.pulumi.plugins.properties import Object
from local.pulumi.stack import stack_file
from local.shell import run

NOT_CHECKED = (
    "the stack's state: every resource is shown as new",
    "the cluster: changes of published versions, current traffic",
    "the AWS account: whether the ids in the stack file exist",
    "the values of secrets: each is replaced by a placeholder",
)
"""What the output of such a preview lists as not checked."""

_PROGRAM_FILES = (
    "Pulumi.yaml",
    "__main__.py",
    "cluster_client",
    "components",
    "harness",
    "models",
    "watcher",
)
"""What the program reads in addition to the stack file."""
_SECRET_KEYS = ("encryptionsalt", "encryptedkey", "secretsprovider")
_PLACEHOLDER = "placeholder"

_UNREACHABLE_KUBECONFIG = """\
# a preview without a cluster: no server listens here
apiVersion: v1
kind: Config
clusters: [{name: unreachable, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: anonymous, user: {}}]
contexts: [{name: unreachable, context: {cluster: unreachable, user: anonymous}}]
current-context: unreachable
"""


def preview(paths: Paths, name: str) -> None:
    """Preview a copy of the stack without its secrets; leave the project's files unchanged."""
    file = stack_file(name)
    pulumi = environment.pulumi(paths)
    content, secrets = without_secrets(yaml.safe_load(file.read_text()))
    platform = mapping(mapping(content, "config"), "model-deployment:platform")
    plugins = [*PLUGINS, "aws"] if "aws" in platform else list(PLUGINS)
    for line in install(pulumi, paths, Path(sys.executable), ROOT, plugins):
        print_line(f"    {line}")
    with tempfile.TemporaryDirectory() as temporary:
        project, state = Path(temporary, "project"), Path(temporary, "state")
        state.mkdir()
        _copy_project(project)
        (project / f"stacks/Pulumi.{name}.yaml").write_text(yaml.safe_dump(content))
        env = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        env |= environment.shared(paths)
        env |= {
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": _PLACEHOLDER,
            "KUBECONFIG": str(unreachable_kubeconfig(Path(temporary))),
        }

        def run_pulumi(*arguments: str) -> str:
            flags = ["--stack", name, "--non-interactive"]
            return run([pulumi, *arguments, *flags], cwd=project, env=env)

        run_pulumi("stack", "init")
        for key in secrets:
            run_pulumi("config", "set", "--secret", key, _PLACEHOLDER)
        print_line(run_pulumi("preview", "--diff", "--suppress-outputs"))
    print_line("\n".join(["Not checked:", *(f"  - {item}" for item in NOT_CHECKED)]))


def without_secrets(file: Object) -> tuple[Object, list[str]]:
    """Return a copy of a stack file without secrets, and the keys of the removed secrets."""
    content = copy.deepcopy(file)
    for key in _SECRET_KEYS:
        content.pop(key, None)
    config = mapping(content, "config")
    names = [key for key, value in config.items() if isinstance(value, dict) and "secure" in value]
    for name in names:
        del config[name]
    return content, names


def unreachable_kubeconfig(folder: Path) -> Path:
    """Write the kubeconfig of a cluster that does not answer; return its path."""
    path = folder / "unreachable.kubeconfig"
    path.write_text(_UNREACHABLE_KUBECONFIG)
    return path


def _copy_project(folder: Path) -> None:
    folder.mkdir()
    for name in (*_PROGRAM_FILES, "stacks"):
        source = ROOT / name
        copy_item = shutil.copytree if source.is_dir() else shutil.copyfile
        copy_item(source, folder / name)
