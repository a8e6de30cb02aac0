"""Check, diff, create, read, update and delete of the types that the stand-in knows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from local.plugins.aws.clients import Clients, absent, code_of
from local.plugins.aws.configuration import Configured
from local.plugins.aws.kind import Kind, Standing
from local.plugins.aws.kinds import KINDS
from local.plugins.aws.shape import in_form_of, not_kept, unknown
from local.plugins.differences import compare
from local.plugins.failures import PartialFailureError, PluginError
from local.plugins.paths import covers, parse
from local.plugins.resource import Call, Checked, Difference, Found, Resources
from local.plugins.values import UNKNOWN, Json, Object, Properties, reveal_all

_RANDOM_DIGITS = 7
Result = TypeVar("Result")


class AwsResources(Resources):
    """Things of AWS, at the address that the provider was given.

    After each create and update the thing is read back: what AWS does not hold as asked fails the
    operation, so no argument can be dropped on the way.
    """

    def __init__(self, configured: Configured) -> None:
        self._configured = configured

    async def check(self, call: Call) -> Checked:
        """The inputs, with a name where Pulumi makes one; refuses what nobody would pass on."""
        kind = _kind(call)
        inputs = reveal_all(call.inputs)
        reason = "the stand-in plugin does not pass it on; use the official plugin."
        failures = tuple((path, reason) for path in unknown(inputs, kind.arguments))
        if kind.longest_name and "name" not in inputs:
            old = reveal_all(call.old_inputs).get("name")
            inputs["name"] = old or _name(call, kind.longest_name)
        return Checked({**inputs}, failures)

    async def diff(self, call: Call) -> Difference:
        """Compares inputs; asks nobody."""
        kind = _kind(call)
        ignored = [parse(path) for path in call.ignore_changes]
        changes = tuple(
            item
            for item in compare(reveal_all(call.old_inputs), reveal_all(call.inputs))
            if not any(covers(path, item.path) for path in ignored)
        )
        replaces = tuple(item for item in changes if item.path[0] in kind.replaces)
        # a name that Pulumi made is made anew; every other is in the way of its successor
        return Difference(changes, replaces, delete_first=not kind.longest_name)

    async def create(self, call: Call) -> tuple[str, Properties]:
        """Make it; at preview only say what will be known later."""
        kind, inputs = _kind(call), reveal_all(call.inputs)
        if call.preview:
            return "", {**inputs, **dict.fromkeys(kind.computed, UNKNOWN)}
        name = await self._ask(call, lambda aws: kind.create(aws, inputs))
        return name, await self._state(call, kind, name, inputs)

    async def read(self, call: Call) -> Found | None:
        """It as it stands, in the form of what the program asked for."""
        kind, asked = _kind(call), reveal_all(call.old_inputs)
        standing = await self._ask(call, lambda aws: _standing(kind, aws, call.id))
        if standing is None:
            return None
        held: Json = in_form_of(asked, standing.inputs) if asked else standing.inputs
        inputs = held if isinstance(held, dict) else {}
        return Found(call.id, {**inputs, **standing.outputs}, {**inputs})

    async def update(self, call: Call) -> Properties:
        """Bring it to the new inputs."""
        kind, inputs = _kind(call), reveal_all(call.inputs)
        if call.preview:
            old = reveal_all(call.old_state)
            return {**inputs, **{key: old.get(key) for key in kind.computed}}
        await self._ask(call, lambda aws: kind.update(aws, call.id, inputs))
        return await self._state(call, kind, call.id, inputs)

    async def delete(self, call: Call) -> None:
        """Take it away; what is gone already is no failure."""
        kind, known = _kind(call), reveal_all(call.old_state)

        def gone(aws: Clients) -> None:
            try:
                kind.delete(aws, call.id, known)
            except ClientError as error:
                if not absent(error):
                    raise

        await self._ask(call, gone)

    async def _state(self, call: Call, kind: Kind, name: str, inputs: Object) -> Properties:
        standing = await self._ask(call, lambda aws: _standing(kind, aws, name))
        state: Properties = {**inputs, **(standing.outputs if standing else {})}
        wrong = ["it is not there"] if standing is None else not_kept(inputs, standing.inputs)
        if wrong:
            reason = f"{call.name}: AWS does not hold what was asked for: {'; '.join(wrong)}"
            raise PartialFailureError(reason, name, state, {**inputs})
        return state

    async def _ask(self, call: Call, work: Callable[[Clients], Result]) -> Result:
        clients = self._configured.clients
        if clients is None:
            raise PluginError(
                "The stand-in for the aws plugin speaks to this machine only, and this stack gives "
                "no endpoint: it can be previewed. For the real AWS install the official plugin."
            )
        try:
            return await asyncio.to_thread(work, clients)
        except ClientError as error:
            told = error.response.get("Error", {}).get("Message", "")
            raise PluginError(f"{call.name}: AWS refused ({code_of(error)}): {told}") from error
        except BotoCoreError as error:
            raise PluginError(f"{call.name}: {error}") from error


def _standing(kind: Kind, aws: Clients, name: str) -> Standing | None:
    try:
        return kind.read(aws, name)
    except ClientError as error:
        if absent(error):
            return None
        raise


def _kind(call: Call) -> Kind:
    found = KINDS.get(call.type)
    if found is None:
        raise PluginError(
            f"The stand-in for the aws provider has no {call.type}. Install the official plugin to "
            "use it."
        )
    return found


def _name(call: Call, longest: int) -> str:
    """As Pulumi makes one: the resource's name and random digits."""
    digits = hashlib.sha256(call.seed or call.urn.encode()).hexdigest()[:_RANDOM_DIGITS]
    return f"{call.name[: longest - _RANDOM_DIGITS - 1]}-{digits}"
