"""The provider protocol, as far as plugins of custom resources need it.

Built on `pulumi.provider.experimental`, which serves configuration, plugin information and
cancellation. Its six resource methods are replaced here, because as of SDK 3.250 they drop what a
real provider needs: the old inputs of Diff and Update, the partial state of an object that exists
but did not become ready (`ErrorResourceInitFailed`), readable errors (an exception reaches the
user as "Unexpected <class ...>"), whole numbers, and "no change" of the provider's configuration.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import grpc
import grpc.aio
from google.protobuf import any_pb2, empty_pb2, message
from pulumi.provider.experimental import server
from pulumi.provider.experimental.provider import Provider
from pulumi.runtime import proto
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from local.plugins.differences import Change
from local.plugins.engine import Engine
from local.plugins.failures import PartialFailureError, PluginError
from local.plugins.paths import render
from local.plugins.resource import Call, Resources
from local.plugins.values import UnsupportedValueError, decode, encode

THREADS = 32
"""Blocking calls at a time; the engine runs as many operations in parallel as there are."""

Answer = TypeVar("Answer", bound=message.Message)

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[message.Message, message.Message]


class Servicer(server.ProviderServicer):
    """Protobuf in, plain data to `Resources`, protobuf out."""

    def __init__(self, version: str, provider: Provider, resources: Resources, engine: str) -> None:
        super().__init__([], version, provider, engine)
        self.resources = resources

    async def Check(  # noqa: N802 - the protocol's name
        self, request: provider_pb2.CheckRequest, context: Context
    ) -> provider_pb2.CheckResponse:
        """Inputs with defaults, or failures by property."""
        return await _answer(context, self._check(request))

    async def _check(self, request: provider_pb2.CheckRequest) -> provider_pb2.CheckResponse:
        call = Call(
            urn=request.urn,
            old_inputs=decode(request.olds),
            inputs=decode(request.news),
            seed=request.randomSeed,
        )
        checked = await self.resources.check(call)
        failures = [
            provider_pb2.CheckFailure(property=place, reason=reason)
            for place, reason in checked.failures
        ]
        return provider_pb2.CheckResponse(inputs=encode(checked.inputs), failures=failures)

    async def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: Context
    ) -> provider_pb2.DiffResponse:
        """The detailed diff."""
        return await _answer(context, self._diff(request))

    async def _diff(self, request: provider_pb2.DiffRequest) -> provider_pb2.DiffResponse:
        call = Call(
            urn=request.urn,
            id=request.id,
            old_inputs=decode(request.old_inputs),
            old_state=decode(request.olds),
            inputs=decode(request.news),
            ignore_changes=tuple(request.ignoreChanges),
        )
        found = await self.resources.diff(call)
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        replaces = set(found.replaces)
        return provider_pb2.DiffResponse(
            changes=some if found.changes else none,
            diffs=sorted({str(change.path[0]) for change in found.changes if change.path}),
            replaces=[render(change.path) for change in found.replaces],
            deleteBeforeReplace=found.delete_first,
            detailedDiff={
                render(change.path): provider_pb2.PropertyDiff(
                    kind=_kind(change, replace=change in replaces), inputDiff=True
                )
                for change in found.changes
            },
            hasDetailedDiff=True,
        )

    async def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: Context
    ) -> provider_pb2.CreateResponse:
        """A new object, or what it will be."""
        return await _answer(context, self._create(request))

    async def _create(self, request: provider_pb2.CreateRequest) -> provider_pb2.CreateResponse:
        call = Call(
            urn=request.urn,
            inputs=decode(request.properties),
            timeout=request.timeout,
            preview=request.preview,
        )
        resource_id, state = await self.resources.create(call)
        return provider_pb2.CreateResponse(id=resource_id, properties=encode(state))

    async def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: Context
    ) -> provider_pb2.ReadResponse:
        """The live object, or nothing where it is gone."""
        return await _answer(context, self._read(request))

    async def _read(self, request: provider_pb2.ReadRequest) -> provider_pb2.ReadResponse:
        call = Call(
            urn=request.urn,
            id=request.id,
            old_inputs=decode(request.inputs),
            old_state=decode(request.properties),
            timeout=request.timeout,
        )
        found = await self.resources.read(call)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.id, properties=encode(found.state), inputs=encode(found.inputs)
        )

    async def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: Context
    ) -> provider_pb2.UpdateResponse:
        """The object after its update."""
        return await _answer(context, self._update(request))

    async def _update(self, request: provider_pb2.UpdateRequest) -> provider_pb2.UpdateResponse:
        call = Call(
            urn=request.urn,
            id=request.id,
            old_inputs=decode(request.old_inputs),
            old_state=decode(request.olds),
            inputs=decode(request.news),
            ignore_changes=tuple(request.ignoreChanges),
            timeout=request.timeout,
            preview=request.preview,
        )
        return provider_pb2.UpdateResponse(properties=encode(await self.resources.update(call)))

    async def Delete(  # noqa: N802
        self, request: provider_pb2.DeleteRequest, context: Context
    ) -> empty_pb2.Empty:
        """Answers when the object is gone."""
        return await _answer(context, self._delete(request))

    async def _delete(self, request: provider_pb2.DeleteRequest) -> empty_pb2.Empty:
        call = Call(
            urn=request.urn,
            id=request.id,
            old_inputs=decode(request.old_inputs),
            old_state=decode(request.properties),
            timeout=request.timeout,
        )
        await self.resources.delete(call)
        return empty_pb2.Empty()

    async def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: Context
    ) -> provider_pb2.ConfigureResponse:
        """The SDK's, with readable errors."""
        return await _answer(context, super().Configure(request, context))

    async def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: Context
    ) -> proto.InvokeResponse:
        """Functions are refused: none of them is served."""
        return await _answer(context, _refuse_function(request.tok))


