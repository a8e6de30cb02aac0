"""boto3 clients by service."""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.pulumi.plugins.properties import Object
from local.pulumi.plugins.resource import PluginError


class Client(Protocol):
    """A boto3 client, whose methods are generated from the descriptions of the AWS APIs."""

    def __getattr__(self, operation: str) -> Callable[..., Object]: ...


class Clients:
    """One client per service, for the endpoint that the stack configures."""

    def __init__(
        self, region: str, endpoints: Mapping[str, str], access_key: str, secret_key: str
    ) -> None:
        self.region = region
        self._endpoints = endpoints
        self._session = boto3.session.Session(access_key, secret_key, region_name=region)
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}

    def __call__(self, service: str) -> Client:
        """Return the client of a service; create it once, as this is slow and not thread-safe."""
        if service not in self._endpoints:
            raise PluginError(
                f"aws:endpoints has no endpoint of {service}; the stand-in requires one."
            )
        with self._lock:
            if service not in self._clients:
                client = self._session.client(
                    service,
                    endpoint_url=self._endpoints[service],
                    # a proxy would send the request to another machine
                    config=Config(s3={"addressing_style": "path"}, proxies={}),
                )
                self._clients[service] = cast("Client", client)
            return self._clients[service]


def error_code(error: ClientError) -> str:
    """Return the error code of AWS."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_not_found(error: ClientError) -> bool:
    """Return whether the error means that the resource does not exist."""
    code = error_code(error)
    return (
        code in ("404", "NoSuchBucket", "NoSuchHostedZone")
        or "NotFound" in code
        or (code.startswith("NoSuch"))
    )
