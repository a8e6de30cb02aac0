"""`python -m watcher.follow [address]`: the events as lines in a terminal, until interrupted.

Asks the status API, so it needs no access to the broker or the cluster; resumes where it was after
the connection broke. A token, where the stack sets one, comes from `WATCHER_STATUS_TOKEN`.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterable, AsyncIterator

import aiohttp
import msgspec

from watcher.events import CloudEvent

FRONT_DOOR = "http://localhost:8000"
SILENCE_SECONDS = 45.0
_PAUSE_SECONDS = 2.0
_OK = 200
_EVENT = msgspec.json.Decoder(CloudEvent)


class RefusedError(Exception):
    """The status service answers, and not with events."""


async def server_sent(content: AsyncIterable[bytes]) -> AsyncIterator[tuple[str, str]]:
    """The place and the data of each server-sent event; the data may be empty."""
    place, data = "", ""
    async for line in content:
        name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if name == "id":
            place = value
        elif name == "data":
            data = value
        elif not name and (place or data):
            yield place, data
            place, data = "", ""


def told(body: str) -> str:
    """One event as a line."""
    event = _EVENT.decode(body)
    data = event.data
    replicas = f"{data.replicas.ready}/{data.replicas.desired}"
    line = f"{event.time}  {event.subject:<24} {data.previous or '-'} -> {data.state}  {replicas}"
    why = ": ".join(part for part in (data.reason, " ".join(data.message.split())) if part)
    return f"{line}  {why}".rstrip()


async def _follow(address: str, token: str) -> None:
    place: str | None = None
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_SECONDS)
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(timeout=timeout, headers=authorization) as session:
        while True:
            headers = {"Last-Event-ID": place} if place else {}
            try:
                url = f"{address.rstrip('/')}/status/events"
                async with session.get(url, headers=headers) as answer:
                    if answer.status != _OK:
                        raise RefusedError(f"{url} answers {answer.status}")
                    async for at, body in server_sent(answer.content):
                        place = at or place
                        if body:
                            print(told(body), flush=True)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                print(f"again in {_PAUSE_SECONDS:.0f} s: {error}", file=sys.stderr)
            await asyncio.sleep(_PAUSE_SECONDS)


def main(arguments: list[str]) -> int:
    """Exit status: 0 interrupted, 1 refused."""
    address = arguments[0] if arguments else FRONT_DOOR
    try:
        asyncio.run(_follow(address, os.environ.get("WATCHER_STATUS_TOKEN", "")))
    except KeyboardInterrupt:
        return 0
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
