"""A TCP proxy in front of the API server that can cut, refuse or drop connections."""

import asyncio
import contextlib


class Proxy:
    """The proxy. Use it as an asynchronous context manager."""

    def __init__(self, host: str, port: int) -> None:
        """Forward to this host and port."""
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False
        self._swallowed: list[asyncio.Event] = []
        self.port = 0

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self.refuse()
        for flows in self._swallowed:
            flows.set()
        for task in self._tasks:
            task.cancel()

    def cut(self) -> None:
        """Break all connections (RST)."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Break all connections and refuse new ones."""
        self._refuses = True
        self.cut()

    def swallow(self) -> None:
        """Simulate half-open connections: they stay open and transfer nothing."""
        self._flows.clear()
        self._swallowed.append(self._flows)

    def restore(self) -> None:
        """Forward again. Half-open connections stay dead, without a FIN."""
        self._refuses = False
        self._flows = asyncio.Event()
        self._flows.set()

    def _turns_away(self, writer: asyncio.StreamWriter) -> bool:
        if self._refuses:
            writer.transport.abort()
        return self._refuses

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._turns_away(writer):
            return
        flows = self._flows  # a half-open connection stays half-open
        await flows.wait()
        if self._turns_away(writer):
            return
        upstream, downstream = await asyncio.open_connection(*self._to)
        self._writers |= {writer, downstream}
        for source, target in ((reader, downstream), (upstream, writer)):
            task = asyncio.create_task(self._pass(source, target, flows))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, flows: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await flows.wait()
                target.write(data)
                await target.drain()
            target.close()
        self._writers.discard(target)
