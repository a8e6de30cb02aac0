"""The watcher's settings, decoded from the environment."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from cluster_client.environment import decode_environment
from watcher.errors import StartupError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_API_FILES = ("WATCHER_API_TOKEN_FILE", "WATCHER_API_CA_FILE", "WATCHER_API_CERTIFICATE_FILE")

_Port = Annotated[int, msgspec.Meta(ge=1, le=65535, description="a port, 1 to 65535")]


class _Variables(msgspec.Struct, rename=lambda name: f"WATCHER_{name.upper()}"):
    """The variables of the watcher, except those of the API server."""

    namespace: Annotated[
        str,
        msgspec.Meta(
            pattern=r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z",
            description="the namespace of the models",
        ),
    ]
    broker_host: Annotated[str, msgspec.Meta(description="the name of RabbitMQ's Service")]
    broker_user: Annotated[str, msgspec.Meta(description="RabbitMQ's user")]
    broker_password: Annotated[str, msgspec.Meta(description="the password of RabbitMQ's user")]
    broker_port: _Port = 5672
    broker_virtual_host: str = "/"
    exchange: str = "model-events"
    identity: str = msgspec.field(default_factory=socket.gethostname)
    status_token: str = ""
    host: str = "0.0.0.0"  # noqa: S104 - a Pod listens on all of its addresses
    port: _Port = 8080
    health_port: _Port = 8081


@dataclass(frozen=True)
class ApiServer:
    """The address of the API server and the files with credentials; kubelet provides both."""

    url: str
    token_file: Path | None
    authority_file: Path | None
    certificate_file: Path | None = None
    """A client's certificate and key in one file, for runs outside a cluster."""


@dataclass(frozen=True)
class Broker:
    """The connection to RabbitMQ. The password never appears in logs and errors."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    virtual_host: str = "/"
    exchange: str = "model-events"


@dataclass(frozen=True)
class Settings:
    """All settings of one watcher."""

    namespace: str
    identity: str
    """Unique among the replicas: the Pod's name."""
    api: ApiServer
    broker: Broker
    status_token: str = field(default="", repr=False)
    """If empty, the status is public."""
    host: str = "0.0.0.0"  # noqa: S104 - a Pod listens on all of its addresses
    port: int = 8080
    health_port: int = 8081

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read `WATCHER_*`. Raises StartupError with a line for each wrong variable."""
        variables, errors = decode_environment(environment, _Variables)
        errors += _api_server_errors(environment)
        errors += _token_errors(environment)
        if variables is None or errors:
            raise StartupError("\n".join(errors))
        return cls(
            namespace=variables.namespace,
            identity=variables.identity,
            api=_api_server(environment),
            broker=Broker(
                host=variables.broker_host,
                port=variables.broker_port,
                user=variables.broker_user,
                password=variables.broker_password,
                virtual_host=variables.broker_virtual_host,
                exchange=variables.exchange,
            ),
            status_token=variables.status_token.strip(),
            host=variables.host,
            port=variables.port,
            health_port=variables.health_port,
        )


def _token_errors(environment: Mapping[str, str]) -> list[str]:
    """Refuse an empty token: it would open a status that is meant to be closed."""
    token = environment.get("WATCHER_STATUS_TOKEN")
    if token is None or token.strip():
        return []
    return ["WATCHER_STATUS_TOKEN is empty; set the secret's value, or remove the key `token`"]


def _api_server_errors(environment: Mapping[str, str]) -> list[str]:
    if environment.get("WATCHER_API_SERVER"):
        return [
            f"{name} is {path!r}, which is not a file; write the path of a file"
            for name in _API_FILES
            if (path := environment.get(name)) and not Path(path).is_file()
        ]
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return []
    return ["WATCHER_API_SERVER is not set outside a Pod; write the API server's URL"]


def _api_server(environment: Mapping[str, str]) -> ApiServer:
    """Read `WATCHER_API_*`, or in a Pod the variables and files that kubelet provides."""
    url = environment.get("WATCHER_API_SERVER")
    if url:
        files = [Path(path) if (path := environment.get(name)) else None for name in _API_FILES]
        return ApiServer(url.rstrip("/"), *files)
    host = environment["KUBERNETES_SERVICE_HOST"]
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    bracketed = f"[{host}]" if ":" in host else host
    account = _SERVICE_ACCOUNT
    return ApiServer(f"https://{bracketed}:{port}", account / "token", account / "ca.crt")
