"""The environment as typed settings; every mistake is reported at once, a line each."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watcher.errors import StartupError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class ApiServer:
    """Where the API server is, and what one shows it. A Pod gets all of it from kubelet."""

    url: str
    token_file: Path | None
    authority_file: Path | None
    certificate_file: Path | None = None
    """A client's certificate and key in one file, for runs outside of a cluster."""


@dataclass(frozen=True)
class Broker:
    """RabbitMQ. The password never shows: not in a log line, not in an error."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    virtual_host: str = "/"
    exchange: str = "model-events"


@dataclass(frozen=True)
class Settings:
    """All that one watcher is told."""

    namespace: str
    identity: str
    """Unlike the other replica's: the Pod's name."""
    api: ApiServer
    broker: Broker
    status_token: str = field(default="", repr=False)
    """Empty: the status is open."""
    host: str = "0.0.0.0"  # noqa: S104 - a pod must answer on its own address
    port: int = 8080
    health_port: int = 8081

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read `WATCHER_*`. Raises StartupError that names every variable that is wrong."""
        reader = _Reader(environment)
        settings = cls(
            namespace=reader.namespace(),
            identity=environment.get("WATCHER_IDENTITY") or socket.gethostname(),
            api=reader.api_server(),
            broker=Broker(
                host=reader.text("WATCHER_BROKER_HOST", "the name of RabbitMQ's Service"),
                port=reader.port("WATCHER_BROKER_PORT", 5672),
                user=reader.text("WATCHER_BROKER_USER", "RabbitMQ's user"),
                password=reader.text("WATCHER_BROKER_PASSWORD", "its password"),
                virtual_host=environment.get("WATCHER_BROKER_VIRTUAL_HOST") or "/",
                exchange=environment.get("WATCHER_EXCHANGE") or "model-events",
            ),
            status_token=environment.get("WATCHER_STATUS_TOKEN", ""),
            host=environment.get("WATCHER_HOST") or cls.host,
            port=reader.port("WATCHER_PORT", cls.port),
            health_port=reader.port("WATCHER_HEALTH_PORT", cls.health_port),
        )
        if reader.mistakes:
            raise StartupError("\n".join(reader.mistakes))
        return settings


class _Reader:
    """Reads single variables and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.mistakes: list[str] = []

    def text(self, name: str, wanted: str) -> str:
        found = self._environment.get(name, "")
        if not found:
            self.mistakes.append(f"{name} is not set; write {wanted}")
        return found

    def namespace(self) -> str:
        found = self.text("WATCHER_NAMESPACE", "the namespace of the models")
        if found and not _NAMESPACE.fullmatch(found):
            self.mistakes.append(f"WATCHER_NAMESPACE is {found!r}; write the models' namespace")
        return found

    def port(self, name: str, default: int) -> int:
        found = self._environment.get(name)
        if found is None:
            return default
        if not found.isascii() or not found.isdigit() or not 0 < int(found) <= _HIGHEST_PORT:
            self.mistakes.append(f"{name} is {found!r}; write a port, 1 to {_HIGHEST_PORT}")
            return default
        return int(found)

    def api_server(self) -> ApiServer:
        """In a Pod what kubelet gives; elsewhere `WATCHER_API_*`."""
        url = self._environment.get("WATCHER_API_SERVER")
        if url:
            return ApiServer(
                url.rstrip("/"),
                self._file("WATCHER_API_TOKEN_FILE"),
                self._file("WATCHER_API_CA_FILE"),
                self._file("WATCHER_API_CERTIFICATE_FILE"),
            )
        host = self._environment.get("KUBERNETES_SERVICE_HOST", "")
        if not host:
            self.mistakes.append("not in a Pod: write the API server's URL into WATCHER_API_SERVER")
        port = self._environment.get("KUBERNETES_SERVICE_PORT", "443")
        bracketed = f"[{host}]" if ":" in host else host
        return ApiServer(f"https://{bracketed}:{port}", _ACCOUNT / "token", _ACCOUNT / "ca.crt")

    def _file(self, name: str) -> Path | None:
        found = self._environment.get(name)
        if not found:
            return None
        if not Path(found).is_file():
            self.mistakes.append(f"{name} is {found!r}, which is no file")
        return Path(found)
