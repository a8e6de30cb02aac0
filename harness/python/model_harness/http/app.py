"""Handle requests: tokens, methods, media types, bodies and arguments, up to the scheduler.

The code runs in any free thread of the server, never in one that waits for the function.
"""

import time
from typing import NoReturn, Protocol

from model_harness.binding.signature import Signature
from model_harness.binding.table_binding import Invocation
from model_harness.errors import RETRY_AFTER, RequestError, too_many_requests, truncate
from model_harness.http.authentication import TokenAuthenticator
from model_harness.http.granian_core import RSGIProtocolClosed, RSGIProtocolError
from model_harness.http.memory_budget import SMALL_BODY_BYTES, MemoryBudget, container_budget
from model_harness.http.request_body import BodyReader, BodySource, incomplete_body
from model_harness.http.response import Responder, ResponseContext, Transport
from model_harness.http.routing import Endpoint, Router, check_media_type
from model_harness.observability.log import logger
from model_harness.observability.metrics import RequestCounters
from model_harness.observability.request_id import RequestIds
from model_harness.protocols.encoders import RawBody, ResultEncoder
from model_harness.settings import Settings


class Headers(Protocol):
    """Request headers; names are in lower case."""

    def get(self, key: str, default: str | None = None, /) -> str | None:
        """Return the first value."""


class Scope(Protocol):
    """The part of Granian's request scope that is used."""

    method: str
    path: str

    @property
    def headers(self) -> Headers:
        """Build the mapping, on every access."""


class GranianProtocol(Transport, BodySource, Protocol):
    """Granian's protocol object: receives the body, sends the response."""


class Scheduler(Protocol):
    """Runs the calls (runtime/scheduler.py)."""

    def is_full(self) -> bool:
        """Return whether another call would exceed the limit."""

    def submit(
        self, responder: Responder, encoder: ResultEncoder, arguments: Invocation, received: float
    ) -> None:
        """Queue a call whose body was complete at `received`. Raise RequestError(429)."""


class App:
    """Answers each request or submits its call to the scheduler."""

    def __init__(self, settings: Settings, scheduler: Scheduler, counters: RequestCounters) -> None:
        """Create it. Until `open` valid requests are answered with 503. Raise StartupError."""
        self._in_flight_limit = settings.in_flight
        self._workers = settings.workers
        self._memory = MemoryBudget()
        self._context = ResponseContext(settings.version, counters, self._memory)
        self._ids = RequestIds()
        self._authenticator = TokenAuthenticator(settings.tokens)
        self._signature: Signature | None = None
        self._router = Router(settings)
        self._static = self._router.static
        self._scheduler = scheduler
        self.bodies = BodyReader(settings.body_bytes)

    def open(self, signature: Signature, memory_factor: int = 1) -> None:
        """Accept calls, now that the function is loaded.

        `memory_factor` is the memory of a value relative to Python's.
        """
        self._memory.limit(container_budget(self._workers), memory_factor)
        self._signature = signature

    async def handle(self, scope: Scope, transport: GranianProtocol) -> None:
        """Answer one request, also where its body breaks off."""
        headers = scope.headers
        request_id = self._ids.accept_or_new(headers.get("x-request-id"))
        path = scope.path
        endpoint = self._static.get(path) or self._router.match(path)
        responder = Responder(transport, request_id, self._context, endpoint.error_encoder)
        try:
            if endpoint.parse is None or scope.method not in endpoint.methods:
                responder.send(*self._handle_without_body(endpoint, scope, headers))
                await self.bodies.drain(transport, responder)
                return
            signature = self._admit(endpoint, headers)
            try:
                body = await self.bodies.read(transport, headers.get("content-length"), responder)
            except (RSGIProtocolClosed, RSGIProtocolError) as error:
                raise incomplete_body() from error
            finally:
                self.bodies.finish(responder)
            received = time.perf_counter()
            if len(body) > SMALL_BODY_BYTES:
                responder.reserved_bytes = self._memory.reserve(body)
            header = endpoint.length_header
            length = headers.get(header) if header else None
            arguments, encoder = endpoint.parse(body, length, signature)
            self._scheduler.submit(responder, encoder, arguments, received)
        except RequestError as error:
            responder.send_error(error)
            responder.release_memory()
            await self.bodies.drain(transport, responder)
        except Exception:  # noqa: BLE001 - an error of the harness is answered and logged as well
            responder.release_memory()
            logger.exception("the harness failed", extra={"request_id": request_id})
            responder.send_error(RequestError(500, "the harness failed; see its log"))

    def _handle_without_body(
        self, endpoint: Endpoint, scope: Scope, headers: Headers
    ) -> tuple[int, bytes | RawBody]:
        """Return the response to a request that needs no call.

        Raise RequestError (401, 404, 405, 503).
        """
        if not endpoint.methods:
            raise self._router.not_found(scope.path)
        self._authenticator.check(headers.get("authorization"))
        if scope.method in endpoint.methods:
            signature = self._signature or _not_loaded()
            return 200, endpoint.on_get(scope.path, signature)
        if scope.method == "OPTIONS":
            return 204, RawBody(b"", (("allow", endpoint.allow),))
        message = f"method {truncate(scope.method)} is not allowed here; use {endpoint.allow}"
        raise RequestError(405, message, headers={"allow": endpoint.allow})

    def _admit(self, endpoint: Endpoint, headers: Headers) -> Signature:
        """Check what can be checked before the body is read.

        Return the signature of the function. Raise RequestError (401, 415, 429, 503).
        """
        if self._authenticator.is_required:
            self._authenticator.check(headers.get("authorization"))
        signature = self._signature or _not_loaded()
        media_type = headers.get("content-type")
        if media_type != "application/json":
            check_media_type(media_type, tensors=endpoint.accepts_binary)
        if headers.get("content-encoding") is not None:
            raise RequestError(415, "Content-Encoding is not supported; send the body uncompressed")
        if self._scheduler.is_full():
            raise too_many_requests(self._in_flight_limit)
        return signature


def _not_loaded() -> NoReturn:
    raise RequestError(503, "the model is not loaded yet", headers=RETRY_AFTER)
