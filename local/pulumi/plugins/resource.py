"""The interface that a stand-in plugin implements."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from local.pulumi.plugins.properties import Object

Report = Callable[[str], Awaitable[None]]
"""Shows the user a line in place of the last one."""


class PluginError(Exception):
    """An operation that failed; the message is for the user and names the remedy."""


async def _drop(_line: str) -> None:
    pass


@dataclass(frozen=True)
class ResourceRequest:
    """One resource in one operation. Fields that an operation does not have are empty."""

    urn: str
    id: str = ""
    old_inputs: Object = field(default_factory=dict)
    old_state: Object = field(default_factory=dict)
    inputs: Object = field(default_factory=dict)
    timeout: float = 0.0
    """Seconds; 0 where the program sets none."""
    preview: bool = False
    seed: bytes = b""
    report: Report = _drop

    @property
    def type(self) -> str:
        """Return the type token: `docker:index/image:Image`."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """Return the name of the resource in the program."""
        return self.urn.split("::", 3)[3]


@dataclass(frozen=True)
class Checked:
    """Validated inputs, and the failures: (property path, reason)."""

    inputs: Object
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Difference:
    """The top-level properties that differ. The engine itself shows the values below them."""

    changes: frozenset[str]
    replaces: frozenset[str] = frozenset()
    delete_first: bool = False


@dataclass(frozen=True)
class Current:
    """A resource as it is now."""

    state: Object
    inputs: Object


class Resources(ABC):
    """The operations of a plugin. All of them raise PluginError."""

    @abstractmethod
    def configure(self, settings: Mapping[str, str]) -> None:
        """Apply the settings of the provider; refuse unsupported ones."""

    @abstractmethod
    async def check(self, request: ResourceRequest) -> Checked:
        """Add defaults to the inputs and validate them."""

    async def diff(self, request: ResourceRequest) -> Difference:
        """Compare the old inputs with the new ones."""
        keys = {*request.old_inputs, *request.inputs}
        return Difference(
            frozenset(key for key in keys if request.old_inputs.get(key) != request.inputs.get(key))
        )

    @abstractmethod
    async def create(self, request: ResourceRequest) -> tuple[str, Object]:
        """Create the resource; return its id and state. Only predict them at preview."""

    @abstractmethod
    async def read(self, request: ResourceRequest) -> Current | None:
        """Return the resource as it is, None where it does not exist."""

    @abstractmethod
    async def update(self, request: ResourceRequest) -> Object:
        """Update the resource; return its state. Only predict it at preview."""

    @abstractmethod
    async def delete(self, request: ResourceRequest) -> None:
        """Delete the resource."""
