"""Text, numbers, hints and results that break naive servers."""

import json
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from model_harness.binding.signature import Signature
from model_harness.errors import RequestError
from model_harness.http.memory_budget import MemoryBudget
from model_harness.http.response import Responder, ResponseContext
from model_harness.observability.metrics import RequestCounters
from model_harness.protocols import json_encoding, tensor_results
from model_harness.protocols.domino import Domino
from model_harness.protocols.mlflow import MLflow
from model_harness.protocols.open_inference import OpenInferenceErrors
from model_harness.runtime.scheduler import CallScheduler
from model_harness.settings import Settings

DOMINO = Domino(Settings("iris", "v1", "predict:predict"))
HALF_EMOJI = "\ud83d"


class Client:
    """Keeps the first response."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if not self.status:
            self.status, self.body = status, body


def answer_of(
    function: Callable[..., object], redact: Callable[[str], str] = str, reserved: int = 0
) -> tuple[Client, MemoryBudget]:
    """Return the response of a call that holds reserved memory."""
    scheduler = CallScheduler(1, 10.0, redact=redact)
    scheduler.set_function(function)
    client, memory = Client(), MemoryBudget()
    responder = Responder(
        client, "ABCDEFGHIJ012345", ResponseContext("v1", RequestCounters(), memory), DOMINO
    )
    responder.reserved_bytes = reserved
    memory.release(-reserved)
    scheduler.submit(responder, DOMINO, ([], {}), time.perf_counter())
    return client, memory


class UnprintableError(Exception):
    """An exception whose message raises."""

    def __str__(self) -> str:
        raise ValueError("no message")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(f"bad {HALF_EMOJI} text"), "ValueError: bad ? text"),
        (KeyError("\udcff.csv"), "KeyError: '\\udcff.csv'"),
        (UnprintableError(), "UnprintableError: (the message of the exception is not available)"),
    ],
)
def test_exception_with_any_text_is_answered(error: Exception, text: str) -> None:
    def function() -> None:
        raise error

    client, _ = answer_of(function)
    assert client.status == 500
    assert json.loads(client.body)["errors"] == [text]


@pytest.mark.parametrize("encoder", [DOMINO, MLflow(), OpenInferenceErrors()])
def test_error_response_encodes_any_text(encoder: Domino) -> None:
    error = RequestError(400, f"argument {HALF_EMOJI} is unknown", "ü is missing")
    body = encoder.failure(error.errors, "ABCDEFGHIJ012345", 400)
    assert "argument ? is unknown" in body.decode()


def test_message_of_exception_has_no_secret() -> None:
    def function() -> None:
        raise ValueError("postgres://user:s3cret@db")

    client, _ = answer_of(function, lambda text: text.replace("s3cret", "<secret DB>"))
    assert json.loads(client.body)["errors"] == ["ValueError: postgres://user:<secret DB>@db"]


@pytest.mark.parametrize("function", [lambda: 1, lambda: 1 / 0, object])
def test_memory_is_released_after_call(function: Callable[[], object]) -> None:
    _, memory = answer_of(function, reserved=1000)
    memory.limit(10**9)
    assert memory._reserved == 0


def test_memory_of_queued_call_is_released_by_timeout() -> None:
    scheduler = CallScheduler(2, 0.0)
    memory = MemoryBudget()
    responder = Responder(
        Client(), "ABCDEFGHIJ012345", ResponseContext("v1", RequestCounters(), memory), DOMINO
    )
    memory.release(-1000)
    responder.reserved_bytes = 1000
    with scheduler._permits:
        scheduler.submit(responder, DOMINO, ([], {}), time.perf_counter() - 1)
        scheduler.expire(time.perf_counter())
    assert memory._reserved == 0


@pytest.mark.parametrize(
    "text",
    ["18446744073709551616", "-9223372036854775809", "1" + "0" * 30, "[36893488147419103232]"],
)
def test_integer_over_64_bits_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="at most 64 bits") as caught:
        json_encoding.decode(f'{{"x": {text}}}'.encode())
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "value", [18446744073709551615, -9223372036854775808, "1" * 40, 1e300, [0.1234567890123456789]]
)
def test_long_numbers_within_64_bits_are_exact(value: object) -> None:
    assert json_encoding.decode(json.dumps({"x": value}).encode()) == {"x": value}


def first(df: "NotImported", n: int, mode: str = "a") -> object:  # noqa: F821 - the case
    return [df, n, mode]


def second(x: "the feature vector", n: int) -> object:  # noqa: F722 - the case
    return [x, n]


@pytest.mark.parametrize(("function", "name"), [(first, "df"), (second, "x")])
def test_unresolvable_hint_switches_off_one_check_only(
    function: Callable[..., object], name: str
) -> None:
    signature = Signature.of(function, "f")
    assert [warning.split(" ")[0] for warning in signature.warnings] == [repr(name)]
    with pytest.raises(RequestError, match="'n' must be a whole number"):
        signature.check_named({name: 1, "n": "x"})


class SubFrame(pd.DataFrame):
    """As of geopandas or pandera."""


class SubArray(np.ndarray):
    """As of astropy."""


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (SubFrame({"a": [1, 2]}), [{"a": 1}, {"a": 2}]),
        (np.array([1.5, 2.5]).view(SubArray), [1.5, 2.5]),
    ],
    ids=["frame", "array"],
)
def test_subclass_is_encoded_as_its_base(value: object, encoded: object) -> None:
    assert json.loads(json_encoding.encode(value)) == encoded


@pytest.mark.parametrize(
    "encode", [json_encoding.encode, tensor_results.by_name], ids=["JSON", "tensors"]
)
def test_columns_of_one_name_are_refused(encode: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="two columns named 'a'"):
        encode(pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]))


@pytest.mark.parametrize("depth", [300, 600, 5000])
def test_deep_result_is_refused_with_sentence(depth: int) -> None:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    with pytest.raises(TypeError, match="cannot be encoded"):
        json_encoding.encode(value)


@pytest.mark.parametrize(("values", "datatype"), [(["a", None], "BYTES"), ([None, True], "BOOL")])
def test_missing_value_among_text_or_booleans_is_null(values: list[object], datatype: str) -> None:
    tensor, _ = tensor_results.encode("y", values, binary=False)
    assert (tensor["datatype"], tensor["data"]) == (datatype, values)
    with pytest.raises(TypeError, match="missing values"):
        tensor_results.encode("y", values, binary=True)


def series(x: pd.Series) -> object:
    return x


def slip(x: np.array) -> object:  # type: ignore[valid-type] # the case: a function as a hint
    return x


def test_column_tensor_is_a_series_and_matrix_is_refused() -> None:
    arguments: dict[str, object] = {"x": np.array([[1.0], [2.0]])}
    Signature.of(series, "f").check_named(arguments)
    assert isinstance(arguments["x"], pd.Series)
    assert arguments["x"].tolist() == [1.0, 2.0]
    with pytest.raises(RequestError, match="one dimension"):
        Signature.of(series, "f").check_named({"x": np.array([[1.0, 2.0]])})


def test_numpy_array_function_as_hint_is_an_array() -> None:
    arguments: dict[str, object] = {"x": [[1, 2]]}
    Signature.of(slip, "f").check_named(arguments)
    assert isinstance(arguments["x"], np.ndarray)
