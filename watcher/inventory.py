"""The versions of the namespace as this process last heard of them: Deployments and their Pods.

Rebuilt from labels and annotations alone. No network, no clock of its own.
"""

from collections.abc import Iterable, Iterator

from watcher.objects import Deployment, Key, Pod
from watcher.raw import Kind
from watcher.transitions import Standing, due, standing

Item = Deployment | Pod


class Inventory:
    """What each version is made of. `apply` and `replace` tell which versions they touched."""

    def __init__(self) -> None:
        """Empty."""
        self._deployments: dict[Key, Deployment] = {}
        self._pods: dict[Key, dict[str, Pod]] = {}
        self._once_available: dict[Key, str] = {}

    def apply(self, item: Item, *, gone: bool) -> Key:
        """Take one change; return the version that it is about."""
        if isinstance(item, Deployment):
            self._apply_deployment(item, gone=gone)
        else:
            self._apply_pod(item, gone=gone)
        return item.key

    def replace(self, kind: Kind, items: Iterable[Item]) -> set[Key]:
        """Take a whole list; return the versions that differ, those that vanished included."""
        before = {item.uid: item for item in self._of(kind)}
        touched = set()
        for item in items:
            known = before.pop(item.uid, None)
            if known is None or known.revision != item.revision:
                touched.add(self.apply(item, gone=False))
        for vanished in before.values():
            touched.add(self.apply(vanished, gone=True))
        return touched

    def remember_available(self, key: Key, uid: str) -> None:
        """Somebody has seen this Deployment Available before this process did."""
        self._once_available[key] = uid

    def was_available(self, key: Key) -> bool:
        """Whether the Deployment that stands was ever Available."""
        found = self._deployments.get(key)
        return found is not None and self._once_available.get(key) == found.uid

    def versions(self) -> Iterator[Key]:
        """All versions that have a Deployment."""
        return iter(self._deployments)

    def deployment(self, key: Key) -> Deployment | None:
        """The Deployment of a version."""
        return self._deployments.get(key)

    def pods(self, key: Key) -> list[Pod]:
        """The Pods of a version, in no order."""
        return list(self._pods.get(key, {}).values())

    def standing(self, key: Key, now: float) -> Standing | None:
        """How a version stands; None: there is none."""
        found = self._deployments.get(key)
        if found is None:
            return None
        return standing(found, self.pods(key), self.was_available(key), now)

    def due(self, key: Key, now: float) -> float | None:
        """When to look at a version again though nothing changes."""
        found = self._deployments.get(key)
        return None if found is None or found.available else due(self.pods(key), now)

    def _of(self, kind: Kind) -> list[Item]:
        if kind == "deployments":
            return list(self._deployments.values())
        return [pod for pods in self._pods.values() for pod in pods.values()]

    def _apply_deployment(self, item: Deployment, *, gone: bool) -> None:
        known = self._deployments.get(item.key)
        if not gone:
            self._deployments[item.key] = item
            if item.available or item.finished:
                self._once_available[item.key] = item.uid
        elif known is not None and known.uid == item.uid:
            # of a list, the new Deployment of this name may have come before the old one's end
            del self._deployments[item.key]
            self._once_available.pop(item.key, None)

    def _apply_pod(self, item: Pod, *, gone: bool) -> None:
        pods = self._pods.setdefault(item.key, {})
        if gone:
            pods.pop(item.uid, None)
        else:
            pods[item.uid] = item
        if not pods:
            del self._pods[item.key]
