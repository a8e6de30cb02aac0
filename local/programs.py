"""The processes of the ground, as command lines, in the order in which they start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local import network
from local.cgroups import CGROUP
from local.paths import Paths
from local.versions import KUBERNETES


def _command(program: str | Path, flags: Mapping[str, str | int | bool]) -> list[str]:
    return [
        str(program),
        *(
            f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in flags.items()
        ),
    ]


def _etcd(paths: Paths) -> list[str]:
    here = "http://127.0.0.1:2379"
    peer = "http://127.0.0.1:2380"
    return _command(
        "etcd",
        {
            "name": network.NODE,
            "data-dir": f"{paths.state}/etcd",
            "listen-client-urls": here,
            "advertise-client-urls": here,
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


def _api_server(paths: Paths, binary: Path) -> list[str]:
    pki = paths.pki
    return _command(
        binary,
        {
            "advertise-address": network.NODE_ADDRESS,
            "secure-port": network.API_PORT,
            "etcd-servers": "http://127.0.0.1:2379",
            "service-cluster-ip-range": network.SERVICE_NETWORK,
            # a NodePort can be 8000, so that the front door needs neither host port nor forwarder
            "service-node-port-range": "8000-32767",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": True,
            "client-ca-file": f"{pki}/ca.crt",
            "tls-cert-file": f"{pki}/apiserver.crt",
            "tls-private-key-file": f"{pki}/apiserver.key",
            "kubelet-certificate-authority": "",
            "kubelet-client-certificate": f"{pki}/apiserver-kubelet.crt",
            "kubelet-client-key": f"{pki}/apiserver-kubelet.key",
            "kubelet-preferred-address-types": "InternalIP",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": f"{pki}/service-account.key",
            "service-account-signing-key-file": f"{pki}/service-account.key",
            "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt",
            "requestheader-allowed-names": "front-proxy-client",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "proxy-client-cert-file": f"{pki}/front-proxy.crt",
            "proxy-client-key-file": f"{pki}/front-proxy.key",
            "enable-aggregator-routing": True,
            "profiling": False,
        },
    )


def _client(config: str) -> dict[str, str | int | bool]:
    """What controller manager and scheduler have in common; one of each needs no election."""
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
            **_client(f"{pki}/controller-manager.kubeconfig"),
            "use-service-account-credentials": True,
            "root-ca-file": f"{pki}/ca.crt",
            "service-account-private-key-file": f"{pki}/service-account.key",
            "cluster-signing-cert-file": f"{pki}/ca.crt",
            "cluster-signing-key-file": f"{pki}/ca.key",
            # after a restart of everything, pods of the one node must not be thought lost
            "node-monitor-grace-period": "60s",
        },
    )


def _scheduler(paths: Paths, binary: Path) -> list[str]:
    return _command(binary, _client(f"{paths.pki}/scheduler.kubeconfig"))


def _kubelet(paths: Paths, binary: Path) -> list[str]:
    return _command(
        binary,
        {
            "config": f"{paths.state}/etc/kubelet.yaml",
            "kubeconfig": f"{paths.pki}/kubelet.kubeconfig",
            "hostname-override": network.NODE,
            "node-ip": network.NODE_ADDRESS,
            "root-dir": f"{paths.state}/kubelet",
            "cert-dir": f"{paths.pki}/kubelet-serving",
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
            # its FORWARD policy DROP would cut pods off from each other
            "bridge": "none",
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
            "registry-mirror": f"http://{network.REGISTRY}",
            # builds run below our own cgroup, which goes at the end
            "cgroup-parent": f"{CGROUP}/docker",
            "storage-driver": "overlay2",
            "log-level": "warn",
        },
    )


def commands(paths: Paths) -> dict[str, list[str]]:
    """Each process's name and command line."""
    binaries = paths.tools / f"kubernetes-{KUBERNETES}"
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
