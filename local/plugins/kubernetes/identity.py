"""Names and ids of objects."""

from __future__ import annotations

import hashlib
import secrets

from local.plugins.access import mapping, text
from local.plugins.kubernetes.steering import AUTONAMED
from local.plugins.values import UNKNOWN, Object

SUFFIX = 8
"""Characters of the random part of a generated name."""


def id_of(obj: Object) -> str:
    """`namespace/name`, or the name alone for objects outside namespaces."""
    namespace, name = text(obj, "metadata", "namespace"), text(obj, "metadata", "name")
    return f"{namespace}/{name}" if namespace else name


def parse(resource_id: str) -> tuple[str, str]:
    """Namespace ("" where there is none) and name."""
    namespace, _, name = resource_id.rpartition("/")
    return namespace, name


def _annotate_autonamed(obj: Object) -> None:
    metadata = mapping(obj, "metadata")
    annotations = metadata.setdefault("annotations", {})
    if isinstance(annotations, dict):
        annotations[AUTONAMED] = "true"


def ensure_name(obj: Object, old: Object, resource: str, seed: bytes) -> None:
    """Give a nameless object its old generated name, or a new one made of the resource's name.

    A generated name may be replaced without deleting first; the annotation remembers that.
    """
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict) or metadata.get("name") or obj["metadata"] == UNKNOWN:
        return
    if mapping(old, "metadata", "annotations").get(AUTONAMED) == "true":
        metadata["name"] = text(old, "metadata", "name")
    else:
        salt = seed or secrets.token_bytes(16)
        metadata["name"] = f"{resource}-{hashlib.sha256(salt).hexdigest()[:SUFFIX]}"
    _annotate_autonamed(obj)
