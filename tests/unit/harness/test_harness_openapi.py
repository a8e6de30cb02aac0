"""The OpenAPI document: valid by the standard, and true of what the harness takes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypedDict

import jsonschema
import numpy as np
import openapi_spec_validator
import pandas as pd
import pydantic
import pytest
from model_harness import encoding, openapi
from model_harness.domino import Domino
from model_harness.errors import RefusedError
from model_harness.settings import Settings
from model_harness.signature import Parameter, Signature

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


def plain(a, b: float = 1.5, **rest):
    return a


def none():
    return None


def document(function: Callable[..., object], base: str = "/models/iris/prod") -> dict:
    found = openapi.document(Signature.of(function, "f"), SETTINGS, base)
    return json.loads(encoding.encode(found))


@pytest.mark.parametrize("function", [typed, arrays, plain, none])
def test_the_document_is_valid(function: Callable[..., object]) -> None:
    openapi_spec_validator.validate(document(function))


def test_it_says_what_the_function_says() -> None:
    found = document(typed)
    assert found["info"] == {
        "title": "iris",
        "version": "v3",
        "description": "Name a flower.\n\nIn two lines.",
    }
    assert found["servers"] == [{"url": "/models/iris/prod"}]
    schemas = found["components"]["schemas"]
    assert schemas["Petal"]["description"] == "A petal; measures in cm."
    assert {"Petal", "Flower", "Point"} <= schemas.keys()
    answer = found["paths"]["/model"]["post"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["properties"]["result"] == {"$ref": "#/components/schemas/Flower"}


def test_of_the_bare_path_too() -> None:
    assert document(plain, "")["servers"] == [{"url": "/"}]


def test_tokens_are_told_where_there_are_some() -> None:
    assert "security" not in document(plain)
    settings = Settings("iris", "v3", "predict:predict", tokens="/tokens")
    found = openapi.document(Signature.of(plain, "f"), settings, "")
    openapi_spec_validator.validate(json.loads(encoding.encode(found)))
    assert found["security"] == [{"bearer": []}, {"basic": []}]


def test_a_signature_of_another_language_has_one_as_well() -> None:
    signature = Signature([Parameter("na.rm"), Parameter("n", required=False)], takes_rest=True)
    found = json.loads(encoding.encode(openapi.document(signature, SETTINGS, "")))
    openapi_spec_validator.validate(found)


@pytest.mark.parametrize(
    ("function", "body", "fits"),
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
        (none, {"data": {}}, True),
        (none, {"parameters": []}, True),
        (none, {"data": {"a": 1}}, False),
    ],
)
def test_the_document_and_the_harness_agree(
    function: Callable[..., object], body: dict, *, fits: bool
) -> None:
    found = document(function)
    operation = found["paths"]["/model"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator({**schema, "components": found["components"]})
    assert validator.is_valid(body) is fits
    taken = True
    try:
        Domino(SETTINGS).arguments(json.dumps(body).encode(), Signature.of(function, "f"))
    except RefusedError:
        taken = False
    assert taken is fits
