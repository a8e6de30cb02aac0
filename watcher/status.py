"""The status API and the live page: answered from memory, whatever the API server does.

On the front door also whatever no model answers: `/v2`, its health, and unknown paths, in JSON.
"""

import asyncio
import re
import secrets
import string
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web

from watcher import metrics
from watcher.access import Access
from watcher.cache import Cache, Document, document
from watcher.event_log import Position
from watcher.objects import Key

PAGE = Path(__file__).parent / "page"
KEEP_ALIVE_SECONDS = 15.0
"""A comment so often, so that proxies and clients see a living stream."""
MOST_STREAMS = 256
_MODEL_PATH = re.compile(r"/models/.*/model")
_FILES = {
    "/status/": ("index.html", "text/html"),
    "/status/page.css": ("page.css", "text/css"),
    "/status/page.js": ("page.js", "text/javascript"),
}
_SAFE = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Status:
    """The handlers. `ready`: whether the first lists are in."""

    def __init__(self, cache: Cache, access: Access, ready: Callable[[], bool]) -> None:
        """Answers from `cache`."""
        self._cache = cache
        self._access = access
        self._ready = ready
        self._streams: set[asyncio.Task[object]] = set()
        self._files = {
            path: (document((PAGE / name).read_bytes()), kind)
            for path, (name, kind) in _FILES.items()
        }

    def application(self) -> web.Application:
        """What the front door leads to."""
        made = web.Application()
        made.router.add_route("*", "/{path:.*}", self._answer)
        made.on_shutdown.append(self._end_streams)
        return made

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/status" or path.startswith("/status/"):
            return await self._status(request, path)
        known: dict[str, Callable[[], web.Response]] = {
            "/v2": _server_metadata,
            "/v2/": _server_metadata,
            "/v2/health/live": lambda: _json({"live": True}),
            "/v2/health/ready": self._v2_ready,
        }
        handler = known.get(path)
        if handler is None:
            return _unknown(path)
        return handler() if request.method in {"GET", "HEAD"} else _wrong_method()

    async def _status(self, request: web.Request, path: str) -> web.StreamResponse:
        if not self._access.allows(request.headers.get("Authorization")):
            challenge = {"WWW-Authenticate": 'Basic realm="status", charset="UTF-8"'}
            return _json({"error": "token missing or wrong"}, 401, challenge)
        if request.method not in {"GET", "HEAD"}:
            return _wrong_method()
        if path == "/status":
            return web.Response(status=308, headers={"Location": "/status/"})
        if path in self._files:
            page, kind = self._files[path]
            return _cached(request, page, kind, _SAFE)
        if not self._ready():
            return _json({"error": "the first list is not in yet"}, 503, {"Retry-After": "1"})
        if path == "/status/events":
            return await self._events(request)
        return self._document(request, path)

    def _document(self, request: web.Request, path: str) -> web.Response:
        match path.removeprefix("/status/").split("/"):
            case ["models"]:
                found: Document | None = self._cache.models()
            case ["models", model]:
                found = self._cache.model(model)
            case ["models", model, "versions", version]:
                found = self._cache.version(Key(model, version))
            case _:
                return _unknown(path)
        if found is None:
            return _json({"error": f"no such model or version: {path}"}, 404)
        return _cached(request, found, "application/json", self._staleness())

    def _staleness(self) -> dict[str, str]:
        since = min(self._cache.stale.values(), default=None)
        if since is None:
            return {}
        moment = datetime.fromtimestamp(since, UTC).isoformat(timespec="seconds")
        return {"X-Status-Stale-Since": moment.replace("+00:00", "Z")}

    def _v2_ready(self) -> web.Response:
        ready = self._ready()
        return _json({"ready": ready}, 200 if ready else 503)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events; a client holds nothing here but its place in the log."""
        if len(self._streams) >= MOST_STREAMS:
            return _json({"error": "too many clients follow the events"}, 503, {"Retry-After": "5"})
        if request.method == "HEAD":
            return web.Response(content_type="text/event-stream")
        log = self._cache.log
        text = request.headers.get("Last-Event-ID") or request.query.get("lastEventId")
        place = log.end if text is None else Position.parse(text) or log.find(text) or Position(0)
        answer = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        task = asyncio.current_task()
        if task is not None:
            self._streams.add(task)
        metrics.STREAMS.set(len(self._streams))
        try:
            await answer.prepare(request)
            # the place at once: a client that hears nothing more still resumes at the right one
            await answer.write(f"retry: 2000\nid: {place}\n\n".encode())
            while True:
                for entry in log.after(place):
                    await answer.write(_server_sent(str(entry.position), entry.event.body))
                    place = entry.position
                if not await log.wait(KEEP_ALIVE_SECONDS):
                    await answer.write(b": still here\n\n")
        except ConnectionError:
            return answer
        finally:
            if task is not None:
                self._streams.discard(task)
            metrics.STREAMS.set(len(self._streams))

    async def _end_streams(self, _application: web.Application) -> None:
        for task in list(self._streams):
            task.cancel()


def _server_sent(place: str, body: bytes) -> bytes:
    return b"id: " + place.encode() + b"\nevent: transition\ndata: " + body + b"\n\n"


def _json(
    document: object, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(document),
        status=status,
        content_type="application/json",
        headers=headers,
    )


def _cached(
    request: web.Request, document: Document, kind: str, headers: dict[str, str]
) -> web.Response:
    told = {**headers, "ETag": document.etag, "Cache-Control": "no-cache"}
    asked = request.headers.get("If-None-Match", "")
    if asked == "*" or document.etag in re.split(r"\s*,\s*(?:W/)?|W/", asked.strip()):
        return web.Response(status=304, headers=told)
    charset = "utf-8" if kind.startswith("text/") else None
    return web.Response(body=document.body, content_type=kind, charset=charset, headers=told)


def _server_metadata() -> web.Response:
    return _json({"name": "model-deployment", "version": "2", "extensions": []})


def _wrong_method() -> web.Response:
    return _json({"error": "only GET is answered here"}, 405, {"Allow": "GET, HEAD"})


def _unknown(path: str) -> web.Response:
    """In the dialect of the path: clients of Domino read `errors`."""
    message = f"no such path: {path}"
    if path.startswith("/models/"):
        message = f"no such model, version or route: {path}"
    if _MODEL_PATH.fullmatch(path):
        letters = string.ascii_uppercase + string.digits
        request_id = "".join(secrets.choice(letters) for _ in range(16))
        return _json({"requestId": request_id, "errors": [message]}, 404)
    return _json({"error": message}, 404)
