"""The protocol of Domino: `POST .../model`."""

from model_harness import __version__
from model_harness.binding.signature import Signature
from model_harness.binding.table_binding import Arguments
from model_harness.errors import RequestError
from model_harness.protocols import json_encoding
from model_harness.settings import Settings

_USAGE = 'send {"data": {"<argument>": <value>}} or {"parameters": [<value>, ...]}'


class Domino:
    """Decodes requests and encodes responses."""

    def __init__(self, settings: Settings) -> None:
        """Encode once what every response repeats."""
        release = {
            "model_version": settings.version,
            "model_version_number": settings.version_number,
            "harness_version": __version__,
        }
        self._release = b',"release":' + json_encoding.encode(release) + b"}"

    def arguments(self, body: bytes, signature: Signature) -> Arguments:
        """Return (positional, named) arguments. Raise RequestError(400) with every mistake."""
        request = json_encoding.decode(body)
        if type(request) is not dict:
            raise RequestError(400, f"the body is not a JSON object; {_USAGE}")
        if len(request) != 1:
            raise RequestError(400, *_wrong_keys(request))
        if "data" in request:
            named = request["data"]
            if type(named) is not dict:
                raise RequestError(400, f"data is not an object of named arguments; {_USAGE}")
            signature.check_named(named)
            return [], named
        if "parameters" in request:
            positional = request["parameters"]
            if type(positional) is not list:
                raise RequestError(400, f"parameters is not an array of values; {_USAGE}")
            signature.check_positional(positional)
            return positional, {}
        raise RequestError(400, *_wrong_keys(request))

    def success(self, result: object, seconds: float, request_id: str) -> bytes:
        """Return the body of a 200. Raise TypeError where the result cannot be encoded."""
        milliseconds = seconds * 1000
        return b'{"result":%b,"model_time_in_ms":%d,"timing":%.4f,"request_id":"%b"%b' % (
            json_encoding.encode(result),
            milliseconds,
            milliseconds,
            request_id.encode(),
            self._release,
        )

    @staticmethod
    def failure(errors: list[str], request_id: str, _status: int = 400) -> bytes:
        """Return the body of an error response."""
        return json_encoding.encode({"requestId": request_id, "errors": errors})


def _wrong_keys(request: dict[str, object]) -> list[str]:
    if "data" in request and "parameters" in request:
        return ["the body has both data and parameters; send one of them"]
    errors = json_encoding.unknown_keys(request, {"data", "parameters"}, "the body", _USAGE)
    if len(errors) == len(request):
        errors.append(f"the body has neither data nor parameters; {_USAGE}")
    return errors
