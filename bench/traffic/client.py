"""A small HTTP/1.1 client with kept-alive connections, for little load.

Requests start at fixed times, whether or not earlier ones are answered (`paced`), so that slow
responses do not reduce the load.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_SECONDS = 40.0
_CROWD = 32
BODY = b'{"parameters": [1]}'


@dataclass(frozen=True)
class Answer:
    """A response; status 0 means a broken connection with its `error`."""

    started: float
    """`time.monotonic()` of the request."""
    seconds: float
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""

    @property
    def ended(self) -> float:
        """`time.monotonic()` of the complete response."""
        return self.started + self.seconds

    @property
    def version(self) -> str:
        """The version that answered, by its header."""
        return self.headers.get("x-model-version", "")

    @property
    def ok(self) -> bool:
        """Whether the status is 200."""
        return self.status == 200  # noqa: PLR2004 - HTTP's


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    """Keeps connections to one address, within one event loop."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.reconnected = 0
        """Requests repeated because a kept connection was closed before the response."""
        self._host, self._port = host, port
        self._idle: list[Connection] = []

    async def post(
        self, path: str, body: bytes = BODY, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; like any HTTP client, reconnect if the kept connection was closed."""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        fields = {"Content-Length": str(len(body)), **(headers or {})}
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        request = head.encode() + b"\r\n" + body
        started = time.monotonic()
        connection: Connection | None = None
        try:
            async with asyncio.timeout(_SECONDS):
                while (idle := self._idle_connection()) is not None:
                    connection = idle
                    if (response := await self._exchange(idle, request)) is not None:
                        return Answer(started, time.monotonic() - started, *response)
                    self.reconnected += 1
                connection = await asyncio.open_connection(self._host, self._port)
                response = await self._exchange(connection, request)
                if response is None:
                    raise ConnectionError("closed without an answer")
                return Answer(started, time.monotonic() - started, *response)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            if connection:
                connection[1].close()
            text = f"{type(error).__name__}: {error}"
            return Answer(started, time.monotonic() - started, error=text)

    async def close(self) -> None:
        """Close the idle connections."""
        while (idle := self._idle_connection()) is not None:
            idle[1].close()
            with contextlib.suppress(OSError):
                await idle[1].wait_closed()

    def _idle_connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection[0].at_eof():
                return connection
            connection[1].close()
        return None

    async def _exchange(
        self, connection: Connection, request: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        reader, writer = connection
        try:
            # not drained first: a server that refuses a long body responds before reading all of it
            writer.write(request)
            first = await reader.readline()
        except ConnectionError:
            first = b""
        if not first:
            writer.close()
            return None
        headers: dict[str, str] = {}
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = await _body(reader, headers)
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append(connection)
        return int(first.split()[1]), headers, body


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readline()
    return body


async def paced(
    client: Client, paths: Sequence[str], rate: float, count: int, body: bytes = BODY
) -> list[Answer]:
    """Send `count` requests at `rate` per second, to the paths in turn."""
    start = time.monotonic()
    tasks: list[asyncio.Task[Answer]] = []
    for number in range(count):
        wait = start + number / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(client.post(paths[number % len(paths)], body)))
    return list(await asyncio.gather(*tasks))


async def flood(
    client: Client,
    path: str,
    count: int,
    connections: int = 8,
    headers: Mapping[str, str] | None = None,
    body: bytes = BODY,
) -> list[Answer]:
    """Send `count` requests by `connections` concurrent callers."""
    answers: list[Answer] = []
    remaining: Iterator[int] = iter(range(count))

    async def caller() -> None:
        answers.extend([await client.post(path, body, headers) for _ in remaining])

    await asyncio.gather(*(caller() for _ in range(connections)))
    return answers


async def crowd(client: Client, path: str, seconds: float) -> list[Answer]:
    """Send requests by many callers with pauses of 20 ms, so that many are in flight."""
    answers: list[Answer] = []
    end = time.monotonic() + seconds

    async def caller() -> None:
        while time.monotonic() < end:
            answers.append(await client.post(path))
            await asyncio.sleep(0.02)

    await asyncio.gather(*(caller() for _ in range(_CROWD)))
    return answers


def by_version(answers: Sequence[Answer]) -> Counter[str]:
    """Count responses by version, and failures by status."""
    return Counter(item.version if item.ok else f"failed {item.status}" for item in answers)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the percentile by the nearest-rank method."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
