"""The ground's configuration files parse, and hold what the ground stands or falls with."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from local import configs, network, programs
from local.cgroups import CGROUP
from local.paths import Paths
from local.supervise import _config


@pytest.mark.parametrize(("allowed", "restrict"), [(True, False), (False, True)])
def test_containerd_keeps_to_what_this_kernel_allows(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, allowed: bool, restrict: bool
) -> None:
    monkeypatch.setattr(configs, "_may_lower_oom_score", lambda: allowed)
    config = tomllib.loads(configs.containerd(paths))
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


def test_every_registry_is_answered_by_the_local_one() -> None:
    hosts = tomllib.loads(configs.registry_hosts())["host"]
    assert hosts == {"http://localhost:5000": {"capabilities": ["pull", "resolve"]}}


def test_pods_are_on_the_bridge_and_reach_themselves(paths: Paths) -> None:
    config = json.loads(configs.cni(paths))
    bridge, portmap = config["plugins"]
    assert config["name"] == network.NODE
    assert bridge["bridge"] == network.BRIDGE
    assert bridge["hairpinMode"] is True
    assert bridge["ipMasq"] is True
    assert bridge["ipam"]["dataDir"].startswith(str(paths.run)), "leases must end with a reboot"
    assert portmap["type"] == "portmap"


def test_the_registry_listens_on_loopback_alone(paths: Paths) -> None:
    assert yaml.safe_load(configs.registry(paths))["http"]["addr"] == "127.0.0.1:5000"


def test_kubelet_works_in_odd_machines_and_keeps_below_one_cgroup(paths: Paths) -> None:
    config = yaml.safe_load(configs.kubelet(paths, "/ours"))
    assert config["cgroupDriver"] == "cgroupfs"
    assert config["cgroupRoot"] == "/ours"
    assert config["failCgroupV1"] is False
    assert config["failSwapOn"] is False
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["authorization"]["mode"] == "Webhook"
    assert config["clusterDNS"] == [network.DNS_SERVICE]
    assert config["podLogsDir"].startswith(str(paths.logs))


def test_kube_proxy_serves_node_ports_on_loopback(paths: Paths) -> None:
    config = yaml.safe_load(configs.kube_proxy(paths))
    assert config["mode"] == "iptables"
    assert config["nodePortAddresses"] == ["127.0.0.0/8"]


def test_pods_are_given_no_name_server_that_they_cannot_reach() -> None:
    machine = "search x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.1\n"
    assert configs.resolv_conf(machine) == "search x\nnameserver 192.0.2.1\n"


def flags(paths: Paths, program: str) -> dict[str, str]:
    _, *given = programs.commands(paths)[program]
    assert all(flag.startswith("--") for flag in given)
    return dict(flag.removeprefix("--").split("=", 1) for flag in given)


def test_the_api_server_allows_the_front_doors_port_and_no_stranger(paths: Paths) -> None:
    given = flags(paths, "kube-apiserver")
    low, high = map(int, given["service-node-port-range"].split("-"))
    assert low <= 8000 <= high
    assert given["authorization-mode"] == "Node,RBAC"
    assert given["advertise-address"] == network.NODE_ADDRESS
    assert given["kubelet-preferred-address-types"] == "InternalIP"
    assert "anonymous-auth" not in given
    assert given["allow-privileged"] == "true"


def test_dockerd_leaves_the_machines_network_alone(paths: Paths) -> None:
    given = flags(paths, "dockerd")
    assert (given["bridge"], given["iptables"], given["ip-forward"]) == ("none", "false", "false")
    assert given["registry-mirror"] == "http://localhost:5000"


@pytest.mark.parametrize("program", ["etcd", "kube-controller-manager", "kube-scheduler"])
def test_what_only_this_machine_needs_listens_on_loopback(paths: Paths, program: str) -> None:
    given = flags(paths, program)
    addresses = [value for name, value in given.items() if "listen" in name or "bind" in name]
    assert addresses
    assert all("127.0.0.1" in address for address in addresses)


def test_everything_that_a_process_keeps_is_in_our_folders(paths: Paths) -> None:
    for command in programs.commands(paths).values():
        for flag in command[1:]:
            name, _, value = flag.removeprefix("--").partition("=")
            if value.startswith("/") and name != "cgroup-parent":
                assert value.startswith((str(paths.state), str(paths.run))), name


def test_builds_run_below_the_cgroup_that_goes_at_the_end(paths: Paths) -> None:
    assert flags(paths, "dockerd")["cgroup-parent"].startswith(f"{CGROUP}/")


def test_supervisord_runs_all_of_them_in_the_order_of_need(tmp_path_factory) -> None:
    odd = tmp_path_factory.mktemp("a b%20c")
    paths = Paths(cache=odd / "cache", state=odd / "state", run=odd / "run")
    (paths.state / "etc").mkdir(parents=True)
    text = Path(_config(paths)).read_text()
    for name in programs.commands(paths):
        assert f"[program:{name}]" in text
    assert text.index("[program:etcd]") < text.index("[program:kube-apiserver]")
    command = next(line for line in text.splitlines() if "containerd.toml" in line)
    assert "'" in command, "a folder with a blank is quoted"
    assert "b%%20c" in command
