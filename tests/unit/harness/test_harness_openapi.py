"""The OpenAPI document is valid and agrees with what the harness accepts."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict

import jsonschema
import numpy as np
import openapi_spec_validator
import pandas as pd
import pydantic
import pytest
from model_harness.binding.signature import Parameter, Signature
from model_harness.errors import RequestError
from model_harness.protocols import json_encoding, openapi
from model_harness.protocols.domino import Domino
from model_harness.settings import Settings

SETTINGS = Settings("iris", "v3", "predict:predict")


@dataclass
class Petal:
    """A petal; measures in cm."""

    length: float
    width: float = 0.2


class Flower(TypedDict):
    species: str
    petals: list[Petal]


class Point(pydantic.BaseModel):
    x: int
    petal: Petal


def typed(petal: Petal, species: Literal["a", "b"] = "a", *, points: list[Point] = ()) -> Flower:
    """Name a flower.

    In two lines.
    """
    return {"species": species, "petals": [petal]}


def arrays(x: np.ndarray, frame: pd.DataFrame = None, default: object = object()):
    return x


def plain(a, b: float = 1.5, **extra):
    return a


def no_arguments():
    return None


def document_of(function: Callable[..., object], base: str = "/models/iris/prod") -> dict:
    document = openapi.openapi_document(Signature.of(function, "f"), SETTINGS, base)
    return json.loads(json_encoding.encode(document))


@pytest.mark.parametrize("function", [typed, arrays, plain, no_arguments])
def test_document_is_valid(function: Callable[..., object]) -> None:
    openapi_spec_validator.validate(document_of(function))


def test_document_has_docstring_and_hints_of_function() -> None:
    document = document_of(typed)
    assert document["info"] == {
        "title": "iris",
        "version": "v3",
        "description": "Name a flower.\n\nIn two lines.",
    }
    assert document["servers"] == [{"url": "/models/iris/prod"}]
    schemas = document["components"]["schemas"]
    assert schemas["Petal"]["description"] == "A petal; measures in cm."
    assert {"Petal", "Flower", "Point"} <= schemas.keys()
    response = document["paths"]["/model"]["post"]["responses"]["200"]["content"][
        "application/json"
    ]
    assert response["schema"]["properties"]["result"] == {"$ref": "#/components/schemas/Flower"}


def test_document_of_bare_path_has_root_server() -> None:
    assert document_of(plain, "")["servers"] == [{"url": "/"}]


def test_document_requires_authentication_where_tokens_are_set() -> None:
    assert "security" not in document_of(plain)
    settings = Settings("iris", "v3", "predict:predict", tokens="/tokens")
    document = openapi.openapi_document(Signature.of(plain, "f"), settings, "")
    openapi_spec_validator.validate(json.loads(json_encoding.encode(document)))
    assert document["security"] == [{"bearer": []}, {"basic": []}]


def test_document_of_signature_without_hints_is_valid() -> None:
    signature = Signature([Parameter("na.rm"), Parameter("n", required=False)], accepts_extra=True)
    document = json.loads(json_encoding.encode(openapi.openapi_document(signature, SETTINGS, "")))
    openapi_spec_validator.validate(document)


class Arbitrary(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    x: int
    array: np.ndarray


def test_document_leaves_out_what_pydantic_cannot_describe() -> None:
    def mixed(a: list[Arbitrary]) -> tuple[Point, np.ndarray]: ...
    def model() -> Arbitrary: ...
    def function() -> dict[str, Callable[[Point], int]]: ...

    for handler in (mixed, model, function):
        openapi_spec_validator.validate(document_of(handler))
    schemas = document_of(mixed)["components"]["schemas"]
    assert schemas["Arbitrary"]["properties"]["x"] == {"title": "X", "type": "integer"}
    assert schemas["Arbitrary"]["properties"]["array"] == {"title": "Array"}
    assert "Point" in schemas


@dataclass
class Total:
    """Prices and their sum."""

    prices: list[int]
    total: int = field(init=False)
    array: np.ndarray | None = None
    children: list["Total"] = field(default_factory=list)


def test_document_has_what_a_request_sends_of_a_dataclass() -> None:
    def function(a: Total, b: Petal | Total, c: list[Total]) -> Total: ...

    document = document_of(function)
    openapi_spec_validator.validate(document)
    request = document["paths"]["/model"]["post"]["requestBody"]["content"]["application/json"]
    data = request["schema"]["oneOf"][0]["properties"]["data"]
    validator = jsonschema.Draft202012Validator({**data, "components": document["components"]})
    right = {"a": {"prices": [1]}, "b": {"length": 1}, "c": [{"prices": []}]}
    assert validator.is_valid(right)
    assert not validator.is_valid({**right, "a": {}})
    assert not validator.is_valid({**right, "b": {"width": 1}})


def test_document_has_limits_of_pydantic() -> None:
    def function(
        a: pydantic.PositiveInt = 1,
        b: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.5,
        c: int = pydantic.Field(5, gt=2),
        d: str = pydantic.Field(max_length=3),
    ): ...

    document = document_of(function)
    openapi_spec_validator.validate(document)
    request = document["paths"]["/model"]["post"]["requestBody"]["content"]["application/json"]
    data = request["schema"]["oneOf"][0]["properties"]["data"]
    assert data["properties"] == {
        "a": {"type": "integer", "exclusiveMinimum": 0, "default": 1},
        "b": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
        "c": {"type": "integer", "exclusiveMinimum": 2, "default": 5},
        "d": {"type": "string", "maxLength": 3},
    }
    assert data["required"] == ["d"]


@pytest.mark.parametrize(
    ("function", "body", "is_valid"),
    [
        (typed, {"data": {"petal": {"length": 1}}}, True),
        (typed, {"data": {"petal": {"length": 1}, "species": "b", "points": []}}, True),
        (typed, {"parameters": [{"length": 1}]}, True),
        (typed, {"data": {"petal": {}}}, False),
        (typed, {"data": {"petal": {"length": 1}, "species": "c"}}, False),
        (typed, {"data": {"petal": {"length": 1}, "extra": 1}}, False),
        (typed, {"parameters": []}, False),
        (typed, {"data": {"petal": {"length": 1}}, "parameters": [{"length": 1}]}, False),
        (plain, {"data": {"a": None, "b": 1, "c": "rest"}}, True),
        (plain, {"data": {"b": 1}}, False),
        (plain, {"data": {"a": 1, "b": "x"}}, False),
        (plain, {"parameters": [1, 2, 3]}, False),
        (no_arguments, {"data": {}}, True),
        (no_arguments, {"parameters": []}, True),
        (no_arguments, {"data": {"a": 1}}, False),
    ],
)
def test_document_agrees_with_harness(
    function: Callable[..., object], body: dict, *, is_valid: bool
) -> None:
    document = document_of(function)
    operation = document["paths"]["/model"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator({**schema, "components": document["components"]})
    assert validator.is_valid(body) is is_valid
    is_accepted = True
    try:
        Domino(SETTINGS).arguments(json.dumps(body).encode(), Signature.of(function, "f"))
    except RequestError:
        is_accepted = False
    assert is_accepted is is_valid
