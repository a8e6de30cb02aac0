"""Production's entry points in a real Traefik, with the declared arguments and middlewares.

Traefik runs as a process on separate ports, and reads a namespace of the cluster that has the
middlewares, one address of each kind, and no Pod.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from local.build.wheel_programs import wheel_program
from local.paths import Paths
from tests.integration.production.conftest import kubectl
from tests.support import local_stack
from tests.support.rendered_manifests import Object
from tests.support.time_limits import at_most

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated in favor of:DeprecationWarning")
HEADERS = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
BURST, AVERAGE = 400, 200
BALANCER = "127.0.0.7"
START_SECONDS = 60.0

Answer = tuple[int, dict[str, str]]


def addresses(namespace: str, of_class: str) -> list[Object]:
    """Return an IngressRoute and an Ingress, whose Service has no Pod."""
    service = {"name": "nobody", "port": {"number": 80}}
    path = {"path": "/ingress/", "pathType": "Prefix", "backend": {"service": service}}
    rule = {
        "kind": "Rule",
        "match": "PathPrefix(`/route/`)",
        "services": [{"kind": "TraefikService", "name": "noop@internal"}],
    }
    metadata = {"namespace": namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "nobody", **metadata},
            "spec": {"selector": {"nobody": "here"}, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "ingress", **metadata},
            "spec": {"ingressClassName": of_class, "rules": [{"http": {"paths": [path]}}]},
        },
        {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "IngressRoute",
            "metadata": {"name": "route", **metadata},
            "spec": {"entryPoints": ["web"], "routes": [rule]},
        },
    ]


@pytest.fixture(scope="module")
def ports(
    objects: list[Object], namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, int]]:
    """Return the ports of a Traefik that has loaded all objects."""
    folder = tmp_path_factory.mktemp("entry-points")
    (ingress_class,) = [item for item in objects if item["kind"] == "IngressClass"]
    name = str(ingress_class["metadata"]["name"])
    middlewares = [item for item in objects if item["kind"] == "Middleware"]
    prerequisites = [ingress_class, *middlewares, *addresses(namespace, name)]
    (folder / "given.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": prerequisites})
    )
    kubectl("apply", "--server-side", "--filename", str(folder / "given.json"))
    ports: dict[str, int] = {}
    command = [_with_own_port(_and_proxy(argument), ports) for argument in _arguments(objects)]
    environment = {**os.environ, "KUBECONFIG": local_stack.environment()["KUBECONFIG"]}
    traefik = wheel_program(Paths.of_user(), "traefik", "traefik")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([traefik, *command], env=environment, stdout=log, stderr=log)
    try:
        _wait(ports["web"], folder / "log")
        yield ports
    finally:
        process.terminate()
        process.wait(timeout=at_most(60))
        kubectl("delete", "ingressclass", name)


def _arguments(objects: list[Object]) -> list[str]:
    (traefik,) = [
        item
        for item in objects
        if item["kind"] == "Deployment" and item["metadata"]["name"] == "ingress-controller"
    ]
    arguments: list[str] = traefik["spec"]["template"]["spec"]["containers"][0]["args"]
    return arguments


def _and_proxy(argument: str) -> str:
    """Replace the load balancer's address range by a local address."""
    believed = argument.startswith("--entrypoints.web.proxyprotocol.trustedips=")
    return f"{argument},{BALANCER}/32" if believed else argument


def _with_own_port(argument: str, ports: dict[str, int]) -> str:
    named = re.fullmatch(r"--entrypoints\.(\w+)\.address=:\d+", argument)
    if named is None:
        return argument
    with socket.create_server(("127.0.0.1", 0)) as free:
        ports[named[1]] = free.getsockname()[1]
    return f"--entrypoints.{named[1]}.address=127.0.0.1:{ports[named[1]]}"


def _wait(port: int, log: Path) -> None:
    deadline = time.monotonic() + at_most(START_SECONDS)
    while True:
        try:
            if {ask(port, path)[0] for path in ("/route/", "/ingress/")} == {418, 503}:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def ask(port: int, path: str, method: str = "GET", client: str = "127.0.0.1") -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=10, source_address=(client, 0))
    try:
        connection.request(method, path, headers={"Host": "models.example.com"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, dict(answer.getheaders())
    finally:
        connection.close()


@pytest.mark.parametrize(("path", "status"), [("/route/x", 418), ("/ingress/x", 503)])
def test_responses_of_every_route_have_security_headers(
    ports: dict[str, int], path: str, status: int
) -> None:
    answer_status, headers = ask(ports["web"], path, client="127.0.0.9")
    assert answer_status == status
    assert HEADERS.items() <= headers.items()


def _named(port: int, client: str, by: str) -> HTTPConnection:
    """Open a connection with a PROXY v2 header, as a network load balancer does."""
    addresses = socket.inet_aton(client) + socket.inet_aton("127.0.0.1")
    header = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x11, 12) + addresses
    connection = HTTPConnection("127.0.0.1", port, timeout=10, source_address=(by, 0))
    connection.connect()
    connection.sock.sendall(header + struct.pack("!HH", 40000, 443))
    return connection


def _statuses(connection: HTTPConnection, path: str, count: int) -> Counter[int]:
    counts: Counter[int] = Counter()
    for _ in range(count):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        counts[answer.status] += 1
        assert HEADERS.items() <= dict(answer.getheaders()).items()
    connection.close()
    return counts


def test_rate_limit_counts_address_of_proxy_header(
    ports: dict[str, int],
) -> None:
    flooded = _statuses(_named(ports["web"], "203.0.113.9", BALANCER), "/route/", 1500)
    assert flooded[429] > 0
    assert 429 not in _statuses(_named(ports["web"], "203.0.113.10", BALANCER), "/route/", 100)


def test_proxy_header_of_untrusted_address_is_ignored(ports: dict[str, int]) -> None:
    liar = "127.0.0.8"
    counts: Counter[int] = Counter()
    for number in range(150):
        counts += _statuses(_named(ports["web"], f"203.0.113.{number}", liar), "/ingress/", 10)
    assert counts[429] > 0


@pytest.mark.parametrize("path", ["/route/", "/ingress/"])
def test_rate_limit_affects_flooding_client_only(ports: dict[str, int], path: str) -> None:
    def flood(_: int) -> Counter[int]:
        connection = HTTPConnection(
            "127.0.0.1", ports["web"], timeout=10, source_address=("127.0.0.2", 0)
        )
        return _statuses(connection, path, 400)

    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        counts = sum(pool.map(flood, range(4)), Counter[int]())
    seconds = time.monotonic() - begun
    assert counts[429] > 0
    passed = sum(counts.values()) - counts[429]
    assert BURST <= passed <= BURST + AVERAGE * (seconds + 1)
    assert ask(ports["web"], path, client="127.0.0.3")[0] != 429


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 308)])
def test_plain_http_redirects_to_https(ports: dict[str, int], method: str, status: int) -> None:
    answer_status, headers = ask(ports["plain"], "/models/iris/prod/model?x=1", method)
    assert (answer_status, headers["Location"]) == (
        status,
        "https://models.example.com/models/iris/prod/model?x=1",
    )
