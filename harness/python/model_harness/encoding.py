"""JSON, one way: what a request may hold and what a result becomes.

NaN and infinity become null, as orjson has it; numpy's and pandas' own types become what their
values are, without the harness importing either.
"""

import orjson

from model_harness.errors import RefusedError

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_LENIENT = _NUMPY | orjson.OPT_NON_STR_KEYS
_ROOTS_WITH_TOLIST = frozenset({"numpy", "pandas"})


def decode(body: bytes) -> object:
    """Raise RefusedError(400) with orjson's line and column where it is not JSON."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = f"is not JSON: {error}" if body else "is empty"
        raise RefusedError(400, f"the body {what}") from None
    return value


def encode(value: object) -> bytes:
    """Return JSON. Raises TypeError that says what cannot be encoded.

    Keys that are not strings cost time to look for: they are looked for only when there is one.
    """
    try:
        return orjson.dumps(value, _default, _NUMPY)
    except TypeError:
        pass
    try:
        return orjson.dumps(value, _default, _LENIENT)
    except TypeError as error:
        reason = error.__cause__ or error  # orjson hides what _default says behind its own text
        raise TypeError(f"the result cannot be encoded: {reason}") from None


def _default(value: object) -> object:
    """What orjson asks about: arrays that are not contiguous, pandas, and what is not JSON."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in _ROOTS_WITH_TOLIST:
        if kind.__name__ == "DataFrame":
            return value.to_dict(orient="records")  # type: ignore[attr-defined] # pandas, by name
        if kind.__name__ in {"NAType", "NaTType"}:
            return None
        for method in ("tolist", "isoformat"):
            if hasattr(value, method):
                return getattr(value, method)()
    raise TypeError(f"a {kind.__module__}.{kind.__qualname__} is not JSON; return plain values")
