"""The same functions on Granian alone: JSON in, the function, JSON out, and nothing else.

Granian imports it from the folder of the function.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import orjson
from predict import predict

_HEADERS = [("content-type", "application/json")]


class _Body(Protocol):
    def read(self) -> bytes: ...


class _Protocol(Protocol):
    async def __call__(self) -> bytes: ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


def wsgi(
    environ: dict[str, _Body], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """WSGI's application."""
    result = predict(**orjson.loads(environ["wsgi.input"].read())["data"])
    start_response("200 OK", _HEADERS)
    return [orjson.dumps({"result": result})]


async def rsgi(_scope: object, protocol: _Protocol) -> None:
    """RSGI's application: as fast as Granian can be on an event loop."""
    result = predict(**orjson.loads(await protocol())["data"])
    protocol.response_bytes(200, _HEADERS, orjson.dumps({"result": result}))
