"""Set up a namespace, a RabbitMQ and a folder for one drill, and remove them afterwards."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench.events.broker import Node
from bench.events.kube import Access, Kube
from bench.events.versions import deployments
from bench.traffic.cluster import kubectl


@dataclass(frozen=True)
class DrillSetup:
    """The resources of a drill."""

    namespace: str
    folder: Path
    access: Access
    kube: Kube
    broker: Node

    async def revision(self) -> int:
        """Return the current revision of the cluster."""
        deployment_list = await self.kube.send("GET", deployments(self.namespace))
        return int(json.loads(json.dumps(deployment_list["metadata"]))["resourceVersion"])


@contextlib.asynccontextmanager
async def broker_and_folder(host: str = "127.0.0.1") -> AsyncIterator[tuple[Node, Path]]:
    """Start a RabbitMQ; yield it and a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bench-events-") as name:
        folder = Path(name)
        (folder / "broker").mkdir(mode=0o700)
        broker = Node(folder / "broker", host)
        try:
            await asyncio.to_thread(broker.start)
            yield broker, folder
        finally:
            broker.remove()


def _delete(namespace: str) -> None:
    kubectl("delete", "namespace", namespace, "--ignore-not-deployment_list", "--timeout=120s")


@contextlib.asynccontextmanager
async def drill_setup(namespace: str, broker_host: str = "127.0.0.1") -> AsyncIterator[DrillSetup]:
    """Create an empty namespace; delete that of an earlier run first."""
    _delete(namespace)
    kubectl("create", "namespace", namespace)
    try:
        async with broker_and_folder(broker_host) as (broker, folder):
            access = Access.from_kubeconfig(folder)
            async with Kube(access) as kube:
                yield DrillSetup(namespace, folder, access, kube, broker)
    finally:
        _delete(namespace)
