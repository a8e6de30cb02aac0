"""Signatures, the Domino dialect's bodies, and JSON."""

import datetime
import decimal
import json
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest
from model_harness import encoding
from model_harness.domino import Domino
from model_harness.errors import RefusedError, StartupError
from model_harness.settings import Settings
from model_harness.signature import Signature

DOMINO = Domino(Settings("iris", "v3", "predict:predict"))


def plain(a, b=2):
    return a, b


def open_ended(first, *others, key, **rest):
    return first, others, key, rest


def hinted(x: "float", items: list = (), mapping: dict | None = None, loose: float = None):  # noqa: RUF013
    return x, items, mapping, loose


def unresolvable(x: "NoSuchType", y: int):  # noqa: F821
    return x, y


def refusal(function: Callable[..., object], request: object) -> list[str]:
    with pytest.raises(RefusedError) as caught:
        DOMINO.arguments(json.dumps(request).encode(), Signature.of(function, "f"))
    assert caught.value.status == 400
    return caught.value.errors


@pytest.mark.parametrize(
    ("function", "request_", "wanted"),
    [
        (plain, {"data": {"a": 1}}, (1, 2)),
        (plain, {"parameters": [1, 3]}, (1, 3)),
        (open_ended, {"data": {"first": 1, "key": 2, "z": 3}}, (1, (), 2, {"z": 3})),
        (hinted, {"data": {"x": 1, "items": [], "mapping": None}}, (1, [], None, None)),
        (hinted, {"data": {"x": 1.5, "loose": None}}, (1.5, (), None, None)),
        (unresolvable, {"data": {"x": "a", "y": "b"}}, ("a", "b")),
    ],
)
def test_what_fits_reaches_the_function(
    function: Callable[..., object], request_: object, wanted: object
) -> None:
    body = json.dumps(request_).encode()
    positional, named = DOMINO.arguments(body, Signature.of(function, "f"))
    assert function(*positional, **named) == wanted


@pytest.mark.parametrize(
    ("function", "request_", "errors"),
    [
        (plain, {"data": {}}, ["argument 'a' is missing"]),
        (open_ended, {"data": {}}, ["argument 'first' is missing", "argument 'key' is missing"]),
        (
            open_ended,
            {"parameters": [1, 2]},
            [
                "argument 'key' is missing",
                "parameters cannot fill keyword-only arguments; send data instead",
            ],
        ),
        (hinted, {"parameters": ["1"]}, ["argument 'x' must be a number, not a string"]),
        (hinted, {"data": {"x": True}}, ["argument 'x' must be a number, not true or false"]),
        (hinted, {"data": {"x": None}}, ["argument 'x' must be a number, not null"]),
    ],
)
def test_what_does_not_fit_is_named(
    function: Callable[..., object], request_: object, errors: list[str]
) -> None:
    assert refusal(function, request_) == errors


def test_errors_stay_small_whatever_comes_in() -> None:
    errors = refusal(plain, {"data": {"x" * 100_000 + str(n): n for n in range(100)}})
    assert len(errors) == 21
    assert errors[-1] == "and 81 more"
    assert sum(map(len, errors)) < 5000


@pytest.mark.parametrize("function", [len, lambda a, /, b: a], ids=["builtin", "lambda"])
def test_a_function_that_cannot_be_called_by_name_is_refused(
    function: Callable[..., object],
) -> None:
    with pytest.raises(StartupError, match="handler f cannot be called by name: "):
        Signature.of(function, "handler f")


def test_a_function_without_a_signature_is_refused() -> None:
    with pytest.raises(StartupError, match="has no signature that can be read"):
        Signature.of(type, "handler f")


def test_an_answer_has_the_dialects_fields_and_types() -> None:
    answer = json.loads(DOMINO.success({"a": 1}, 0.0123456, "ABCDEFGHIJ012345"))
    assert answer["result"] == {"a": 1}
    assert (answer["model_time_in_ms"], answer["timing"]) == (12, 12.3456)
    assert answer["release"]["model_version_number"] == 3


class Pair(NamedTuple):
    a: int
    b: float


class Model(pydantic.BaseModel):
    x: float
    day: datetime.date


class Odd:
    pass


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.float64(1.5), 1.5),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.arange(6).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1.0, math.nan, math.inf]), [1.0, None, None]),
        ({1: "a"}, {"1": "a"}),
        ({"x": np.float32(0.5), 2: None}, {"x": 0.5, "2": None}),
        ((1, 2), [1, 2]),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.timedelta(seconds=1.5), 1.5),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("NaN"), None),
        (Pair(1, math.nan), [1, None]),
        (Model(x=math.inf, day=datetime.date(2026, 1, 2)), {"x": None, "day": "2026-01-02"}),
        ({np.int64(3): [{np.float64(0.5): 1}]}, {"3": [{"0.5": 1}]}),
        (np.longdouble(1.5), 1.5),
        (np.array([1, None, math.nan], dtype=object), [1, None, None]),
        (np.array(["2026-01-02", "NaT"], dtype="datetime64[D]"), ["2026-01-02T00:00:00", None]),
        (np.array(["2026-01-02", "NaT"], dtype="datetime64[ns]"), ["2026-01-02T00:00:00", None]),
        (np.array([90], dtype="timedelta64[s]"), [90]),
        (np.ma.masked_array([1.5, 2], mask=[0, 1]), [1.5, None]),
        (np.zeros((2, 0)), [[], []]),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (pd.Timedelta("1min"), 60),
        ([pd.NA, pd.NaT], [None, None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Categorical(["a", "b"]), ["a", "b"]),
        (
            pd.DataFrame(
                {"a": [1.5, None], "t": pd.to_datetime(["2026-01-02", None]), 3: ["x", pd.NA]}
            ),
            [
                {"a": 1.5, "t": "2026-01-02T00:00:00", "3": "x"},
                {"a": None, "t": None, "3": None},
            ],
        ),
    ],
)
def test_results_become_plain_json(value: object, wanted: object) -> None:
    assert json.loads(encoding.encode(value)) == wanted


@pytest.mark.parametrize("value", [Odd(), {1, 2}, 2**70, b"bytes", "\ud800", 1j, {(1, 2): 3}])
def test_what_is_no_json_says_so(value: object) -> None:
    with pytest.raises(TypeError, match="the result cannot be encoded: "):
        encoding.encode({"deep": [value]})


def test_deep_nesting_is_refused_not_crashed_on() -> None:
    with pytest.raises(RefusedError, match="not JSON"):
        encoding.decode(b"[" * 100_000)
