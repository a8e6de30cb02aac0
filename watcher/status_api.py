"""The status API and the live page, served from memory even if the API server is unavailable.

At the public endpoint this is also the fallback for requests that no model serves: `/v2`, its
health, and unknown paths, which get an error in JSON.
"""

import asyncio
import re
import secrets
import string
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec
from aiohttp import web

from watcher import metrics
from watcher.auth import StatusAuth
from watcher.cache import Document, StatusCache, make_document
from watcher.event_log import Position
from watcher.resources import VersionKey

STATIC = Path(__file__).parent / "static"
KEEP_ALIVE_SECONDS = 15.0
"""Interval of comments that keep an idle event stream open."""
MAX_STREAMS = 256
MAX_STREAMS_PER_CLIENT = 16
STREAM_SECONDS = 600.0
"""A stream ends after this time, also if its client does not read; clients then resume."""
_DOMINO_PATH = re.compile(r"/models/.*/(model|openapi\.json)")
_MLFLOW_PATH = re.compile(r"/models/.*/(invocations|ping)")
_STATIC_FILES = {
    "/status/": ("index.html", "text/html"),
    "/status/page.css": ("page.css", "text/css"),
    "/status/page.js": ("page.js", "text/javascript"),
}
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatusApi:
    """The handlers of the status API. `is_ready`: whether the first lists are loaded."""

    def __init__(self, cache: StatusCache, auth: StatusAuth, is_ready: Callable[[], bool]) -> None:
        self._cache = cache
        self._auth = auth
        self._is_ready = is_ready
        self._streams: dict[asyncio.Task[object], str] = {}
        """The tasks of open event streams, with the address of each client."""

    def create_app(self) -> web.Application:
        """Create the application of the public port."""
        app = web.Application(middlewares=[self._require_token])
        app.on_shutdown.append(self._close_streams)
        model_path = "/status/models/{model:[^/]*}"
        handlers: dict[str, Handler] = {
            "/v2": _get_server_metadata,
            "/v2/": _get_server_metadata,
            "/v2/health/live": _get_v2_live,
            "/v2/health/ready": self._get_v2_ready,
            "/status": _redirect_to_page,
            **{path: _file_handler(*file) for path, file in _STATIC_FILES.items()},
            "/status/events": self._if_ready(self._get_events),
            "/status/models": self._if_ready(self._get_models),
            model_path: self._if_ready(self._get_model),
            f"{model_path}/versions/{{version:[^/]*}}": self._if_ready(self._get_version),
            "/status/{path:.*}": self._if_ready(_not_found),
        }
        for path, handler in handlers.items():
            app.router.add_get(path, handler)
            app.router.add_route("*", path, _method_not_allowed)
        # a route, not the router's 404: that one builds an exception for each request
        app.router.add_route("*", "/{path:.*}", _not_found)
        return app

    @web.middleware
    async def _require_token(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_status = request.path == "/status" or request.path.startswith("/status/")
        if is_status and not self._auth.is_authorized(request.headers.get("Authorization")):
            challenge = {"WWW-Authenticate": 'Basic realm="status", charset="UTF-8"'}
            return _json({"error": "token missing or wrong"}, 401, challenge)
        return await handler(request)

    def _if_ready(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self._is_ready():
                return await handler(request)
            headers = {"Retry-After": "1"}
            return _json({"error": "the watcher is still loading; retry in 1 s"}, 503, headers)

        return handle

    async def _get_models(self, request: web.Request) -> web.Response:
        return self._document(request, self._cache.models())

    async def _get_model(self, request: web.Request) -> web.Response:
        return self._document(request, self._cache.model(request.match_info["model"]))

    async def _get_version(self, request: web.Request) -> web.Response:
        match = request.match_info
        key = VersionKey(match["model"], match["version"])
        return self._document(request, self._cache.version(key))

    def _document(self, request: web.Request, document: Document | None) -> web.Response:
        if document is None:
            return _json({"error": f"no such model or version: {request.path}"}, 404)
        return _cacheable(request, document, "application/json", self._staleness())

    def _staleness(self) -> dict[str, str]:
        since = min(self._cache.stale_streams.values(), default=None)
        if since is None:
            return {}
        moment = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds")
        return {"X-Status-Stale-Since": moment.replace("+00:00", "Z")}

    async def _get_v2_ready(self, _request: web.Request) -> web.Response:
        ready = self._is_ready()
        return _json({"ready": ready}, 200 if ready else 503)

    async def _get_events(self, request: web.Request) -> web.StreamResponse:
        """Send events as they occur; the only state per client is its position in the log."""
        client = request.headers.get("X-Real-Ip") or request.remote or ""
        if len(self._streams) >= MAX_STREAMS:
            headers = {"Retry-After": "5"}
            return _json({"error": "too many clients follow the events"}, 503, headers)
        if list(self._streams.values()).count(client) >= MAX_STREAMS_PER_CLIENT:
            headers = {"Retry-After": "5"}
            message = f"this client has {MAX_STREAMS_PER_CLIENT} event streams open, the limit"
            return _json({"error": message}, 429, headers)
        if request.method == "HEAD":
            return web.Response(content_type="text/event-stream")
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        task = asyncio.current_task()
        if task is not None:
            self._streams[task] = client
        metrics.STREAMS.set(len(self._streams))
        try:
            await response.prepare(request)
            async with asyncio.timeout(STREAM_SECONDS):
                await self._send_events(response, self._start_position(request))
        except (ConnectionError, TimeoutError):
            return response
        finally:
            if task is not None:
                self._streams.pop(task, None)
            metrics.STREAMS.set(len(self._streams))

    def _start_position(self, request: web.Request) -> Position:
        """Return the position after the client's last event, or the end of the log."""
        log = self._cache.log
        last_id = request.headers.get("Last-Event-ID") or request.query.get("lastEventId")
        if last_id is None:
            return log.end
        position = Position.parse(last_id) or log.find(last_id) or Position(0)
        # beyond the end: of another cluster's history, or of a replica that is ahead
        return min(position, log.end)

    async def _send_events(self, response: web.StreamResponse, position: Position) -> NoReturn:
        log = self._cache.log
        # the position at once: a client that gets no event still resumes at the right one
        await response.write(f"retry: 2000\nid: {position}\n\n".encode())
        while True:
            for entry in log.after(position):
                position = entry.position
                await response.write(_server_sent_event(position, entry.event.body))
            if not await log.wait(KEEP_ALIVE_SECONDS):
                await response.write(b": still here\n\n")

    async def _close_streams(self, _app: web.Application) -> None:
        for task in list(self._streams):
            task.cancel()


async def _get_server_metadata(_request: web.Request) -> web.Response:
    return _json({"name": "model-deployment", "version": "2", "extensions": []})


async def _get_v2_live(_request: web.Request) -> web.Response:
    return _json({"live": True})


async def _redirect_to_page(_request: web.Request) -> web.Response:
    return web.Response(status=308, headers={"Location": "/status/"})


async def _method_not_allowed(_request: web.Request) -> web.Response:
    return _json({"error": "only GET is answered here"}, 405, {"Allow": "GET, HEAD"})


async def _not_found(request: web.Request) -> web.Response:
    """Return 404 in the format of the path's protocol."""
    path = request.path
    message = f"no such path: {path}"
    if path.startswith("/models/"):
        message = f"no such model, version or route: {path}"
    if _DOMINO_PATH.fullmatch(path):
        letters = string.ascii_uppercase + string.digits
        request_id = "".join(secrets.choice(letters) for _ in range(16))
        return _json({"requestId": request_id, "errors": [message]}, 404)
    if _MLFLOW_PATH.fullmatch(path):
        return _json({"error_code": "ENDPOINT_NOT_FOUND", "message": message}, 404)
    return _json({"error": message}, 404)


def _file_handler(name: str, content_type: str) -> Handler:
    document = make_document((STATIC / name).read_bytes())

    async def get_file(request: web.Request) -> web.StreamResponse:
        return _cacheable(request, document, content_type, _SECURITY_HEADERS)

    return get_file


def _server_sent_event(position: Position, body: bytes) -> bytes:
    return b"id: " + str(position).encode() + b"\nevent: transition\ndata: " + body + b"\n\n"


def _json(
    document: object, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(document),
        status=status,
        content_type="application/json",
        headers=headers,
    )


def _cacheable(
    request: web.Request, document: Document, content_type: str, headers: dict[str, str]
) -> web.Response:
    """Respond with the document, or with 304 if the client already has it."""
    client_etags = {etag.value for etag in request.if_none_match or ()}
    if client_etags & {document.etag, "*"}:
        response = web.Response(status=304, headers=headers)
    else:
        charset = "utf-8" if content_type.startswith("text/") else None
        response = web.Response(
            body=document.body, content_type=content_type, charset=charset, headers=headers
        )
    response.etag = document.etag
    response.headers["Cache-Control"] = "no-cache"
    return response
