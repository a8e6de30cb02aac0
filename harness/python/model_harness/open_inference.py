"""The Open Inference Protocol, version 2, over HTTP, with Triton's binary tensor extension.

Tensors reach the function by their names, as tables do in `rows`: the first dimension counts the
rows. A function of whole columns gets whole tensors. A single tensor called `input-0`, as KServe's
clients call what has no name, is bound by position. A tensor of shape [n, 1] counts as [n], unless
its argument is hinted as a list. Request parameters with an argument's name are that argument's
value in every row.

Results: what has names (dicts, dataclasses, DataFrames) is an output for each; anything else is
`output-0`. Arrays keep their datatype, other numbers are INT64 or FP64, text is BYTES.
"""

import dataclasses
import math
from collections.abc import Mapping

from model_harness import encoding, rows, tensors
from model_harness import tensor_results as results
from model_harness.errors import RefusedError, shown
from model_harness.exchange import Content
from model_harness.hints import Holds
from model_harness.rows import Invocation, Named, Rows
from model_harness.signature import Signature
from model_harness.tensors import Tensor

UNNAMED_INPUT = "input-0"
LENGTH_HEADER = "inference-header-content-length"
_KEYS = {"id", "parameters", "inputs", "outputs", "model_name", "model_version"}


class Refusals:
    """The dialect's errors."""

    @staticmethod
    def failure(errors: list[str], _request_id: str, _status: int) -> bytes:
        """Return the body of every status but 200."""
        return encoding.encode({"error": "; ".join(errors)})


class Encoder:
    """Turns one request's result into a body."""

    def __init__(self, head: Named, outputs: Mapping[str, bool] | None, *, binary: bool) -> None:
        """`outputs`: the names that were asked for and whether in binary; None: all that come."""
        self._head = head
        self._outputs = outputs
        self._binary = binary
        self.by_row = False

    def success(self, result: object, _seconds: float, _request_id: str) -> bytes | Content:
        """Return the body of a 200.

        Raises TypeError where the result is no tensor, RefusedError where it has no such output.
        """
        read = results.by_row if self.by_row else results.named
        found = read(result)
        outputs = dict.fromkeys(found, self._binary) if self._outputs is None else self._outputs
        missing = [name for name in outputs if name not in found]
        if missing:
            has = ", ".join(found) or "none"
            raise RefusedError(
                400, *(f"there is no output {shown(name)}; there is: {has}" for name in missing)
            )
        written = [results.write(n, found[n], binary=binary) for n, binary in outputs.items()]
        head = encoding.encode({**self._head, "outputs": [tensor for tensor, _ in written]})
        if not any("parameters" in tensor for tensor, _ in written):
            return head
        headers = (("content-type", "application/octet-stream"), (LENGTH_HEADER, str(len(head))))
        return Content(head + b"".join(raw for _, raw in written), headers)


def arguments(
    body: bytes, json_length: str | None, signature: Signature, model: Named
) -> tuple[Invocation, Encoder]:
    """Return the calls that a body asks for, and what encodes their result.

    `json_length` is the header that says where binary data begins; `model` is what every answer
    says of the model. Raises RefusedError(400).
    """
    request, binary = _parts(body, json_length)
    parameters = tensors.optional(request, "parameters")
    head = dict(model)
    if request.get("id") is not None:
        if type(request["id"]) is not str:
            raise RefusedError(400, "id is not a string")
        head["id"] = request["id"]
    all_binary = _flag(parameters, "binary_data_output", default=False)
    encoder = Encoder(head, _requested(request.get("outputs"), all_binary), binary=all_binary)
    common = {name: value for name, value in parameters.items() if name in signature.names}
    invocation = _bind(tensors.read(request.get("inputs"), binary), common, signature)
    encoder.by_row = type(invocation) is Rows
    return invocation, encoder


