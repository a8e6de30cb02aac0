"""Configuration files of the registry, containerd, CNI, kubeadm, kubelet and kube-proxy."""

import json
from pathlib import Path

import yaml

from local.build.registry import REGISTRY
from local.node import network
from local.paths import Paths
from local.versions import KUBERNETES, PAUSE_IMAGE

CNI_PLUGINS = "/usr/lib/cni"
"""The folder of Debian's package containernetworking-plugins."""

VALIDITY_PERIOD = "87600h"
"""Ten years, so that the certificates of a running cluster do not expire."""


def _may_lower_oom_score() -> bool:
    """Return whether root may set a negative oom_score_adj; some sandboxes refuse it."""
    file = Path("/proc/self/oom_score_adj")
    score = file.read_text()
    try:
        file.write_text(str(int(score) - 1))
        file.write_text(score)
    except OSError:
        return False
    return True


def containerd(paths: Paths) -> str:
    """Return the configuration of containerd: overlayfs only, and registry mirrors."""
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
  sandbox_image = "{REGISTRY}/{PAUSE_IMAGE}"
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
    """Return the mirror configuration: the local registry serves the images of all registries."""
    return f'[host."http://{REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n'


def cni(paths: Paths) -> str:
    """Return the CNI configuration: a bridge with hairpin mode, and host ports."""
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
    """Return the configuration of the image registry, which listens on loopback only."""
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


def kubeadm(paths: Paths) -> str:
    """Return the configuration with which kubeadm issues certificates and kubeconfigs offline."""
    group = "kubeadm.k8s.io/v1beta4"
    node = {
        "apiVersion": group,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {
            "advertiseAddress": network.NODE_ADDRESS,
            "bindPort": network.API_PORT,
        },
        "nodeRegistration": {"name": network.NODE},
    }
    cluster = {
        "apiVersion": group,
        "kind": "ClusterConfiguration",
        "clusterName": network.NODE,
        # without a version, kubeadm requests the newest one from the internet
        "kubernetesVersion": KUBERNETES,
        "certificatesDir": str(paths.pki),
        "controlPlaneEndpoint": network.API_SERVER.removeprefix("https://"),
        "apiServer": {"certSANs": ["localhost"]},
        "networking": {"serviceSubnet": network.SERVICE_NETWORK},
        # an external etcd gets no certificates; ours has a socket
        "etcd": {"external": {"endpoints": [f"unix://{paths.etcd_socket}"]}},
        # quick to create and to use
        "encryptionAlgorithm": "ECDSA-P256",
        "caCertificateValidityPeriod": VALIDITY_PERIOD,
        "certificateValidityPeriod": VALIDITY_PERIOD,
    }
    return yaml.safe_dump_all([node, cluster])


def kubelet(paths: Paths, cgroup_root: str) -> str:
    """Return the configuration of kubelet, which accepts cgroup v1, swap and a full disk."""
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
            # the image of one Pod must not delay the others
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            # a Pod whose volume is over its limit is evicted within seconds, not a minute
            "volumeStatsAggPeriod": "10s",
        }
    )


def kube_proxy(paths: Paths) -> str:
    """Return the configuration of kube-proxy: NodePorts on 127.0.0.1 only, which needs iptables."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": f"{paths.pki}/kube-proxy.conf"},
            "clusterCIDR": network.POD_NETWORK,
            "hostnameOverride": network.NODE,
            "nodePortAddresses": ["127.0.0.0/8"],
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            # keep the limits of the kernel
            "conntrack": {
                "maxPerCore": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "iptables": {"minSyncPeriod": "100ms"},
        }
    )


def resolv_conf(machine: str) -> str:
    """Return `machine` without name servers on loopback, which Pods cannot reach."""
    loopback = ("nameserver 127.", "nameserver ::1")
    return "".join(f"{line}\n" for line in machine.splitlines() if not line.startswith(loopback))


def _machine_resolv_conf() -> str:
    path = Path("/etc/resolv.conf")
    return path.read_text() if path.exists() else ""


def all_files(paths: Paths, cgroup_root: str) -> dict[str, str]:
    """Return the content of each file by its path below `etc` in the state folder."""
    return {
        "containerd.toml": containerd(paths),
        "certs.d/_default/hosts.toml": registry_hosts(),
        "cni/10-bridge.conflist": cni(paths),
        "registry.yaml": registry(paths),
        "kubeadm.yaml": kubeadm(paths),
        "kubelet.yaml": kubelet(paths, cgroup_root),
        "kube-proxy.yaml": kube_proxy(paths),
        "resolv.conf": resolv_conf(_machine_resolv_conf()),
    }


def write_all(paths: Paths, cgroup_root: str) -> None:
    """Write all files."""
    for file, text in all_files(paths, cgroup_root).items():
        path = paths.state / "etc" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
