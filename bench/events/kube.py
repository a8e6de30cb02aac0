"""A client of the real API server, independent of the watcher's client."""

import asyncio
import base64
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import cast

import aiohttp
import yaml

Object = dict[str, object]
_MISSING, _CONFLICT, _FAILED = 404, 409, 400


@dataclass(frozen=True)
class Access:
    """The URL of the API server and the files with certificates."""

    url: str
    authority: Path
    certificate: Path

    @classmethod
    def from_kubeconfig(cls, folder: Path) -> "Access":
        """Read the kubeconfig of `make env` and write its certificates into files."""
        config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority, certificate = folder / "ca.pem", folder / "client.pem"
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        certificate.touch(mode=0o600)
        certificate.write_bytes(
            base64.b64decode(user["client-certificate-data"])
            + base64.b64decode(user["client-key-data"])
        )
        return cls(cluster["server"], authority, certificate)


class Kube:
    """A client that requests by path. Use it as an asynchronous context manager."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Kube":
        context = ssl.create_default_context(cafile=str(self._access.authority))
        context.load_cert_chain(self._access.certificate)
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        self._session = aiohttp.ClientSession(self._access.url, connector=connector)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("used outside of its context")
        return self._session

    async def send(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Object:
        """Return the response; empty if the object already exists or is already deleted."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with self._opened.request(
            method,
            path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": kind},
        ) as answer:
            if (method, answer.status) in {("POST", _CONFLICT), ("DELETE", _MISSING)}:
                return {}
            if answer.status >= _FAILED:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return cast("Object", await answer.json())

    async def watch(self, path: str, since: int) -> AsyncIterator[tuple[str, bytes]]:
        """Yield type and object of each change after `since`; reconnect as often as necessary.

        Raises RuntimeError if that history has expired: then there is nothing to compare with.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        while True:
            query = {"watch": "1", "resourceVersion": str(since), "allowWatchBookmarks": "true"}
            try:
                async with self._opened.get(path, params=query, timeout=timeout) as answer:
                    async for line in answer.content:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            raise RuntimeError(
                                f"the history of the recorder has expired: {event['object']}"
                            )
                        since = int(event["object"]["metadata"]["resourceVersion"])
                        if event["type"] != "BOOKMARK":
                            yield event["type"], json.dumps(event["object"]).encode()
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(0.2)
