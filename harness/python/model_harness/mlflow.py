"""MLflow's scoring protocol: `POST .../invocations`, `GET .../ping`.

One of `dataframe_split`, `dataframe_records`, `instances` and `inputs`, as MLflow 2 and 3 have it,
and `params`: arguments that are the same for every row. `rows` says how tables reach the function.
"""

from typing import cast

from model_harness import encoding, rows
from model_harness.errors import RefusedError, shown
from model_harness.rows import Invocation, Named
from model_harness.signature import Signature

_TABLES = ("dataframe_split", "dataframe_records", "instances", "inputs")
_USE = f"send one of {', '.join(_TABLES)}"
_SPLIT_KEYS = {"columns", "data", "index"}  # pandas' own; the index is not used
_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "REQUEST_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def arguments(body: bytes, signature: Signature) -> Invocation:
    """Return the calls that a body asks for. Raises RefusedError(400)."""
    request = encoding.decode(body)
    if type(request) is not dict:
        raise RefusedError(400, f"the body is not a JSON object; {_USE}")
    given = [name for name in _TABLES if name in request]
    unknown = encoding.unknown_keys(request, {*_TABLES, "params"}, "the body", _USE)
    if len(given) != 1:
        unknown.append(f"the body has {' and '.join(given) or 'no table'}; {_USE}")
    if unknown:
        raise RefusedError(400, *unknown)
    common = request.get("params")
    if common is None:
        common = {}
    if type(common) is not dict:
        raise RefusedError(400, "params is not an object of named arguments")
    return _READERS[given[0]](request[given[0]], common, signature)


def _split(table: object, common: Named, signature: Signature) -> Invocation:
    wanted = 'dataframe_split is not {"columns": [<name>, ...], "data": [<row>, ...]}'
    if type(table) is not dict or not {"columns", "data"} <= table.keys() <= _SPLIT_KEYS:
        raise RefusedError(400, wanted)
    names, data = table["columns"], table["data"]
    if type(names) is not list or type(data) is not list:
        raise RefusedError(400, wanted)
    if not all(type(name) is str for name in names) or len(set(names)) < len(names):
        raise RefusedError(400, "the columns of dataframe_split are not different names")
    for number, row in enumerate(data):
        if type(row) is not list or len(row) != len(names):
            raise RefusedError(400, f"row {number} is not an array of {len(names)} values")
    if not names:  # only its number says how often the function is meant
        return rows.records([{} for _ in data], common, signature)
    table = {name: [row[place] for row in data] for place, name in enumerate(names)}
    return rows.columns(table, common, signature)


def _records(table: object, common: Named, signature: Signature) -> Invocation:
    return rows.records(cast("list[Named]", _listed(table, "dataframe_records")), common, signature)


def _instances(table: object, common: Named, signature: Signature) -> Invocation:
    return _any_rows(_listed(table, "instances"), common, signature)


def _inputs(table: object, common: Named, signature: Signature) -> Invocation:
    if type(table) is not dict:
        return _any_rows(_listed(table, "inputs"), common, signature)
    for name, values in table.items():
        _listed(values, f"the column {shown(name)} of inputs")
    return rows.columns(table, common, signature)


def _any_rows(table: list[object], common: Named, signature: Signature) -> Invocation:
    if table and type(table[0]) is dict:
        return rows.records(cast("list[Named]", table), common, signature)
    return rows.unnamed(table, common, signature)


def _listed(table: object, what: str) -> list[object]:
    if type(table) is not list:
        raise RefusedError(400, f"{what} is not an array")
    return table


_READERS = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}


class Dialect:
    """Turns results and mistakes into bodies."""

    @staticmethod
    def success(result: object, _seconds: float, _request_id: str) -> bytes:
        """Return the body of a 200. Raises TypeError where the result cannot be encoded."""
        return b'{"predictions":%b}' % encoding.encode(result)

    @staticmethod
    def failure(errors: list[str], _request_id: str, status: int) -> bytes:
        """Return the body of every other status, with the names that MLflow gives them."""
        code = _CODES.get(status, "BAD_REQUEST")
        return encoding.encode({"error_code": code, "message": "; ".join(errors)})
