"""A namespace, a RabbitMQ and a folder for one drill; all of it goes with it."""

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
class Ground:
    """What a drill stands on."""

    namespace: str
    folder: Path
    access: Access
    kube: Kube
    broker: Node

    async def revision(self) -> int:
        """The moment that it is now in the cluster."""
        found = await self.kube.send("GET", deployments(self.namespace))
        return int(json.loads(json.dumps(found["metadata"]))["resourceVersion"])


@contextlib.asynccontextmanager
async def broker_and_folder(host: str = "127.0.0.1") -> AsyncIterator[tuple[Node, Path]]:
    """A RabbitMQ that takes messages, and a folder for whatever else there is to keep."""
    with tempfile.TemporaryDirectory(prefix="bench-events-") as place:
        folder = Path(place)
        (folder / "broker").mkdir(mode=0o700)
        broker = Node(folder / "broker", host)
        try:
            await asyncio.to_thread(broker.start)
            yield broker, folder
        finally:
            broker.remove()


def _delete(namespace: str) -> None:
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s")


@contextlib.asynccontextmanager
async def ground(namespace: str, broker_host: str = "127.0.0.1") -> AsyncIterator[Ground]:
    """An empty namespace; an earlier run's is deleted first."""
    _delete(namespace)
    kubectl("create", "namespace", namespace)
    try:
        async with broker_and_folder(broker_host) as (broker, folder):
            access = Access.from_kubeconfig(folder)
            async with Kube(access) as kube:
                yield Ground(namespace, folder, access, kube, broker)
    finally:
        _delete(namespace)
