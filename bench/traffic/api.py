"""Changes to routes straight at the API server: kubectl takes longer than what is measured."""

import asyncio
import time
from collections.abc import Iterable
from typing import cast

from kubernetes import client, config

from bench.traffic.cluster import Manifest

_PLURALS = {
    "IngressRoute": "ingressroutes",
    "Middleware": "middlewares",
    "TraefikService": "traefikservices",
}
_GROUP, _VERSION = "traefik.io", "v1alpha1"


class Routes:
    """Patches objects of Traefik in one namespace, over kept connections."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        configured = config.new_client_from_config()  # type: ignore[no-untyped-call]  # theirs
        self._api = client.CustomObjectsApi(configured)

    async def change(self, items: Iterable[Manifest]) -> float:
        """Give objects that are there another spec; returns when the API server had replied."""
        for item in items:
            await asyncio.to_thread(self._patch, item)
        return time.monotonic()

    def _patch(self, item: Manifest) -> None:
        metadata = cast("dict[str, object]", item["metadata"])
        self._api.patch_namespaced_custom_object(
            _GROUP,
            _VERSION,
            self._namespace,
            _PLURALS[str(item["kind"])],
            str(metadata["name"]),
            {"metadata": {"annotations": metadata.get("annotations", {})}, "spec": item["spec"]},
            _content_type="application/merge-patch+json",
        )
