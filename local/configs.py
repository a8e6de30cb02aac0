"""The configuration files of containerd, the CNI plugins, kubelet and kube-proxy, as text."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from local import network
from local.paths import Paths
from local.versions import PAUSE_IMAGE

#: Debian's containernetworking-plugins.
CNI_PLUGINS = "/usr/lib/cni"


def _may_lower_oom_score() -> bool:
    """System pods want a negative oom_score_adj; in some sandboxes even root may not."""
    score = Path("/proc/self/oom_score_adj")
    before = score.read_text()
    try:
        score.write_text(str(int(before) - 1))
        score.write_text(before)
    except OSError:
        return False
    return True


def containerd(paths: Paths) -> str:
    """The TOML of containerd: overlayfs alone, and names looked for in the local registry first."""
    restrict = "false" if _may_lower_oom_score() else "true"
    return f"""\
version = 2
root = "{paths.state}/containerd"
state = "{paths.run}/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{paths.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{network.REGISTRY}/{PAUSE_IMAGE}"
  restrict_oom_score_adj = {restrict}
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{paths.state}/etc/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{paths.state}/etc/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def registry_hosts() -> str:
    """The local registry stands in for every public one: manifests keep production's names."""
    return f'[host."http://{network.REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n'


def cni(paths: Paths) -> str:
    """Pods on the bridge; hairpin lets a pod reach itself through its Service."""
    bridge = {
        "type": "bridge",
        "bridge": network.BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": f"{paths.run}/cni",
            "ranges": [[{"subnet": network.POD_NETWORK, "gateway": network.NODE_ADDRESS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps(
        {"cniVersion": "1.0.0", "name": network.NODE, "plugins": [bridge, portmap]}, indent=2
    )


def registry(paths: Paths) -> str:
    """The image registry, on loopback only."""
    return yaml.safe_dump(
        {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": f"{paths.state}/registry"},
                "delete": {"enabled": True},
            },
            "http": {"addr": "127.0.0.1:5000"},
        }
    )


def kubelet(paths: Paths, cgroup_root: str) -> str:
    """A kubelet that also works with cgroup v1, with swap, and on a disk that others fill."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": network.NODE_ADDRESS,
            "authentication": {
                "anonymous": {"enabled": False},
                "x509": {"clientCAFile": f"{paths.pki}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroup_root,
            "clusterDNS": [network.DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{paths.containerd_socket}",
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "failCgroupV1": False,
            "failSwapOn": False,
            "healthzBindAddress": "127.0.0.1",
            "imageGCHighThresholdPercent": 100,
            "podLogsDir": f"{paths.logs}/pods",
            "resolvConf": f"{paths.state}/etc/resolv.conf",
            "seccompDefault": True,
            # a pod that must wait for its image is looked at soon again
            "serializeImagePulls": False,
            "registryPullQPS": 0,
        }
    )


def kube_proxy(paths: Paths) -> str:
    """Mode iptables: the one that serves NodePorts on 127.0.0.1, and there alone."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": f"{paths.pki}/proxy.kubeconfig"},
            "clusterCIDR": network.POD_NETWORK,
            "hostnameOverride": network.NODE,
            "nodePortAddresses": ["127.0.0.0/8"],
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            # the kernel's own limits stay as they are
            "conntrack": {
                "maxPerCore": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "iptables": {"minSyncPeriod": "100ms"},
        }
    )


def resolv_conf(machine: str) -> str:
    """The machine's name servers, without those on its own loopback: a pod cannot reach them."""
    loopback = ("nameserver 127.", "nameserver ::1")
    return "".join(f"{line}\n" for line in machine.splitlines() if not line.startswith(loopback))


def _machine_resolv_conf() -> str:
    path = Path("/etc/resolv.conf")
    return path.read_text() if path.exists() else ""


def all_files(paths: Paths, cgroup_root: str) -> dict[str, str]:
    """Each file's text, by its path below the state's folder ``etc``."""
    return {
        "containerd.toml": containerd(paths),
        "certs.d/_default/hosts.toml": registry_hosts(),
        "cni/10-bridge.conflist": cni(paths),
        "registry.yaml": registry(paths),
        "kubelet.yaml": kubelet(paths, cgroup_root),
        "kube-proxy.yaml": kube_proxy(paths),
        "resolv.conf": resolv_conf(_machine_resolv_conf()),
    }


def write_all(paths: Paths, cgroup_root: str) -> None:
    """Write each file to its place below the state folder."""
    for file, text in all_files(paths, cgroup_root).items():
        path = paths.state / "etc" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
