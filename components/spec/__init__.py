"""The stack file as data: read, checked, and told every mistake of it at once. No Pulumi here."""

from components.errors import Mistake, StackFileError
from components.spec.parsing import parse
from components.spec.quantities import cpu_millicores, memory_bytes
from components.spec.sections import (
    IngressControllerSpec,
    ModelSpec,
    PlatformSpec,
    ResourcesSpec,
    RouteSpec,
    StackSpec,
    VersionSpec,
)

__all__ = [
    "IngressControllerSpec",
    "Mistake",
    "ModelSpec",
    "PlatformSpec",
    "ResourcesSpec",
    "RouteSpec",
    "StackFileError",
    "StackSpec",
    "VersionSpec",
    "cpu_millicores",
    "memory_bytes",
    "parse",
]
