"""Where things lie: what was built (cache), what lives on (state), what a reboot ends (run)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "model-deployment"


def _home(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / NAME


@dataclass(frozen=True)
class Paths:
    """All folders of the local stack; none is in the work tree, so that every clone shares them."""

    cache: Path
    state: Path
    run: Path

    @classmethod
    def of_user(cls) -> Paths:
        """The folders of this user, by the XDG base directory specification."""
        return cls(
            _home("XDG_CACHE_HOME", ".cache"),
            _home("XDG_STATE_HOME", ".local/state"),
            Path("/run") / NAME,
        )

    @property
    def tools(self) -> Path:
        """Built binaries, a folder per product and version."""
        return self.cache / "tools"

    @property
    def logs(self) -> Path:
        """One file per process of the ground."""
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        """The cluster's certificate authority, certificates and kubeconfigs."""
        return self.state / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def pulumi_home(self) -> Path:
        """Plugins and credentials of the Pulumi CLI that the local stack uses."""
        return self.state / "pulumi-home"

    @property
    def docker_socket(self) -> Path:
        """Where the local dockerd listens."""
        return self.run / "docker.sock"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens, for kubelet and dockerd."""
        return self.run / "containerd.sock"

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord listens."""
        return self.run / "supervisor.sock"
