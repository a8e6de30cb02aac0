"""The API server's refusals as sentences that say what to do."""

from __future__ import annotations

from http import HTTPStatus

from local.plugins.access import mapping
from local.plugins.failures import PluginError
from local.plugins.kubernetes import identity, steering
from local.plugins.kubernetes.cluster import ClusterError
from local.plugins.kubernetes.tokens import Kind
from local.plugins.values import Object


class MissingError(PluginError):
    """What the object needs (its namespace) is not there."""


def explained(kind: Kind, obj: Object, error: ClusterError) -> PluginError:
    """The API server's refusal, with what to do about it."""
    name = f"{kind.kind} {identity.id_of(obj)}"
    if error.status == HTTPStatus.NOT_FOUND:
        return MissingError(f"{name}: {error.message}. Declare what it needs first (depends_on).")
    if error.status == HTTPStatus.CONFLICT:
        fields = "\n".join(f"  {field}: {why}" for field, why in error.causes)
        return PluginError(
            f"{name}: another field manager owns what this update sets:\n"
            f"{fields or error.message}\n"
            f'  To take it over, annotate the object with {steering.FORCE}: "true"; to leave it '
            "alone, remove the field from the program or use ignoreChanges."
        )
    if error.status == HTTPStatus.UNPROCESSABLE_ENTITY and "immutable" in error.message:
        return PluginError(
            f"{name}: {error.message}\n  The field cannot be changed in place: give the object a "
            "new name, or list the field in replaceOnChanges."
        )
    return PluginError(f"{name} is refused by the API server: {error.message}")


def already_there(kind: Kind, live: Object, token: str, name: str) -> PluginError:
    """A new resource whose object exists: creating must not take over what others made."""
    found = identity.id_of(live)
    return PluginError(
        f"{kind.kind} {found} exists already, and this stack did not make it. Take it into "
        f"the stack (pulumi import {token} {name} {found}), delete it, or set "
        "PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true to take over what exists."
    )


def still_there(kind: Kind, live: Object, seconds: float) -> PluginError:
    """An object that was to be deleted, but something holds it."""
    namespace, name = identity.parse(identity.id_of(live))
    finalizers = mapping(live, "metadata").get("finalizers") or "none"
    place = f" -n {namespace}" if namespace else ""
    return PluginError(
        f"{kind.kind} {identity.id_of(live)} is still there after {seconds:.0f} s. Its finalizers: "
        f"{finalizers}. See what holds it: kubectl get {kind.kind.lower()} {name}{place} -o yaml"
    )
