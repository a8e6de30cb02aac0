"""A minimal client of the Kubernetes API: paged lists, watches, single objects.

No Kubernetes client library: its typed models of 10,000 Pods need more memory and time than the
rest of the watcher (ADR 21). Every failure is raised as ApiError.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol

import aiohttp
import msgspec

from watcher import k8s_types
from watcher.errors import ApiError, ConflictError
from watcher.settings import ApiServer

PAGE_SIZE = 100
"""Objects per page: parsing one page blocks the event loop for some milliseconds."""
REQUEST_TIMEOUT_SECONDS = 5.0
LIST_TIMEOUT_SECONDS = 60.0
WATCH_OPEN_TIMEOUT_SECONDS = 10.0
"""The API server answers a watch immediately, even without changes."""
WATCH_IDLE_TIMEOUT_SECONDS = 75.0
"""A watch gets at least a bookmark per minute, except for resources without any change since the
API server started. After this time the watch is opened again; if that fails, the API server is
unavailable."""
WATCH_SERVER_TIMEOUT_SECONDS = 300
"""The API server closes a watch after this time."""
_CONFLICT = 409
_NOT_FOUND = 404
_FIRST_ERROR_STATUS = 400

_PAGE = msgspec.json.Decoder(k8s_types.ResourceList)
_STATUS = msgspec.json.Decoder(k8s_types.Status)
_EVENT = msgspec.json.Decoder(k8s_types.WatchEvent)


class Page(msgspec.Struct):
    """A page of a list, and the resourceVersion of the whole list."""

    items: list[msgspec.Raw]
    revision: int


class ObjectClient(Protocol):
    """Read and write single objects by path."""

    async def get(self, path: str) -> bytes | None:
        """Return an object, or None if it does not exist. Raises ApiError."""
        ...

    async def create(self, path: str, body: Mapping[str, object]) -> bytes:
        """Create an object. Raises ConflictError if it exists, or ApiError."""
        ...

    async def patch(self, path: str, body: Mapping[str, object]) -> bytes:
        """Merge into an object. Raises ConflictError if its resourceVersion differs."""
        ...

    async def remove(self, path: str, revision: int) -> None:
        """Delete an object. Raises ConflictError if its resourceVersion differs."""
        ...


class KubeClient:
    """A client of one API server. Use it as an asynchronous context manager."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "KubeClient":
        connector = aiohttp.TCPConnector(
            limit=0, ssl=_tls(self._server), socket_factory=_keepalive_socket
        )
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def pages(
        self, path: str, selector: str, revision: int | None = None
    ) -> AsyncIterator[Page]:
        """List all objects page by page, now or exactly as of a resourceVersion.

        Raises ApiError; its `history_expired` is true if the API server cannot serve the revision.
        """
        base = {"labelSelector": selector, "limit": str(PAGE_SIZE)}
        position: dict[str, str] = {}
        if revision is not None:
            position = {"resourceVersion": str(revision), "resourceVersionMatch": "Exact"}
        while True:
            query = {**base, **position}
            body = await self._send("GET", path, query=query, timeout=LIST_TIMEOUT_SECONDS)
            try:
                page = _PAGE.decode(body)
            except msgspec.DecodeError as error:
                message = f"GET {path}: the response is not a list: {error}"
                raise ApiError(0, message) from error
            yield Page(page.items or [], int(page.metadata.resource_version))
            if not page.metadata.continue_:
                return
            position = {"continue": page.metadata.continue_}

    async def watch(
        self, path: str, selector: str, since: int
    ) -> AsyncIterator[k8s_types.WatchEvent]:
        """Yield the changes after `since` until the watch ends or is idle for too long.

        The first event is a bookmark of `since`: the API server has answered. Raises ApiError.
        """
        query = {
            "watch": "1",
            "labelSelector": selector,
            "resourceVersion": str(since),
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SERVER_TIMEOUT_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=REQUEST_TIMEOUT_SECONDS, sock_read=WATCH_IDLE_TIMEOUT_SECONDS
        )
        try:
            async with asyncio.timeout(WATCH_OPEN_TIMEOUT_SECONDS):
                response = await self._open_session.get(
                    self._server.url + path, params=query, headers=self._headers(), timeout=timeout
                )
            async with response:
                if response.status >= _FIRST_ERROR_STATUS:
                    raise _api_error(response.status, await response.read(), path)
                yield k8s_types.bookmark(since)
                try:
                    async for line in _lines(response.content):
                        yield _EVENT.decode(line)
                except aiohttp.SocketTimeoutError:
                    return
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            message = f"watch of {path} failed: {error or type(error).__name__}"
            raise ApiError(0, message) from error

    async def get(self, path: str) -> bytes | None:
        """Return an object, or None if it does not exist. Raises ApiError."""
        try:
            return await self._send("GET", path)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def create(self, path: str, body: Mapping[str, object]) -> bytes:
        """Create an object. Raises ConflictError if it exists, or ApiError."""
        return await self._send("POST", path, body=body)

    async def patch(self, path: str, body: Mapping[str, object]) -> bytes:
        """Merge into an object; a resourceVersion in `body` makes the write conditional.

        Raises ConflictError if the object's resourceVersion differs, or ApiError.
        """
        content_type = "application/merge-patch+json"
        return await self._send("PATCH", path, body=body, content_type=content_type)

    async def remove(self, path: str, revision: int) -> None:
        """Delete an object that still has this resourceVersion.

        Raises ConflictError if it has changed, or ApiError.
        """
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"resourceVersion": str(revision)},
        }
        await self._send("DELETE", path, body=body)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
        timeout: float = REQUEST_TIMEOUT_SECONDS,
    ) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._open_session.request(
                method,
                self._server.url + path,
                params=query,
                data=data,
                headers={**self._headers(), "Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                payload = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"{method} {path}: {error or type(error).__name__}"
            raise ApiError(0, message) from error
        if response.status >= _FIRST_ERROR_STATUS:
            raise _api_error(response.status, payload, f"{method} {path}")
        return payload

    @property
    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ApiError(0, "the client is used outside its context")
        return self._session

    def _headers(self) -> dict[str, str]:
        """Read the token for each request: kubelet renews it while the Pod runs."""
        accept = {"Accept": "application/json"}
        if self._server.token_file is None:
            return accept
        try:
            token = self._server.token_file.read_text().strip()
        except OSError as error:
            message = f"cannot read the token {self._server.token_file}: {error.strerror}"
            raise ApiError(0, message) from error
        return {**accept, "Authorization": f"Bearer {token}"}


def _api_error(status: int, body: bytes, request: str) -> ApiError:
    try:
        message = _STATUS.decode(body).message
    except msgspec.DecodeError:
        message = body[:200].decode(errors="replace")
    error_type = ConflictError if status == _CONFLICT else ApiError
    return error_type(status, f"{request}: {status} {message}")


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split into lines of any length: aiohttp's line iterator fails above 128 KiB."""
    incomplete = b""
    async for chunk in content.iter_any():
        *lines, incomplete = (incomplete + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _tls(server: ApiServer) -> ssl.SSLContext | bool:
    if not server.url.startswith("https:"):
        return True
    authority = str(server.authority_file) if _is_file(server.authority_file) else None
    context = ssl.create_default_context(cafile=authority)
    if server.certificate_file is not None:
        context.load_cert_chain(server.certificate_file)
    return context


def _is_file(path: Path | None) -> bool:
    return path is not None and path.is_file()


def _keepalive_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket on which the kernel detects a vanished peer within 30 seconds."""
    family, socket_type, protocol, _, _ = address
    connection = socket.socket(family=family, type=socket_type, proto=protocol)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection


async def back_off(attempt: int) -> None:
    """Wait before a retry: 0.1 s at first, then twice as long each time, at most 5 s."""
    await asyncio.sleep(min(5.0, 0.1 * 2**attempt))
