"""Keep a route unchanged until all its versions are Available.

`depends_on` waits only for Deployments that change. A Deployment of an earlier update may have
become unavailable, so its state is read again.
"""

from collections.abc import Iterable

import pulumi

from components.cluster_state.availability import DEPLOYMENTS, read_workload
from components.cluster_state.client import ClusterClient, ClusterUnavailableError
from components.cluster_state.state import ClusterState
from components.naming import object_name


class AvailabilityGate:
    """Reads a version's availability from the API server just before a route changes."""

    def __init__(self, cluster: ClusterClient | None, namespace: str, state: ClusterState) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._state = state

    def route_changed(self, model: str, route: str, text: str) -> bool:
        """Return whether the route differs from the cluster's; False if the cluster is unknown."""
        if self._cluster is None:
            return False
        return self._state.route_annotations.get((model, route)) != text

    def check(self, model: str, route: str, versions: Iterable[str]) -> None:
        """Raise `pulumi.RunError` if one of `versions` is not Available now."""
        wrong = [
            f"version {name} {problem}"
            for name in versions
            if (problem := self._problem(object_name(model, name))) is not None
        ]
        if wrong:
            raise pulumi.RunError(
                f"route {model}/{route} was not changed: {'; '.join(wrong)}.\n"
                f"See `kubectl -n {self._namespace} describe pods "
                f"-l app.kubernetes.io/name={model}`"
                ", fix the version, and run the update again."
            )

    def _problem(self, name: str) -> str | None:
        """Return why a version is unavailable, prefixed by its name; None if it is Available."""
        if self._cluster is None:
            return "does not exist"
        try:
            workload = read_workload(self._cluster, self._namespace, DEPLOYMENTS, name)
        except ClusterUnavailableError as error:
            raise pulumi.RunError(str(error)) from None
        if workload is None:
            return "does not exist"
        if workload.is_available:
            return None
        return f"is not Available ({workload.reason or 'its rollout has not finished'})"
