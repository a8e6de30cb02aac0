"""Environment variables of `pulumi`, `kubectl` and `docker`."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from local.build import go_tools, images
from local.errors import SetupError
from local.paths import ROOT, Paths

PASSPHRASE = ROOT / "local/passphrase"
"""The committed passphrase of the local stack, whose secrets protect nothing (ADR 10)."""


def path_variable(paths: Paths) -> str:
    """Return PATH with the built tools after those of the user, which take precedence."""
    inherited = os.environ.get("PATH", os.defpath).split(os.pathsep)
    folders = [str(tool.folder(paths)) for tool in (go_tools.PULUMI, go_tools.KUBERNETES)]
    return os.pathsep.join([*inherited, *(folder for folder in folders if folder not in inherited)])


def pulumi(paths: Paths) -> Path:
    """Return the Pulumi CLI: the user's own if it is on PATH, else the built one."""
    executable = shutil.which("pulumi", path=path_variable(paths))
    if not executable:
        raise SetupError(
            "pulumi is not on PATH and was not built",
            "install it (https://www.pulumi.com/docs/install/), or run `make up` without CLUSTER",
        )
    return Path(executable)


def shared(paths: Paths) -> dict[str, str]:
    """Return the variables of every stack."""
    return {
        "PATH": path_variable(paths),
        # runs the program in our virtual environment without a change of the user's PATH
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def kubectl(paths: Paths) -> Path:
    """Return kubectl: the user's own if it is on PATH, else the built one."""
    executable = shutil.which("kubectl", path=path_variable(paths))
    if not executable:
        raise SetupError(
            "kubectl is not on PATH and was not built",
            "install it (https://kubernetes.io/docs/tasks/tools/)",
        )
    return Path(executable)


def local_backend(paths: Paths) -> str:
    """Return the URL of the local stack's state."""
    return f"file://{paths.state}/pulumi"


def local(paths: Paths) -> Mapping[str, str]:
    """Return the variables of the local stack, which `make env` prints."""
    return {
        **shared(paths),
        **images.docker_environment(paths),
        "KUBECONFIG": str(paths.kubeconfig),
        "PULUMI_BACKEND_URL": local_backend(paths),
        # an inherited PULUMI_CONFIG_PASSPHRASE would override PULUMI_CONFIG_PASSPHRASE_FILE
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE.read_text().strip(),
    }
