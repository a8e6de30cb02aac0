"""The current Deployments and Pods of all versions, as received from the API server.

Built from labels and annotations alone. No network, no clock.
"""

from collections.abc import Iterable, Iterator

from watcher import transitions
from watcher.k8s_types import ResourceKind
from watcher.resources import Deployment, Pod, VersionKey
from watcher.transitions import VersionStatus

Item = Deployment | Pod


class Inventory:
    """The objects of each version. `apply` and `replace` return the versions they changed."""

    def __init__(self) -> None:
        self._deployments: dict[VersionKey, Deployment] = {}
        self._pods: dict[VersionKey, dict[str, Pod]] = {}
        self._available_uids: dict[VersionKey, str] = {}

    def apply(self, item: Item, *, deleted: bool) -> VersionKey:
        """Apply the change of one object; return its version."""
        if isinstance(item, Deployment):
            self._apply_deployment(item, deleted=deleted)
        else:
            self._apply_pod(item, deleted=deleted)
        return item.key

    def replace(self, kind: ResourceKind, items: Iterable[Item]) -> set[VersionKey]:
        """Replace all objects of a kind; return the versions that changed or were deleted."""
        previous = {item.uid: item for item in self._items(kind)}
        changed = set()
        for item in items:
            known_item = previous.pop(item.uid, None)
            if known_item is None or known_item.revision != item.revision:
                changed.add(self.apply(item, deleted=False))
        for vanished in previous.values():
            changed.add(self.apply(vanished, deleted=True))
        return changed

    def mark_available(self, key: VersionKey, uid: str) -> None:
        """Record that this Deployment was Available before this process started."""
        self._available_uids[key] = uid

    def was_available(self, key: VersionKey) -> bool:
        """Return whether the current Deployment was ever Available."""
        deployment = self._deployments.get(key)
        return deployment is not None and self._available_uids.get(key) == deployment.uid

    def versions(self) -> Iterator[VersionKey]:
        """Return all versions that have a Deployment."""
        return iter(self._deployments)

    def deployment(self, key: VersionKey) -> Deployment | None:
        """Return the Deployment of a version."""
        return self._deployments.get(key)

    def pods(self, key: VersionKey) -> list[Pod]:
        """Return the Pods of a version, unordered."""
        return list(self._pods.get(key, {}).values())

    def status(self, key: VersionKey, now: float) -> VersionStatus | None:
        """Return the status of a version, or None without a Deployment."""
        deployment = self._deployments.get(key)
        if deployment is None:
            return None
        return transitions.version_status(deployment, self.pods(key), self.was_available(key), now)

    def recheck_at(self, key: VersionKey, now: float) -> float | None:
        """Return when a version's status changes without a change of its objects."""
        deployment = self._deployments.get(key)
        if deployment is None or deployment.available:
            return None
        return transitions.recheck_at(self.pods(key), now)

    def _items(self, kind: ResourceKind) -> list[Item]:
        if kind == "deployments":
            return list(self._deployments.values())
        return [pod for pods in self._pods.values() for pod in pods.values()]

    def _apply_deployment(self, item: Deployment, *, deleted: bool) -> None:
        current = self._deployments.get(item.key)
        if not deleted:
            self._deployments[item.key] = item
            # without replicas, a rollout succeeds at once
            if item.available or (item.rolled_out and item.desired):
                self._available_uids[item.key] = item.uid
        elif current is not None and current.uid == item.uid:
            # `replace` may apply a recreated Deployment before the deletion of the old one
            del self._deployments[item.key]
            self._available_uids.pop(item.key, None)

    def _apply_pod(self, item: Pod, *, deleted: bool) -> None:
        pods = self._pods.setdefault(item.key, {})
        if deleted:
            pods.pop(item.uid, None)
        else:
            pods[item.uid] = item
        if not pods:
            del self._pods[item.key]
