"""What plain `pulumi`, `kubectl` and `docker` need in their environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from local import images
from local.errors import GroundError
from local.paths import ROOT, Paths
from local.tools import build

#: The local stack's secrets are nobody's: its passphrase is committed, all clones read them.
PASSPHRASE = ROOT / "local/passphrase"


def own_path(paths: Paths) -> str:
    """PATH with the built tools behind the user's own: what the user has is never shadowed."""
    present = os.environ.get("PATH", os.defpath).split(os.pathsep)
    folders = [str(product.folder(paths)) for product in (build.PULUMI, build.KUBERNETES)]
    return os.pathsep.join([*present, *(folder for folder in folders if folder not in present)])


def pulumi(paths: Paths) -> Path:
    """The Pulumi CLI: the user's own if there is one, else the built one. Raises GroundError."""
    found = shutil.which("pulumi", path=own_path(paths))
    if not found:
        raise GroundError(
            "there is no pulumi on PATH, and none was built",
            "install it (https://www.pulumi.com/docs/install/), or run `make up` without CLUSTER",
        )
    return Path(found)


def shared(paths: Paths) -> dict[str, str]:
    """What every stack needs: Python, plugins, and a quiet CLI."""
    return {
        "PATH": own_path(paths),
        # the program runs in the project's environment without shadowing the user's own Python
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def kubectl(paths: Paths) -> Path:
    """The user's own kubectl if there is one, else the built one. Raises GroundError."""
    found = shutil.which("kubectl", path=own_path(paths))
    if not found:
        raise GroundError(
            "there is no kubectl on PATH, and none was built",
            "install it (https://kubernetes.io/docs/tasks/tools/)",
        )
    return Path(found)


def local_backend(paths: Paths) -> str:
    """Where the local stack's state is."""
    return f"file://{paths.state}/pulumi"


def local(paths: Paths) -> Mapping[str, str]:
    """The environment of the local stack; `make env` prints it."""
    return {
        **shared(paths),
        **images.docker_environment(paths),
        "KUBECONFIG": str(paths.kubeconfig),
        "PULUMI_BACKEND_URL": local_backend(paths),
        # the variable, not the one with the file's name: an inherited variable would come first
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE.read_text().strip(),
    }
