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
    """Drop the SDK's debug lines: four per resource, each a call that the program waits for.

    The engine shows them with `--debug` only, beside its own, which stay; this program has none.
    """
    setattr(log, "debug", _noop)  # noqa: B010 - a type checker forbids to assign a function


def _noop(*_arguments: object, **_named: object) -> None:
    pass


class RegistrationBarrier:
    """Waits for all resources one after the other, once the program has declared them.

    The SDK by itself waits for the first of all outputs, and begins anew whenever one is there.
    """

    def __init__(self) -> None:
        """Note from here on what is declared."""
        self._declared: list[pulumi.Resource] = []
        pulumi.runtime.register_stack_transformation(self._note)

    def _note(self, args: pulumi.ResourceTransformationArgs) -> None:
        self._declared.append(args.resource)

    def install(self) -> None:
        """Have the SDK wait for what was declared before it looks at outputs.

        In its list by hand: its own calls get there only when they run, and none has run by now.
        """
        _get_rpc_manager().rpcs.append(asyncio.ensure_future(self._wait()))

    async def _wait(self) -> None:
        """Until each is registered; what fails is told by the SDK, which looks at it as well."""
        for resource in self._declared:
            with contextlib.suppress(Exception):
                await resource.urn.future()


def log_error(text: str, urn: str) -> None:
    """Log an error below the name of a resource that is still being registered.

    `pulumi.log.error` takes the resource itself, and waits until it is registered.
    """
    engine = get_engine()
    if engine is not None:
        engine.Log(engine_pb2.LogRequest(severity=engine_pb2.ERROR, message=text, urn=urn))
