"""The OpenAPI document of every harness, and request bodies where none is expected."""

import http.client
from collections.abc import Iterator

import openapi_spec_validator
import pytest

from tests.contract.harness_process import ROOT, HarnessProcess

HANDLERS = ROOT / "harness" / "contract" / "handlers"
BODY = b'{"data": {"name": "Ada"}}'


@pytest.fixture(scope="module", params=["model_harness", "model_harness_r"])
def harness(request: pytest.FixtureRequest) -> Iterator[HarnessProcess]:
    with HarnessProcess(HANDLERS, "golden:greet", package=request.param) as process:
        yield process


@pytest.mark.parametrize(
    "base",
    [
        "",
        "/models/golden/versions/v7",
        "/models/golden/latest",
        "/models/golden/prod",
        "/models/golden/labels/prod",
    ],
)
def test_document_is_valid_and_has_server_url_of_base(harness: HarnessProcess, base: str) -> None:
    document = harness.request("GET", f"{base}/openapi.json").json()
    assert isinstance(document, dict)
    openapi_spec_validator.validate(document)
    assert document["servers"] == [{"url": base or "/"}]
    headers = {"Content-Type": "application/json"}
    assert harness.request("POST", f"{base}/model", headers, BODY).status == 200
    schema = document["paths"]["/model"]["post"]["requestBody"]["content"]["application/json"]
    named = schema["schema"]["oneOf"][0]["properties"]["data"]
    assert (list(named["properties"]), named["required"]) == (["name", "greeting"], ["name"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_unexpected_body_does_not_break_connection(
    harness: HarnessProcess, method: str, size: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", harness.port, timeout=10)
    for _ in range(2):
        connection.request(method, "/ping", b"x" * size)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == (204 if method == "OPTIONS" else 200)
    connection.request("POST", "/model", BODY, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()
