"""What a plugin does with one resource, in plain data: the side that faces the plugins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from local.plugins.differences import Change
from local.plugins.values import Properties


@dataclass(frozen=True)
class Call:
    """One resource in one operation. Fields that an operation does not have are empty."""

    urn: str
    id: str = ""
    old_inputs: Properties = field(default_factory=dict)
    old_state: Properties = field(default_factory=dict)
    inputs: Properties = field(default_factory=dict)
    ignore_changes: tuple[str, ...] = ()
    timeout: float = 0.0
    """Seconds; 0 where the program set none."""
    preview: bool = False
    seed: bytes = b""

    @property
    def type(self) -> str:
        """The type token: `kubernetes:apps/v1:Deployment`."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.split("::", 3)[3]


@dataclass(frozen=True)
class Checked:
    """The inputs as they will be used, and what is wrong with them by property."""

    inputs: Properties
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Difference:
    """What an update would change, and which of it needs a new object."""

    changes: tuple[Change, ...] = ()
    replaces: tuple[Change, ...] = ()
    delete_first: bool = False


@dataclass(frozen=True)
class Found:
    """An object as it is now."""

    id: str
    state: Properties
    inputs: Properties


class Resources(ABC):
    """What a plugin does with one resource."""

    @abstractmethod
    async def check(self, call: Call) -> Checked:
        """The inputs with defaults, or why they cannot be honoured."""

    @abstractmethod
    async def diff(self, call: Call) -> Difference:
        """What would change."""

    @abstractmethod
    async def create(self, call: Call) -> tuple[str, Properties]:
        """The new object's id and state."""

    @abstractmethod
    async def read(self, call: Call) -> Found | None:
        """The object as it is, None where it is gone."""

    @abstractmethod
    async def update(self, call: Call) -> Properties:
        """The state after the update."""

    @abstractmethod
    async def delete(self, call: Call) -> None:
        """Returns when the object is gone."""
