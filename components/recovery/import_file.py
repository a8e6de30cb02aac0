"""`python -m components.recovery.import_file`: create an import file after Pulumi's state was lost.

    pulumi preview --import-file placeholders.json
    python -m components.recovery.import_file placeholders.json > import.json
    pulumi import --file import.json --protect=false --generate-code=false --yes

The program declares the expected resources with their names and parents; the cluster's labels show
which of them exist. Missing objects are omitted: the next update creates them.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

from components.cluster_state.client import ClusterClient, ClusterUnavailableError
from components.cluster_state.state import Object

SELECTOR = "app.kubernetes.io/part-of=model-deployment"
_COMPONENT = "app.kubernetes.io/component"
_KUBERNETES = "kubernetes:"
_NAMESPACE = "kubernetes:core/v1:Namespace"

Finder = Callable[[str], Iterable[Object]]
"""Lists the objects of this project that have a type token."""


def filled(
    entries: Iterable[Object], namespace: str, objects: Finder
) -> tuple[list[Object], list[str]]:
    """Return the entries with the ids of live objects, and a line for each omitted entry."""
    importable: list[Object] = []
    missing: list[str] = []
    live_objects: dict[str, list[Object]] = {}
    for entry in entries:
        token, name = str(entry["type"]), str(entry.get("logicalName") or entry["name"])
        if entry.get("component"):
            importable.append(entry)
            continue
        if not token.startswith(_KUBERNETES):
            missing.append(f"{token} {name}: in no cluster; see docs/production.md")
            continue
        if token not in live_objects:
            live_objects[token] = [item for item in objects(token) if _is_of(item, namespace)]
        live_object = _match(live_objects[token], name)
        if live_object is None:
            missing.append(f"{token} {name}: not in the cluster; the next update makes it")
        else:
            importable.append({**entry, "id": _id(live_object)})
    return importable, missing


def _namespace(entries: Iterable[Object]) -> str:
    """Return the stack's namespace as the program declares it."""
    return next(str(entry["name"]) for entry in entries if entry["type"] == _NAMESPACE)


def _match(candidates: list[Object], name: str) -> Object | None:
    """Return the object of this name; names of cluster-wide objects contain the namespace."""
    exact = [item for item in candidates if _metadata(item).get("name") == name]
    labelled = [item for item in candidates if _labels(item).get(_COMPONENT) == name]
    for choice in (exact, labelled):
        if len(choice) == 1:
            return choice[0]
    return None


def _is_of(item: Object, namespace: str) -> bool:
    """Return whether an object belongs to this namespace's stack; CRDs belong to every stack."""
    metadata = _metadata(item)
    name = str(metadata.get("name"))
    if metadata.get("namespace"):
        return metadata["namespace"] == namespace
    return namespace in name.split("-") or name.endswith(namespace) or "." in name


def _id(item: Object) -> str:
    metadata = _metadata(item)
    name = str(metadata["name"])
    return f"{metadata['namespace']}/{name}" if metadata.get("namespace") else name


def _metadata(item: Object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", item["metadata"])


def _labels(item: Object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", _metadata(item).get("labels") or {})


def finder(cluster: ClusterClient) -> Finder:
    """Return a function that lists live objects; the API server resolves a kind's plural."""

    def find(token: str) -> Iterable[Object]:
        _, version, kind = token.split(":")
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        base = base.replace("/apis/core/", "/api/")
        resource_list = cluster.get(base)
        api_resources = (
            cast("list[dict[str, str]]", resource_list["resources"]) if resource_list else []
        )
        for resource in api_resources:
            if resource["kind"] == kind and "/" not in resource["name"]:
                return cluster.items(f"{base}/{resource['name']}", SELECTOR)
        return []

    return find


def main() -> int:
    """Read the placeholders, write the import file to stdout and missing objects to stderr."""
    parser = argparse.ArgumentParser(prog="python -m components.recovery.import_file")
    parser.add_argument("placeholders", type=Path, help="of pulumi preview --import-file")
    arguments = parser.parse_args()
    file = json.loads(arguments.placeholders.read_text())
    entries: list[Object] = file["resources"]
    try:
        importable, missing = filled(
            entries, _namespace(entries), finder(ClusterClient.from_stack_config())
        )
    except ClusterUnavailableError as error:
        sys.stderr.write(f"the cluster cannot be read: {error}\n")
        return 1
    json.dump({**file, "resources": importable}, sys.stdout, indent=2)
    sys.stderr.writelines(f"left out: {line}\n" for line in missing)
    return 0


if __name__ == "__main__":
    sys.exit(main())
