"""The scoring protocol of MLflow: `POST .../invocations`, `GET .../ping`.

A body has one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`, as in MLflow 2
and 3, and optionally `params`: arguments that every row shares. `table_binding` binds the table.
"""

from typing import cast

from model_harness.binding import table_binding
from model_harness.binding.signature import Signature
from model_harness.binding.table_binding import Invocation, NamedValues
from model_harness.errors import RequestError, truncate
from model_harness.protocols import json_encoding

_TABLES = ("dataframe_split", "dataframe_records", "instances", "inputs")
_USAGE = f"send one of {', '.join(_TABLES)}"
_SPLIT_KEYS = {"columns", "data", "index"}  # as pandas writes them; the index is ignored
ERROR_CODES = {
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
    """Return the calls of a request. Raise RequestError(400)."""
    request = json_encoding.decode(body)
    if type(request) is not dict:
        raise RequestError(400, f"the body is not a JSON object; {_USAGE}")
    tables = [name for name in _TABLES if name in request]
    errors = json_encoding.unknown_keys(request, {*_TABLES, "params"}, "the body", _USAGE)
    if len(tables) != 1:
        errors.append(f"the body has {' and '.join(tables) or 'no table'}; {_USAGE}")
    if errors:
        raise RequestError(400, *errors)
    params = request.get("params")
    if params is None:
        params = {}
    if type(params) is not dict:
        raise RequestError(400, "params is not an object of named arguments")
    return _BINDERS[tables[0]](request[tables[0]], params, signature)


def _bind_split(table: object, params: NamedValues, signature: Signature) -> Invocation:
    usage = 'dataframe_split is not {"columns": [<name>, ...], "data": [<row>, ...]}'
    if type(table) is not dict or not {"columns", "data"} <= table.keys() <= _SPLIT_KEYS:
        raise RequestError(400, usage)
    names, data = table["columns"], table["data"]
    if type(names) is not list or type(data) is not list:
        raise RequestError(400, usage)
    if not all(type(name) is str for name in names) or len(set(names)) < len(names):
        raise RequestError(400, "the columns of dataframe_split are not unique names")
    for number, row in enumerate(data):
        if type(row) is not list or len(row) != len(names):
            raise RequestError(400, f"row {number} is not an array of {len(names)} values")
    if not names:  # the number of rows is the number of calls
        return table_binding.bind_records([{} for _ in data], params, signature)
    table = {name: [row[position] for row in data] for position, name in enumerate(names)}
    return table_binding.bind_columns(table, params, signature)


def _bind_records(table: object, params: NamedValues, signature: Signature) -> Invocation:
    return table_binding.bind_records(
        cast("list[NamedValues]", _as_list(table, "dataframe_records")), params, signature
    )


def _bind_instances(table: object, params: NamedValues, signature: Signature) -> Invocation:
    return _bind_rows(_as_list(table, "instances"), params, signature)


def _bind_inputs(table: object, params: NamedValues, signature: Signature) -> Invocation:
    if type(table) is not dict:
        return _bind_rows(_as_list(table, "inputs"), params, signature)
    for name, values in table.items():
        _as_list(values, f"the column {truncate(name)} of inputs")
    return table_binding.bind_columns(table, params, signature)


def _bind_rows(table: list[object], params: NamedValues, signature: Signature) -> Invocation:
    if table and type(table[0]) is dict:
        return table_binding.bind_records(cast("list[NamedValues]", table), params, signature)
    return table_binding.bind_positional(table, params, signature)


def _as_list(value: object, subject: str) -> list[object]:
    if type(value) is not list:
        raise RequestError(400, f"{subject} is not an array")
    return value


_BINDERS = {
    "dataframe_split": _bind_split,
    "dataframe_records": _bind_records,
    "instances": _bind_instances,
    "inputs": _bind_inputs,
}


class MLflow:
    """Encodes responses."""

    @staticmethod
    def success(result: object, _seconds: float, _request_id: str) -> bytes:
        """Return the body of a 200. Raise TypeError where the result cannot be encoded."""
        return b'{"predictions":%b}' % json_encoding.encode(result)

    @staticmethod
    def failure(errors: list[str], _request_id: str, status: int) -> bytes:
        """Return the body of an error response, with the error code of MLflow."""
        code = ERROR_CODES.get(status, "BAD_REQUEST")
        return json_encoding.encode({"error_code": code, "message": "; ".join(errors)})
