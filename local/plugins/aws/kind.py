"""What one type of AWS does in one place: four operations, and the arguments that they pass on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from local.plugins.aws.clients import Clients
from local.plugins.values import Object

Shape = Mapping[str, "Shape | None"]
"""Arguments by name; of an object or a list of objects, theirs. None: a plain value."""


def shape(*names: str, **nested: Shape) -> Shape:
    """Plain arguments, and those that have arguments of their own."""
    return {**dict.fromkeys(names), **nested}


@dataclass(frozen=True)
class Standing:
    """A thing as AWS holds it: in the arguments' own shape, and what AWS adds to them."""

    inputs: Object
    outputs: Object = field(default_factory=dict)


class Kind(ABC):
    """One type."""

    type_name: ClassVar[str]
    arguments: ClassVar[Shape]
    """All that is passed on; the stand-in refuses every other."""
    replaces: ClassVar[tuple[str, ...]]
    """Arguments that AWS cannot change."""
    computed: ClassVar[tuple[str, ...]] = ()
    """Outputs that are known only once the thing stands."""
    longest_name: ClassVar[int] = 0
    """Where the program gives no name, Pulumi makes one of this length; 0: it must give one."""

    @abstractmethod
    def create(self, aws: Clients, inputs: Object) -> str:
        """Make it; its id."""

    @abstractmethod
    def read(self, aws: Clients, name: str) -> Standing | None:
        """It as it stands; `name` is its id. None or a ClientError: it is gone."""

    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        """Bring all that may change to `inputs`; where each argument replaces it, never called."""
        raise NotImplementedError

    @abstractmethod
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        """Take it away; `known` is what the state says of it."""
