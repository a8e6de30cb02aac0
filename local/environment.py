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

#: The local stack's secrets are nobody's: its passphrase is committed, so that all clones read them.
PASSPHRASE = ROOT / "local/passphrase"


def own_path(paths: Paths) -> str:
    """PATH with the built tools behind the user's own: what the user has is never shadowed."""
    folders = [build.PULUMI.folder(paths), build.KUBERNETES.folder(paths)]
    present = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(
        [*present, *(str(folder) for folder in folders if str(folder) not in present)]
    )


def pulumi(paths: Paths) -> Path:
    """The Pulumi CLI: the user's own if there is one, else the built one. Raises GroundError."""
    found = shutil.which("pulumi", path=own_path(paths))
    if not found:
        raise GroundError(
            "there is no pulumi on PATH, and none was built",
            "install it (https://www.pulumi.com/docs/install/), or run `make up` once without CLUSTER",
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


def local(paths: Paths) -> Mapping[str, str]:
    """The environment of the local stack; `make env` prints it."""
    return {
        **shared(paths),
        **images.docker_environment(paths),
        "KUBECONFIG": str(paths.kubeconfig),
        "PULUMI_BACKEND_URL": f"file://{paths.state}/pulumi",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(PASSPHRASE),
    }
