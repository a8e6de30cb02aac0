"""Start a real API server with an etcd and nothing else: no kubelet, no controllers, no objects.

It uses the same flags and certificates as the API server of the local stack.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from bench.events.broker import free_port
from bench.events.drill_setup import DrillSetup, broker_and_folder
from bench.events.kube import Access, Kube
from bench.events.versions import deployment, deployments, pod, pods, status
from bench.traffic.cluster import Manifest, get
from local.node.process_commands import commands
from local.paths import Paths

_START_SECONDS = 60.0
_WRITES_AT_ONCE = 16
_CRDS = ("ingressroutes.traefik.io", "traefikservices.traefik.io")
_AVAILABLE = {
    "status": {
        "replicas": 1,
        "readyReplicas": 1,
        "conditions": [{"type": "Available", "status": "True"}],
    }
}


@contextlib.asynccontextmanager
async def standalone_setup(namespace: str) -> AsyncIterator[DrillSetup]:
    """Create an empty namespace in it, a RabbitMQ and a folder; remove all of it afterwards."""
    async with (
        broker_and_folder() as (broker, folder),
        _api_server(folder) as access,
        Kube(access) as kube,
    ):
        await _wait_until_ready(kube)
        await kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        # the other resources that the watcher follows
        for name in _CRDS:
            await _create_crd(kube, name)
        yield DrillSetup(namespace, folder, access, kube, broker)


@contextlib.asynccontextmanager
async def _api_server(folder: Path) -> AsyncIterator[Access]:
    store, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    url = f"https://127.0.0.1:{free_port()}"
    etcd = [
        *("etcd", f"--data-dir={folder}/etcd", "--log-level=warn"),
        *(f"--listen-client-urls={store}", f"--advertise-client-urls={store}"),
        *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
        f"--initial-cluster=default={peer}",
    ]
    stack_command = commands(Paths.of_user())["kube-apiserver"]
    server = [
        # never the local stack's etcd: repeated values of this flag add up
        *(
            flag
            for flag in stack_command
            if not flag.startswith(("--etcd-servers=", "--secure-port="))
        ),
        *(f"--etcd-servers={store}", f"--secure-port={url.rpartition(':')[2]}"),
        # no controller creates the accounts that this plugin waits for
        "--disable-admission-plugins=ServiceAccount",
    ]
    environment = {"PATH": os.environ["PATH"]}
    access = replace(Access.from_kubeconfig(folder), url=url)
    with (folder / "api-server.log").open("wb") as log:
        started: list[subprocess.Popen[bytes]] = []
        try:
            started += [
                subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
                for command in (etcd, server)
            ]
            yield access
        finally:
            for process in reversed(started):
                process.terminate()
                await asyncio.to_thread(process.wait)


async def _wait_until_ready(kube: Kube) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with contextlib.suppress(OSError, RuntimeError):
                # this namespace exists only after the API server has started completely
                await kube.send("GET", "/api/v1/namespaces/kube-system")
                return
            await asyncio.sleep(0.2)


async def _create_crd(kube: Kube, name: str) -> None:
    crd = await asyncio.to_thread(get, "customresourcedefinition", name)
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": crd["spec"],
    }
    await kube.send("POST", path, body)


async def fill(setup: DrillSetup, number_deployments: int, number_pods: int) -> None:
    """Create Deployments and Pods; a tenth of the Pods is in a crash loop."""
    await _write(
        setup.kube,
        deployments(setup.namespace),
        ((deployment(f"m{number}"), _AVAILABLE) for number in range(number_deployments)),
    )
    await _write(
        setup.kube,
        pods(setup.namespace),
        (
            (pod(f"m{number % number_deployments}", number), status(failing=number % 10 == 0))
            for number in range(number_pods)
        ),
    )


async def _write(kube: Kube, path: str, items: Iterable[tuple[Manifest, Manifest]]) -> None:
    """Create each object, then set its status; several at a time."""
    remaining = iter(items)

    async def worker() -> None:
        for item, item_status in remaining:
            name = cast("Mapping[str, str]", item["metadata"])["name"]
            await kube.send("POST", path, item)
            await kube.send("PATCH", f"{path}/{name}/status", item_status)

    async with asyncio.TaskGroup() as group:
        for _ in range(_WRITES_AT_ONCE):
            group.create_task(worker())
