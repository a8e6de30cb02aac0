"""Read the API server once per run, with the credentials that Pulumi uses."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from components.cluster_state.state import ClusterState, Object, parse_cluster_state
from components.config import stack_config

_PAGE = "500"
_SHOWN = 300
_SECONDS = (3, 30)
"""Seconds, for the connection and for the response."""

_MODELS = "app.kubernetes.io/part-of=model-deployment,app.kubernetes.io/component=model"
_ROUTES = "app.kubernetes.io/part-of=model-deployment,app.kubernetes.io/component=route"


class ClusterUnavailableError(Exception):
    """Raised when the cluster state cannot be read; the message has the reason."""


@dataclass(frozen=True)
class ClusterClient:
    """A client of the API server that the Kubernetes provider uses."""

    api: client.ApiClient

    @classmethod
    def from_stack_config(cls) -> "ClusterClient":
        """Connect as the provider does: by the stack's `kubernetes:*` keys, else the environment.

        Raises ClusterUnavailableError.
        """
        context, text = stack_config.kubernetes_settings()
        try:
            if not text:
                return cls(config.new_client_from_config(context=context))
            file = os.path.expanduser(text)
            if os.path.isfile(file):  # also for an inline kubeconfig without a context
                return cls(config.new_client_from_config(config_file=file, context=context))
            return cls(
                config.new_client_from_config_dict(_inline_kubeconfig(text), context=context)
            )
        except (ConfigException, OSError, ValueError) as error:
            raise ClusterUnavailableError(str(error)) from None

    def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Object | None:
        """Return an object or a list by its path; None if it does not exist."""
        status, data = self._call("GET", path, query, {"Accept": "application/json"})
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status != HTTPStatus.OK:
            raise ClusterUnavailableError(
                f"{path}: {status} {data[:_SHOWN].decode(errors='replace')}"
            )
        return cast("Object", json.loads(data))

    def apply(self, path: str, manager: str, body: Object) -> None:
        """Apply server-side as `manager`. Raises ClusterUnavailableError if it is refused."""
        query = [("fieldManager", manager), ("force", "true")]
        headers = {"Accept": "application/json", "Content-Type": "application/apply-patch+yaml"}
        status, data = self._call("PATCH", path, query, headers, body)
        if status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise ClusterUnavailableError(
                f"{path}: {status} {data[:_SHOWN].decode(errors='replace')}"
            )

    def _call(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: dict[str, str],
        body: Object | None = None,
    ) -> tuple[int, bytes]:
        request = self.api.param_serialize(
            method,
            path,
            query_params=query,
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self.api.call_api(*request, _request_timeout=_SECONDS)
            return answer.status, answer.read()
        except (ApiException, HTTPError) as error:
            raise ClusterUnavailableError(f"{self.api.configuration.host}: {error}") from None

    def items(self, path: str, selector: str) -> list[Object]:
        """Return all objects of a list by label; empty if the list does not exist."""
        items: list[Object] = []
        token = ""
        while True:
            query = [("labelSelector", selector), ("limit", _PAGE), ("continue", token)]
            page = self.get(path, query)
            if page is None:
                return items
            items += cast("list[Object]", page["items"])
            token = cast("dict[str, str]", page["metadata"]).get("continue", "")
            if not token:
                return items

    def read_state(self, namespace: str) -> ClusterState:
        """Return all objects of this project in a namespace. Raises ClusterUnavailableError."""
        routes = f"/apis/traefik.io/v1alpha1/namespaces/{namespace}"
        return parse_cluster_state(
            self.items(f"/apis/apps/v1/namespaces/{namespace}/deployments", _MODELS),
            [
                item
                for kind in ("traefikservices", "ingressroutes")
                for item in self.items(f"{routes}/{kind}", _ROUTES)
            ],
        )


def _inline_kubeconfig(text: str) -> dict[str, object]:
    """Parse a kubeconfig given inline. Never quote it in errors: it holds keys."""
    try:
        kubeconfig = yaml.safe_load(text)
    except yaml.YAMLError:
        kubeconfig = None
    if not isinstance(kubeconfig, dict):
        raise ClusterUnavailableError("kubernetes:kubeconfig is neither a file nor a kubeconfig")
    return kubeconfig
