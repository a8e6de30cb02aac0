"""Make imported Kubernetes objects equal to ones that this program has created. Pure.

`pulumi import` stores every field of a live object as an input, and of a custom object only its
name. It also stores a new field manager. The next update would remove the defaults that the API
server has added, replace Services and StatefulSets for that, and conflict with the field manager
that the lost state had.
"""

import copy
from collections.abc import Mapping
from typing import cast

from kubernetes.utils.quantity import parse_quantity

from components.cluster_state.state import Object

_SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - a key of the state, no secret
"""The key of an object in a state that holds an encrypted value."""
_QUANTITIES = ("requests", "limits")
_MANAGER_PREFIX = "pulumi-kubernetes"


def with_declared_inputs(preview: Object, state: Object) -> dict[str, object]:
    """Return the state with the declared inputs and the live field manager of each object.

    `preview` is what `pulumi preview --json` prints after the import: it has the inputs that the
    program declares. Their values are those of the cluster, so drift remains a difference.
    """
    completed = cast("dict[str, object]", copy.deepcopy(state))
    deployment = cast("dict[str, list[dict[str, object]]]", completed["deployment"])
    steps = cast("list[dict[str, dict[str, object]]]", preview["steps"])
    # a component has no inputs, a deletion no new state
    declared = {step["urn"]: step.get("newState", {}).get("inputs") for step in steps}
    for resource in deployment["resources"]:
        inputs = declared.get(cast("dict[str, object]", resource["urn"]))
        if str(resource["type"]).startswith("kubernetes:") and isinstance(inputs, Mapping):
            _adopt(resource, inputs)
    return completed


def _adopt(resource: dict[str, object], declared: Mapping[str, object]) -> None:
    outputs = cast("dict[str, object]", resource["outputs"])
    imported = cast("dict[str, object]", resource["inputs"])
    # of metadata and of custom objects the import keeps only a part
    live = {**outputs, **imported, "metadata": outputs["metadata"]}
    inputs = _select(live, declared)
    resource["inputs"] = inputs
    outputs["__inputs"] = inputs
    if manager := _field_manager(outputs):
        outputs["__fieldManager"] = manager


def _select(live: object, declared: object, *, quantities: bool = False) -> object:
    """Return the live values of the declared fields, and of equally long lists by index."""
    if isinstance(live, Mapping) and isinstance(declared, Mapping) and _SECRET_MARK not in live:
        return {
            key: _select(live[key], value, quantities=key in _QUANTITIES or quantities)
            for key, value in declared.items()
            if key in live
        }
    if isinstance(live, list) and isinstance(declared, list) and len(live) == len(declared):
        return [_select(*pair) for pair in zip(live, declared, strict=True)]
    if quantities and _is_same_quantity(live, declared):
        return declared
    return live


def _is_same_quantity(live: object, declared: object) -> bool:
    """Return whether the API server has written the declared quantity in another form."""
    try:
        return bool(parse_quantity(live) == parse_quantity(declared))
    except ValueError:
        return False


def _field_manager(outputs: Mapping[str, object]) -> str | None:
    """Return the provider's manager of the lost state, which owns the live fields."""
    metadata = cast("Mapping[str, list[Mapping[str, str]]]", outputs["metadata"])
    names = (
        entry["manager"]
        for entry in metadata.get("managedFields", [])
        if entry["operation"] == "Apply" and entry["manager"].startswith(_MANAGER_PREFIX)
    )
    return next(names, None)
