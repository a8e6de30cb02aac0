"""A real API server with an etcd, and nothing else: no kubelet, no controller, nobody's objects.

It is started as the local stack's is, beside it, with the same certificates.
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
from bench.events.ground import Ground, broker_and_folder
from bench.events.kube import Access, Kube
from bench.events.versions import deployment, deployments, pod, pods, status
from bench.traffic.cluster import Manifest, get
from local.paths import Paths
from local.programs import commands

_START_SECONDS = 60.0
_WRITES_AT_ONCE = 16
_DEFINITIONS = ("ingressroutes.traefik.io", "traefikservices.traefik.io")
_AVAILABLE = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}


@contextlib.asynccontextmanager
async def ground_alone(namespace: str) -> AsyncIterator[Ground]:
    """An empty namespace on it, a RabbitMQ and a folder; all of it goes with it."""
    async with (
        broker_and_folder() as (broker, folder),
        _api_server(folder) as access,
        Kube(access) as kube,
    ):
        await _answers(kube)
        await kube.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        # what the watcher follows beside Deployments and Pods
        for name in _DEFINITIONS:
            await _define(kube, name)
        yield Ground(namespace, folder, access, kube, broker)


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
    given = commands(Paths.of_user())["kube-apiserver"]
    server = [
        # not the local stack's store, under any circumstances: the flag's values would add up
        *(flag for flag in given if not flag.startswith(("--etcd-servers=", "--secure-port="))),
        *(f"--etcd-servers={store}", f"--secure-port={url.rpartition(':')[2]}"),
        # nobody makes the accounts that it would wait for
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


async def _answers(kube: Kube) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with contextlib.suppress(OSError, RuntimeError):
                # a JSON object, and there only once its own start is over
                await kube.send("GET", "/api/v1/namespaces/kube-system")
                return
            await asyncio.sleep(0.2)


async def _define(kube: Kube, name: str) -> None:
    found = await asyncio.to_thread(get, "customresourcedefinition", name)
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    made = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": found["spec"],
    }
    await kube.send("POST", path, made)


async def fill(place: Ground, number_deployments: int, number_pods: int) -> None:
    """So many of each; Pods are spread over the Deployments, a tenth of them in a crash loop."""
    await _write(
        place.kube,
        deployments(place.namespace),
        ((deployment(f"m{number}", 1), _AVAILABLE) for number in range(number_deployments)),
    )
    await _write(
        place.kube,
        pods(place.namespace),
        (
            (pod(f"m{number % number_deployments}", number), status(failing=number % 10 == 0))
            for number in range(number_pods)
        ),
    )


async def _write(kube: Kube, path: str, items: Iterable[tuple[Manifest, Manifest]]) -> None:
    """Make each, then give it its status, some of them side by side."""
    left = iter(items)

    async def worker() -> None:
        for made, stands in left:
            name = cast("Mapping[str, str]", made["metadata"])["name"]
            await kube.send("POST", path, made)
            await kube.send("PATCH", f"{path}/{name}/status", stands)

    async with asyncio.TaskGroup() as group:
        for _ in range(_WRITES_AT_ONCE):
            group.create_task(worker())
