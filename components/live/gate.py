"""Keeps a route where it is until every version that it is to lead to is Available.

`depends_on` waits for Deployments that change. One that was deployed long ago and is Available no
more does not change: it must be asked.
"""

from collections.abc import Iterable

import pulumi

from components.live.reading import Cluster, UnreadableError
from components.live.state import Live, LiveVersion, version
from components.naming import object_name


class Gate:
    """Asks the API server again, at the moment a route is about to move."""

    def __init__(self, cluster: Cluster | None, namespace: str, live: Live) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._live = live

    def moves(self, model: str, route: str, text: str) -> bool:
        """Whether the route is another one than the cluster's; never where that is unknown."""
        if self._cluster is None:
            return False
        return self._live.route_texts.get((model, route)) != text

    def check(self, model: str, route: str, versions: Iterable[str]) -> None:
        """Raise `pulumi.RunError` if one of `versions` is not Available now."""
        wrong = [
            f"{name} is not Available ({found.message or 'its rollout has not finished'})"
            if found
            else f"{name} is not there"
            for name, found in ((name, self._ask(model, name)) for name in versions)
            if found is None or not found.available
        ]
        if wrong:
            raise pulumi.RunError(
                f"route {model}/{route} stays as it is: {'; '.join(wrong)}.\n"
                f"See `kubectl -n {self._namespace} describe pods "
                f"-l app.kubernetes.io/name={model}`"
                ", mend it, and run the update again."
            )

    def _ask(self, model: str, name: str) -> LiveVersion | None:
        if self._cluster is None:
            return None
        path = f"/apis/apps/v1/namespaces/{self._namespace}/deployments/{object_name(model, name)}"
        try:
            found = self._cluster.get(path)
        except UnreadableError as error:
            raise pulumi.RunError(str(error)) from None
        return version(found) if found else None
