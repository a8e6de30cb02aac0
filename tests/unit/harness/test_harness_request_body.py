"""Limits on the duration and the total memory of request bodies."""

import time
from collections.abc import Generator

import pytest
from model_harness.errors import RequestError
from model_harness.http.request_body import (
    BODY_TIMEOUT_SECONDS,
    DRAIN_TIMEOUT_SECONDS,
    GRACE_SECONDS,
    MAX_ARRIVING_BODIES,
    MIN_BYTES_PER_SECOND,
    BodyReader,
    BodySource,
)
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
    """A body, or a chunk of one, that does not arrive."""

    def __init__(self, chunk: bytes = b"") -> None:
        self._chunk = chunk
        self.is_cancelled = False

    def __await__(self) -> Generator["StalledBody", None, bytes]:
        yield self
        return self._chunk

    def cancel(self) -> bool:
        self.is_cancelled = True
        return True


class ChunkedBody:
    """A body that stalls before each chunk."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = iter(chunks)
        self.last = StalledBody()

    def __call__(self) -> StalledBody:
        return self.last

    def __aiter__(self) -> "ChunkedBody":
        return self

    def __anext__(self) -> StalledBody:
        for chunk in self._chunks:
            self.last = StalledBody(chunk)
            return self.last
        raise StopAsyncIteration


def test_stalled_body_is_answered_with_400_and_cancelled() -> None:
    bodies, client, source = BodyReader(1000), Client(), ChunkedBody()
    reading = read(bodies, source, "100", responder_to(client))
    reading.send(None)
    now = time.perf_counter()
    bodies.expire(now + GRACE_SECONDS - 1)
    assert (client.status, source.last.is_cancelled) == (0, False)
    bodies.expire(now + GRACE_SECONDS + 1)
    assert (client.status, source.last.is_cancelled) == (400, True)
    reading.close()


def test_body_at_minimum_rate_has_more_time_with_each_chunk() -> None:
    bodies, client = BodyReader(100_000), Client()
    chunk = b"x" * 20 * MIN_BYTES_PER_SECOND
    source = ChunkedBody(chunk, chunk)
    reading = read(bodies, source, None, responder_to(client))
    reading.send(None)
    reading.send(None)
    now = time.perf_counter()
    bodies.expire(now + GRACE_SECONDS + 19)
    assert client.status == 0
    bodies.expire(now + GRACE_SECONDS + 21)
    assert (client.status, source.last.is_cancelled) == (400, True)
    reading.close()


def test_no_body_has_more_than_two_minutes() -> None:
    bodies, client = BodyReader(1_000_000), Client()
    source = ChunkedBody(b"x" * 500_000, b"x")
    reading = read(bodies, source, None, responder_to(client))
    reading.send(None)
    reading.send(None)
    bodies.expire(time.perf_counter() + BODY_TIMEOUT_SECONDS + 1)
    assert client.status == 400
    reading.close()


def test_refused_body_that_never_ends_is_cancelled_without_second_response() -> None:
    bodies, client = BodyReader(1_000_000), Client()
    source = ChunkedBody(b"x" * 500_000, b"x")
    draining = bodies.drain(source, responder_to(client))
    draining.send(None)
    draining.send(None)
    bodies.expire(time.perf_counter() + DRAIN_TIMEOUT_SECONDS + 1)
    assert (client.status, source.last.is_cancelled) == (0, True)
    draining.close()


def test_number_of_arriving_bodies_is_limited() -> None:
    bodies, readings = BodyReader(1000), []
    for _ in range(MAX_ARRIVING_BODIES):
        readings.append(read(bodies, ChunkedBody(), "1", responder_to(Client())))
        readings[-1].send(None)
    one_more = read(bodies, ChunkedBody(), "1", responder_to(Client()))
    with pytest.raises(RequestError) as caught:
        one_more.send(None)
    assert caught.value.status == 429
    with pytest.raises(StopIteration):  # at once, without reading the body
        bodies.drain(ChunkedBody(b"x"), responder_to(Client())).send(None)
    for reading in readings:
        reading.close()
    after = read(bodies, ChunkedBody(), "1", responder_to(Client()))
    after.send(None)
    after.close()


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
    for _ in range(2):
        retry.send(None)
    with pytest.raises(StopIteration) as done:
        retry.send(None)
    assert done.value.value == b"x" * 100
