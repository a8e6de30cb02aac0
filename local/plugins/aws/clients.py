"""boto3's clients, by service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.plugins.failures import PluginError
from local.plugins.values import Object


class Client(Protocol):
    """A client's operations are made from AWS's own descriptions: each takes and gives objects."""

    def __getattr__(self, operation: str) -> Callable[..., Object]: ...


class Clients:
    """One client for each service, at the address that the stack gives for it."""

    def __init__(
        self, region: str, endpoints: Mapping[str, str], access_key: str, secret_key: str
    ) -> None:
        self.region = region
        self._endpoints = endpoints
        self._session = boto3.session.Session(access_key, secret_key, region_name=region)
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}

    def __call__(self, service: str) -> Client:
        """The client, made once: making one is slow, and not safe from two threads."""
        if service not in self._endpoints:
            raise PluginError(
                f"aws:endpoints names no address for {service}; the stand-in asks nobody else."
            )
        with self._lock:
            if service not in self._clients:
                made = self._session.client(
                    service,
                    endpoint_url=self._endpoints[service],
                    # never a proxy: it would carry the request off this machine
                    config=Config(s3={"addressing_style": "path"}, proxies={}),
                )
                self._clients[service] = cast("Client", made)
            return self._clients[service]


def code_of(error: ClientError) -> str:
    """AWS's own name of a failure."""
    return str(error.response.get("Error", {}).get("Code", ""))


def absent(error: ClientError) -> bool:
    """Whether a failure says that there is no such thing."""
    code = code_of(error)
    return (
        code in ("404", "NoSuchBucket", "NoSuchHostedZone")
        or "NotFound" in code
        or (code.startswith("NoSuch"))
    )
