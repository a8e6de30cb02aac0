"""What the engine stores of an object: inputs and state, with secrets marked.

The form is the official plugin's (`__inputs`, `__initialApiVersion`, `__fieldManager`), so that a
stack made with the stand-in goes on with the official plugin and the reverse.
"""

from __future__ import annotations

from collections.abc import Mapping

from local.plugins.access import mapping, text
from local.plugins.kubernetes.tokens import Kind
from local.plugins.values import (
    Json,
    Object,
    Properties,
    Secret,
    Tree,
    mark_like,
    reveal,
    reveal_all,
)

INPUTS = "__inputs"
API_VERSION = "__initialApiVersion"
MANAGER = "__fieldManager"
IMPORTED = "__imported"
"""Set from an import until the first update: nothing was applied yet, so a field that the program
leaves out is not ours to remove."""

_NOISE = ("managedFields", "selfLink")
_READ_ONLY = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
_SERVERS_ANNOTATIONS = (
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
)
_DASHED = tuple(
    f"x-kubernetes-{name}"
    for name in (
        "embedded-resource",
        "int-or-string",
        "list-map-keys",
        "list-type",
        "map-type",
        "preserve-unknown-fields",
        "validations",
    )
)
_TO_DASHES = {name.replace("-", "_"): name for name in _DASHED}
_TO_UNDERSCORES = {dashed: name for name, dashed in _TO_DASHES.items()}


def _renamed(tree: Json, names: Mapping[str, str]) -> Json:
    if isinstance(tree, dict):
        return {names.get(key, key): _renamed(item, names) for key, item in tree.items()}
    return [_renamed(item, names) for item in tree] if isinstance(tree, list) else tree


def _has_schema(kind: Kind) -> bool:
    """Only CustomResourceDefinitions have the keys that the SDK writes with underscores."""
    return kind.kind == "CustomResourceDefinition"


def plain_inputs(kind: Kind, inputs: Mapping[str, Tree]) -> Object:
    """The object that the inputs describe, in the API server's spelling."""
    obj = reveal_all(inputs)
    if _has_schema(kind):
        obj = mapping({"obj": _renamed(obj, _TO_DASHES)}, "obj")
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        obj["metadata"] = {key: value for key, value in metadata.items() if key not in _READ_ONLY}
    return obj


def sealed(kind: Kind, obj: Object, example: Mapping[str, Tree]) -> Properties:
    """An object as properties: secrets where the inputs have them, and a Secret's data always."""
    plain = obj
    if _has_schema(kind):
        plain = mapping({"obj": _renamed(obj, _TO_UNDERSCORES)}, "obj")
    marked = mark_like(plain, example)
    if kind.kind == "Secret" and kind.group == "":
        for key in ("data", "stringData"):
            if key in marked and not isinstance(marked[key], Secret):
                marked[key] = Secret(reveal(marked[key]))
    return marked


def state(
    kind: Kind, live: Object, inputs: Mapping[str, Tree], manager: str, *, imported: bool = False
) -> Properties:
    """The state after an operation: the live object without noise, and what was asked for."""
    metadata = {key: value for key, value in mapping(live, "metadata").items() if key not in _NOISE}
    kept = sealed(kind, {**live, "metadata": metadata}, inputs)
    kept[INPUTS] = dict(inputs)
    kept[API_VERSION] = text(live, "apiVersion")
    kept[MANAGER] = manager
    if imported:
        kept[IMPORTED] = True
    return kept


def imported_inputs(live: Object) -> Object:
    """Everything of a live object that a program could have written."""
    inputs = {key: value for key, value in live.items() if key != "status"}
    metadata = {
        key: value for key, value in mapping(live, "metadata").items() if key not in _READ_ONLY
    }
    annotations = {
        key: value
        for key, value in mapping(metadata, "annotations").items()
        if key not in _SERVERS_ANNOTATIONS
    }
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    inputs["metadata"] = metadata
    return inputs
