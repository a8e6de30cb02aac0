"""How type hints check and convert arguments."""

import datetime
import decimal
import enum
import json
import sys
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, NotRequired, TypedDict

import annotated_types
import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic
import pytest
from model_harness.binding.signature import Signature
from model_harness.binding.table_binding import Invocation, Rows
from model_harness.binding.type_hints import Binding
from model_harness.errors import RequestError, StartupError
from model_harness.protocols import mlflow, open_inference
from model_harness.protocols.domino import Domino
from model_harness.settings import Settings

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


class Level(enum.IntEnum):
    HIGH = 2


class Counted(msgspec.Struct, rename="camel"):
    count_of: int
    share: float


class Numbered(NamedTuple):
    number: int
    share: float


class Text(enum.StrEnum):
    A = "a"


class Broken:
    """A class of the user that no library can create."""


def convert(hint: object, value: object) -> object:
    """Return the argument that a function with this hint receives."""

    def function(x):
        return x

    function.__annotations__ = {"x": hint}
    body = json.dumps({"data": {"x": value}}).encode()
    positional, named = DOMINO.arguments(body, Signature.of(function, "f"))
    return function(*positional, **named)


def count(n: int):
    return n


def count_all(n: list[int]):
    return n


def results(function: Callable[..., object], invocation: Invocation) -> object:
    if isinstance(invocation, Rows):
        return [function(*positional, **named) for positional, named in invocation.calls]
    return function(*invocation[0], **invocation[1])


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
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
        (int, 1.0, 1),
        (int | None, -0.0, 0),
        (int | str, 2.0, 2),
        (float | int, 1.0, 1.0),
        (list[int], [1.0, 2], [1, 2]),
        (list[list[int]], [[1.0], [2]], [[1], [2]]),
        (dict[str, int | None], {"a": 1.0}, {"a": 1}),
        (tuple[float, int], [1.0, 1.0], (1.0, 1)),
        (tuple[int, ...], [1.0], (1,)),
        (Literal[1, "a"], 1.0, 1),
        (Level, 2.0, Level.HIGH),
        (Annotated[int, msgspec.Meta(ge=1)], 1.0, 1),
        (Counted, {"countOf": 1.0, "share": 1.0}, Counted(1, 1.0)),
        (Numbered, [1.0, 2.0], Numbered(1, 2.0)),
        (Place, {"city": "Ulm", "zip": 89073.0}, {"city": "Ulm", "zip": 89073}),
        (Broken, {"a": 1}, {"a": 1}),
        (Callable[[int], int], "f", "f"),
    ],
)
def test_value_is_converted_to_hint(hint: object, value: object, expected: object) -> None:
    argument = convert(hint, value)
    assert (type(argument), repr(argument)) == (type(expected), repr(expected))


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
        (int, 1.5, ["argument 'x' must be a whole number, not a number"]),
        (int, 1e300, ["argument 'x' must be a whole number, not a number"]),
        (list[int], [1.0, 1e300], ["argument 'x'[1]: expected `int`, got `float`"]),
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
def test_wrong_value_is_reported_with_path(hint: object, value: object, errors: list[str]) -> None:
    with pytest.raises(RequestError) as caught:
        convert(hint, value)
    assert (caught.value.status, caught.value.errors) == (400, errors)


@pytest.mark.parametrize("value", [[[1, 2], [3]], [{"a": 1}], [["a", None]]])
def test_array_of_mixed_shapes_or_types_is_refused(value: object) -> None:
    with pytest.raises(RequestError, match=r"must be an array of numbers, .* of one shape"):
        convert(np.ndarray, value)


def test_errors_are_truncated_for_long_values() -> None:
    with pytest.raises(RequestError) as caught:
        convert(Literal["a"], "x" * 1_000_000)
    assert len(caught.value.errors[0]) < 300
    with pytest.raises(RequestError) as caught:
        convert(dict[str, int], {"x" * 1_000_000: "a"})
    assert len(caught.value.errors[0]) < 600


@pytest.mark.parametrize("hint", [np.ndarray, npt.NDArray[np.float64], np.ndarray | None])
def test_numbers_are_converted_to_array_with_nan_for_null(hint: object) -> None:
    array = convert(hint, [[1, None], [2.5, 3]])
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array, [[1, np.nan], [2.5, 3]])


