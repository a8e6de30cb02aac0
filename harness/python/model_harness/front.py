"""What stands between HTTP and the function: tokens, methods, media types, bodies, arguments.

Runs in whichever thread of the server is free, never in one that waits for the function.
"""

from typing import NoReturn, Protocol

from model_harness.addresses import Addresses, Endpoint, check_media_type
from model_harness.bodies import Bodies, BodySource, broken_off
from model_harness.calls import Calls, too_many
from model_harness.errors import RefusedError, shown
from model_harness.exchange import Content, Exchange, Transport
from model_harness.granian_core import RSGIProtocolClosed, RSGIProtocolError
from model_harness.handler import Handler
from model_harness.identity import RequestIds
from model_harness.log import logger
from model_harness.settings import Settings
from model_harness.tokens import Tokens


class Headers(Protocol):
    """Request headers; names in lower case."""

    def get(self, key: str, default: str | None = None, /) -> str | None:
        """Return the first value."""


class Scope(Protocol):
    """What is used of Granian's description of a request."""

    method: str
    path: str

    @property
    def headers(self) -> Headers:
        """Build the mapping; ask once."""


class GranianProtocol(Transport, BodySource, Protocol):
    """Body in, answer out."""


class Front:
    """Answers each request, or puts its call in line."""

    def __init__(self, settings: Settings) -> None:
        """Until `open` everything known is answered 503. Raises StartupError."""
        self._settings = settings
        self._ids = RequestIds()
        self._tokens = Tokens(settings.tokens)
        self._handler: Handler | None = None
        self._addresses = Addresses(settings)
        self._known = self._addresses.exact
        self.bodies = Bodies(settings.body_bytes)
        self.calls = Calls(settings.in_flight, settings.timeout_seconds, settings.threads)

    def open(self, handler: Handler) -> None:
        """Take requests, now that the function is loaded."""
        handler.connect(self.calls)
        self._handler = handler

    async def answer(self, scope: Scope, transport: GranianProtocol) -> None:
        """Total: every request gets an answer, also where its body broke off."""
        headers = scope.headers
        request_id = self._ids.of(headers.get("x-request-id"))
        path = scope.path
        endpoint = self._known.get(path) or self._addresses.find(path)
        exchange = Exchange(transport, request_id, self._settings.version, endpoint.dialect)
        try:
            if endpoint.bind is None or scope.method not in endpoint.methods:
                exchange.send(*self._at_once(endpoint, scope, headers))
                await self.bodies.throw_away(transport)
                return
            handler = self._admissible(endpoint, headers)
            try:
                body = await self.bodies.read(transport, headers.get("content-length"), exchange)
            except (RSGIProtocolClosed, RSGIProtocolError) as error:
                raise broken_off() from error
            finally:
                self.bodies.arrived(exchange)
            more = headers.get(endpoint.header) if endpoint.header else None
            arguments, encoder = endpoint.bind(body, more, handler.signature)
            self.calls.admit(exchange, encoder, arguments)
        except RefusedError as refused:
            exchange.refuse(refused)
            await self.bodies.throw_away(transport)
        except Exception:  # noqa: BLE001 - a mistake of ours is answered and logged as well
            logger.exception("the harness failed", extra={"request_id": request_id})
            exchange.refuse(RefusedError(500, "the harness failed; its log has the reason"))

    def _at_once(
        self, endpoint: Endpoint, scope: Scope, headers: Headers
    ) -> tuple[int, bytes | Content]:
        """Answer what needs neither body nor function. Raises RefusedError (401, 404, 405, 503)."""
        if not endpoint.methods:
            raise self._addresses.unknown(scope.path)
        self._tokens.check(headers.get("authorization"))
        if scope.method in endpoint.methods:
            handler = self._handler or _not_loaded()
            return 200, endpoint.look(scope.path, handler.signature)
        if scope.method == "OPTIONS":
            return 204, Content(b"", (("allow", endpoint.allow),))
        message = f"method {shown(scope.method)} is not allowed here; use {endpoint.allow}"
        raise RefusedError(405, message, headers={"allow": endpoint.allow})

    def _admissible(self, endpoint: Endpoint, headers: Headers) -> Handler:
        """Return whom to call. Raises RefusedError (401, 415, 429, 503) before the body is read."""
        if self._tokens.required:
            self._tokens.check(headers.get("authorization"))
        handler = self._handler or _not_loaded()
        media_type = headers.get("content-type")
        if media_type != "application/json":
            check_media_type(media_type, tensors=bool(endpoint.header))
        if headers.get("content-encoding") is not None:
            raise RefusedError(415, "Content-Encoding is not supported; send the body as it is")
        if self.calls.full():
            raise too_many(self._settings.in_flight)
        return handler


def _not_loaded() -> NoReturn:
    raise RefusedError(503, "the model is not loaded yet", headers={"retry-after": "1"})
