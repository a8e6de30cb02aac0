"""Limits on the duration and the total memory of request bodies."""

import time
from collections.abc import AsyncIterator, Generator

import pytest
from model_harness.errors import RequestError
from model_harness.http.request_body import BODY_TIMEOUT_SECONDS, BodyReader, BodySource
from model_harness.http.response import Responder, ResponseContext
from model_harness.observability.metrics import RequestCounters
from model_harness.protocols.domino import Domino
from model_harness.settings import Settings

DOMINO = Domino(Settings("iris", "v1", "predict:predict"))
CONTEXT = ResponseContext("v1", RequestCounters())


class Client:
    def __init__(self) -> None:
        self.status = 0

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = self.status or status


def responder_to(client: Client) -> Responder:
    return Responder(client, "ABCDEFGHIJ012345", CONTEXT, DOMINO)


async def read(
    bodies: BodyReader, source: BodySource, declared: str | None, responder: Responder
) -> bytes:
    """Read a body as App.handle does."""
    try:
        return await bodies.read(source, declared, responder)
    finally:
        bodies.finish(responder)


class StalledBody:
    """A body that never arrives."""

    def __call__(self) -> "StalledBody":
        return self

    def __await__(self) -> Generator["StalledBody", None, bytes]:
        yield self
        return b""


class ChunkedBody:
    """A body that stalls before each chunk."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await StalledBody()
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


def test_stalled_body_is_answered_with_400_after_timeout() -> None:
    bodies, client = BodyReader(1000), Client()
    reading = read(bodies, StalledBody(), "100", responder_to(client))
    reading.send(None)
    bodies.expire(time.perf_counter() + BODY_TIMEOUT_SECONDS - 5)
    assert client.status == 0
    bodies.expire(time.perf_counter() + BODY_TIMEOUT_SECONDS + 1)
    assert client.status == 400
    reading.close()


def test_total_memory_of_bodies_is_limited() -> None:
    bodies = BodyReader(100)
    readings = []
    for _ in range(8):
        reading = read(bodies, ChunkedBody(b"x" * 100, b""), None, responder_to(Client()))
        reading.send(None)
        reading.send(None)
        readings.append(reading)
    ninth = read(bodies, ChunkedBody(b"x", b""), None, responder_to(Client()))
    ninth.send(None)
    with pytest.raises(RequestError) as caught:
        ninth.send(None)
    assert caught.value.status == 429
    for reading in readings:
        reading.close()
    retry = read(bodies, ChunkedBody(b"x" * 100, b""), None, responder_to(Client()))
    for _ in range(3):
        retry.send(None)
    with pytest.raises(StopIteration) as done:
        retry.send(None)
    assert done.value.value == b"x" * 100
