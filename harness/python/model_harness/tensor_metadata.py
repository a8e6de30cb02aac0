"""What the Open Inference Protocol says of a model, as far as the function's signature tells."""

import dataclasses
import typing
from collections.abc import Hashable, Mapping

from model_harness.hints import Holds
from model_harness.signature import Signature
from model_harness.tensor_results import UNNAMED_OUTPUT


def describe(signature: Signature, model: str, version: str) -> dict[str, object]:
    """Describe the model as far as its signature does; -1 is any size."""
    inputs = [
        {"name": p.name, "datatype": _datatype(p.hint.source), "shape": [-1]}
        for p in signature.parameters.values()
        if p.hint.holds is not Holds.FRAME
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


def _outputs(returned: object) -> dict[str, object]:
    """Return the outputs' names and hints.

    None of them where the hint says that there are names, but not which: each answer tells its own,
    and a single output of another name would be wrong.
    """
    if is_record(returned):
        return _hints_of(returned)
    kind = typing.get_origin(returned) or returned
    if isinstance(kind, type) and (issubclass(kind, Mapping) or kind.__name__ == "DataFrame"):
        return {}
    return {UNNAMED_OUTPUT: returned}


def _hints_of(record: object) -> dict[str, object]:
    try:
        return typing.get_type_hints(record)
    except Exception:  # noqa: BLE001 - evaluating hints runs the user's code: anything may come
        return {}


def is_record(source: object) -> bool:
    """Whether a hint is a class whose fields become outputs."""
    return isinstance(source, type) and (
        dataclasses.is_dataclass(source)
        or typing.is_typeddict(source)
        or hasattr(source, "model_validate")
    )


def _datatype(source: object) -> str:
    """Of a hint's innermost plain type; a number, where it says nothing."""
    known: dict[object, str] = {bool: "BOOL", int: "INT64", str: "BYTES"}
    waiting = [source]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Hashable) and one in known:
            return known[one]
        if isinstance(one, str | int):  # of a Literal
            return known[type(one)]
        waiting += typing.get_args(one)
    return "FP64"
