"""The API server over plain HTTP: lists in pages, watches by lines, single objects.

No Kubernetes client: its typed models of 10,000 Pods cost more memory and time than all the rest of
this program (ADR 21). Errors are ApiError, whatever went wrong underneath.
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

from watcher import raw
from watcher.errors import ApiError, ConflictError
from watcher.settings import ApiServer

PAGE = 100
"""Objects of a page: its parsing holds everybody up for some milliseconds."""
REQUEST_SECONDS = 5.0
LIST_SECONDS = 60.0
OPEN_SECONDS = 10.0
"""The API server answers a watch at once, whether or not there is anything to tell."""
SILENCE_SECONDS = 75.0
"""A watch says something every minute, a bookmark at least. But a kind that nobody has changed
since the API server began gets none: after so much silence the watch is made anew, and only if that
fails nobody is there."""
SERVER_SECONDS = 300
"""The API server itself ends a watch after so long."""
_CONFLICT = 409
_NOT_FOUND = 404
_FIRST_FAILURE = 400

_PAGE = msgspec.json.Decoder(raw.Page)
_STATUS = msgspec.json.Decoder(raw.Status)
_EVENT = msgspec.json.Decoder(raw.WatchEvent)


class Listed(msgspec.Struct):
    """A page of a list, and the moment at which the whole list was true."""

    items: list[msgspec.Raw]
    revision: int


class Objects(Protocol):
    """Single objects, by their paths."""

    async def get(self, path: str) -> bytes | None:
        """One object, or None. Raises ApiError."""
        ...

    async def create(self, path: str, body: Mapping[str, object]) -> bytes:
        """Make it. Raises ConflictError if there is one of this name, or ApiError."""
        ...

    async def patch(self, path: str, body: Mapping[str, object]) -> bytes:
        """Merge into it. Raises ConflictError if it is not of the resourceVersion said."""
        ...


class Api:
    """One API server. Use it as an asynchronous context."""

    def __init__(self, server: ApiServer) -> None:
        """Nothing is opened before the first request."""
        self._server = server
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Api":
        connector = aiohttp.TCPConnector(
            limit=0, ssl=_tls(self._server), socket_factory=_watchful_socket
        )
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def pages(self, path: str, selector: str, at: int | None = None) -> AsyncIterator[Listed]:
        """All objects as they are now, or exactly as they were at a resourceVersion, by pages.

        Raises ApiError; `gone` if the API server remembers that moment no more.
        """
        asked = {"labelSelector": selector, "limit": str(PAGE)}
        exact = {} if at is None else {"resourceVersion": str(at), "resourceVersionMatch": "Exact"}
        following: dict[str, str] = {}
        while True:
            query = {**asked, **(following or exact)}
            body = await self._send("GET", path, query=query, seconds=LIST_SECONDS)
            try:
                page = _PAGE.decode(body)
            except msgspec.DecodeError as error:
                raise ApiError(0, f"GET {path}: no list: {error}") from error
            yield Listed(page.items or [], int(page.metadata.resource_version))
            if not page.metadata.continue_:
                return
            following = {"continue": page.metadata.continue_}

    async def watch(self, path: str, selector: str, since: int) -> AsyncIterator[raw.WatchEvent]:
        """The changes after `since`, until the API server ends the watch or says nothing for long.

        Begins with a bookmark of `since` itself: the API server has answered. Raises ApiError.
        """
        query = {
            "watch": "1",
            "labelSelector": selector,
            "resourceVersion": str(since),
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(SERVER_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=REQUEST_SECONDS, sock_read=SILENCE_SECONDS
        )
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                response = await self._opened.get(
                    self._server.url + path, params=query, headers=self._headers(), timeout=timeout
                )
            async with response:
                if response.status >= _FIRST_FAILURE:
                    raise _refusal(response.status, await response.read(), path)
                yield raw.bookmark(since)
                try:
                    async for line in _lines(response.content):
                        yield _EVENT.decode(line)
                except aiohttp.SocketTimeoutError:
                    return
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            raise ApiError(0, f"watch of {path} broke: {error or type(error).__name__}") from error

    async def get(self, path: str) -> bytes | None:
        """One object, or None. Raises ApiError."""
        try:
            return await self._send("GET", path)
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def create(self, path: str, body: Mapping[str, object]) -> bytes:
        """Make an object. Raises ConflictError if there is one of this name, or ApiError."""
        return await self._send("POST", path, body=body)

    async def patch(self, path: str, body: Mapping[str, object]) -> bytes:
        """Merge into an object; with a resourceVersion in `body` only if it is still that.

        Raises ConflictError if it is not, or ApiError.
        """
        return await self._send("PATCH", path, body=body, kind="application/merge-patch+json")

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        kind: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._opened.request(
                method,
                self._server.url + path,
                params=query,
                data=data,
                headers={**self._headers(), "Content-Type": kind},
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"{method} {path}: {error or type(error).__name__}"
            raise ApiError(0, message) from error
        if response.status >= _FIRST_FAILURE:
            raise _refusal(response.status, answer, f"{method} {path}")
        return answer

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ApiError(0, "used outside of its context")
        return self._session

    def _headers(self) -> dict[str, str]:
        """The token is read each time: kubelet renews it under a running Pod."""
        accept = {"Accept": "application/json"}
        if self._server.token_file is None:
            return accept
        try:
            token = self._server.token_file.read_text().strip()
        except OSError as error:
            message = f"cannot read the token {self._server.token_file}: {error.strerror}"
            raise ApiError(0, message) from error
        return {**accept, "Authorization": f"Bearer {token}"}


def _refusal(status: int, body: bytes, asked: str) -> ApiError:
    try:
        message = _STATUS.decode(body).message
    except msgspec.DecodeError:
        message = body[:200].decode(errors="replace")
    kind = ConflictError if status == _CONFLICT else ApiError
    return kind(status, f"{asked}: {status} {message}")


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: aiohttp's own refuse an object above 128 KiB."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
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


def _watchful_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A peer that vanished without a word is noticed by the kernel within half a minute."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    return made


async def pause(attempt: int) -> None:
    """Wait before another attempt: 0.1 s at first, at most 5 s."""
    await asyncio.sleep(min(5.0, 0.1 * 2**attempt))
