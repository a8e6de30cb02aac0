"""Command lines of the node processes, in the order in which they start."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from local.build.go_tools import KUBERNETES
from local.build.registry import REGISTRY
from local.node import network
from local.node.cgroups import CGROUP
from local.paths import Paths


def _command(program: str | Path, flags: Mapping[str, str | int | bool]) -> list[str]:
    return [
        str(program),
        *(
            f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in flags.items()
        ),
    ]


def _etcd(paths: Paths) -> list[str]:
    # etcd reads host and port, and creates a file of this name in its working directory
    sockets = (paths.etcd_socket.name, "etcd:2380")
    client, peer = (f"unix://{name}" for name in sockets)
    etcd = _command(
        "etcd",
        {
            "name": network.NODE,
            "data-dir": f"{paths.state}/etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"{network.NODE}={peer}",
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": "5m",
            "quota-backend-bytes": 2**31,
            "logger": "zap",
            "log-outputs": "stderr",
        },
    )
    # etcd does not start if the sockets of a killed one exist
    return ["sh", "-c", f'rm -f {shlex.join(sockets)} && exec "$@"', "sh", *etcd]


def _api_server(paths: Paths, binary: Path) -> list[str]:
    pki = paths.pki
    return _command(
        binary,
        {
            "advertise-address": network.NODE_ADDRESS,
            "secure-port": network.API_PORT,
            "etcd-servers": f"unix://{paths.etcd_socket}",
            "service-cluster-ip-range": network.SERVICE_NETWORK,
            # includes 8000, so the entry point needs neither a host port nor a forwarder
            "service-node-port-range": "8000-32767",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": True,
            "client-ca-file": f"{pki}/ca.crt",
            "tls-cert-file": f"{pki}/apiserver.crt",
            "tls-private-key-file": f"{pki}/apiserver.key",
            "kubelet-certificate-authority": "",
            "kubelet-client-certificate": f"{pki}/apiserver-kubelet-client.crt",
            "kubelet-client-key": f"{pki}/apiserver-kubelet-client.key",
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": f"{pki}/sa.pub",
            "service-account-signing-key-file": f"{pki}/sa.key",
            "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt",
            "requestheader-allowed-names": "front-proxy-client",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "proxy-client-cert-file": f"{pki}/front-proxy-client.crt",
            "proxy-client-key-file": f"{pki}/front-proxy-client.key",
            "enable-aggregator-routing": True,
            "profiling": False,
        },
    )


def _client_flags(config: str) -> dict[str, str | int | bool]:
    """Return the common flags of controller manager and scheduler, without leader election."""
    return {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": "127.0.0.1",
        "leader-elect": False,
        "profiling": False,
    }


def _controller_manager(paths: Paths, binary: Path) -> list[str]:
    pki = paths.pki
    return _command(
        binary,
        {
            **_client_flags(f"{pki}/controller-manager.conf"),
            "use-service-account-credentials": True,
            "root-ca-file": f"{pki}/ca.crt",
            "service-account-private-key-file": f"{pki}/sa.key",
            "cluster-signing-cert-file": f"{pki}/ca.crt",
            "cluster-signing-key-file": f"{pki}/ca.key",
            # after a restart of the node its Pods must not be evicted
            "node-monitor-grace-period": "60s",
        },
    )


def _scheduler(paths: Paths, binary: Path) -> list[str]:
    return _command(binary, _client_flags(f"{paths.pki}/scheduler.conf"))


def _kubelet(paths: Paths, binary: Path) -> list[str]:
    return _command(
        binary,
        {
            "config": f"{paths.state}/etc/kubelet.yaml",
            "kubeconfig": f"{paths.pki}/kubelet.conf",
            "hostname-override": network.NODE,
            "node-ip": network.NODE_ADDRESS,
            "root-dir": f"{paths.state}/kubelet",
            "cert-dir": f"{paths.run}/kubelet-serving",
        },
    )


def _dockerd(paths: Paths) -> list[str]:
    return _command(
        "dockerd",
        {
            "host": f"unix://{paths.docker_socket}",
            "data-root": f"{paths.state}/docker",
            "exec-root": f"{paths.run}/docker",
            "pidfile": f"{paths.run}/docker.pid",
            "containerd": str(paths.containerd_socket),
            # with its FORWARD policy DROP, Pods could not reach each other
            "bridge": "none",
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
            "registry-mirror": f"http://{REGISTRY}",
            # teardown finds the processes of builds in our cgroup
            "cgroup-parent": f"{CGROUP}/docker",
            "storage-driver": "overlay2",
            "log-level": "warn",
        },
    )


def commands(paths: Paths) -> dict[str, list[str]]:
    """Return the command line of each process by its name."""
    binaries = KUBERNETES.folder(paths)
    return {
        "etcd": _etcd(paths),
        "containerd": ["containerd", "--config", f"{paths.state}/etc/containerd.toml"],
        "registry": ["docker-registry", "serve", f"{paths.state}/etc/registry.yaml"],
        "kube-apiserver": _api_server(paths, binaries / "kube-apiserver"),
        "kube-controller-manager": _controller_manager(paths, binaries / "kube-controller-manager"),
        "kube-scheduler": _scheduler(paths, binaries / "kube-scheduler"),
        "dockerd": _dockerd(paths),
        "kubelet": _kubelet(paths, binaries / "kubelet"),
        "kube-proxy": [str(binaries / "kube-proxy"), f"--config={paths.state}/etc/kube-proxy.yaml"],
    }