def test_lists_and_tables_are_converted_to_pandas() -> None:
    pd.testing.assert_series_equal(convert(pd.Series, ["a", None]), pd.Series(["a", None]))
    expected = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    pd.testing.assert_frame_equal(convert(pd.DataFrame, rows), expected)
    pd.testing.assert_frame_equal(convert(pd.DataFrame, {"a": [1, 2], "b": ["x", "y"]}), expected)


def test_exception_of_user_class_is_a_request_error() -> None:
    @dataclass
    class Picky:
        x: int

        def __post_init__(self) -> None:
            raise KeyError(self.x)

    with pytest.raises(RequestError, match="argument 'x': KeyError: 3"):
        convert(Picky, {"x": 3})


def test_positional_arguments_are_converted() -> None:
    def function(petal: Petal, *more: Petal, scale: float = 1.0):
        return petal, more, scale

    body = json.dumps({"parameters": [{"length": 1}, 2, 3]}).encode()
    positional, _ = DOMINO.arguments(body, Signature.of(function, "f"))
    assert positional == [Petal(1.0), 2, 3]


def test_null_is_accepted_where_default_is_none() -> None:
    def function(petal: Petal = None):
        return petal

    assert DOMINO.arguments(b'{"data": {"petal": null}}', Signature.of(function, "f"))[1] == {
        "petal": None
    }


def numpy_default(x: float = np.float64(1), n: int = np.int64(2), s: str = Text.A):
    return x, n, s


def features(scale: float = 1.0, **features: float):
    return scale, features


def petals(**petals: Petal):
    return petals


@pytest.mark.parametrize(
    ("function", "data", "errors"),
    [
        (numpy_default, {"x": "a"}, ["argument 'x' must be a number, not a string"]),
        (numpy_default, {"n": "a"}, ["argument 'n' must be a whole number, not a string"]),
        (numpy_default, {"s": 1}, ["argument 's' must be a string, not a whole number"]),
        (features, {"a": 1, "b": "x"}, ["argument 'b' must be a number, not a string"]),
        (features, {"scale": 2, "b": True}, ["argument 'b' must be a number, not true or false"]),
        (petals, {"p": {"length": "x"}}, ["argument 'p'.length: expected `float`, got `str`"]),
    ],
)
def test_wrong_value_of_default_or_keywords_is_refused(
    function: Callable[..., object], data: dict, errors: list[str]
) -> None:
    signature = Signature.of(function, "f")
    with pytest.raises(RequestError) as caught:
        DOMINO.arguments(json.dumps({"data": data}).encode(), signature)
    assert caught.value.errors == errors
    with pytest.raises(RequestError) as caught:
        mlflow.arguments(json.dumps({"instances": [data]}).encode(), signature)
    assert caught.value.errors == [f"row 0: {error}" for error in errors]
    columns = {name: [value] for name, value in data.items()}
    with pytest.raises(RequestError) as caught:
        mlflow.arguments(json.dumps({"inputs": columns}).encode(), signature)
    assert caught.value.errors == [f"row 0: {error}" for error in errors]


def test_values_of_keywords_are_converted() -> None:
    body = json.dumps({"data": {"p": {"length": 1}}}).encode()
    assert DOMINO.arguments(body, Signature.of(petals, "f"))[1] == {"p": Petal(1.0)}


@dataclass
class Exits:
    x: int

    def __post_init__(self) -> None:
        sys.exit(self.x)


class ExitsInModel(pydantic.BaseModel):
    x: int

    @pydantic.field_validator("x")
    @classmethod
    def check(cls, x: int) -> int:
        raise KeyboardInterrupt(x)


@pytest.mark.parametrize("hint", [Exits, ExitsInModel, list[Exits]])
def test_exit_of_user_class_is_an_error_of_the_function(hint: object) -> None:
    value = [{"x": 3}] if hint == list[Exits] else {"x": 3}
    with pytest.raises(RequestError, match=r"(SystemExit|KeyboardInterrupt): 3") as caught:
        convert(hint, value)
    assert caught.value.status == 500


@pytest.mark.parametrize("hint", [dict[str, Point | np.ndarray], list[Point | Broken]])
def test_hint_that_pydantic_refuses_ends_start(hint: object) -> None:
    def function(x): ...

    function.__annotations__ = {"x": hint}
    with pytest.raises(StartupError, match=r"handler m:f: argument 'x': pydantic refuses the hint"):
        Signature.of(function, "handler m:f")


