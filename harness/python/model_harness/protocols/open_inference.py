"""The Open Inference Protocol, version 2, over HTTP, with Triton's binary tensor extension.

Tensors are bound by name, like the tables of `table_binding`: the first dimension counts the rows.
A function of whole columns receives whole tensors. A single tensor called `input-0`, the name that
clients of KServe give to unnamed inputs, is bound by position. A tensor of shape [n, 1] counts as
[n], unless its argument is hinted as a list. Request parameters with the name of an argument are
the value of that argument in every row.

Results: named values (dicts, dataclasses, DataFrames) become one output each, anything else becomes
`output-0`. Arrays keep their datatype, other numbers are INT64 or FP64, text is BYTES.
"""

import dataclasses
import math
from collections.abc import Mapping

from model_harness.binding import table_binding
from model_harness.binding.signature import Signature
from model_harness.binding.table_binding import Invocation, NamedValues, Rows
from model_harness.binding.type_hints import Binding
from model_harness.errors import RequestError, truncate
from model_harness.protocols import json_encoding, tensor_results, tensors
from model_harness.protocols.encoders import RawBody
from model_harness.protocols.tensors import Tensor

UNNAMED_INPUT = "input-0"
LENGTH_HEADER = "inference-header-content-length"
_REQUEST_KEYS = {"id", "parameters", "inputs", "outputs", "model_name", "model_version"}


class OpenInferenceErrors:
    """Encodes error responses."""

    @staticmethod
    def failure(errors: list[str], _request_id: str, _status: int) -> bytes:
        """Return the body of an error response."""
        return json_encoding.encode({"error": "; ".join(errors)})


class TensorEncoder:
    """Encodes the result of one request."""

    def __init__(
        self, head: NamedValues, outputs: Mapping[str, bool] | None, *, binary: bool
    ) -> None:
        """Create it. `outputs` are the requested names and whether in binary; None: all outputs."""
        self._head = head
        self._outputs = outputs
        self._binary = binary
        self.by_row = False

    def success(self, result: object, _seconds: float, _request_id: str) -> bytes | RawBody:
        """Return the body of a 200.

        Raise TypeError where the result is not a tensor, RequestError for an unknown output.
        """
        split = tensor_results.by_row if self.by_row else tensor_results.by_name
        values = split(result)
        outputs = dict.fromkeys(values, self._binary) if self._outputs is None else self._outputs
        unknown = [name for name in outputs if name not in values]
        if unknown:
            names = ", ".join(values) or "none"
            raise RequestError(
                400, *(f"unknown output {truncate(n)}; the model returns: {names}" for n in unknown)
            )
        encoded = [tensor_results.encode(n, values[n], binary=b) for n, b in outputs.items()]
        head = json_encoding.encode({**self._head, "outputs": [tensor for tensor, _ in encoded]})
        if not any("parameters" in tensor for tensor, _ in encoded):
            return head
        headers = (("content-type", "application/octet-stream"), (LENGTH_HEADER, str(len(head))))
        return RawBody(head + b"".join(raw for _, raw in encoded), headers)


def arguments(
    body: bytes, json_length: str | None, signature: Signature, model: NamedValues
) -> tuple[Invocation, TensorEncoder]:
    """Return the calls of a request and the encoder of their result.

    `json_length` is the header with the offset of the binary data; `model` are the fields that
    name the model in every response. Raise RequestError(400).
    """
    request, binary = _split_body(body, json_length)
    parameters = tensors.optional_object(request, "parameters")
    head = dict(model)
    if request.get("id") is not None:
        if type(request["id"]) is not str:
            raise RequestError(400, "id is not a string")
        head["id"] = request["id"]
    all_binary = _flag(parameters, "binary_data_output", default=False)
    encoder = TensorEncoder(
        head, _requested_outputs(request.get("outputs"), all_binary), binary=all_binary
    )
    params = {name: value for name, value in parameters.items() if name in signature.names}
    invocation = _bind(tensors.decode_all(request.get("inputs"), binary), params, signature)
    encoder.by_row = type(invocation) is Rows
    return invocation, encoder


