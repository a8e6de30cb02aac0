"""The paths of a model and the inference protocol behind each."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from model_harness.binding.signature import Signature
from model_harness.binding.table_binding import Invocation, NamedValues
from model_harness.errors import RequestError, truncate
from model_harness.protocols import (
    json_encoding,
    mlflow,
    open_inference,
    openapi,
    tensor_metadata,
)
from model_harness.protocols.domino import Domino
from model_harness.protocols.encoders import ErrorEncoder, ResultEncoder
from model_harness.settings import Settings

GET = ("GET", "HEAD")
POST = ("POST",)
_JSON = re.compile(r"application/json\s*(;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)
_BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Endpoint:
    """What a path does: `parse` handles requests with a body, `on_get` those without."""

    error_encoder: ErrorEncoder
    methods: tuple[str, ...]
    """Empty: the path does not exist."""
    parse: Callable[[bytes, str | None, Signature], tuple[Invocation, ResultEncoder]] | None = None
    """Takes the body and the value of `length_header`. Raises RequestError(400)."""
    length_header: str = ""
    """The request header with the length of the JSON part of a binary body; empty: JSON only."""
    on_get: Callable[[str, Signature], bytes] = lambda _path, _signature: b""
    """Takes the path."""

    @property
    def accepts_binary(self) -> bool:
        """Whether a body may contain binary tensors after its JSON."""
        return bool(self.length_header)

    @property
    def allow(self) -> str:
        """Return the value of the Allow header."""
        return ", ".join(self.methods)


class Router:
    """The paths of one version: `static` ones, and those of routes, which a pattern matches."""

    def __init__(self, settings: Settings) -> None:
        """Create it. Any valid route name matches: the stack knows which routes exist."""
        self._settings = settings
        name, version = settings.name, settings.version
        self._domino = Domino(settings)
        self._mlflow = mlflow.MLflow()
        self._v2 = open_inference.OpenInferenceErrors()
        self._model: NamedValues = {"model_name": name, "model_version": version}
        under_base = {
            "model": Endpoint(self._domino, POST, parse=self._parse_domino),
            "invocations": Endpoint(self._mlflow, POST, parse=self._parse_mlflow),
            "ping": Endpoint(self._mlflow, GET, on_get=_ping),
            "openapi.json": Endpoint(self._domino, GET, on_get=self._openapi),
        }
        v2 = {
            "": Endpoint(self._v2, GET, on_get=self._metadata),
            "/ready": Endpoint(self._v2, GET, on_get=self._ready),
            "/infer": Endpoint(
                self._v2, POST, parse=self._parse_v2, length_header=open_inference.LENGTH_HEADER
            ),
        }
        self._under_base = under_base
        self._base = f"/models/{name}/versions/{version}"
        bases = (f"{self._base}/", f"/models/{name}/latest/", "/")
        v2_bases = (f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}")
        self.static = {
            base + path: endpoint for base in bases for path, endpoint in under_base.items()
        } | {base + path: endpoint for base in v2_bases for path, endpoint in v2.items()}
        self._route_path = re.compile(
            rf"/models/{name}/(?:labels/)?(?!(?:v[1-9][0-9]*|versions|latest|labels)/)"
            r"[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?/(model|invocations|ping|openapi\.json)"
        )
        self._not_found = {
            encoder: Endpoint(encoder, ()) for encoder in (self._domino, self._mlflow, self._v2)
        }

    def match(self, path: str) -> Endpoint:
        """Return the endpoint of a path that is not static."""
        match = self._route_path.fullmatch(path)
        if match:
            return self._under_base[match[1]]
        if path.startswith("/v2"):
            return self._not_found[self._v2]
        is_mlflow = path.endswith(("/invocations", "/ping"))
        return self._not_found[self._mlflow if is_mlflow else self._domino]

    def not_found(self, path: str) -> RequestError:
        """Return the error for a path that does not exist."""
        settings = self._settings
        return RequestError(
            404,
            f"no such path: {truncate(path)}; this is version {settings.version} of model "
            f"{settings.name}, at {self._base}/model",
        )

    def _parse_domino(
        self, body: bytes, _header: str | None, signature: Signature
    ) -> tuple[Invocation, ResultEncoder]:
        return self._domino.arguments(body, signature), self._domino

    def _parse_mlflow(
        self, body: bytes, _header: str | None, signature: Signature
    ) -> tuple[Invocation, ResultEncoder]:
        return mlflow.arguments(body, signature), self._mlflow

    def _parse_v2(
        self, body: bytes, json_length: str | None, signature: Signature
    ) -> tuple[Invocation, ResultEncoder]:
        return open_inference.arguments(body, json_length, signature, self._model)

    def _metadata(self, _path: str, signature: Signature) -> bytes:
        settings = self._settings
        metadata = tensor_metadata.describe(signature, settings.name, settings.version)
        return json_encoding.encode(metadata)

    def _ready(self, _path: str, _signature: Signature) -> bytes:
        return json_encoding.encode({"name": self._settings.name, "ready": True})

    def _openapi(self, path: str, signature: Signature) -> bytes:
        base = path.removesuffix("/openapi.json")
        return json_encoding.encode(openapi.openapi_document(signature, self._settings, base))


def _ping(_path: str, _signature: Signature) -> bytes:
    return b'{"status":"ok"}'


def check_media_type(media_type: str | None, *, tensors: bool) -> None:
    """Raise RequestError(415) for a body that is not JSON.

    Clients of V2 may append binary data to the JSON; those of Triton send no type at all.
    """
    if tensors and (media_type is None or media_type.lower() == _BINARY):
        return
    supported = f"application/json or {_BINARY}" if tensors else "application/json"
    if media_type is None:
        raise RequestError(415, f"Content-Type is missing; send {supported}")
    if not _JSON.fullmatch(media_type):
        message = f"Content-Type {truncate(media_type)} is not supported; send {supported} in UTF-8"
        raise RequestError(415, message)