@pytest.mark.parametrize(
    ("function", "request_", "expected"),
    [
        (count, {"instances": [{"n": 1.0}, {"n": 2}]}, [1, 2]),
        (count, {"instances": [1.0, 2]}, [1, 2]),
        (count, {"inputs": {"n": [1.0, 2.0]}}, [1, 2]),
        (count_all, {"inputs": {"n": [1.0, 2.0]}}, [1, 2]),
    ],
)
def test_whole_float_in_table_is_an_integer(
    function: Callable[..., object], request_: dict, expected: list[int]
) -> None:
    invocation = mlflow.arguments(json.dumps(request_).encode(), Signature.of(function, "f"))
    assert repr(results(function, invocation)) == repr(expected)


@pytest.mark.parametrize("function", [count, count_all])
def test_whole_float_in_tensor_is_an_integer(function: Callable[..., object]) -> None:
    tensor = {"name": "n", "datatype": "FP32", "shape": [2], "data": [1, 2]}
    body = json.dumps({"inputs": [tensor]}).encode()
    invocation, _ = open_inference.arguments(body, None, Signature.of(function, "f"), {})
    assert repr(results(function, invocation)) == "[1, 2]"


def test_whole_float_by_position_is_an_integer() -> None:
    positional, _ = DOMINO.arguments(b'{"parameters": [1.0]}', Signature.of(count, "f"))
    assert repr(positional) == "[1]"


def untyped(a, b): ...


def share(x: float):
    return x


def limited(x: Annotated[float, msgspec.Meta(description="a share")]):
    return x


def optional(x: float | None):
    return x


def shares(x: list[float]):
    return x


def optional_shares(x: list[float] | None):
    return x


def keywords(**x: float):
    return x["x"]


def matrix(x: list[list[float]]):
    return [row[0] for row in x]


@pytest.mark.parametrize(
    ("function", "request_", "expected"),
    [
        (share, {"instances": [{"x": 1}, {"x": None}]}, "[1, nan]"),
        (share, {"instances": [1, None]}, "[1, nan]"),
        (share, {"instances": [[1], [None]]}, "[1, nan]"),
        (share, {"inputs": {"x": [1, None]}}, "[1, nan]"),
        (limited, {"inputs": {"x": [1.5, None]}}, "[1.5, nan]"),
        (limited, {"dataframe_records": [{"x": None}]}, "[nan]"),
        (shares, {"inputs": {"x": [1.5, None]}}, "[1.5, nan]"),
        (shares, {"dataframe_records": [{"x": None}]}, "[nan]"),
        (optional_shares, {"inputs": {"x": [1.5, None]}}, "[1.5, nan]"),
        (matrix, {"instances": [[1.5], [None]]}, "[1.5, nan]"),
        (keywords, {"inputs": {"x": [1.5, None]}}, "[1.5, nan]"),
        (optional, {"inputs": {"x": [1, None]}}, "[1, None]"),
    ],
)
def test_null_in_table_is_nan_for_a_float(
    function: Callable[..., object], request_: dict, expected: str
) -> None:
    invocation = mlflow.arguments(json.dumps(request_).encode(), Signature.of(function, "f"))
    assert repr(results(function, invocation)) == expected


@pytest.mark.parametrize("function", [share, limited, shares, optional_shares, keywords])
def test_null_in_tensor_is_nan_for_a_float(function: Callable[..., object]) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [2], "data": [1.5, None]}
    body = json.dumps({"inputs": [tensor]}).encode()
    invocation, _ = open_inference.arguments(body, None, Signature.of(function, "f"), {})
    assert repr(results(function, invocation)) == "[1.5, nan]"


@pytest.mark.parametrize("function", [share, shares])
def test_null_is_no_float_in_an_object_or_in_params(function: Callable[..., object]) -> None:
    with pytest.raises(RequestError):
        DOMINO.arguments(b'{"data": {"x": null}}', Signature.of(function, "f"))
    with pytest.raises(RequestError):
        mlflow.arguments(b'{"instances": [{}], "params": {"x": null}}', Signature.of(function, "f"))


@pydantic.dataclasses.dataclass
class Validated:
    x: int

    @pydantic.field_validator("x")
    @classmethod
    def check(cls, x: int) -> int:
        if x > 3:
            raise ValueError("too large")
        return x


@dataclass
class WithLimit:
    share: Annotated[float, pydantic.Field(le=1)]


