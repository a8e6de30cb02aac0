"""Configuration files and command lines of the node processes."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from local import versions
from local.node import config_files, network, process_commands
from local.node.cgroups import CGROUP
from local.node.supervisord import _config
from local.paths import Paths

CERTIFICATES = (
    "ca",
    "apiserver",
    "apiserver-kubelet-client",
    "front-proxy-ca",
    "front-proxy-client",
)
"""The certificates that `kubeadm init phase certs all` issues with an external etcd."""


@pytest.mark.parametrize(("allowed", "restrict"), [(True, False), (False, True)])
def test_containerd_restricts_oom_score_if_kernel_refuses(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, allowed: bool, restrict: bool
) -> None:
    monkeypatch.setattr(config_files, "_may_lower_oom_score", lambda: allowed)
    config = tomllib.loads(config_files.containerd(paths))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is restrict
    assert cri["sandbox_image"] == "localhost:5000/pause:3.10"
    assert cri["registry"]["config_path"] == f"{paths.state}/etc/certs.d"
    assert cri["cni"]["conf_dir"] == f"{paths.state}/etc/cni"
    runc = cri["containerd"]["runtimes"]["runc"]
    assert runc["options"]["SystemdCgroup"] is False
    assert config["root"].startswith(str(paths.state))
    assert config["state"].startswith(str(paths.run))
    assert config["grpc"]["address"] == str(paths.containerd_socket)


def test_local_registry_mirrors_every_registry() -> None:
    hosts = tomllib.loads(config_files.registry_hosts())["host"]
    assert hosts == {"http://localhost:5000": {"capabilities": ["pull", "resolve"]}}


def test_cni_connects_pods_to_bridge_with_hairpin_mode(paths: Paths) -> None:
    config = json.loads(config_files.cni(paths))
    bridge, portmap = config["plugins"]
    assert config["name"] == network.NODE
    assert bridge["bridge"] == network.BRIDGE
    assert bridge["hairpinMode"] is True
    assert bridge["ipMasq"] is True
    assert bridge["ipam"]["dataDir"].startswith(str(paths.run)), "a reboot must delete the leases"
    assert portmap["type"] == "portmap"


def test_registry_listens_on_loopback_only(paths: Paths) -> None:
    assert yaml.safe_load(config_files.registry(paths))["http"]["addr"] == "127.0.0.1:5000"


def test_kubelet_accepts_swap_and_cgroup_v1_below_one_cgroup(paths: Paths) -> None:
    config = yaml.safe_load(config_files.kubelet(paths, "/ours"))
    assert config["cgroupDriver"] == "cgroupfs"
    assert config["cgroupRoot"] == "/ours"
    assert config["failCgroupV1"] is False
    assert config["failSwapOn"] is False
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["authorization"]["mode"] == "Webhook"
    assert config["clusterDNS"] == [network.DNS_SERVICE]
    assert config["podLogsDir"].startswith(str(paths.logs))


def test_kube_proxy_serves_node_ports_on_loopback(paths: Paths) -> None:
    config = yaml.safe_load(config_files.kube_proxy(paths))
    assert config["mode"] == "iptables"
    assert config["nodePortAddresses"] == ["127.0.0.0/8"]


def test_resolv_conf_drops_name_servers_on_loopback() -> None:
    machine = "search x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.1\n"
    assert config_files.resolv_conf(machine) == "search x\nnameserver 192.0.2.1\n"


def flags(paths: Paths, program: str) -> dict[str, str]:
    command = process_commands.commands(paths)[program]
    first = next(index for index, part in enumerate(command) if part.startswith("--"))
    assert all(flag.startswith("--") for flag in command[first:])
    return dict(flag.removeprefix("--").split("=", 1) for flag in command[first:])


def test_api_server_allows_node_port_8000_and_requires_rbac(paths: Paths) -> None:
    values = flags(paths, "kube-apiserver")
    low, high = map(int, values["service-node-port-range"].split("-"))
    assert low <= 8000 <= high
    assert values["authorization-mode"] == "Node,RBAC"
    assert values["advertise-address"] == network.NODE_ADDRESS
    assert values["kubelet-preferred-address-types"] == "InternalIP"
    assert "anonymous-auth" not in values
    assert values["allow-privileged"] == "true"


def test_dockerd_does_not_change_the_network(paths: Paths) -> None:
    values = flags(paths, "dockerd")
    assert (values["bridge"], values["iptables"], values["ip-forward"]) == (
        "none",
        "false",
        "false",
    )
    assert values["registry-mirror"] == "http://localhost:5000"


def test_etcd_listens_on_sockets_only(paths: Paths) -> None:
    addresses = [value for name, value in flags(paths, "etcd").items() if name.endswith("-urls")]
    assert len(addresses) == 4
    assert all(address.startswith("unix://") for address in addresses)


def test_api_server_uses_socket_in_the_run_directory(paths: Paths) -> None:
    assert flags(paths, "kube-apiserver")["etcd-servers"] == f"unix://{paths.run}/etcd:2379"
    assert flags(paths, "etcd")["listen-client-urls"] == "unix://etcd:2379"


def test_etcd_removes_sockets_of_a_killed_one(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/etcd"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nls\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    paths.run.mkdir()
    for name in ("etcd:2379", "etcd:2380", "docker.sock"):
        (paths.run / name).touch()
    command = process_commands.commands(paths)["etcd"]
    result = subprocess.run(command, cwd=paths.run, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["docker.sock"]


def test_etcd_runs_in_the_directory_of_its_socket(paths: Paths) -> None:
    (paths.state / "etc").mkdir(parents=True)
    config = configparser.RawConfigParser()
    config.read(_config(paths))
    assert config["program:etcd"]["directory"] == str(paths.run)


def test_kubeadm_has_version_and_external_etcd(paths: Paths) -> None:
    node, cluster = yaml.safe_load_all(config_files.kubeadm(paths))
    assert cluster["kubernetesVersion"] == versions.KUBERNETES
    assert node["localAPIEndpoint"] == {"advertiseAddress": "10.244.0.1", "bindPort": 6443}
    assert cluster["controlPlaneEndpoint"] == "127.0.0.1:6443"
    assert cluster["certificatesDir"] == str(paths.pki)
    assert list(cluster["etcd"]) == ["external"]


def test_every_process_reads_files_that_kubeadm_writes(paths: Paths) -> None:
    written = {
        *(f"{name}.{kind}" for name in CERTIFICATES for kind in ("crt", "key")),
        *("sa.key", "sa.pub", "kube-proxy.conf"),
        *(f"{name}.conf" for name in ("kubelet", "controller-manager", "scheduler")),
    }
    texts = [
        *(" ".join(command) for command in process_commands.commands(paths).values()),
        *config_files.all_files(paths, "/ours").values(),
    ]
    read = {name for text in texts for name in re.findall(rf"{paths.pki}/([\w.-]+)", text)}
    assert read <= written
    assert {"ca.crt", "apiserver.crt", "sa.pub", "kube-proxy.conf"} <= read


@pytest.mark.parametrize("program", ["kube-controller-manager", "kube-scheduler"])
def test_controllers_listen_on_loopback_only(paths: Paths, program: str) -> None:
    values = flags(paths, program)
    addresses = [value for name, value in values.items() if "listen" in name or "bind" in name]
    assert addresses
    assert all("127.0.0.1" in address for address in addresses)


def test_processes_write_to_our_folders_only(paths: Paths) -> None:
    for command in process_commands.commands(paths).values():
        for flag in command[1:]:
            name, _, value = flag.removeprefix("--").partition("=")
            if value.startswith("/") and name != "cgroup-parent":
                assert value.startswith((str(paths.state), str(paths.run))), name


def test_image_builds_run_below_our_cgroup(paths: Paths) -> None:
    assert flags(paths, "dockerd")["cgroup-parent"].startswith(f"{CGROUP}/")


def test_supervisord_starts_all_processes_in_order(tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("a b%20c")
    paths = Paths(cache=folder / "cache", state=folder / "state", run=folder / "run")
    (paths.state / "etc").mkdir(parents=True)
    text = Path(_config(paths)).read_text()
    for name in process_commands.commands(paths):
        assert f"[program:{name}]" in text
    assert text.index("[program:etcd]") < text.index("[program:kube-apiserver]")
    command = next(line for line in text.splitlines() if "containerd.toml" in line)
    assert "'" in command, "a folder with a space is quoted"
    assert "b%%20c" in command