async def _refuse_function(token: str) -> proto.InvokeResponse:
    raise PluginError(
        f"The stand-in plugin has no function {token}. Install the official plugin "
        "(pulumi plugin install resource <name> <version>) to use it."
    )


def _kind(change: Change, *, replace: bool) -> provider_pb2.PropertyDiff.Kind.ValueType:
    kinds = provider_pb2.PropertyDiff
    plain, replacing = {
        "add": (kinds.ADD, kinds.ADD_REPLACE),
        "delete": (kinds.DELETE, kinds.DELETE_REPLACE),
        "update": (kinds.UPDATE, kinds.UPDATE_REPLACE),
    }[change.kind]
    return replacing if replace else plain


async def _answer(context: Context, work: Awaitable[Answer]) -> Answer:
    """The answer, or the failure in the protocol's own form."""
    try:
        return await work
    except PartialFailureError as failure:
        await context.abort(
            grpc.StatusCode.UNKNOWN, str(failure), (("grpc-status-details-bin", _detail(failure)),)
        )
    except (PluginError, UnsupportedValueError) as failure:
        await context.abort(grpc.StatusCode.UNKNOWN, str(failure))
    except Exception as failure:  # noqa: BLE001 - the boundary: the user needs a sentence
        traceback.print_exc()
        told = f"The stand-in plugin failed ({type(failure).__name__}: {failure}); this is a bug."
        await context.abort(grpc.StatusCode.UNKNOWN, told)
    raise AssertionError("abort always raises")


def _detail(failure: PartialFailureError) -> bytes:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=failure.resource_id,
        properties=encode(failure.state),
        reasons=[str(failure)],
        inputs=encode(failure.inputs) if failure.inputs is not None else None,
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    code = grpc.StatusCode.UNKNOWN.value[0]
    status = status_pb2.Status(code=code, message=str(failure), details=[packed])
    return status.SerializeToString()


def serve(version: str, provider: Provider, resources: Resources, engine: Engine) -> None:
    """Serve until the engine ends the process; its address is the first argument."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS))
        address = next((item for item in sys.argv[1:] if not item.startswith("-")), "")
        engine.connect(address)
        listener = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
        servicer = Servicer(version, provider, resources, address)
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
