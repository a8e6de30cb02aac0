"""What stands between HTTP and the function: paths, methods, media types, bodies, arguments.

Runs in whichever thread of the server is free, never in one that waits for the function.
"""

import re
from typing import Protocol

from model_harness.bodies import Bodies, BodySource, ClientGoneError
from model_harness.calls import Calls, too_many
from model_harness.domino import Domino
from model_harness.errors import RefusedError, shown
from model_harness.exchange import Exchange, Transport
from model_harness.handler import Handler
from model_harness.identity import RequestIds
from model_harness.log import logger
from model_harness.settings import Settings

_JSON = re.compile(r"application/json\s*(;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)


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
        """Until `open` everything known is answered 503."""
        self._settings = settings
        self._ids = RequestIds()
        self._domino = Domino(settings)
        self._handler: Handler | None = None
        self.bodies = Bodies(settings.body_bytes)
        self.calls = Calls(settings.in_flight, settings.timeout_seconds)
        self._known = re.compile(
            # Routes of a model are the stack's business; what a route must not be called is the
            # contract's: a version's name, `versions`, `latest` and `labels`.
            rf"(/models/{settings.name}/"
            rf"(versions/{settings.version}|latest|"
            r"(labels/)?(?!(v[1-9][0-9]*|versions|latest|labels)/)[a-z]([a-z0-9-]{0,18}[a-z0-9])?"
            r"))?/model"
        )
        self._path = f"/models/{settings.name}/versions/{settings.version}/model"

    def open(self, handler: Handler) -> None:
        """Take requests, now that the function is loaded."""
        self.calls.use(handler.call)
        self._handler = handler

    async def answer(self, scope: Scope, transport: GranianProtocol) -> None:
        """Total: every request gets an answer, unless its client is gone."""
        headers = scope.headers
        request_id = self._ids.of(headers.get("x-request-id"))
        exchange = Exchange(transport, request_id, self._settings.version, self._domino)
        try:
            await self._serve(scope, headers, transport, exchange)
        except RefusedError as refused:
            exchange.refuse(refused)
            await self.bodies.throw_away(transport)
        except ClientGoneError:
            pass
        except Exception:  # noqa: BLE001 - a mistake of ours is answered and logged as well
            logger.exception("the harness failed", extra={"request_id": request_id})
            exchange.refuse(RefusedError(500, "the harness failed; its log has the reason"))

    async def _serve(
        self, scope: Scope, headers: Headers, source: BodySource, exchange: Exchange
    ) -> None:
        path = scope.path
        if path != self._path and not self._known.fullmatch(path):
            raise RefusedError(
                404,
                f"no such path: {shown(path)}; this is version {self._settings.version} of model "
                f"{self._settings.name}, at {self._path}",
            )
        if scope.method != "POST":
            message = f"method {shown(scope.method)} is not allowed here; use POST"
            raise RefusedError(405, message, headers={"allow": "POST"})
        handler = self._handler
        if handler is None:
            raise RefusedError(503, "the model is not loaded yet", headers={"retry-after": "1"})
        media_type = headers.get("content-type")
        if media_type != "application/json":
            _check_media_type(media_type)
        if headers.get("content-encoding") is not None:
            raise RefusedError(415, "Content-Encoding is not supported; send the body as it is")
        if self.calls.full():  # before the body: what cannot be served is not read
            raise too_many(self._settings.in_flight)
        body = await self.bodies.read(source, headers.get("content-length"), exchange)
        arguments = self._domino.arguments(body, handler.signature)
        self.calls.admit(exchange, self._domino, arguments)


def _check_media_type(found: str | None) -> None:
    if found is None:
        raise RefusedError(415, "Content-Type is missing; send application/json")
    if not _JSON.fullmatch(found):
        message = f"Content-Type {shown(found)} is not supported; send application/json in UTF-8"
        raise RefusedError(415, message)
