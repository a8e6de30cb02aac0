"""The metadata of a model in the Open Inference Protocol, from the signature of the function."""

import typing
from collections.abc import Hashable, Mapping

from model_harness.binding.class_fields import fields_of, is_record
from model_harness.binding.signature import Signature
from model_harness.binding.type_hints import Binding
from model_harness.protocols.tensor_results import UNNAMED_OUTPUT


def describe(signature: Signature, model: str, version: str) -> dict[str, object]:
    """Return the metadata of the model; the size -1 is any size."""
    inputs = [
        {"name": p.name, "datatype": _datatype(p.hint.source), "shape": [-1]}
        for p in signature.parameters.values()
        if p.hint.binding is not Binding.FRAME
    ]
    outputs = [
        {"name": name, "datatype": _datatype(hint), "shape": [-1]}
        for name, hint in _outputs(signature.returns.source).items()
    ]
    return {
        "name": model,
        "versions": [version],
        "platform": "model-deployment",
        "inputs": inputs,
        "outputs": outputs,
    }


def _outputs(return_hint: object) -> Mapping[str, object]:
    """Return the names and hints of the outputs.

    There are none where the hint is a mapping without known names: only the responses have them,
    and a single output of another name would be wrong.
    """
    if is_record(return_hint):
        return fields_of(return_hint)
    origin = typing.get_origin(return_hint) or return_hint
    if isinstance(origin, type) and (issubclass(origin, Mapping) or origin.__name__ == "DataFrame"):
        return {}
    return {UNNAMED_OUTPUT: return_hint}


def _datatype(source: object) -> str:
    """Return the datatype of the innermost plain type in a hint; FP64 where there is none."""
    datatypes: dict[object, str] = {bool: "BOOL", int: "INT64", str: "BYTES"}
    pending = [source]
    while pending:
        part = pending.pop()
        if isinstance(part, Hashable) and part in datatypes:
            return datatypes[part]
        if isinstance(part, str | int):  # of a Literal
            return datatypes[type(part)]
        parts = typing.get_args(part)
        pending += parts[:1] if typing.get_origin(part) is typing.Annotated else parts
    return "FP64"