def _parts(body: bytes, json_length: str | None) -> tuple[Named, memoryview]:
    whole = memoryview(body)
    length = len(body)
    if json_length is not None:
        if not (json_length.isascii() and json_length.isdigit()) or len(json_length) > 18:  # noqa: PLR2004 - more is no length
            raise RefusedError(400, "Inference-Header-Content-Length is not a number of bytes")
        length = int(json_length)
        if length > len(body):
            raise RefusedError(400, "Inference-Header-Content-Length is more than the body has")
    request = encoding.decode(whole[:length])
    if type(request) is not dict:
        raise RefusedError(400, 'the body is not a JSON object; send {"inputs": [<tensor>, ...]}')
    unknown = encoding.unknown_keys(request, _KEYS, "the body", "see the protocol")
    if unknown:
        raise RefusedError(400, *unknown)
    return request, whole[length:]


def _requested(outputs: object, binary: bool) -> dict[str, bool] | None:
    if outputs is None or outputs == []:
        return None
    if type(outputs) is not list:
        raise RefusedError(400, "outputs is not an array")
    found: dict[str, bool] = {}
    for number, one in enumerate(outputs):
        name = one.get("name") if type(one) is dict else None
        if type(name) is not str:
            raise RefusedError(400, f'outputs[{number}] is not {{"name": <string>}}')
        parameters = tensors.optional(one, "parameters")
        for refused in ("classification", "shared_memory_region"):
            if refused in parameters:
                raise RefusedError(400, f"outputs[{number}]: {refused} is not supported")
        found[name] = _flag(parameters, "binary_data", default=binary)
    return found


def _flag(parameters: Named, name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise RefusedError(400, f"{name} is not true or false")
    return value


def _bind(inputs: list[Tensor], common: Named, signature: Signature) -> Invocation:
    if len(inputs) == 1 and inputs[0].name == UNNAMED_INPUT:
        matrix = rows.matrix_argument(signature)
        if matrix is None:
            return rows.unnamed(inputs[0].values(), common, signature)
        return rows.whole({matrix: _value(inputs[0], matrix, signature)}, common, signature)
    if signature.holds is Holds.COLUMN or not inputs:
        return _bind_whole(inputs, common, signature)
    if len({tensor.shape[0] for tensor in inputs}) > 1:
        found = ", ".join(f"{shown(one.name)} has {one.shape[0]}" for one in inputs)
        raise RefusedError(400, f"the inputs differ in their first dimension: {found}"[:1000])
    table = {one.name: _squeezed(one, signature).values() for one in inputs}
    return rows.columns(table, common, signature)


def _bind_whole(inputs: list[Tensor], common: Named, signature: Signature) -> Invocation:
    values: Named = {}
    for tensor in inputs:
        parameter = signature.parameters.get(tensor.name)
        if parameter is None or parameter.hint.holds is Holds.COLUMN:
            values[tensor.name] = _value(tensor, tensor.name, signature)
            continue
        flat = Tensor(tensor.name, tensor.datatype, [math.prod(tensor.shape)], tensor.data).values()
        if len(flat) != 1 or tensor.name in common:
            raise RefusedError(400, f"argument {tensor.name!r} takes one value")
        common = {**common, tensor.name: flat[0]}
    return rows.whole(values, common, signature)


def _value(tensor: Tensor, name: str, signature: Signature) -> object:
    """Without a detour by lists where the hint is an array."""
    parameter = signature.parameters.get(name)
    is_array = parameter is not None and parameter.hint.is_array
    return tensor.array() if is_array else tensor.values()


def _squeezed(tensor: Tensor, signature: Signature) -> Tensor:
    parameter = signature.parameters.get(tensor.name)
    if parameter is not None and parameter.hint.holds is Holds.COLUMN:
        return tensor
    if len(tensor.shape) == 2 and tensor.shape[1] == 1:  # noqa: PLR2004 - [n, 1]
        return dataclasses.replace(tensor, shape=tensor.shape[:1])
    return tensor
