"""Base class of resource types: their arguments and four operations."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.properties import Object

Shape = Mapping[str, "Shape | None"]
"""Argument names. None is a plain value; objects and lists of objects have a shape."""


def shape(*names: str, **nested: Shape) -> Shape:
    """Return the shape of plain arguments and of nested ones."""
    return {**dict.fromkeys(names), **nested}


@dataclass(frozen=True)
class LiveResource:
    """A resource as it is in AWS: values of the arguments, and computed outputs."""

    inputs: Object
    outputs: Object = field(default_factory=dict)


class ResourceType(ABC):
    """One resource type."""

    type_name: ClassVar[str]
    arguments: ClassVar[Shape]
    """The supported arguments; the stand-in refuses others."""
    replaces: ClassVar[tuple[str, ...]]
    """Arguments whose change replaces the resource."""
    computed: ClassVar[tuple[str, ...]] = ()
    """Outputs that are unknown before the resource exists."""
    longest_name: ClassVar[int] = 0
    """Maximum length of a generated name; 0 if the program has to set the name."""

    @abstractmethod
    def create(self, aws: Clients, inputs: Object) -> str:
        """Create the resource; return its id."""

    @abstractmethod
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        """Return the resource with the id `name`; None or a ClientError if it does not exist."""

    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        """Change the resource; not called if every argument replaces it."""
        raise NotImplementedError

    @abstractmethod
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        """Delete the resource; `state` contains its inputs and outputs."""
