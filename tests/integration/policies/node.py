"""A node in an isolated network namespace: API server, Calico's agent, Pods.

The local cluster's network enforces no policies. Here Calico's Felix enforces them on Pods, each of
which is a network namespace: it reads Pods and policies from an API server and writes rules into
the kernel, as on a node of a real cluster. Nothing else is changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import versions
from local.build import go_tools
from local.paths import Paths
from tests.support.time_limits import at_most

NODE = "policies-node"
_HOP = "169.254.1.1"
"""The default gateway of all Pods."""
_NODE_ADDRESS = "10.250.0.1"
_API = "https://127.0.0.1:6443"
_PATIENCE = 90.0
_HERE = Path(__file__).parent
_KUBECONFIG = f"""
apiVersion: v1
kind: Config
clusters: [{{name: it, cluster: {{server: "{_API}", insecure-skip-tls-verify: true}}}}]
users: [{{name: admin, user: {{token: admin}}}}]
contexts: [{{name: it, context: {{cluster: it, user: admin}}}}]
current-context: it
"""

Object = dict[str, Any]
Connection = tuple[str, str, int]
"""Source Pod, target Pod, port; the port of DNS by UDP is negative."""


@dataclass(frozen=True)
class Pod:
    """A Pod's name, namespace and labels."""

    name: str
    namespace: str
    labels: Mapping[str, str]


@dataclass
class Node:
    """A running node; `listen` and `opened` act on all Pods at once."""

    folder: Path
    pods: dict[str, Pod] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str | Path, space: str = NODE, **environment: str) -> None:
        """Start a program in a network namespace; it terminates with the node."""
        log = (self.folder / f"{Path(command[0]).name}.log").open("ab")
        variables = [f"{name}={value}" for name, value in environment.items()]
        self.processes.append(
            subprocess.Popen(
                ["ip", "netns", "exec", space, "env", *variables, *command],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        )  # fmt: skip

    def kubectl(self, *arguments: str | Path, manifest: Object | None = None) -> str:
        program = Paths.of_user().tools / f"kubernetes-{versions.KUBERNETES}/kubectl"
        command = [program, "--kubeconfig", self.folder / "kubeconfig", *arguments]
        return _run("ip", "netns", "exec", NODE, *command, stdin=json.dumps(manifest))

    def create(self, item: Object) -> None:
        self.kubectl("apply", "--server-side", "--filename", "-", manifest=item)

    def add(self, pod: Pod) -> None:
        """Create a Pod object and its network namespace."""
        self.pods[pod.name] = pod
        address = self.address(pod.name)
        self.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": pod.name, "namespace": pod.namespace, "labels": dict(pod.labels)
                },
                "spec": {"nodeName": NODE, "containers": [{"name": "only", "image": "none"}]},
            }
        )  # fmt: skip
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        self.kubectl(
            "patch", "pod", pod.name, "--namespace", pod.namespace, "--subresource=status",
            "--type=merge", "--patch", json.dumps({"status": status}),
        )  # fmt: skip
        _connect(pod, address)

    def address(self, name: str) -> str:
        return f"10.250.0.{10 + list(self.pods).index(name)}"

    def listen(self, ports: Sequence[int]) -> None:
        for name in self.pods:
            listener = (sys.executable, _HERE / "listener.py", *map(str, ports))
            self.start(*listener, space=_space(name))

    def opened(self, ports: Sequence[int]) -> set[Connection]:
        """Return every successful connection between two Pods."""

        def of(source: str) -> set[Connection]:
            addresses = {name: self.address(name) for name in self.pods if name != source}
            command = [
                sys.executable,
                _HERE / "caller.py",
                json.dumps(addresses),
                json.dumps(ports),
            ]
            opened = json.loads(_run("ip", "netns", "exec", _space(source), *command))
            return {(source, target, port) for target, port in opened}

        with ThreadPoolExecutor(2) as pool:
            return set().union(*pool.map(of, self.pods))

    def wait(self, description: str, *command: str) -> None:
        deadline = time.monotonic() + at_most(_PATIENCE)
        while True:
            try:
                self.kubectl(*command)
            except AssertionError:
                assert time.monotonic() < deadline, (
                    f"{description} does not come; see {self.folder}"
                )
                time.sleep(0.5)
            else:
                return


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Node]:
    """Run a node without Pods."""
    _take_away()
    node = Node(folder)
    try:
        _run("ip", "netns", "add", NODE)
        for address in (f"{_NODE_ADDRESS}/32", f"{_HOP}/32"):
            _run("ip", "-n", NODE, "address", "add", address, "dev", "lo")
        _run("ip", "-n", NODE, "link", "set", "lo", "up")
        _run("ip", "netns", "exec", NODE, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        _api_server(node)
        _felix(node)
        yield node
    finally:
        for process in reversed(node.processes):
            process.terminate()
        for process in node.processes:
            process.wait(timeout=at_most(30))
        _take_away()


def _api_server(node: Node) -> None:
    (node.folder / "kubeconfig").write_text(_KUBECONFIG)
    (node.folder / "tokens.csv").write_text("admin,admin,admin,system:masters\n")
    key = node.folder / "account.key"
    _run("openssl", "genrsa", "-out", key, "2048")
    node.start("etcd", "--data-dir", node.folder / "etcd", "--unsafe-no-fsync", "--logger", "zap")
    node.start(
        Paths.of_user().tools / f"kubernetes-{versions.KUBERNETES}/kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379", "--service-cluster-ip-range=10.96.0.0/24",
        "--bind-address=127.0.0.1", f"--advertise-address={_NODE_ADDRESS}",
        "--endpoint-reconciler-type=none", f"--cert-dir={node.folder}/certificates",
        "--service-account-issuer=https://it", f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}", "--authorization-mode=AlwaysAllow",
        f"--token-auth-file={node.folder}/tokens.csv",
        "--disable-admission-plugins=ServiceAccount",
    )  # fmt: skip
    node.wait("the API server", "get", "--raw", "/readyz")


