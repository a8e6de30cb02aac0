"""The API server, by the official dynamic client. Every call blocks: run it in a thread."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from local.plugins.access import mapping, objects, text
from local.plugins.failures import PluginError
from local.plugins.kubernetes.configuration import Settings
from local.plugins.kubernetes.tokens import Kind
from local.plugins.values import Json, Object

if TYPE_CHECKING:
    from kubernetes.dynamic import DynamicClient
    from kubernetes.dynamic.resource import Resource

CALL_SECONDS = 60
"""For one request; server-side apply of the largest CRDs takes about one."""


@dataclass
class ClusterError(PluginError):
    """The API server's answer, where it is no success."""

    status: int
    reason: str
    message: str
    causes: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.message


class KindUnknownError(PluginError):
    """The cluster serves no such kind (yet)."""


class Cluster:
    """One API server. Connects at the first call; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._client: DynamicClient | None = None
        self._mappings: dict[str, dict[str, Resource]] = {}

    def default_namespace(self) -> str:
        """Where objects go that name no namespace."""
        if self.settings.namespace:
            return self.settings.namespace
        import yaml  # noqa: PLC0415 - a preview that changes nothing does without

        config: Json = yaml.safe_load(self.settings.kubeconfig_text)
        wanted = self.settings.context or text(config, "current-context")
        found = (item for item in objects(config, "contexts") if item.get("name") == wanted)
        return text(next(found, {}), "context", "namespace") or "default"

    def resource(self, kind: Kind, *, fresh: bool = False) -> Resource:
        """Where the API server serves the kind; `fresh` asks again, for kinds made meanwhile."""
        served = None if fresh else self._mappings.get(kind.api_version)
        if served is None or kind.kind not in served:
            served = self._discover(kind)
        if kind.kind not in served:
            raise KindUnknownError(
                f"The cluster serves no {kind.api_version} {kind.kind}. If a "
                "CustomResourceDefinition defines it, declare that first (depends_on)."
            )
        return served[kind.kind]

    def _discover(self, kind: Kind) -> dict[str, Resource]:
        from kubernetes.dynamic.resource import Resource  # noqa: PLC0415 - slow to import

        prefix = "apis" if kind.group else "api"
        try:
            answer = self._request("get", f"/{prefix}/{kind.api_version}")
        except ClusterError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return {}
        served = {
            text(entry, "kind"): Resource(
                prefix=prefix,
                group=kind.group,
                api_version=kind.version,
                kind=text(entry, "kind"),
                namespaced=entry.get("namespaced") is True,
                verbs=entry.get("verbs"),
                name=text(entry, "name"),
            )
            for entry in objects(answer, "resources")
            if "/" not in text(entry, "name")
        }
        self._mappings[kind.api_version] = served
        return served

    def is_namespaced(self, kind: Kind) -> bool:
        """Whether objects of this kind live in namespaces; unknown kinds are taken to."""
        if kind.namespaced is not None:
            return kind.namespaced
        try:
            return bool(self.resource(kind).namespaced)
        except KindUnknownError:
            return True

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        path = self.resource(kind).path(name=name, namespace=namespace or None)
        try:
            return self._request("get", path)
        except ClusterError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def list(
        self, kind: Kind, namespace: str, *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """The objects that match the selectors."""
        path = self.resource(kind).path(namespace=namespace or None)
        answer = self._request(
            "get", path, label_selector=labels or None, field_selector=fields or None
        )
        return objects(answer, "items")

    def apply(
        self, kind: Kind, obj: Object, manager: str, *, force: bool, dry_run: bool = False
    ) -> Object:
        """Server-side apply. Unknown fields are errors: what is not honoured is not swallowed."""
        metadata = mapping(obj, "metadata")
        path = self.resource(kind).path(
            name=text(metadata, "name"), namespace=text(metadata, "namespace") or None
        )
        return self._request(
            "patch",
            path,
            body=obj,
            content_type="application/apply-patch+yaml",
            field_manager=manager,
            force_conflicts="true" if force else "false",
            dry_run="All" if dry_run else None,
            query_params=[("fieldValidation", "Strict")],
        )

    def delete(self, kind: Kind, namespace: str, name: str, propagation: str) -> None:
        """Begin to delete; an object that is gone already is fine."""
        path = self.resource(kind).path(name=name, namespace=namespace or None)
        body: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        try:
            self._request("delete", path, body=body)
        except ClusterError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def _request(self, method: str, path: str, **params: object) -> Object:
        import urllib3.exceptions  # noqa: PLC0415
        from kubernetes.dynamic.exceptions import DynamicApiError  # noqa: PLC0415

        client = self._connect()
        try:
            response = client.request(
                method, path, serialize=False, _request_timeout=CALL_SECONDS, **params
            )
            answer: Json = json.loads(response.data)
        except DynamicApiError as error:
            raise _translated(error.status, error.reason, error.body) from error
        except urllib3.exceptions.HTTPError as error:
            host = client.configuration.host
            raise ClusterError(
                0, "Unreachable", f"The Kubernetes API server at {host} cannot be reached: {error}"
            ) from error
        return answer if isinstance(answer, dict) else {}

    def _connect(self) -> DynamicClient:
        with self._lock:
            if self._client is None:
                self._client = _client(self.settings)
            return self._client


class _NoDiscovery:
    """Keeps the client from reading every group of the server (and a cache of it in /tmp)."""

    def __init__(self, client: object, cache_file: str | None) -> None:
        del client, cache_file


def _client(settings: Settings) -> DynamicClient:
    import yaml  # noqa: PLC0415
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415 - a second to import
    from kubernetes.config import ConfigException  # noqa: PLC0415
    from kubernetes.config.kube_config import KubeConfigLoader  # noqa: PLC0415
    from kubernetes.dynamic import DynamicClient  # noqa: PLC0415

    config = yaml.safe_load(settings.kubeconfig_text)
    try:
        if settings.cluster:
            wanted = settings.context or config["current-context"]
            for entry in config["contexts"]:
                if entry["name"] == wanted:
                    entry["context"]["cluster"] = settings.cluster
        loader = KubeConfigLoader(
            config_dict=config,
            active_context=settings.context or None,
            config_base_path=str(settings.kubeconfig_path.parent),
        )
        configuration = Configuration()
        loader.load_and_set(configuration)
    except (ConfigException, KeyError, TypeError) as error:
        raise PluginError(f"The kubeconfig cannot be used: {error}") from error
    configuration.connection_pool_maxsize = 32
    return DynamicClient(ApiClient(configuration), discoverer=_NoDiscovery)


def _translated(status: int, reason: str, body: object) -> ClusterError:
    shown = body.decode() if isinstance(body, bytes) else str(body or "")
    try:
        answer: Json = json.loads(shown)
    except ValueError:
        answer = {}
    causes = tuple(
        (text(cause, "field"), text(cause, "message"))
        for cause in objects(answer, "details", "causes")
    )
    return ClusterError(
        status,
        text(answer, "reason") or reason,
        text(answer, "message") or f"HTTP {status} {reason}: {shown[:500]}",
        causes,
    )
