"""The Domino protocol (docs/http.md) through the entry point."""

from __future__ import annotations

import json
import re

import pytest
import requests

from tests.support.local_stack import ENTRY_POINT_URL
from tests.support.traffic import FLOWER, address, call, json_text

LIMIT = 10 * 1024 * 1024
REQUEST_ID = re.compile(r"[A-Z0-9]{16}")
BASES = {
    "versions/v1": {"v1"},
    "versions/v2": {"v2"},
    "versions/v3": {"v3"},
    "latest": {"v3"},
    "prod": {"v1", "v2"},
    "labels/prod": {"v1", "v2"},
}


def check_refusal(answer: requests.Response, status: int, *fragments: str) -> None:
    """Check the status and the messages of an error response."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"requestId", "errors"}
    assert REQUEST_ID.fullmatch(body["requestId"])
    assert answer.headers["X-Request-Id"] == body["requestId"]
    assert answer.headers["X-Model-Version"] == "v1"
    assert body["errors"]
    for sentence in body["errors"]:
        assert isinstance(sentence, str)
        assert len(sentence.split()) >= 4, sentence
    for fragment in fragments:
        assert fragment in " ".join(body["errors"]), body["errors"]


def post(content: str | bytes, content_type: str | None = "application/json") -> requests.Response:
    """Send exactly these bytes to version 1 of iris."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    return requests.post(address("iris", "versions/v1"), data=content, headers=headers, timeout=30)


@pytest.mark.parametrize("base", BASES)
def test_prediction_has_every_field_of_domino_protocol(base: str) -> None:
    answer = call("iris", base)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body.keys() == {"result", "model_time_in_ms", "timing", "request_id", "release"}
    assert body["result"].keys() == {"species", "probability"}
    assert body["result"]["species"] in ("versicolor", "virginica")
    assert type(body["result"]["probability"]) is float
    assert 0.4 < body["result"]["probability"] <= 1
    assert type(body["model_time_in_ms"]) is int
    assert type(body["timing"]) is float
    assert body["model_time_in_ms"] <= body["timing"] < body["model_time_in_ms"] + 1
    assert REQUEST_ID.fullmatch(body["request_id"])
    assert answer.headers["X-Request-Id"] == body["request_id"]
    version = answer.headers["X-Model-Version"]
    assert version in BASES[base]
    release = body["release"]
    assert release.keys() == {"model_version", "model_version_number", "harness_version"}
    assert release["model_version"] == version
    assert release["model_version_number"] == int(version[1:])
    assert type(release["model_version_number"]) is int
    assert re.fullmatch(r"\d+\.\d+\.\d+", release["harness_version"])


def test_versions_return_different_results() -> None:
    first, second = (call("iris", f"versions/{version}").json() for version in ("v1", "v2"))
    assert first["result"] != second["result"]


def test_positional_parameters_equal_named_ones() -> None:
    positional = post(json.dumps({"parameters": list(FLOWER.values())}))
    assert positional.status_code == 200, positional.text
    assert positional.json()["result"] == call("iris", "versions/v1").json()["result"]


def test_response_has_request_id_of_client() -> None:
    answer = requests.post(
        address("iris", "prod"),
        json={"data": FLOWER},
        headers={"X-Request-Id": "E2E0E2E0E2E0E2E0"},
        timeout=30,
    )
    assert answer.headers["X-Request-Id"] == "E2E0E2E0E2E0E2E0"
    assert answer.json()["request_id"] == "E2E0E2E0E2E0E2E0"


@pytest.mark.parametrize(
    "base",
    [
        "versions/v10", "versions/v1x", "versions/v11", "versions/v", "versions/v4", "versions/V1",
        "versions/v1-", "v1", "v10", "latestx", "prodx", "nothing", "labels/nothing",
        "labels/latest", "labels/v1",
    ],
)  # fmt: skip
def test_unknown_route_is_not_found(base: str) -> None:
    answer = call("iris", base)
    assert answer.status_code == 404, answer.text
    assert "X-Model-Version" not in answer.headers