def _split_body(body: bytes, json_length: str | None) -> tuple[NamedValues, memoryview]:
    content = memoryview(body)
    length = len(body)
    if json_length is not None:
        if not (json_length.isascii() and json_length.isdigit()) or len(json_length) > 18:  # noqa: PLR2004 - longer than any body
            raise RequestError(400, "Inference-Header-Content-Length is not a number of bytes")
        length = int(json_length)
        if length > len(body):
            raise RequestError(
                400, "Inference-Header-Content-Length is more than the length of the body"
            )
    request = json_encoding.decode(content[:length])
    if type(request) is not dict:
        raise RequestError(400, 'the body is not a JSON object; send {"inputs": [<tensor>, ...]}')
    errors = json_encoding.unknown_keys(request, _REQUEST_KEYS, "the body", "see the protocol")
    if errors:
        raise RequestError(400, *errors)
    return request, content[length:]


def _requested_outputs(outputs: object, binary: bool) -> dict[str, bool] | None:
    if outputs is None or outputs == []:
        return None
    if type(outputs) is not list:
        raise RequestError(400, "outputs is not an array")
    names: dict[str, bool] = {}
    for number, output in enumerate(outputs):
        name = output.get("name") if type(output) is dict else None
        if type(name) is not str:
            raise RequestError(400, f'outputs[{number}] is not {{"name": <string>}}')
        parameters = tensors.optional_object(output, "parameters")
        for unsupported in ("classification", "shared_memory_region"):
            if unsupported in parameters:
                raise RequestError(400, f"outputs[{number}]: {unsupported} is not supported")
        names[name] = _flag(parameters, "binary_data", default=binary)
    return names


def _flag(parameters: NamedValues, name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise RequestError(400, f"{name} is not true or false")
    return value


def _bind(inputs: list[Tensor], params: NamedValues, signature: Signature) -> Invocation:
    if len(inputs) == 1 and inputs[0].name == UNNAMED_INPUT:
        matrix = table_binding.matrix_argument(signature)
        if matrix is None:
            return table_binding.bind_positional(inputs[0].values(), params, signature)
        return table_binding.bind_whole_columns(
            {matrix: _value(inputs[0], matrix, signature)}, params, signature
        )
    if signature.binding is Binding.COLUMN or not inputs:
        return _bind_whole_tensors(inputs, params, signature)
    if len({tensor.shape[0] for tensor in inputs}) > 1:
        sizes = ", ".join(f"{truncate(t.name)} has {t.shape[0]}" for t in inputs)
        raise RequestError(400, f"the inputs differ in their first dimension: {sizes}"[:1000])
    table = {tensor.name: _squeeze(tensor, signature).values() for tensor in inputs}
    return table_binding.bind_columns(table, params, signature)


def _bind_whole_tensors(
    inputs: list[Tensor], params: NamedValues, signature: Signature
) -> Invocation:
    values: NamedValues = {}
    for tensor in inputs:
        parameter = signature.parameters.get(tensor.name)
        if parameter is None or parameter.hint.binding is Binding.COLUMN:
            values[tensor.name] = _value(tensor, tensor.name, signature)
            continue
        flat = Tensor(tensor.name, tensor.datatype, [math.prod(tensor.shape)], tensor.data).values()
        if len(flat) != 1 or tensor.name in params:
            raise RequestError(400, f"argument {tensor.name!r} takes one value")
        params = {**params, tensor.name: flat[0]}
    return table_binding.bind_whole_columns(values, params, signature)


def _value(tensor: Tensor, name: str, signature: Signature) -> object:
    """Return an array where the hint is one, without building lists."""
    parameter = signature.parameters.get(name)
    is_array = parameter is not None and parameter.hint.is_array
    return tensor.array() if is_array else tensor.values()


def _squeeze(tensor: Tensor, signature: Signature) -> Tensor:
    parameter = signature.parameters.get(tensor.name)
    if parameter is not None and parameter.hint.binding is Binding.COLUMN:
        return tensor
    if len(tensor.shape) == 2 and tensor.shape[1] == 1:  # noqa: PLR2004 - shape [n, 1]
        return dataclasses.replace(tensor, shape=tensor.shape[:1])
    return tensor
