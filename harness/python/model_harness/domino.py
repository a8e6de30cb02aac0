"""The Domino dialect: `POST .../model`. Other dialects get a module of the same shape."""

from model_harness import __version__, encoding
from model_harness.errors import RefusedError
from model_harness.rows import Arguments
from model_harness.settings import Settings
from model_harness.signature import Signature

_USE = 'send {"data": {"<argument>": <value>}} or {"parameters": [<value>, ...]}'


class Domino:
    """Turns bodies into arguments and results into bodies."""

    def __init__(self, settings: Settings) -> None:
        """What is the same in every answer is encoded once."""
        release = {
            "model_version": settings.version,
            "model_version_number": settings.version_number,
            "harness_version": __version__,
        }
        self._release = b',"release":' + encoding.encode(release) + b"}"

    def arguments(self, body: bytes, signature: Signature) -> Arguments:
        """Return (positional, named). Raises RefusedError(400) with each mistake."""
        request = encoding.decode(body)
        if type(request) is not dict:
            raise RefusedError(400, f"the body is not a JSON object; {_USE}")
        if len(request) != 1:
            raise RefusedError(400, *_wrong_keys(request))
        if "data" in request:
            named = request["data"]
            if type(named) is not dict:
                raise RefusedError(400, f"data is not an object of named arguments; {_USE}")
            signature.check_named(named)
            return [], named
        if "parameters" in request:
            positional = request["parameters"]
            if type(positional) is not list:
                raise RefusedError(400, f"parameters is not an array of values; {_USE}")
            signature.check_positional(positional)
            return positional, {}
        raise RefusedError(400, *_wrong_keys(request))

    def success(self, result: object, seconds: float, request_id: str) -> bytes:
        """Return the body of a 200. Raises TypeError where the result cannot be encoded."""
        milliseconds = seconds * 1000
        return b'{"result":%b,"model_time_in_ms":%d,"timing":%.4f,"request_id":"%b"%b' % (
            encoding.encode(result),
            milliseconds,
            milliseconds,
            request_id.encode(),
            self._release,
        )

    @staticmethod
    def failure(errors: list[str], request_id: str, _status: int = 400) -> bytes:
        """Return the body of every other status."""
        return encoding.encode({"requestId": request_id, "errors": errors})


def _wrong_keys(request: dict[str, object]) -> list[str]:
    if "data" in request and "parameters" in request:
        return ["the body has both data and parameters; send one of them"]
    errors = encoding.unknown_keys(request, {"data", "parameters"}, "the body", _USE)
    if len(errors) == len(request):
        errors.append(f"the body has neither data nor parameters; {_USE}")
    return errors
