"""How a plugin says no."""

from __future__ import annotations

from local.plugins.values import Properties


class PluginError(Exception):
    """An operation that failed; the message is for the user and says what to do."""


class PartialFailureError(PluginError):
    """The object exists, but is not what was asked for: the state keeps it, the update fails.

    The engine stores `state` with the reasons and updates the resource at the next `up`.
    """

    def __init__(
        self,
        reason: str,
        resource_id: str,
        state: Properties,
        inputs: Properties | None = None,
    ) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.state = state
        self.inputs = inputs
