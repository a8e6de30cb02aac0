"""The addresses of a model, and which dialect answers at each."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from model_harness import encoding, mlflow, open_inference, openapi, tensor_metadata
from model_harness.call import ResultEncoder
from model_harness.domino import Domino
from model_harness.errors import RefusedError, shown
from model_harness.exchange import Dialect
from model_harness.rows import Invocation
from model_harness.settings import Settings
from model_harness.signature import Signature

GET = ("GET", "HEAD")
POST = ("POST",)
_JSON = re.compile(r"application/json\s*(;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)
_BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Endpoint:
    """What one address does: `bind` takes a call's body, `look` answers without one."""

    dialect: Dialect
    methods: tuple[str, ...]
    """None: there is no such address."""
    bind: Callable[[bytes, str | None, Signature], tuple[Invocation, ResultEncoder]] | None = None
    """From a body, and the value of `header`. Raises RefusedError(400)."""
    header: str = ""
    look: Callable[[str, Signature], bytes] = lambda _path, _signature: b""
    """From the path."""

    @property
    def allow(self) -> str:
        """The methods, as the header has them."""
        return ", ".join(self.methods)


class Addresses:
    """All addresses of one version: exact ones, and by pattern those of routes."""

    def __init__(self, settings: Settings) -> None:
        """Routes are the stack's business; what a route must not be called is the contract's."""
        self._settings = settings
        name, version = settings.name, settings.version
        self._domino = Domino(settings)
        self._mlflow = mlflow.Dialect()
        self._v2 = open_inference.Refusals()
        self._model: dict[str, object] = {"model_name": name, "model_version": version}
        under_base = {
            "model": Endpoint(self._domino, POST, bind=self._bind_domino),
            "invocations": Endpoint(self._mlflow, POST, bind=self._bind_mlflow),
            "ping": Endpoint(self._mlflow, GET, look=_ping),
            "openapi.json": Endpoint(self._domino, GET, look=self._openapi),
        }
        v2 = {
            "": Endpoint(self._v2, GET, look=self._metadata),
            "/ready": Endpoint(self._v2, GET, look=self._ready),
            "/infer": Endpoint(
                self._v2, POST, bind=self._bind_v2, header=open_inference.LENGTH_HEADER
            ),
        }
        self._under_base = under_base
        self._base = f"/models/{name}/versions/{version}"
        bases = (f"{self._base}/", f"/models/{name}/latest/", "/")
        v2_bases = (f"/v2/models/{name}", f"/v2/models/{name}/versions/{version}")
        self.exact = {base + end: one for base in bases for end, one in under_base.items()} | {
            base + end: one for base in v2_bases for end, one in v2.items()
        }
        self._of_route = re.compile(
            rf"/models/{name}/(?:labels/)?(?!(?:v[1-9][0-9]*|versions|latest|labels)/)"
            r"[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?/(model|invocations|ping|openapi\.json)"
        )
        self._nowhere = {d: Endpoint(d, ()) for d in (self._domino, self._mlflow, self._v2)}

    def find(self, path: str) -> Endpoint:
        """Return what is not among the exact addresses."""
        found = self._of_route.fullmatch(path)
        if found:
            return self._under_base[found[1]]
        if path.startswith("/v2"):
            return self._nowhere[self._v2]
        is_mlflow = path.endswith(("/invocations", "/ping"))
        return self._nowhere[self._mlflow if is_mlflow else self._domino]

    def unknown(self, path: str) -> RefusedError:
        """Say which addresses there are."""
        settings = self._settings
        return RefusedError(
            404,
            f"no such path: {shown(path)}; this is version {settings.version} of model "
            f"{settings.name}, at {self._base}/model",
        )

    def _bind_domino(
        self, body: bytes, _header: str | None, signature: Signature
    ) -> tuple[Invocation, ResultEncoder]:
        return self._domino.arguments(body, signature), self._domino

    def _bind_mlflow(
        self, body: bytes, _header: str | None, signature: Signature
    ) -> tuple[Invocation, ResultEncoder]:
        return mlflow.arguments(body, signature), self._mlflow

    def _bind_v2(
        self, body: bytes, json_length: str | None, signature: Signature
    ) -> tuple[Invocation, ResultEncoder]:
        return open_inference.arguments(body, json_length, signature, self._model)

    def _metadata(self, _path: str, signature: Signature) -> bytes:
        settings = self._settings
        return encoding.encode(tensor_metadata.describe(signature, settings.name, settings.version))

    def _ready(self, _path: str, _signature: Signature) -> bytes:
        return encoding.encode({"name": self._settings.name, "ready": True})

    def _openapi(self, path: str, signature: Signature) -> bytes:
        base = path.removesuffix("/openapi.json")
        return encoding.encode(openapi.document(signature, self._settings, base))


def _ping(_path: str, _signature: Signature) -> bytes:
    return b'{"status":"ok"}'


def check_media_type(found: str | None, *, tensors: bool) -> None:
    """Raise RefusedError(415) for what is not JSON.

    V2's clients may send bytes behind the JSON; Triton's name no type at all.
    """
    if tensors and (found is None or found.lower() == _BINARY):
        return
    wanted = f"application/json or {_BINARY}" if tensors else "application/json"
    if found is None:
        raise RefusedError(415, f"Content-Type is missing; send {wanted}")
    if not _JSON.fullmatch(found):
        message = f"Content-Type {shown(found)} is not supported; send {wanted} in UTF-8"
        raise RefusedError(415, message)