def positive(x: pydantic.PositiveInt = 1): ...
def between(x: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.5): ...
def constrained(x: pydantic.conint(gt=3) = 5): ...
def url(x: pydantic.HttpUrl = None): ...
def limit(x: Annotated[int, annotated_types.Gt(0)]): ...
def interval(x: list[Annotated[int, annotated_types.Interval(ge=1, le=3)]]): ...
def text(x: Annotated[str, annotated_types.Len(2, 3)]): ...
def validated(x: Validated): ...
def with_limit(x: WithLimit): ...
def fastapi(x: int = pydantic.Field(gt=0)): ...
def fastapi_default(x: int = pydantic.Field(5, gt=0)): ...
def fastapi_unhinted(x=pydantic.Field(pattern="^a")): ...  # noqa: B008 - FastAPI writes it so
def keyword_limits(**x: Annotated[int, pydantic.Field(gt=0)]): ...


LIMITED = [
    (positive, [1, 2.0], [0, "a", None]),
    (between, [0, 1, 0.5], [1.5, -1, "a"]),
    (constrained, [4], [3]),
    (url, ["http://a.example", None], ["a"]),
    (limit, [1], [0, None]),
    (interval, [[1, 3]], [[0], [4]]),
    (text, ["ab", "abc"], ["a", "abcd"]),
    (validated, [{"x": 3}], [{"x": 4}, {}]),
    (with_limit, [{"share": 1}], [{"share": 2}]),
    (fastapi, [1], [0, "a", None]),
    (fastapi_default, [1], [0]),
    (fastapi_unhinted, ["ab"], ["b", 1]),
    (keyword_limits, [1], [0]),
]


@pytest.mark.parametrize(("function", "right", "wrong"), LIMITED, ids=lambda v: str(v)[:30])
def test_limits_of_pydantic_are_checked(
    function: Callable[..., object], right: list, wrong: list
) -> None:
    signature = Signature.of(function, "f")
    for value in right:
        signature.check_named({"x": value})
    for value in wrong:
        with pytest.raises(RequestError) as caught:
            signature.check_named({"x": value})
        assert caught.value.status == 400
        assert caught.value.errors[0].startswith("argument 'x'")


def test_field_as_default_is_required_or_has_its_default() -> None:
    def function(
        a,
        n: int = pydantic.Field(gt=0),
        *,
        m: list = pydantic.Field([1], min_length=1),  # noqa: B008 - FastAPI writes it so
    ):
        return a, n, m

    signature = Signature.of(function, "f")
    assert signature.required == {"a", "n"}
    with pytest.raises(RequestError, match="argument 'n' is missing"):
        signature.check_named({"a": 1})
    call = signature.with_field_defaults(function)
    assert call(1, 2) == (1, 2, [1])
    assert call(a=1, n=2, m=[3]) == (1, 2, [3])
    assert call(1, n=2)[2] is not call(1, n=2)[2]


def test_function_without_fields_is_called_directly() -> None:
    assert Signature.of(share, "f").with_field_defaults(share) is share


@dataclass
class WithArray:
    x: np.ndarray
    y: float
    frame: pd.DataFrame | None = None


@dataclass
class WithTotal:
    """Two prices."""

    prices: list[int]
    total: float = field(init=False)
    scale: InitVar[float] = 1.0
    unused: ClassVar[Broken | None] = None

    def __post_init__(self, scale: float) -> None:
        self.total = sum(self.prices) * scale


@dataclass
class WithBoth:
    array: np.ndarray
    mean: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.mean = float(self.array.mean())


@dataclass
class Tree:
    name: str
    size: int = field(init=False)
    children: list["Tree"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = 1 + sum(child.size for child in self.children)


@dataclass
class Order:
    items: list[WithTotal]
    either: "Petal | WithTotal | None" = None


@dataclass
class WithPath:
    path: Path


@dataclass
class WithBroken:
    x: int
    broken: Broken


@dataclass
class WithUnresolved:
    x: "NoSuchType"  # noqa: F821


class BrokenTuple(NamedTuple):
    x: int
    broken: Broken


def total_of(prices: list[int], scale: float = 1.0) -> WithTotal:
    return WithTotal(prices, scale)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (WithTotal, {"prices": [1.0, 2], "total": 7}, total_of([1, 2])),
        (WithTotal, {"prices": [1], "scale": 3}, total_of([1], 3.0)),
        (list[WithTotal] | None, [{"prices": [1]}], [total_of([1])]),
        (dict[str, WithTotal], {"a": {"prices": []}}, {"a": total_of([])}),
        (Annotated[WithTotal, "a price"], {"prices": [1]}, total_of([1])),
        (Order, {"items": [{"prices": [1]}]}, Order([total_of([1])])),
        (Order, {"items": [], "either": {"length": 1}}, Order([], Petal(1.0))),
        (Order, {"items": [], "either": {"prices": [2]}}, Order([], total_of([2]))),
        (Petal | WithTotal, {"prices": [1]}, total_of([1])),
        (WithTotal | Petal, {"length": 1}, Petal(1.0)),
        (list[Petal | WithTotal], [{"length": 1}], [Petal(1.0)]),
        (Petal | WithTotal | None, None, None),
        (Petal | str, "a", "a"),
        (Petal | dict[str, int] | str, {"a": 1}, {"a": 1}),
        (Petal | Place, {"city": "Ulm"}, {"city": "Ulm"}),
        (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree("a", [Tree("b")])),
        (WithPath, {"path": "/a"}, WithPath(Path("/a"))),
    ],
)
def test_dataclass_that_msgspec_refuses_is_made(
    hint: object, value: object, expected: object
) -> None:
    argument = convert(hint, value)
    assert (type(argument), argument) == (type(expected), expected)


