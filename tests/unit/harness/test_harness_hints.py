"""What type hints make of arguments, and what they refuse."""

import datetime
import decimal
import enum
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic
import pytest
from model_harness.domino import Domino
from model_harness.errors import RefusedError
from model_harness.hints import Holds
from model_harness.settings import Settings
from model_harness.signature import Signature

DOMINO = Domino(Settings("iris", "v3", "predict:predict"))


@dataclass
class Petal:
    length: float
    parts: list["Petal"] = field(default_factory=list)


class Place(TypedDict):
    city: str
    zip: NotRequired[int]


class Point(pydantic.BaseModel):
    x: int
    tags: list[str] = []


@dataclass
class Holder:
    point: Point


class Colour(enum.Enum):
    RED = "red"


class Broken:
    """A class of the user's that nothing knows to make."""


def given(hint: object, value: object) -> object:
    """What a function gets for a value, with this hint."""

    def function(x):
        return x

    function.__annotations__ = {"x": hint}
    body = json.dumps({"data": {"x": value}}).encode()
    positional, named = DOMINO.arguments(body, Signature.of(function, "f"))
    return function(*positional, **named)


@pytest.mark.parametrize(
    ("hint", "value", "wanted"),
    [
        (Petal, {"length": 1, "parts": [{"length": 2}]}, Petal(1.0, [Petal(2.0)])),
        (list[Petal], [{"length": 1}], [Petal(1.0)]),
        (Petal | None, None, None),
        (Place, {"city": "Ulm"}, {"city": "Ulm"}),
        (Literal["a", 2], 2, 2),
        (float | None, None, None),
        (float | None, 1, 1),
        (dict[str, list[int]], {"a": [1]}, {"a": [1]}),
        (tuple[int, str], [1, "a"], (1, "a")),
        (datetime.date, "2026-01-02", datetime.date(2026, 1, 2)),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (Colour, "red", Colour.RED),
        (Annotated[int, msgspec.Meta(ge=1)], 1, 1),
        (Point, {"x": 1}, Point(x=1)),
        (list[Point], [{"x": 1, "tags": ["t"]}], [Point(x=1, tags=["t"])]),
        (Holder, {"point": {"x": 1}}, Holder(Point(x=1))),
        (Any, {"a": [1]}, {"a": [1]}),
        (Broken, {"a": 1}, {"a": 1}),
        (Callable[[int], int], "f", "f"),
    ],
)
def test_a_value_becomes_what_the_hint_says(hint: object, value: object, wanted: object) -> None:
    found = given(hint, value)
    assert (type(found), found) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("hint", "value", "errors"),
    [
        (Petal, {"length": "x"}, ["argument 'x'.length: expected `float`, got `str`"]),
        (
            Petal,
            {"length": 1, "parts": [{"length": None}]},
            ["argument 'x'.parts[0].length: expected `float`, got `null`"],
        ),
        (Petal, None, ["argument 'x': expected `object`, got `null`"]),
        (Place, {}, ["argument 'x': object missing required field `city`"]),
        (Literal["a"], "b", ["argument 'x': invalid enum value 'b'"]),
        (list[int], [1, 2.5], ["argument 'x'[1]: expected `int`, got `float`"]),
        (float | None, "a", ["argument 'x' must be a number or null, not a string"]),
        (int | str, [], ["argument 'x' must be a whole number or a string, not an array"]),
        (Annotated[int, msgspec.Meta(ge=1)], 0, ["argument 'x': expected `int` >= 1"]),
        (
            Point,
            {"tags": [1]},
            [
                "argument 'x'.x: Field required",
                "argument 'x'.tags[0]: Input should be a valid string",
            ],
        ),
        (np.ndarray, "a", ["argument 'x' must be an array, not a string"]),
        (np.ndarray, ["a", 1], ["argument 'x' must not mix strings with other values"]),
        (pd.Series, 1, ["argument 'x' must be an array, not a whole number"]),
        (pd.DataFrame, "a", ["argument 'x' must be rows or columns, not a string"]),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_path(
    hint: object, value: object, errors: list[str]
) -> None:
    with pytest.raises(RefusedError) as caught:
        given(hint, value)
    assert (caught.value.status, caught.value.errors) == (400, errors)


@pytest.mark.parametrize("value", [[[1, 2], [3]], [{"a": 1}], [["a", None]]])
def test_an_array_is_of_one_shape_and_kind(value: object) -> None:
    with pytest.raises(RefusedError, match=r"must be an array of numbers, .* of one shape"):
        given(np.ndarray, value)


def test_errors_stay_small_whatever_a_value_holds() -> None:
    with pytest.raises(RefusedError) as caught:
        given(Literal["a"], "x" * 1_000_000)
    assert len(caught.value.errors[0]) < 300
    with pytest.raises(RefusedError) as caught:
        given(dict[str, int], {"x" * 1_000_000: "a"})
    assert len(caught.value.errors[0]) < 600


@pytest.mark.parametrize("hint", [np.ndarray, npt.NDArray[np.float64], np.ndarray | None])
def test_numbers_become_numpys_array_and_null_nan(hint: object) -> None:
    found = given(hint, [[1, None], [2.5, 3]])
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, [[1, np.nan], [2.5, 3]])


def test_lists_and_tables_become_pandas_own() -> None:
    pd.testing.assert_series_equal(given(pd.Series, ["a", None]), pd.Series(["a", None]))
    wanted = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    pd.testing.assert_frame_equal(given(pd.DataFrame, rows), wanted)
    pd.testing.assert_frame_equal(given(pd.DataFrame, {"a": [1, 2], "b": ["x", "y"]}), wanted)


def test_what_a_class_of_the_users_raises_is_the_requests_mistake() -> None:
    @dataclass
    class Picky:
        x: int

        def __post_init__(self) -> None:
            raise KeyError(self.x)

    with pytest.raises(RefusedError, match="argument 'x': KeyError: 3"):
        given(Picky, {"x": 3})


def test_typed_arguments_are_made_by_position_too() -> None:
    def function(petal: Petal, *others: Petal, scale: float = 1.0):
        return petal, others, scale

    body = json.dumps({"parameters": [{"length": 1}, 2, 3]}).encode()
    positional, _ = DOMINO.arguments(body, Signature.of(function, "f"))
    assert positional == [Petal(1.0), 2, 3]


def test_null_is_the_default_that_is_none() -> None:
    def function(petal: Petal = None):
        return petal

    assert DOMINO.arguments(b'{"data": {"petal": null}}', Signature.of(function, "f"))[1] == {
        "petal": None
    }


def all_lists(a: list, b: list[float], c: np.ndarray, d: pd.Series, e: list | None = None): ...
def one_is_a_value(a: list, b: float): ...
def the_value_has_a_default(a: list, b: float = 1): ...
def a_frame(frame: pd.DataFrame, k: int = 1): ...
def a_frame_and_more(frame: pd.DataFrame, k: int): ...
def nothing_said(a, b): ...
def no_arguments(): ...


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (all_lists, Holds.COLUMN),
        (one_is_a_value, Holds.VALUE),
        (the_value_has_a_default, Holds.COLUMN),
        (a_frame, Holds.FRAME),
        (a_frame_and_more, Holds.VALUE),
        (nothing_said, Holds.VALUE),
        (no_arguments, Holds.VALUE),
    ],
)
def test_how_much_of_a_table_a_function_takes(
    function: Callable[..., object], wanted: Holds
) -> None:
    assert Signature.of(function, "f").holds is wanted
