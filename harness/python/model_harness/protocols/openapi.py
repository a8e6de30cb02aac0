"""The OpenAPI 3.1 document of one model, for every inference protocol."""

from model_harness.binding.signature import Parameter, Signature
from model_harness.protocols import json_encoding, json_schemas
from model_harness.protocols.json_schemas import Schema
from model_harness.protocols.open_inference import UNNAMED_INPUT
from model_harness.protocols.tensors import CODES
from model_harness.settings import Settings

_STRING: Schema = {"type": "string"}
_ARRAY: Schema = {"type": "array"}
_OBJECT: Schema = {"type": "object"}


def openapi_document(signature: Signature, settings: Settings, base: str) -> Schema:
    """Return the document for one base address; empty for the bare path inside the cluster."""
    parameters = list(signature.parameters.values())
    hint_schemas, shared = json_schemas.schemas_of(
        [*(p.hint for p in parameters), signature.returns]
    )
    arguments = dict(zip(signature.parameters, hint_schemas[:-1], strict=True))
    result = hint_schemas[-1]
    components: Schema = {"schemas": shared}
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": settings.name,
            "version": settings.version,
            "description": signature.description,
        },
        "servers": [{"url": base or "/"}],
        "paths": {
            "/model": _call(
                "The protocol of Domino",
                _domino(signature, arguments),
                _domino_success(result),
                {"requestId": _STRING, "errors": {"type": "array", "items": _STRING}},
            ),
            "/invocations": _call(
                "The scoring protocol of MLflow",
                _mlflow(arguments),
                _object({"predictions": {}}),
                {"error_code": _STRING, "message": _STRING},
            ),
            "/ping": {"get": _operation("Readiness of the model", _object({"status": _STRING}))},
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
        document["security"] = [{"bearer": []}, {"basic": []}]
    return document


def _call(summary: str, request: Schema, success: Schema, error: dict[str, Schema]) -> Schema:
    operation = _operation(summary, success, error)
    body = {"required": True, "content": {"application/json": {"schema": request}}}
    return {"post": {**operation, "requestBody": body}}


def _operation(summary: str, success: Schema, error: dict[str, Schema] | None = None) -> Schema:
    responses: Schema = {"200": _response("Success", success)}
    if error is not None:
        responses["default"] = _response(
            "An error of the request or of the function", _object(error)
        )
    return {"summary": summary, "responses": responses}


def _response(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Schema], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _arguments(signature: Signature, schemas: dict[str, Schema]) -> Schema:
    properties = {
        name: schemas[name] | _default(parameter)
        for name, parameter in signature.parameters.items()
    }
    return {
        **_object(properties, *(signature.names - signature.required)),
        "additionalProperties": signature.accepts_extra,
    }


def _default(parameter: Parameter) -> Schema:
    if parameter.required:
        return {}
    try:
        return {"default": json_encoding.decode(json_encoding.encode(parameter.default))}
    except TypeError:
        return {}


def _domino(signature: Signature, schemas: dict[str, Schema]) -> Schema:
    by_position: Schema = {
        "type": "array",
        "minItems": sum(name in signature.required for name in signature.order),
        **({} if signature.accepts_varargs else {"maxItems": len(signature.order)}),
    }
    if signature.order:
        by_position["prefixItems"] = [schemas[name] for name in signature.order]
    named, positional = {"data": _arguments(signature, schemas)}, {"parameters": by_position}
    return {"oneOf": [_closed(_object(named)), _closed(_object(positional))]}


def _domino_success(result: Schema) -> Schema:
    release: dict[str, Schema] = {
        "model_version": _STRING,
        "model_version_number": {"type": "integer"},
    }
    return _object(
        {
            "result": result,
            "model_time_in_ms": {"type": "integer"},
            "timing": {"type": "number", "description": "milliseconds"},
            "request_id": {"type": "string", "pattern": "^[A-Z0-9]{16}$"},
            "release": _object({**release, "harness_version": _STRING}),
        }
    )


def _mlflow(schemas: dict[str, Schema]) -> Schema:
    names: Schema = {"type": "array", "items": _STRING}
    rows: Schema = {"type": "array", "items": {"type": "array"}}
    split = _object({"columns": names, "data": rows, "index": _ARRAY}, "index")
    columns = {"type": "object", "additionalProperties": _ARRAY}
    tables: dict[str, Schema] = {
        "dataframe_split": split,
        "dataframe_records": {"type": "array", "items": _OBJECT},
        "instances": {"type": "array", "description": "rows: objects, arrays or single values"},
        "inputs": {"anyOf": [columns, _ARRAY], "description": "columns by name, or rows"},
    }
    params: Schema = {**_OBJECT, "description": "arguments that every row shares"}
    return {
        "oneOf": [
            _closed(_object({name: schema, "params": params}, "params"))
            for name, schema in tables.items()
        ],
        "description": "The arguments of a row: " + (", ".join(schemas) or "none"),
    }


def _closed(schema: Schema) -> Schema:
    return {**schema, "additionalProperties": False}


def _open_inference(signature: Signature, settings: Settings) -> dict[str, Schema]:
    path = f"/v2/models/{settings.name}/versions/{settings.version}"
    root = {"servers": [{"url": "/"}]}  # these paths are not below the base address
    names = [*signature.parameters, UNNAMED_INPUT]
    tensor = _object(
        {
            "name": _STRING | ({} if signature.accepts_extra else {"enum": names}),
            "datatype": {"enum": [*CODES, "BYTES"]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "data": _ARRAY,
            "parameters": _OBJECT,
        },
        "data",
        "parameters",
    )
    output = _object({"name": _STRING, "parameters": _OBJECT}, "parameters")
    request = _object(
        {
            "id": _STRING,
            "parameters": _OBJECT,
            "inputs": {"type": "array", "items": tensor},
            "outputs": {"type": "array", "items": output},
        },
        "id",
        "parameters",
        "outputs",
    )
    tensors: Schema = {"type": "array", "items": _OBJECT}
    success = _object(
        {"model_name": _STRING, "model_version": _STRING, "id": _STRING, "outputs": tensors}, "id"
    )
    metadata = _object(
        {
            "name": _STRING,
            "versions": _ARRAY,
            "platform": _STRING,
            "inputs": tensors,
            "outputs": tensors,
        }
    )
    ready = _object({"name": _STRING, "ready": {"type": "boolean"}})
    error = {"error": _STRING}
    return {
        path: root | {"get": _operation("Metadata of the model", metadata, error)},
        f"{path}/ready": root | {"get": _operation("Readiness of the model", ready, error)},
        f"{path}/infer": root | _call("The Open Inference Protocol", request, success, error),
    }
