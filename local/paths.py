"""Folders of the local stack: build results (cache), data (state), runtime files (run)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
NAME = "model-deployment"


def _xdg_folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / NAME


@dataclass(frozen=True)
class Paths:
    """All folders of the local stack. They are outside of the work tree: every clone uses them."""

    cache: Path
    state: Path
    run: Path

    @classmethod
    def of_user(cls) -> Self:
        """Return the folders of this user, as the XDG base directory specification defines them."""
        return cls(
            _xdg_folder("XDG_CACHE_HOME", ".cache"),
            _xdg_folder("XDG_STATE_HOME", ".local/state"),
            Path("/run") / NAME,
        )

    @property
    def tools(self) -> Path:
        """Return the folder of the built programs, which has one folder per tool and version."""
        return self.cache / "tools"

    @property
    def logs(self) -> Path:
        """Return the folder of the log files, one per node process."""
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        """Return the folder of the cluster's certificates, keys and kubeconfigs."""
        return self.state / "pki"

    @property
    def kubeconfig(self) -> Path:
        """Return the kubeconfig of the cluster's administrator."""
        return self.state / "kubeconfig"

    @property
    def pulumi_home(self) -> Path:
        """Return the PULUMI_HOME of the local stack: plugins and credentials."""
        return self.state / "pulumi-home"

    @property
    def docker_socket(self) -> Path:
        """Return the socket of the local dockerd."""
        return self.run / "docker.sock"

    @property
    def containerd_socket(self) -> Path:
        """Return the socket of containerd, which kubelet and dockerd use."""
        return self.run / "containerd.sock"

    @property
    def etcd_socket(self) -> Path:
        """Return the socket of etcd, which the API server uses."""
        return self.run / "etcd:2379"

    @property
    def supervisor_socket(self) -> Path:
        """Return the socket of supervisord."""
        return self.run / "supervisor.sock"
