"""`python -m watcher.tail_events [address]`: print events as lines until interrupted.

Reads the status API, so it needs no access to the broker or the cluster; resumes where it was after
a connection error. If the stack sets a token, it is read from `WATCHER_STATUS_TOKEN`.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterable, AsyncIterator

import aiohttp
import msgspec

from watcher.events import CloudEvent

DEFAULT_ADDRESS = "http://localhost:8000"
READ_TIMEOUT_SECONDS = 45.0
_RETRY_SECONDS = 2.0
_OK = 200
_EVENT = msgspec.json.Decoder(CloudEvent)


class StatusApiError(Exception):
    """Raised when the status API responds without events."""


async def parse_server_sent_events(
    content: AsyncIterable[bytes],
) -> AsyncIterator[tuple[str, str]]:
    """Yield the id and the data of each server-sent event; the data may be empty."""
    event_id, data = "", ""
    async for line in content:
        name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if name == "id":
            event_id = value
        elif name == "data":
            data = value
        elif not name and (event_id or data):
            yield event_id, data
            event_id, data = "", ""


def format_event(body: str) -> str:
    """Format an event as one line."""
    event = _EVENT.decode(body)
    data = event.data
    replicas = f"{data.replicas.ready}/{data.replicas.desired}"
    line = f"{event.time}  {event.subject:<24} {data.previous or '-'} -> {data.state}  {replicas}"
    reason = ": ".join(part for part in (data.reason, " ".join(data.message.split())) if part)
    return f"{line}  {reason}".rstrip()


async def _tail(address: str, token: str) -> None:
    last_id: str | None = None
    url = f"{address.rstrip('/')}/status/events"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=READ_TIMEOUT_SECONDS)
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(timeout=timeout, headers=authorization) as session:
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            try:
                async with session.get(url, headers=headers) as response:
                    if response.status != _OK:
                        message = f"{url}: status {response.status}; check WATCHER_STATUS_TOKEN"
                        raise StatusApiError(message)
                    async for event_id, body in parse_server_sent_events(response.content):
                        last_id = event_id or last_id
                        if body:
                            print(format_event(body), flush=True)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                print(f"{url}: {error}; retry in {_RETRY_SECONDS:.0f} s", file=sys.stderr)
            await asyncio.sleep(_RETRY_SECONDS)


def main(arguments: list[str]) -> int:
    """Return the exit status: 0 after an interrupt, 1 if the status API refuses the request."""
    address = arguments[0] if arguments else DEFAULT_ADDRESS
    try:
        asyncio.run(_tail(address, os.environ.get("WATCHER_STATUS_TOKEN", "")))
    except KeyboardInterrupt:
        return 0
    except StatusApiError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