def _felix(node: Node) -> None:
    paths = Paths.of_user()
    go_tools.build(paths, go_tools.CALICO)
    module = "github.com/projectcalico/calico"
    source = go_tools.module_folder(paths, module, versions.CALICO)
    definitions = source / "libcalico-go/config/crd"
    node.kubectl("apply", "--server-side", "--filename", definitions)
    group = "crd.projectcalico.org"
    kinds = "--for=condition=Established"
    node.kubectl("wait", kinds, "crd", f"clusterinformations.{group}", "--timeout=60s")
    node.create(
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterInformation",
            "metadata": {"name": "default"},
            "spec": {"datastoreReady": True, "clusterGUID": "0" * 32},
        }
    )
    node.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": NODE,
                "annotations": {"projectcalico.org/IPv4Address": f"{_NODE_ADDRESS}/24"},
            },
        }
    )
    settings = {
        "DATASTORETYPE": "kubernetes",
        "FELIXHOSTNAME": NODE,
        "INTERFACEPREFIX": "cali",
        "IPTABLESBACKEND": "NFT",
        "IPV6SUPPORT": "false",
        "HEALTHENABLED": "false",
        "BPFENABLED": "false",
        "USAGEREPORTINGENABLED": "false",
        "LOGFILEPATH": "none",
        "LOGSEVERITYSYS": "none",
    }
    node.start(
        go_tools.CALICO.folder(paths) / "calico-felix",
        KUBECONFIG=str(node.folder / "kubeconfig"),
        **{f"FELIX_{name}": value for name, value in settings.items()},
    )


def _connect(pod: Pod, address: str) -> None:
    """Create a veth pair with the interface name that Felix expects for this Pod."""
    digest = hashlib.sha1(f"{pod.namespace}.{pod.name}".encode(), usedforsecurity=False).hexdigest()
    end, space = f"cali{digest[:11]}", _space(pod.name)
    of_node, of_pod = ("ip", "-n", NODE), ("ip", "-n", space)
    _run("ip", "netns", "add", space)
    pair = ("type", "veth", "peer", "name", "eth0", "netns", space)
    _run(*of_node, "link", "add", end, *pair)
    _run(*of_node, "link", "set", end, "up")
    _run(*of_node, "route", "replace", f"{address}/32", "dev", end, "scope", "link")
    _run(*of_pod, "link", "set", "lo", "up")
    _run(*of_pod, "address", "add", f"{address}/32", "dev", "eth0")
    _run(*of_pod, "link", "set", "eth0", "up")
    _run(*of_pod, "route", "add", _HOP, "dev", "eth0", "scope", "link")
    _run(*of_pod, "route", "add", "default", "via", _HOP)


def _space(name: str) -> str:
    return f"policies-{name}"


def _take_away() -> None:
    """Remove everything, also of a killed run."""
    for line in _run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith("policies-"):
            _run("ip", "netns", "delete", name)


def _run(*command: str | Path, stdin: str | None = None) -> str:
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
