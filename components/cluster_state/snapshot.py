"""Read the cluster once, before any resource is declared."""

from dataclasses import dataclass

import pulumi

from components.cluster_state.availability_gate import AvailabilityGate
from components.cluster_state.client import ClusterClient, ClusterUnavailableError
from components.cluster_state.state import FIELD_MANAGER, ClusterState
from components.config import StackSpec
from components.naming import object_name


@dataclass(frozen=True)
class ClusterSnapshot:
    """State of the cluster before the update, and the gate that reads it again."""

    state: ClusterState
    gate: AvailabilityGate
    cluster: ClusterClient | None
    namespace: str

    def transfer_replicas(self, spec: StackSpec) -> None:
        """Hold the replicas of versions that get an autoscaler, or give theirs back.

        Towards an autoscaler: a number that its last owner leaves out becomes 1. So another field
        manager applies it as it stands, and keeps it until the autoscaler writes one
        (https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership).
        Back: Pulumi deletes last, and until then the autoscaler would change the file's number
        once more. So its bounds become that number.
        """
        if self.cluster is None or pulumi.runtime.is_dry_run():
            return
        for (model, version), current in self.state.versions.items():
            desired = spec.models.get(model)
            version_spec = desired.versions.get(version) if desired else None
            if (
                version_spec is None
                or (version_spec.autoscaling is not None) != current.replicas_owned_by_pulumi
            ):
                continue
            name = object_name(model, version)
            try:
                if version_spec.autoscaling is not None:
                    self._transfer_to_autoscaler(self.cluster, name, current.replicas)
                else:
                    self._pin_autoscaler_to(self.cluster, name, version_spec.replicas)
            except ClusterUnavailableError as error:
                raise pulumi.RunError(f"{model} {version}: {error}") from None

    def _transfer_to_autoscaler(self, cluster: ClusterClient, name: str, replicas: int) -> None:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"
        spec = {"replicas": replicas}
        cluster.apply(path, FIELD_MANAGER, self._object("apps/v1", "Deployment", name, spec))

    def _pin_autoscaler_to(self, cluster: ClusterClient, name: str, replicas: int) -> None:
        api, kind = "autoscaling/v2", "HorizontalPodAutoscaler"
        path = f"/apis/{api}/namespaces/{self.namespace}/horizontalpodautoscalers/{name}"
        if cluster.get(path) is None:
            return  # the number was set by hand
        spec = {"minReplicas": replicas, "maxReplicas": replicas}
        cluster.apply(path, FIELD_MANAGER, self._object(api, kind, name, spec))

    def _object(self, api: str, kind: str, name: str, spec: object) -> dict[str, object]:
        about = {"name": name, "namespace": self.namespace}
        return {"apiVersion": api, "kind": kind, "metadata": about, "spec": spec}


def take_snapshot(namespace: str) -> ClusterSnapshot:
    """Read the namespace. A preview goes on without a cluster and says what it could not see.

    Raises `pulumi.RunError` where an update cannot look: it must not guess.
    """
    try:
        cluster = ClusterClient.from_stack_config()
        state = cluster.read_state(namespace)
    except ClusterUnavailableError as error:
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(f"cannot read the cluster state: {error}") from None
        pulumi.log.warn(
            f"cannot read the cluster state ({error}): this preview compares with an empty cluster "
            "and cannot detect changed published versions"
        )
        return ClusterSnapshot(
            ClusterState(), AvailabilityGate(None, namespace, ClusterState()), None, namespace
        )
    return ClusterSnapshot(state, AvailabilityGate(cluster, namespace, state), cluster, namespace)
