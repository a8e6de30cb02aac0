"""Requests to the API server, because kubectl takes longer than the measured times."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import cast

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient, Resource

from bench.traffic.cluster import Manifest

_PLURALS = {
    "IngressRoute": "ingressroutes",
    "Middleware": "middlewares",
    "TraefikService": "traefikservices",
}
_GROUP, _VERSION = "traefik.io", "v1alpha1"


def _configured() -> client.ApiClient:
    # explicit, since the client reads the variable only at import
    api_client = config.new_client_from_config(os.environ.get("KUBECONFIG"))
    return cast("client.ApiClient", api_client)


class Routes:
    """Patches Traefik objects of a namespace, over kept-alive connections."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._api = client.CustomObjectsApi(_configured())

    async def change(self, items: Sequence[Manifest]) -> float:
        """Patch the spec of existing objects; return the time of the API server's reply."""
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


_AT_ONCE = 6


class Many:
    """Applies and deletes hundreds of objects in a namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._dynamic = DynamicClient(_configured())

    def put(self, items: Sequence[Manifest]) -> None:
        """Apply server-side, in any order."""
        self._for_each(
            items,
            lambda kind, item, name: kind.server_side_apply(
                body=dict(item),
                name=name,
                namespace=self._namespace,
                field_manager="bench-traffic",
                force_conflicts=True,
            ),
        )

    def delete(self, items: Sequence[Manifest]) -> None:
        """Delete existing objects, in any order."""

        def away(kind: Resource, _item: Manifest, name: str) -> None:
            try:
                kind.delete(name=name, namespace=self._namespace)
            except ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

        self._for_each(items, away)

    def _for_each(
        self, items: Sequence[Manifest], act: Callable[[Resource, Manifest, str], object]
    ) -> None:
        def act_on(item: Manifest) -> None:
            kind = self._dynamic.resources.get(api_version=item["apiVersion"], kind=item["kind"])
            act(kind, item, str(cast("dict[str, object]", item["metadata"])["name"]))

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(act_on, items))
