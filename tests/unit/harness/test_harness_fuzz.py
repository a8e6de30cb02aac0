"""Every request gets a response, never an error of the harness, and no malformed call."""

import json
from collections.abc import Awaitable, Generator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_harness.binding.signature import Signature
from model_harness.http.app import App
from model_harness.observability.metrics import RequestCounters
from model_harness.runtime.scheduler import CallScheduler
from model_harness.settings import Settings

from tests.support.fuzzed import by_column, by_value
from tests.support.malformed import HOSTILE, INFERENCES, TABLES, mutated

pytestmark = pytest.mark.slow

SETTINGS = Settings("iris", "v1", "predict:predict", body_bytes=10_000)
BASES = ["", "/models/iris/versions/v1", "/models/iris/prod", "/models/iris/labels/prod"]
ENDS = ["/model", "/invocations", "/ping", "/openapi.json"]
V2 = ["/v2/models/iris", "/v2/models/iris/versions/v1", "/v2/models/iris/ready"]
INFER = ["/v2/models/iris/infer", "/v2/models/iris/versions/v1/infer"]
STATUSES = {200, 204, 400, 404, 405, 413, 415}


class _CompleteBody(Awaitable[bytes]):
    def __init__(self, body: bytes) -> None:
        self.body = body

    def __await__(self) -> Generator[None, None, bytes]:
        return self.body
        yield

    def cancel(self) -> bool:
        return False


class Request:
    """Granian's scope and protocol in one, with a complete body."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method, self.path, self.body = method, path, body
        self.headers = {"content-length": str(len(body)), **headers}
        self.responses: list[tuple[int, dict[str, str], bytes]] = []
        self._chunks = iter((body, b""))

    def __call__(self) -> _CompleteBody:
        return _CompleteBody(self.body)

    def __aiter__(self) -> "Request":
        return self

    def __anext__(self) -> _CompleteBody:
        for chunk in self._chunks:
            return _CompleteBody(chunk)
        raise StopAsyncIteration

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.responses.append((status, dict(headers), body))


APPS = {}
for _function in (by_value, by_column):
    _scheduler = CallScheduler(SETTINGS.in_flight, SETTINGS.timeout_seconds)
    _scheduler.set_function(_function)
    APPS[_function.__name__] = App(SETTINGS, _scheduler, RequestCounters())
    APPS[_function.__name__].open(Signature.of(_function, "f"))


def respond(function: str, request: Request) -> tuple[int, dict[str, str], bytes]:
    coroutine = APPS[function].handle(request, request)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert len(request.responses) == 1
    status, headers, body = request.responses[0]
    assert status in STATUSES, body
    assert headers["x-request-id"]
    assert len(body) < 20_000
    if status != 204:
        length = int(headers.get("inference-header-content-length", len(body)))
        assert isinstance(json.loads(body[:length]), dict)
    return status, headers, body


functions = st.sampled_from(sorted(APPS))
fuzz = settings(
    max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@fuzz
@given(functions, mutated(TABLES))
def test_mutated_json_gets_response_of_domino_and_mlflow(function: str, body: object) -> None:
    content = json.dumps(body).encode()
    for end in ENDS[:2]:
        request = Request("POST", end, {"content-type": "application/json"}, content)
        respond(function, request)


@fuzz
@given(functions, st.sampled_from(INFERENCES), st.data())
def test_mutated_tensors_get_response(
    function: str, template: tuple[object, bytes], data: st.DataObject
) -> None:
    valid, binary = template
    content = json.dumps(data.draw(mutated([valid]))).encode()
    if data.draw(st.integers(0, 9)) == 7:
        binary = data.draw(st.binary(max_size=20))
    offset = data.draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    length = {"inference-header-content-length": str(len(content) + offset)} if binary else {}
    respond(function, Request("POST", INFER[0], length, content + binary))


@fuzz
@given(
    functions,
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "x"]),
    st.sampled_from([base + end for base in BASES for end in ENDS] + V2 + INFER)
    | st.text(max_size=20).map(lambda text: "/" + text),
    st.dictionaries(
        st.sampled_from(
            ["content-type", "content-encoding", "inference-header-content-length", "x-request-id"]
        ),
        st.sampled_from(["application/json", "application/octet-stream", "7", "-1", "gzip", "٣"])
        | st.text(max_size=20),
    ),
    st.binary(max_size=30),
)
def test_arbitrary_request_gets_response(
    function: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    respond(function, Request(method, path, headers, body))


@pytest.mark.parametrize("end", [*ENDS[:2], INFER[0]])
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_body_gets_response(end: str, body: bytes) -> None:
    for function in APPS:
        respond(function, Request("POST", end, {"content-type": "application/json"}, body))