def test_arrays_inside_of_classes_and_lists_are_made() -> None:
    result = convert(WithArray, {"x": [[1, None]], "y": 2, "frame": [{"a": 1}]})
    assert type(result) is WithArray
    np.testing.assert_array_equal(result.x, [[1, np.nan]])
    assert result.frame.to_dict("list") == {"a": [1]}
    assert convert(WithBoth, {"array": [1, 3], "mean": 9}).mean == 2
    assert [a.tolist() for a in convert(list[np.ndarray], [[1], [2]])] == [[1], [2]]
    assert convert(WithArray | WithBoth, {"array": [1, 3]}).mean == 2


@pytest.mark.parametrize(
    ("hint", "value", "errors"),
    [
        (WithArray, {"x": "a", "y": 1}, ["argument 'x'.x must be an array, not a string"]),
        (WithArray, {"x": []}, ["argument 'x': object missing required field `y`"]),
        (
            list[WithTotal],
            [{"prices": [1, "a"]}],
            ["argument 'x'[0].prices[1]: expected `int`, got `str`"],
        ),
        (WithTotal, {}, ["argument 'x': object missing required field `prices`"]),
        (
            Order,
            {"items": [{"prices": ["a"]}]},
            ["argument 'x'.items[0].prices[0]: expected `int`, got `str`"],
        ),
        (
            Petal | WithTotal,
            {"prices": "a"},
            ["argument 'x'.prices: none of Petal | WithTotal: expected `array`, got `str`"],
        ),
        (Petal | str, 1, ["argument 'x': expected `str | object`, got `int`"]),
    ],
)
def test_wrong_value_inside_of_dataclass_is_reported(
    hint: object, value: object, errors: list[str]
) -> None:
    with pytest.raises(RequestError) as caught:
        convert(hint, value)
    assert caught.value.errors == errors


@pytest.mark.parametrize(
    ("hint", "reason"),
    [
        (WithBroken, "dataclass WithBroken cannot be made from JSON: field broken"),
        (list[WithBroken], "dataclass WithBroken cannot be made from JSON: field broken"),
        (Petal | WithBroken, "dataclass WithBroken cannot be made from JSON: field broken"),
        (BrokenTuple, "class BrokenTuple cannot be made from JSON: field broken"),
        (WithUnresolved, "dataclass WithUnresolved cannot be made from JSON: its type hints "),
    ],
)
def test_class_that_cannot_be_made_ends_start(hint: object, reason: str) -> None:
    def function(inp): ...

    function.__annotations__ = {"inp": hint}
    with pytest.raises(StartupError) as caught:
        Signature.of(function, "handler m:f")
    assert str(caught.value).startswith(f"handler m:f: argument 'inp': {reason}")


def test_optional_argument_that_cannot_be_made_is_refused_when_sent() -> None:
    def function(x: int, state: WithBroken = None): ...

    signature = Signature.of(function, "f")
    signature.check_named({"x": 1})
    with pytest.raises(RequestError, match="field broken; leave the argument out"):
        signature.check_named({"x": 1, "state": {}})


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [case for case in LIMITED if case[0].__name__ in {"limit", "interval", "text"}],
)
def test_limits_are_checked_without_pydantic(
    function: Callable[..., object],
    right: list,
    wrong: list,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "pydantic")
    test_limits_of_pydantic_are_checked(function, right, wrong)


