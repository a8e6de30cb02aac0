"""The provider protocol, as far as plugins of custom resources need it.

Not on `pulumi.provider.experimental`: as of SDK 3.250 it drops the old inputs of Diff, makes every
number a float, and shows an exception as "Unexpected <class ...>".
"""

from __future__ import annotations  # the type arguments of Context exist in stubs only

import asyncio
import contextlib
import functools
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import grpc
import grpc.aio
from google.protobuf import empty_pb2, message
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)

from local.pulumi.plugins.properties import decode, encode
from local.pulumi.plugins.resource import PluginError, Report, ResourceRequest, Resources
from local.pulumi.plugins.versions import version_of

THREADS = 32
"""Blocking calls at a time; the engine runs as many operations in parallel as there are."""

Request = TypeVar("Request", bound=message.Message)
Response = TypeVar("Response", bound=message.Message)

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[message.Message, message.Message]
    Method = Callable[["Servicer", Request, Context], Awaitable[Response]]


def _method(work: Callable[[Servicer, Request], Awaitable[Response]]) -> Method[Request, Response]:
    """Turn exceptions into failures of the protocol, with a readable message."""

    @functools.wraps(work)
    async def answer(self: Servicer, request: Request, context: Context) -> Response:
        try:
            return await work(self, request)
        except PluginError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:  # noqa: BLE001 - the boundary: the user needs a sentence
            traceback.print_exc()
            reason = f"The stand-in plugin failed ({type(error).__name__}: {error}); this is a bug."
            await context.abort(grpc.StatusCode.UNKNOWN, reason)
        raise AssertionError("abort always raises")

    return answer


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Translates protobuf to `Resources` and back."""

    def __init__(self, version: str, resources: Resources, engine: str) -> None:
        self._version = version
        self._resources = resources
        channel = grpc.aio.insecure_channel(engine) if engine else None
        self._engine = engine_pb2_grpc.EngineStub(channel) if channel else None

    def _report(self, urn: str) -> Report:
        async def report(line: str) -> None:
            if self._engine is None:
                return
            entry = engine_pb2.LogRequest(
                severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True
            )
            # a message that cannot be shown is no reason to fail the operation
            with contextlib.suppress(grpc.aio.AioRpcError):
                # on an asynchronous channel the call is awaitable; the stub's types deny it
                await self._engine.Log(entry)  # type: ignore[misc]

        return report

    @_method
    async def GetPluginInfo(self, _: empty_pb2.Empty) -> plugin_pb2.PluginInfo:  # noqa: N802 - the protocol's names
        """Return the version of the plugin."""
        return plugin_pb2.PluginInfo(version=self._version)

    @_method
    async def Cancel(self, _: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802
        """Acknowledge; the engine ends the process afterwards."""
        return empty_pb2.Empty()

    @_method
    async def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest
    ) -> provider_pb2.CheckResponse:
        """Return the provider's settings unchanged; Configure validates them."""
        return provider_pb2.CheckResponse(inputs=request.news)

    @_method
    async def DiffConfig(self, _: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:  # noqa: N802
        """Leave the comparison to the engine."""
        return provider_pb2.DiffResponse()

    @_method
    async def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest
    ) -> provider_pb2.ConfigureResponse:
        """Apply the settings of the provider."""
        self._resources.configure(dict(request.variables))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    @_method
    async def Invoke(self, request: provider_pb2.InvokeRequest) -> provider_pb2.InvokeResponse:  # noqa: N802
        """Refuse functions."""
        raise PluginError(
            f"The stand-in plugin has no function {request.tok}. Install the official plugin "
            "(pulumi plugin install resource <name> <version>) to use it."
        )

    @_method
    async def Check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:  # noqa: N802
        """Validate inputs."""
        checked = await self._resources.check(
            ResourceRequest(
                urn=request.urn,
                old_inputs=decode(request.olds),
                inputs=decode(request.news),
                seed=request.randomSeed,
            )
        )
        failures = [
            provider_pb2.CheckFailure(property=path, reason=reason)
            for path, reason in checked.failures
        ]
        return provider_pb2.CheckResponse(inputs=encode(checked.inputs), failures=failures)

    @_method
    async def Diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:  # noqa: N802
        """Name what differs. The engine has applied `ignoreChanges` to the new inputs."""
        difference = await self._resources.diff(
            ResourceRequest(
                urn=request.urn,
                id=request.id,
                old_inputs=decode(request.old_inputs),
                old_state=decode(request.olds),
                inputs=decode(request.news),
            )
        )
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if difference.changes else none,
            diffs=sorted(difference.changes),
            replaces=sorted(difference.replaces),
            deleteBeforeReplace=difference.delete_first,
        )

    @_method
    async def Create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse:  # noqa: N802
        """Create a resource, or predict it."""
        resource_id, state = await self._resources.create(
            ResourceRequest(
                urn=request.urn,
                inputs=decode(request.properties),
                timeout=request.timeout,
                preview=request.preview,
                report=self._report(request.urn),
            )
        )
        return provider_pb2.CreateResponse(id=resource_id, properties=encode(state))

    @_method
    async def Read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:  # noqa: N802
        """Return the live resource, or an empty response."""
        current = await self._resources.read(
            ResourceRequest(
                urn=request.urn,
                id=request.id,
                old_inputs=decode(request.inputs),
                old_state=decode(request.properties),
            )
        )
        if current is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=encode(current.state), inputs=encode(current.inputs)
        )

    @_method
    async def Update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse:  # noqa: N802
        """Update a resource, or predict it."""
        state = await self._resources.update(
            ResourceRequest(
                urn=request.urn,
                id=request.id,
                old_inputs=decode(request.old_inputs),
                old_state=decode(request.olds),
                inputs=decode(request.news),
                timeout=request.timeout,
                preview=request.preview,
                report=self._report(request.urn),
            )
        )
        return provider_pb2.UpdateResponse(properties=encode(state))

    @_method
    async def Delete(self, request: provider_pb2.DeleteRequest) -> empty_pb2.Empty:  # noqa: N802
        """Delete a resource."""
        await self._resources.delete(
            ResourceRequest(urn=request.urn, id=request.id, old_state=decode(request.properties))
        )
        return empty_pb2.Empty()


def serve(name: str, resources: Resources) -> None:
    """Serve until the engine ends the process; its address is the first argument."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS))
        address = next((item for item in sys.argv[1:] if not item.startswith("-")), "")
        listener = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
        servicer = Servicer(version_of(name), resources, address)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, listener)
        port = listener.add_insecure_port("127.0.0.1:0")
        await listener.start()
        # The engine sends SIGINT when it is done; threads that still wait must not hold it up.
        for ended in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(ended, os._exit, 0)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await listener.wait_for_termination()

    asyncio.run(run())
