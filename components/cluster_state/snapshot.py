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
    """The state of the cluster before the update, and the gate that reads it again."""

    state: ClusterState
    gate: AvailabilityGate
    cluster: ClusterClient | None
    namespace: str

    def transfer_replicas(self, spec: StackSpec) -> None:
        """Transfer the ownership of `spec.replicas` to or from an autoscaler.

        To an autoscaler: a field that its last owner drops gets the default 1. So another field
        manager applies the current number, and owns it until the autoscaler writes one
        (https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership).
        From an autoscaler: Pulumi deletes it last, and until then it would change the desired
        number again. So its minimum and maximum are set to that number.
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
    """Read the namespace. A preview without a cluster continues and logs what it cannot check.

    Raises `pulumi.RunError` if an update cannot read the cluster.
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