def test_limit_that_msgspec_has_not_ends_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pydantic")

    def function(x: Annotated[int, annotated_types.Predicate(bool)]): ...

    with pytest.raises(StartupError, match="the limit Predicate is checked by pydantic alone"):
        Signature.of(function, "f")


def chat(model_input: list[Point]):
    return [point.x for point in model_input]


def chat_dicts(model_input: list[dict], suffix: str = ""):
    return [row["x"] for row in model_input]


def chat_structs(model_input: list[Petal] | None):
    return [petal.length for petal in model_input]


def one_point(point: Point, scale: int = 1):
    return point.x * scale


def one_petal(*, petal: Petal):
    return petal.length


def one_dict(row: dict[str, int]):
    return row["x"]


def one_typed_dict(row: Annotated[Place, "a place"] = None):
    return row["city"]


ROWS = [{"x": 1}, {"x": 2, "tags": ["t"]}]


@pytest.mark.parametrize("table", ["inputs", "instances", "dataframe_records"])
@pytest.mark.parametrize(
    ("function", "rows", "params", "expected"),
    [
        (chat, ROWS, {}, [1, 2]),
        (chat, [{"model_input": {"x": 1}}, {"model_input": {"x": 2}}], {}, [1, 2]),
        (chat_dicts, ROWS, {"suffix": "a"}, [1, 2]),
        (chat_structs, [{"length": 1}], {}, [1.0]),
        (one_point, ROWS, {"scale": 2}, [2, 4]),
        (one_point, [{"point": {"x": 3}, "scale": 2}], {}, [6]),
        (one_petal, [{"length": 1}, {"length": 2}], {}, [1.0, 2.0]),
        (one_dict, [{"x": 1}, {"x": 2.0, "y": 3}], {}, [1, 2]),
        (one_typed_dict, [{"city": "Ulm"}], {}, ["Ulm"]),
    ],
)
def test_single_argument_takes_rows_with_other_names(
    function: Callable[..., object], rows: list, params: dict, table: str, expected: list
) -> None:
    body = json.dumps({table: rows, "params": params}).encode()
    invocation = mlflow.arguments(body, Signature.of(function, "f"))
    assert results(function, invocation) == expected


@pytest.mark.parametrize("function", [chat, chat_dicts, one_point, one_dict])
def test_single_argument_takes_rows_of_columns(function: Callable[..., object]) -> None:
    split = {"columns": ["x"], "data": [[1], [2]]}
    for request in ({"inputs": {"x": [1, 2]}}, {"dataframe_split": split}):
        body = json.dumps(request).encode()
        invocation = mlflow.arguments(body, Signature.of(function, "f"))
        assert results(function, invocation) == [1, 2]


@pytest.mark.parametrize(
    ("function", "errors"),
    [
        (chat, ["argument 'model_input'[1].x: Field required"]),
        (one_point, ["row 1: argument 'point'.x: Field required"]),
        (count_all, ["argument 'x' is unknown; the function takes n", "argument 'n' is missing"]),
        (
            untyped,
            [
                "row 0: argument 'x' is unknown; the function takes a, b",
                "row 0: argument 'a' is missing",
                "row 0: argument 'b' is missing",
            ],
        ),
    ],
)
def test_wrong_row_of_single_argument_is_reported(
    function: Callable[..., object], errors: list[str]
) -> None:
    rows = [{"x": 1}, {} if function in {chat, one_point} else {"x": 2}]
    with pytest.raises(RequestError) as caught:
        mlflow.arguments(json.dumps({"inputs": rows}).encode(), Signature.of(function, "f"))
    assert caught.value.errors == errors


def all_lists(a: list, b: list[float], c: np.ndarray, d: pd.Series, e: list | None = None): ...
def one_value(a: list, b: float): ...
def value_with_default(a: list, b: float = 1): ...
def one_frame(frame: pd.DataFrame, k: int = 1): ...
def frame_and_value(frame: pd.DataFrame, k: int): ...
def no_arguments(): ...


@pytest.mark.parametrize(
    ("function", "binding"),
    [
        (all_lists, Binding.COLUMN),
        (one_value, Binding.VALUE),
        (value_with_default, Binding.COLUMN),
        (one_frame, Binding.FRAME),
        (frame_and_value, Binding.VALUE),
        (untyped, Binding.VALUE),
        (no_arguments, Binding.VALUE),
    ],
)
def test_binding_of_signature(function: Callable[..., object], binding: Binding) -> None:
    assert Signature.of(function, "f").binding is binding
