"""The processes of the ground, as command lines, in the order in which they start."""

from __future__ import annotations

from pathlib import Path

from local import network
from local.paths import Paths
from local.versions import KUBERNETES


def _flags(**values: str | int | bool) -> list[str]:
    return [
        f"--{name.replace('_', '-')}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in values.items()
    ]


def _etcd(paths: Paths) -> list[str]:
    here = "http://127.0.0.1:2379"
    peer = "http://127.0.0.1:2380"
    return ["etcd", *_flags(
        name=network.NODE, data_dir=f"{paths.state}/etcd", listen_client_urls=here, advertise_client_urls=here,
        listen_peer_urls=peer, initial_advertise_peer_urls=peer, initial_cluster=f"{network.NODE}={peer}",
        auto_compaction_retention="5m", auto_compaction_mode="periodic", quota_backend_bytes=2**31,
        logger="zap", log_outputs="stderr",
    )]  # fmt: skip


def _api_server(paths: Paths, binary: Path) -> list[str]:
    pki = paths.pki
    return [str(binary), *_flags(
        advertise_address=network.NODE_ADDRESS, secure_port=network.API_PORT,
        etcd_servers="http://127.0.0.1:2379", service_cluster_ip_range=network.SERVICE_NETWORK,
        # a NodePort can be 8000, so that the front door needs neither a host port nor a forwarder
        service_node_port_range="8000-32767",
        authorization_mode="Node,RBAC", enable_admission_plugins="NodeRestriction", allow_privileged=True,
        client_ca_file=f"{pki}/ca.crt", tls_cert_file=f"{pki}/apiserver.crt", tls_private_key_file=f"{pki}/apiserver.key",
        kubelet_certificate_authority="", kubelet_client_certificate=f"{pki}/apiserver-kubelet.crt",
        kubelet_client_key=f"{pki}/apiserver-kubelet.key", kubelet_preferred_address_types="InternalIP",
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_key_file=f"{pki}/service-account.key",
        service_account_signing_key_file=f"{pki}/service-account.key",
        requestheader_client_ca_file=f"{pki}/front-proxy-ca.crt", requestheader_allowed_names="front-proxy-client",
        requestheader_extra_headers_prefix="X-Remote-Extra-", requestheader_group_headers="X-Remote-Group",
        requestheader_username_headers="X-Remote-User", proxy_client_cert_file=f"{pki}/front-proxy.crt",
        proxy_client_key_file=f"{pki}/front-proxy.key", enable_aggregator_routing=True, profiling=False,
    )]  # fmt: skip


def _controller_manager(paths: Paths, binary: Path) -> list[str]:
    pki = paths.pki
    config = f"{pki}/controller-manager.kubeconfig"
    return [str(binary), *_flags(
        kubeconfig=config, authentication_kubeconfig=config, authorization_kubeconfig=config,
        bind_address="127.0.0.1", leader_elect=False, use_service_account_credentials=True, profiling=False,
        root_ca_file=f"{pki}/ca.crt", service_account_private_key_file=f"{pki}/service-account.key",
        cluster_signing_cert_file=f"{pki}/ca.crt", cluster_signing_key_file=f"{pki}/ca.key",
        # after a restart of everything, pods of the one node must not be thought lost
        node_monitor_grace_period="60s",
    )]  # fmt: skip


def _scheduler(paths: Paths, binary: Path) -> list[str]:
    config = f"{paths.pki}/scheduler.kubeconfig"
    return [str(binary), *_flags(
        kubeconfig=config, authentication_kubeconfig=config, authorization_kubeconfig=config,
        bind_address="127.0.0.1", leader_elect=False, profiling=False,
    )]  # fmt: skip


def _kubelet(paths: Paths, binary: Path) -> list[str]:
    return [str(binary), *_flags(
        config=f"{paths.state}/etc/kubelet.yaml", kubeconfig=f"{paths.pki}/kubelet.kubeconfig",
        hostname_override=network.NODE, node_ip=network.NODE_ADDRESS, root_dir=f"{paths.state}/kubelet",
        cert_dir=f"{paths.pki}/kubelet-serving",
    )]  # fmt: skip


def _dockerd(paths: Paths) -> list[str]:
    # without a bridge and without iptables: its FORWARD policy DROP would cut pods off from each other
    return ["dockerd", *_flags(
        host=f"unix://{paths.docker_socket}", data_root=f"{paths.state}/docker", exec_root=f"{paths.run}/docker",
        pidfile=f"{paths.run}/docker.pid", containerd=paths.containerd_socket.as_posix(), bridge="none",
        iptables=False, ip6tables=False, ip_forward=False, registry_mirror=f"http://{network.REGISTRY}",
        storage_driver="overlay2", log_level="warn",
    )]  # fmt: skip


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