def test_unknown_model_is_not_found() -> None:
    assert call("irisx", "prod").status_code == 404
    assert call("iri", "versions/v1").status_code == 404


@pytest.mark.parametrize("path", ["models", "model/", "model/x", "", "predict", "health/ready"])
def test_unknown_path_of_version_is_not_found_with_message(path: str) -> None:
    url = f"{ENTRY_POINT_URL}/models/iris/versions/v1/{path}"
    answer = requests.post(url, json={"data": FLOWER}, timeout=30)
    check_refusal(answer, 404, "no such path", "/models/iris/versions/v1/model")


@pytest.mark.parametrize(
    ("body", "fragments"),
    [
        ('{"data": {"sepal_length": 1,}}', ["not JSON"]),
        ("", ["empty"]),
        ("\xff\xfe", ["not JSON"]),
        ('{"data": {"sepal_length": NaN}}', ["not JSON"]),
        ("[1, 2]", ["not a JSON object"]),
        ("{}", ["neither data nor parameters"]),
        ('{"data": [1]}', ["data is not an object"]),
        ('{"parameters": {"a": 1}}', ["parameters is not an array"]),
        ('{"data": {}, "parameters": []}', ["both data and parameters"]),
        ('{"date": {}}', ["'date'"]),
    ],
)
def test_malformed_body_is_refused(body: str, fragments: list[str]) -> None:
    check_refusal(post(body.encode("latin-1")), 400, *fragments)


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in FLOWER.items() if key != name}


@pytest.mark.parametrize(
    ("data", "fragments"),
    [
        (without("petal_width"), ["'petal_width' is missing"]),
        ({}, [f"'{name}' is missing" for name in FLOWER]),
        ({**FLOWER, "colour": "blue"}, ["'colour' is unknown", *FLOWER]),
        ({**without("petal_width"), "petal_with": 1}, ["'petal_with'", "'petal_width' is missing"]),
        ({**FLOWER, "sepal_length": "5.1"}, ["'sepal_length' must be a number", "a string"]),
        ({**FLOWER, "sepal_width": None}, ["'sepal_width' must be a number", "null"]),
        ({**FLOWER, "petal_length": [1]}, ["'petal_length' must be a number", "an array"]),
    ],
)
def test_wrong_argument_is_named(data: dict[str, object], fragments: list[str]) -> None:
    check_refusal(call("iris", "versions/v1", data), 400, *fragments)


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"],
)
def test_wrong_content_type_is_refused(content_type: str | None) -> None:
    answer = post(json.dumps({"data": FLOWER}).encode(), content_type)
    check_refusal(answer, 415, "Content-Type", "application/json")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_wrong_method_is_refused(method: str) -> None:
    answer = requests.request(method, address("iris", "versions/v1"), timeout=30)
    check_refusal(answer, 405, f"'{method}'", "POST")
    assert answer.headers["Allow"] == "POST"


def test_body_over_limit_is_refused() -> None:
    check_refusal(post(b'{"data": "' + b"x" * LIMIT + b'"}'), 413, str(LIMIT))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -0.0,
        1.0,
        [2**63 - 1, -(2**63), 2**53 + 1, 0.1 + 0.2, 5e-324, 1.7976931348623157e308],
        "",
        '\u0000\u001f\u007f\u2028\ufeff\\"/ e\u0301 \U0001f33c',
        {"": {"": []}, "data": {"value": 1}, "parameters": [], "__class__": "x", "a.b": {}},
        [[], {}, [[[[[[[[]]]]]]]], [None, [False]]],
        ["x" * 200_000],
        list(range(5000)),
    ],
    ids=lambda value: json_text(value)[:24],
)
def test_any_json_is_echoed(value: object) -> None:
    answer = call("echo", "prod", {"value": value})
    assert answer.status_code == 200, answer.text
    assert json_text(answer.json()["result"]) == json_text(value)
