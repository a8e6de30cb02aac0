"""The same functions on bare Granian: JSON in, the function, JSON out.

Granian imports this module from the folder of the function.
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
    """The WSGI application."""
    result = predict(**orjson.loads(environ["wsgi.input"].read())["data"])
    start_response("200 OK", _HEADERS)
    return [orjson.dumps({"result": result})]


async def rsgi(_scope: object, protocol: _Protocol) -> None:
    """The RSGI application, Granian's fastest on an event loop."""
    result = predict(**orjson.loads(await protocol())["data"])
    protocol.response_bytes(200, _HEADERS, orjson.dumps({"result": result}))
