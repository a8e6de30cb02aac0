"""Looks at the cluster once, before anything is declared; says so where it could not."""

from dataclasses import dataclass

import pulumi

from components.live.gate import Gate
from components.live.reading import Cluster, UnreadableError
from components.live.state import HAND_OVER, Live
from components.naming import object_name
from components.spec import StackSpec


@dataclass(frozen=True)
class Look:
    """What was seen, and the gate that will look again."""

    live: Live
    gate: Gate
    cluster: Cluster | None
    namespace: str

    def hand_over(self, spec: StackSpec) -> None:
        """Hold the replicas of versions that get an autoscaler, or give theirs back.

        Towards an autoscaler: a number that its last owner leaves out becomes 1. So another field
        manager applies it as it stands, and keeps it until the autoscaler writes one
        (https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership).
        Back: Pulumi deletes last, and until then the autoscaler would change the file's number
        once more. So its bounds become that number.
        """
        if self.cluster is None or pulumi.runtime.is_dry_run():
            return
        for (model, version), standing in self.live.versions.items():
            wanted = spec.models.get(model)
            each = wanted.versions.get(version) if wanted else None
            if each is None or (each.autoscaling is not None) != standing.replicas_are_ours:
                continue
            name = object_name(model, version)
            try:
                if each.autoscaling is not None:
                    self._hold(self.cluster, name, standing.replicas)
                else:
                    self._give_back(self.cluster, name, each.replicas)
            except UnreadableError as error:
                raise pulumi.RunError(f"{model} {version}: {error}") from None

    def _hold(self, cluster: Cluster, name: str, replicas: int) -> None:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"
        spec = {"replicas": replicas}
        cluster.apply(path, HAND_OVER, self._object("apps/v1", "Deployment", name, spec))

    def _give_back(self, cluster: Cluster, name: str, replicas: int) -> None:
        api, kind = "autoscaling/v2", "HorizontalPodAutoscaler"
        path = f"/apis/{api}/namespaces/{self.namespace}/horizontalpodautoscalers/{name}"
        if cluster.get(path) is None:
            return  # the number was somebody's hand's
        spec = {"minReplicas": replicas, "maxReplicas": replicas}
        cluster.apply(path, HAND_OVER, self._object(api, kind, name, spec))

    def _object(self, api: str, kind: str, name: str, spec: object) -> dict[str, object]:
        about = {"name": name, "namespace": self.namespace}
        return {"apiVersion": api, "kind": kind, "metadata": about, "spec": spec}


def look(namespace: str) -> Look:
    """Read the namespace. A preview goes on without a cluster and says what it could not see.

    Raises `pulumi.RunError` where an update cannot look: it must not guess.
    """
    try:
        cluster = Cluster.of_stack()
        live = cluster.read(namespace)
    except UnreadableError as error:
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(f"the cluster cannot be looked at: {error}") from None
        pulumi.log.warn(
            f"the cluster could not be looked at ({error}): this preview compares to an empty one, "
            "and cannot tell whether a published version changed"
        )
        return Look(Live(), Gate(None, namespace, Live()), None, namespace)
    return Look(live, Gate(cluster, namespace, live), cluster, namespace)
