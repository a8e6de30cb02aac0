"""Signatures, the requests and responses of Domino, and JSON."""

import datetime
import decimal
import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from model_harness.binding.signature import Signature
from model_harness.errors import RequestError, StartupError
from model_harness.protocols import json_encoding
from model_harness.protocols.domino import Domino
from model_harness.settings import Settings

DOMINO = Domino(Settings("iris", "v3", "predict:predict"))


def plain(a, b=2):
    return a, b


def open_signature(first, *extra, key, **keywords):
    return first, extra, key, keywords


def hinted(x: "float", items: list = (), mapping: dict | None = None, loose: float = None):  # noqa: RUF013
    return x, items, mapping, loose


def unresolvable(x: "NoSuchType", y: int):  # noqa: F821
    return x, y


def request_errors(function: Callable[..., object], request: object) -> list[str]:
    with pytest.raises(RequestError) as caught:
        DOMINO.arguments(json.dumps(request).encode(), Signature.of(function, "f"))
    assert caught.value.status == 400
    return caught.value.errors


@pytest.mark.parametrize(
    ("function", "request_", "result"),
    [
        (plain, {"data": {"a": 1}}, (1, 2)),
        (plain, {"parameters": [1, 3]}, (1, 3)),
        (open_signature, {"data": {"first": 1, "key": 2, "z": 3}}, (1, (), 2, {"z": 3})),
        (hinted, {"data": {"x": 1, "items": [], "mapping": None}}, (1, [], None, None)),
        (hinted, {"data": {"x": 1.5, "loose": None}}, (1.5, (), None, None)),
        (unresolvable, {"data": {"x": "a", "y": 1}}, ("a", 1)),
    ],
)
def test_matching_arguments_reach_function(
    function: Callable[..., object], request_: object, result: object
) -> None:
    body = json.dumps(request_).encode()
    positional, named = DOMINO.arguments(body, Signature.of(function, "f"))
    assert function(*positional, **named) == result


@pytest.mark.parametrize(
    ("function", "request_", "errors"),
    [
        (plain, {"data": {}}, ["argument 'a' is missing"]),
        (
            open_signature,
            {"data": {}},
            ["argument 'first' is missing", "argument 'key' is missing"],
        ),
        (
            open_signature,
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
def test_wrong_arguments_are_named(
    function: Callable[..., object], request_: object, errors: list[str]
) -> None:
    assert request_errors(function, request_) == errors


def test_errors_are_truncated() -> None:
    errors = request_errors(plain, {"data": {"x" * 100_000 + str(n): n for n in range(100)}})
    assert len(errors) == 21
    assert errors[-1] == "and 81 more"
    assert sum(map(len, errors)) < 5000


@pytest.mark.parametrize("function", [len, lambda a, /, b: a], ids=["builtin", "lambda"])
def test_signature_refuses_positional_only_arguments(
    function: Callable[..., object],
) -> None:
    with pytest.raises(StartupError, match="handler f cannot be called by name: "):
        Signature.of(function, "handler f")


def test_signature_refuses_function_without_signature() -> None:
    with pytest.raises(StartupError, match="has no readable signature"):
        Signature.of(type, "handler f")


def test_domino_response_has_fields_and_types() -> None:
    response = json.loads(DOMINO.success({"a": 1}, 0.0123456, "ABCDEFGHIJ012345"))
    assert response["result"] == {"a": 1}
    assert (response["model_time_in_ms"], response["timing"]) == (12, 12.3456)
    assert response["release"]["model_version_number"] == 3


class Pair(NamedTuple):
    a: int
    b: float


class Model(pydantic.BaseModel):
    x: float
    day: datetime.date


class Collected(pydantic.BaseModel):
    numbers: set[int]
    secret: pydantic.SecretStr = pydantic.SecretStr("a")
    array: Any = None
    lasts: datetime.timedelta = datetime.timedelta(seconds=2)


class Numbers(pydantic.RootModel[frozenset[int]]):
    pass


class Inner(msgspec.Struct):
    at: datetime.date


class Outer(msgspec.Struct, rename="camel", tag="outer"):
    in_ner: Inner
    x_y: float = math.nan
    unset: int | msgspec.UnsetType = msgspec.UNSET


OUTER = {"type": "outer", "inNer": {"at": "2026-01-02"}, "xY": None}


class Row(msgspec.Struct, array_like=True):
    a: int
    b: Any


def offset_of(**parts: float) -> datetime.timezone:
    return datetime.timezone(datetime.timedelta(**parts))


async def unawaited() -> None: ...


class Odd:
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
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
        (
            Collected(numbers={1}, array=np.arange(2)),
            {"numbers": [1], "secret": "**********", "array": [0, 1], "lasts": 2},
        ),
        ([Numbers({3})], [[3]]),
        (Outer(Inner(datetime.date(2026, 1, 2))), OUTER),
        ([Row(1, np.int8(2))], [[1, 2]]),
        (np.datetime64("9999-12-31"), "9999-12-31T00:00:00"),
        (np.datetime64("2026-01-02T03:04:05.123456789"), "2026-01-02T03:04:05.123456789"),
        (np.datetime64("NaT"), None),
        (
            np.array(["2026-01-02T00:00:00.000000001", "NaT"], dtype="datetime64[ns]"),
            ["2026-01-02T00:00:00.000000001", None],
        ),
        (
            datetime.datetime(1900, 1, 1, tzinfo=offset_of(minutes=19, seconds=32)),
            "1899-12-31T23:40:28+00:00",
        ),
        (
            pd.Timestamp(1900, 1, 1, tz=offset_of(hours=-1, seconds=-30)),
            "1900-01-01T01:00:30+00:00",
        ),
        (datetime.datetime(2026, 1, 1, tzinfo=offset_of(hours=1)), "2026-01-01T00:00:00+01:00"),
        (datetime.time(1, 2, tzinfo=offset_of(hours=1)), "01:02:00+01:00"),
        (datetime.time(1, 2, 3, 4), "01:02:03.000004"),
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
def test_result_is_encoded_as_json(value: object, expected: object) -> None:
    assert json.loads(json_encoding.encode(value)) == expected


@pytest.mark.parametrize("value", [Odd(), {1, 2}, 2**70, b"bytes", "\ud800", 1j, {(1, 2): 3}])
def test_result_that_is_not_json_raises_type_error(value: object) -> None:
    with pytest.raises(TypeError, match="the result cannot be encoded: "):
        json_encoding.encode({"deep": [value]})


@pytest.mark.parametrize("text", ["20000-01-01", "400000-01-01", "-0001-01-01", "0000-12-31"])
@pytest.mark.parametrize("unit", ["D", "Y", "s", "us"])
def test_date_outside_of_iso_8601_is_refused(text: str, unit: str) -> None:
    if (text, unit) == ("400000-01-01", "us"):
        return  # numpy cannot represent it
    with pytest.raises(TypeError, match="outside the years 1 to 9999"):
        json_encoding.encode([np.array([text], dtype=f"datetime64[{unit}]")])


@pytest.mark.parametrize("nested", [lambda c: c, lambda c: [c], lambda c: {"a": c}])
def test_coroutine_is_refused_with_remedy(nested: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match=r"a decorator hides its `async def`; make the wrapper"):
        json_encoding.encode(nested(unawaited()))


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(RequestError, match="not JSON"):
        json_encoding.decode(b"[" * 100_000)
