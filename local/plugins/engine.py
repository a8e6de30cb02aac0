"""Messages to the user while an operation runs."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import cast

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Engine:
    """The engine's log. Before `connect`, and when the engine is gone, messages are dropped."""

    def __init__(self) -> None:
        self._send: Callable[[engine_pb2.LogRequest], Awaitable[empty_pb2.Empty]] | None = None

    def connect(self, address: str) -> None:
        """Send messages to this address from now on."""
        if address:
            stub = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(address))
            # On an asynchronous channel the stub's calls are awaitable; its types say otherwise.
            self._send = cast(
                "Callable[[engine_pb2.LogRequest], Awaitable[empty_pb2.Empty]]", stub.Log
            )

    async def status(self, urn: str, message: str) -> None:
        """Show what the resource is doing, in place of the last such message."""
        await self._log(urn, message, engine_pb2.INFO, ephemeral=True)

    async def warn(self, urn: str, message: str) -> None:
        """A message that stays in the update's output."""
        await self._log(urn, message, engine_pb2.WARNING, ephemeral=False)

    async def _log(
        self, urn: str, message: str, severity: engine_pb2.LogSeverity.ValueType, *, ephemeral: bool
    ) -> None:
        if self._send is None:
            return
        entry = engine_pb2.LogRequest(
            severity=severity, message=message, urn=urn, streamId=0, ephemeral=ephemeral
        )
        # A message that cannot be shown is no reason to fail the operation.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._send(entry)
