"""The local cluster answers this machine only: no other machine, and etcd no image build."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local import versions
from local.build import images
from local.node import network
from local.paths import Paths
from tests.integration.network import neighbor
from tests.integration.network.neighbor import reach_from_machine, reach_from_neighbor
from tests.support import local_stack

ENTRY_POINT_PORT = 8000
REGISTRY_PORT = 5000
ETCD_PORTS = (2379, 2380)
KUBELET_PORT = 10250
MACHINE_PORTS = (
    *(ENTRY_POINT_PORT, REGISTRY_PORT, network.API_PORT, *ETCD_PORTS, KUBELET_PORT),
    *(10248, 10249, 10256, 10257, 10259),
)
"""What the processes of the cluster listen on, and what they must not listen on."""


@pytest.fixture(scope="module", autouse=True)
def connected() -> Iterator[None]:
    with neighbor.connected():
        yield


@pytest.fixture(scope="module")
def machine() -> dict[str, str]:
    """This machine's addresses, by name."""
    return {**neighbor.MACHINE, "node": network.NODE_ADDRESS, "loopback": "127.0.0.1"}


@pytest.fixture(scope="module")
def services() -> list[local_stack.Object]:
    return items("services")


def items(kind: str) -> list[local_stack.Object]:
    command = ("kubectl", "get", kind, "--all-namespaces", "--output=json")
    text = local_stack.run(*command, env=local_stack.environment()).succeeded().text
    return list(json.loads(text)["items"])


def service_ports(services: list[local_stack.Object], key: str) -> list[int]:
    return sorted({port[key] for item in services for port in item["spec"]["ports"] if key in port})


def test_neighbor_reaches_an_ordinary_listener_and_no_process_of_the_cluster(
    machine: dict[str, str],
) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.getsockname()[1]
        answers = reach_from_neighbor(machine, (*MACHINE_PORTS, port))
    tcp = {answer for answer in answers if answer[1] > 0}  # a DNS server of this machine may answer
    assert tcp == {("IPv4", port), ("IPv6", port)}


def test_neighbor_reaches_no_node_port(
    machine: dict[str, str], services: list[local_stack.Object]
) -> None:
    ports = service_ports(services, "nodePort")
    assert ENTRY_POINT_PORT in ports
    assert ("loopback", ENTRY_POINT_PORT) in reach_from_machine(machine, ports)
    assert reach_from_neighbor(machine, ports) == set()


def test_neighbor_reaches_no_service(services: list[local_stack.Object]) -> None:
    addresses = {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["spec"]["clusterIP"]
        for item in services
        if item["spec"].get("clusterIP", "None") != "None"
    }
    ports = service_ports(services, "port")
    answers = {name for name, _ in reach_from_machine(addresses, ports)}
    assert {"default/kubernetes", "kube-system/kube-dns"} <= answers
    assert reach_from_neighbor(addresses, ports) == set()


def test_neighbor_reaches_no_pod() -> None:
    pods = [item for item in items("pods") if item["status"].get("podIP")]
    addresses = {item["metadata"]["name"]: item["status"]["podIP"] for item in pods}
    containers = [container for item in pods for container in item["spec"]["containers"]]
    ports = sorted(
        {port["containerPort"] for entry in containers for port in entry.get("ports", [])}
    )
    answers = {name for name, _ in reach_from_machine(addresses, ports)}
    assert any(name.startswith("ingress-controller") for name in answers)
    assert reach_from_neighbor(addresses, ports) == set()


def test_machine_reaches_entry_point_registry_api_server_and_kubelet(
    machine: dict[str, str],
) -> None:
    status = requests.get(f"http://localhost:{ENTRY_POINT_PORT}/v2/health/live", timeout=10)
    assert status.status_code == 200
    answers = reach_from_machine(machine, MACHINE_PORTS)
    assert {
        ("loopback", REGISTRY_PORT),
        ("loopback", network.API_PORT),
        ("node", KUBELET_PORT),
    } <= answers
    assert not [port for _, port in answers if port in ETCD_PORTS]


def test_image_build_reaches_the_registry_and_no_etcd(tmp_path: Path) -> None:
    paths = Paths.of_user()
    shutil.copy(neighbor.CALLER, tmp_path)
    ports = (*ETCD_PORTS, REGISTRY_PORT)
    socket_file = paths.etcd_socket
    assert socket_file.is_socket()
    (tmp_path / "Dockerfile").write_text(
        f"FROM {next(iter(versions.PYTHON_IMAGES.values()))} AS build\n"
        "COPY caller.py .\n"
        f"RUN test ! -e {socket_file} && "
        f"""python caller.py '{{"machine": "127.0.0.1"}}' '{list(ports)}' > /reached\n"""
        "FROM scratch\n"
        "COPY --from=build /reached /\n"
    )
    command = (images.DOCKER, "build", "--network=host", "--no-cache", f"--output={tmp_path}/out")
    environment = {**local_stack.environment(), **images.docker_environment(paths)}
    local_stack.run(*command, str(tmp_path), env=environment).succeeded()
    reached = json.loads((tmp_path / "out/reached").read_text())
    assert reached == [["machine", REGISTRY_PORT]]
