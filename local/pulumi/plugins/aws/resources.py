"""Check, diff, create, read, update and delete of AWS resources."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from local.pulumi.plugins.aws import configuration
from local.pulumi.plugins.aws.clients import Clients, error_code, is_not_found
from local.pulumi.plugins.aws.resource_type import LiveResource, ResourceType
from local.pulumi.plugins.aws.resource_types import RESOURCE_TYPES
from local.pulumi.plugins.aws.shape import normalize_like, unmet_inputs, unsupported_paths
from local.pulumi.plugins.properties import UNKNOWN, Json, Object
from local.pulumi.plugins.resource import (
    Checked,
    Current,
    Difference,
    PluginError,
    ResourceRequest,
    Resources,
)

_RANDOM_DIGITS = 7
Result = TypeVar("Result")


class AwsResources(Resources):
    """AWS resources, at the endpoint of the provider.

    Each resource is read back after a create or update. A value that differs from the inputs fails
    the operation, so no argument is lost.
    """

    def __init__(self) -> None:
        self._clients: Clients | None = None

    def configure(self, settings: Mapping[str, str]) -> None:
        """Apply the endpoints; without one only a preview works."""
        self._clients = configuration.clients(settings)

    async def check(self, request: ResourceRequest) -> Checked:
        """Add a generated name where the program gives none; refuse unsupported arguments."""
        resource_type = _resource_type(request)
        inputs = {**request.inputs}
        reason = "the stand-in plugin does not support it; use the official plugin."
        failures = tuple(
            (path, reason) for path in unsupported_paths(inputs, resource_type.arguments)
        )
        if resource_type.longest_name and "name" not in inputs:
            inputs["name"] = request.old_inputs.get("name") or _name(
                request, resource_type.longest_name
            )
        return Checked(inputs, failures)

    async def diff(self, request: ResourceRequest) -> Difference:
        """Compare inputs, without a request to AWS."""
        resource_type, changes = _resource_type(request), (await super().diff(request)).changes
        # a replacement gets another generated name; with a fixed name it cannot be created first
        return Difference(
            changes,
            changes & {*resource_type.replaces},
            delete_first=not resource_type.longest_name,
        )

    async def create(self, request: ResourceRequest) -> tuple[str, Object]:
        """Create the resource; at preview mark computed outputs as unknown."""
        resource_type, inputs = _resource_type(request), request.inputs
        if request.preview:
            return "", {**inputs, **dict.fromkeys(resource_type.computed, UNKNOWN)}
        name = await self._call_aws(request, lambda aws: resource_type.create(aws, inputs))
        return name, await self._state(request, resource_type, name, inputs)

    async def read(self, request: ResourceRequest) -> Current | None:
        """Return the resource in the form of the program's inputs."""
        resource_type, old_inputs = _resource_type(request), request.old_inputs
        live = await self._call_aws(request, lambda aws: _read(resource_type, aws, request.id))
        if live is None:
            return None
        values: Json = normalize_like(old_inputs, live.inputs) if old_inputs else live.inputs
        inputs = values if isinstance(values, dict) else {}
        return Current({**inputs, **live.outputs}, inputs)

    async def update(self, request: ResourceRequest) -> Object:
        """Update the resource."""
        resource_type, inputs = _resource_type(request), request.inputs
        if request.preview:
            old = request.old_state
            return {**inputs, **{key: old.get(key) for key in resource_type.computed}}
        await self._call_aws(request, lambda aws: resource_type.update(aws, request.id, inputs))
        return await self._state(request, resource_type, request.id, inputs)

    async def delete(self, request: ResourceRequest) -> None:
        """Delete the resource; one that does not exist is no failure."""
        resource_type, state = _resource_type(request), request.old_state

        def delete(aws: Clients) -> None:
            try:
                resource_type.delete(aws, request.id, state)
            except ClientError as error:
                if not is_not_found(error):
                    raise

        await self._call_aws(request, delete)

    async def _state(
        self, request: ResourceRequest, resource_type: ResourceType, name: str, inputs: Object
    ) -> Object:
        live = await self._call_aws(request, lambda aws: _read(resource_type, aws, name))
        unmet = ["it does not exist"] if live is None else unmet_inputs(inputs, live.inputs)
        if live is None or unmet:
            raise PluginError(f"{request.name}: AWS did not apply these inputs: {'; '.join(unmet)}")
        return {**inputs, **live.outputs}

    async def _call_aws(
        self, request: ResourceRequest, work: Callable[[Clients], Result]
    ) -> Result:
        clients = self._clients
        if clients is None:
            raise PluginError(
                "The stand-in for the aws plugin accepts endpoints on this machine only, and "
                "this stack has none: only a preview is possible. Install the official plugin to "
                "use AWS."
            )
        try:
            return await asyncio.to_thread(work, clients)
        except ClientError as error:
            reason = error.response.get("Error", {}).get("Message", "")
            raise PluginError(
                f"{request.name}: AWS refused ({error_code(error)}): {reason}"
            ) from error
        except BotoCoreError as error:
            raise PluginError(f"{request.name}: {error}") from error


def _read(resource_type: ResourceType, aws: Clients, name: str) -> LiveResource | None:
    try:
        return resource_type.read(aws, name)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise


def _resource_type(request: ResourceRequest) -> ResourceType:
    resource_type = RESOURCE_TYPES.get(request.type)
    if resource_type is None:
        raise PluginError(
            f"The stand-in for the aws provider has no {request.type}. Install the official "
            "plugin to use it."
        )
    return resource_type


def _name(request: ResourceRequest, longest: int) -> str:
    """Generate a name as Pulumi does: the resource's name and random digits."""
    digits = hashlib.sha256(request.seed or request.urn.encode()).hexdigest()[:_RANDOM_DIGITS]
    return f"{request.name[: longest - _RANDOM_DIGITS - 1]}-{digits}"
