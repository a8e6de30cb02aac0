"""Changes to Pulumi's SDK: less work for thousands of resources, and a log by URN.

`disable_debug_logging` and `RegistrationBarrier` save time: without them the time of a preview
grows with the square of the number of models (docs/adr/0025).
"""

import asyncio
import contextlib

import pulumi
from pulumi import log
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.settings import _get_rpc_manager, get_engine


def disable_debug_logging() -> None:
    """Disable the SDK's debug lines: four per resource, each a blocking call to the engine.

    The engine shows them only with `--debug`. Debug lines of the engine itself are kept.
    """
    setattr(log, "debug", _noop)  # noqa: B010 - a type checker forbids to assign a function


def _noop(*_arguments: object, **_named: object) -> None:
    pass


class RegistrationBarrier:
    """Awaits all registrations in sequence, once the program has declared its resources.

    The SDK awaits the first completed of all outputs, and restarts this wait after each one.
    """

    def __init__(self) -> None:
        """Record all resources that are declared afterwards."""
        self._declared: list[pulumi.Resource] = []
        pulumi.runtime.register_stack_transformation(self._note)

    def _note(self, args: pulumi.ResourceTransformationArgs) -> None:
        self._declared.append(args.resource)

    def install(self) -> None:
        """Make the SDK await the registrations before it awaits the outputs.

        The wait is prepended to the SDK's list of pending calls, which is still empty now.
        """
        _get_rpc_manager().rpcs.append(asyncio.ensure_future(self._wait()))

    async def _wait(self) -> None:
        """Wait until each resource is registered; the SDK reports failures."""
        for resource in self._declared:
            with contextlib.suppress(Exception):
                await resource.urn.future()


def log_error(text: str, urn: str) -> None:
    """Log an error under the name of a resource that is still being registered.

    `pulumi.log.error` takes the resource itself, and waits until it is registered.
    """
    engine = get_engine()
    if engine is not None:
        engine.Log(engine_pb2.LogRequest(severity=engine_pb2.ERROR, message=text, urn=urn))
