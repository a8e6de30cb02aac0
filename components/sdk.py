"""What Pulumi's SDK does too much of where a stack has thousands of resources.

Both are about time alone: without them a preview of many models takes far longer, and its time
grows with the square of their number (docs/adr/0025).
"""

import asyncio
import contextlib

import pulumi
from pulumi import log
from pulumi.runtime.settings import _get_rpc_manager


def drop_debug_lines() -> None:
    """Drop the SDK's debug lines: four per resource, each a call that the program waits for.

    The engine shows them with `--debug` only, beside its own, which stay; this program has none.
    """
    setattr(log, "debug", _nothing)  # noqa: B010 - a type checker forbids to assign a function


def _nothing(*_arguments: object, **_named: object) -> None:
    pass


class Registrations:
    """Waits for all resources one after the other, once the program has declared them.

    The SDK by itself waits for the first of all outputs, and begins anew whenever one is there.
    """

    def __init__(self) -> None:
        """Note from here on what is declared."""
        self._declared: list[pulumi.Resource] = []
        pulumi.runtime.register_stack_transformation(self._note)

    def _note(self, args: pulumi.ResourceTransformationArgs) -> None:
        self._declared.append(args.resource)

    def wait_first(self) -> None:
        """Have the SDK wait for what was declared before it looks at outputs.

        In its list by hand: its own calls get there only when they run, and none has run by now.
        """
        _get_rpc_manager().rpcs.append(asyncio.ensure_future(self._wait()))

    async def _wait(self) -> None:
        """Until each is registered; what fails is told by the SDK, which looks at it as well."""
        for resource in self._declared:
            with contextlib.suppress(Exception):
                await resource.urn.future()
