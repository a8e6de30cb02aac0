"""OpenAPI 3.1 of one model: its arguments from the signature and the hints, in each dialect."""

from model_harness import encoding, schemas
from model_harness.open_inference import UNNAMED_INPUT
from model_harness.schemas import Schema
from model_harness.settings import Settings
from model_harness.signature import Parameter, Signature
from model_harness.tensors import CODES

_TEXT: Schema = {"type": "string"}
_LIST: Schema = {"type": "array"}
_OBJECT: Schema = {"type": "object"}


def document(signature: Signature, settings: Settings, base: str) -> Schema:
    """Describe the model at one base address; empty: the bare path inside the cluster."""
    parameters = list(signature.parameters.values())
    found, shared = schemas.of([*(p.hint for p in parameters), signature.returns])
    arguments = dict(zip(signature.parameters, found[:-1], strict=True))
    result = found[-1]
    components: Schema = {"schemas": shared}
    text: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": settings.name,
            "version": settings.version,
            "description": signature.description,
        },
        "servers": [{"url": base or "/"}],
        "paths": {
            "/model": _call(
                "The Domino dialect",
                _domino(signature, arguments),
                _release(result),
                {"requestId": _TEXT, "errors": {"type": "array", "items": _TEXT}},
            ),
            "/invocations": _call(
                "MLflow's scoring protocol",
                _mlflow(arguments),
                _object({"predictions": {}}),
                {"error_code": _TEXT, "message": _TEXT},
            ),
            "/ping": {"get": _operation("Whether the model answers", _object({"status": _TEXT}))},
            **_open_inference(signature, settings),
        },
        "components": components,
    }
    if settings.tokens is not None:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "basic": {
                "type": "http",
                "scheme": "basic",
            },
        }
        text["security"] = [{"bearer": []}, {"basic": []}]
    return text


def _call(summary: str, request: Schema, answer: Schema, error: dict[str, Schema]) -> Schema:
    operation = _operation(summary, answer, error)
    body = {"required": True, "content": {"application/json": {"schema": request}}}
    return {"post": {**operation, "requestBody": body}}


def _operation(summary: str, answer: Schema, error: dict[str, Schema] | None = None) -> Schema:
    responses: Schema = {"200": _response("The answer", answer)}
    if error is not None:
        responses["default"] = _response("A refusal, or the function's own failure", _object(error))
    return {"summary": summary, "responses": responses}


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Schema], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _arguments(signature: Signature, found: dict[str, Schema]) -> Schema:
    properties = {
        name: found[name] | _default(parameter) for name, parameter in signature.parameters.items()
    }
    return {
        **_object(properties, *(signature.names - signature.required)),
        "additionalProperties": signature.takes_rest,
    }


def _default(parameter: Parameter) -> Schema:
    if parameter.required:
        return {}
    try:
        return {"default": encoding.decode(encoding.encode(parameter.default))}
    except TypeError:
        return {}


def _domino(signature: Signature, found: dict[str, Schema]) -> Schema:
    by_position: Schema = {
        "type": "array",
        "minItems": sum(name in signature.required for name in signature.order),
        **({} if signature.open_ended else {"maxItems": len(signature.order)}),
    }
    if signature.order:
        by_position["prefixItems"] = [found[name] for name in signature.order]
    named, positional = {"data": _arguments(signature, found)}, {"parameters": by_position}
    return {"oneOf": [_closed(_object(named)), _closed(_object(positional))]}


def _release(result: Schema) -> Schema:
    release: dict[str, Schema] = {
        "model_version": _TEXT,
        "model_version_number": {"type": "integer"},
    }
    return _object(
        {
            "result": result,
            "model_time_in_ms": {"type": "integer"},
            "timing": {"type": "number", "description": "milliseconds"},
            "request_id": {"type": "string", "pattern": "^[A-Z0-9]{16}$"},
            "release": _object({**release, "harness_version": _TEXT}),
        }
    )


def _mlflow(found: dict[str, Schema]) -> Schema:
    names: Schema = {"type": "array", "items": _TEXT}
    rows: Schema = {"type": "array", "items": {"type": "array"}}
    split = _object({"columns": names, "data": rows, "index": _LIST}, "index")
    columns = {"type": "object", "additionalProperties": _LIST}
    tables: dict[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": {"type": "array", "items": _OBJECT},
        "instances": {"type": "array", "description": "rows: objects, arrays or single values"},
        "inputs": {"anyOf": [columns, _LIST], "description": "columns by name, or rows"},
    }
    params: Schema = {**_OBJECT, "description": "arguments that are the same in every row"}
    return {
        "oneOf": [
            _closed(_object({name: schema, "params": params}, "params"))
            for name, schema in tables.items()
        ],
        "description": "The arguments of a row: " + (", ".join(found) or "none"),
    }


def _closed(schema: Schema) -> Schema:
    return {**schema, "additionalProperties": False}


def _open_inference(signature: Signature, settings: Settings) -> dict[str, Schema]:
    path = f"/v2/models/{settings.name}/versions/{settings.version}"
    root = {"servers": [{"url": "/"}]}  # these addresses do not stand under the base
    known = [*signature.parameters, UNNAMED_INPUT]
    tensor = _object(
        {
            "name": _TEXT | ({} if signature.takes_rest else {"enum": known}),
            "datatype": {"enum": [*CODES, "BYTES"]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "data": _LIST,
            "parameters": _OBJECT,
        },
        "data",
        "parameters",
    )
    output = _object({"name": _TEXT, "parameters": _OBJECT}, "parameters")
    request = _object(
        {
            "id": _TEXT,
            "parameters": _OBJECT,
            "inputs": {"type": "array", "items": tensor},
            "outputs": {"type": "array", "items": output},
        },
        "id",
        "parameters",
        "outputs",
    )
    tensors: Schema = {"type": "array", "items": _OBJECT}
    answer = _object(
        {"model_name": _TEXT, "model_version": _TEXT, "id": _TEXT, "outputs": tensors}, "id"
    )
    described = _object(
        {"name": _TEXT, "versions": _LIST, "platform": _TEXT, "inputs": tensors, "outputs": tensors}
    )
    ready = _object({"name": _TEXT, "ready": {"type": "boolean"}})
    error = {"error": _TEXT}
    return {
        path: root | {"get": _operation("What the model takes and gives", described, error)},
        f"{path}/ready": root | {"get": _operation("Whether the model answers", ready, error)},
        f"{path}/infer": root | _call("The Open Inference Protocol", request, answer, error),
    }
