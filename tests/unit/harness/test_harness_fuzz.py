"""Whatever comes in: an answer, none of them the harness's own failure, and no malformed call."""

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Generator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_harness.front import Front
from model_harness.handler import Handler
from model_harness.settings import Settings
from model_harness.signature import Signature

SETTINGS = Settings("iris", "v1", "predict:predict", body_bytes=10_000)
BASES = ["", "/models/iris/versions/v1", "/models/iris/prod", "/models/iris/labels/prod"]
ENDS = ["/model", "/invocations", "/ping", "/openapi.json"]
V2 = ["/v2/models/iris", "/v2/models/iris/versions/v1", "/v2/models/iris/ready"]
INFER = ["/v2/models/iris/infer", "/v2/models/iris/versions/v1/infer"]
STATUSES = {200, 204, 400, 404, 405, 413, 415}


class MalformedError(Exception):
    """A call that the signature does not allow."""


def by_value(a: float, b: int = 1, *, c: str | None = None) -> float:
    """Take single values, and trust nobody."""
    if type(a) not in {float, int} or type(b) is not int or type(c) not in {str, type(None)}:
        raise MalformedError
    return 1.5


def by_column(a: list[float], b: list) -> list[float]:
    """Take whole columns."""
    if type(a) is not list or type(b) is not list or not all(type(one) is float for one in a):
        raise MalformedError
    return a


class _Now(Awaitable[bytes]):
    def __init__(self, body: bytes) -> None:
        self.body = body

    def __await__(self) -> Generator[None, None, bytes]:
        return self.body
        yield


class Request:
    """Granian's scope and protocol in one, for a body that is there."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method, self.path, self.body = method, path, body
        self.headers = {"content-length": str(len(body)), **headers}
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def __call__(self) -> Awaitable[bytes]:
        return _Now(self.body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.body
        yield b""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answers.append((status, dict(headers), body))


FRONTS = {}
for _function in (by_value, by_column):
    FRONTS[_function.__name__] = Front(SETTINGS)
    FRONTS[_function.__name__].open(Handler("f", _function, Signature.of(_function, "f")))


def answer(function: str, request: Request) -> tuple[int, dict[str, str], bytes]:
    coroutine = FRONTS[function].answer(request, request)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert len(request.answers) == 1
    status, headers, body = request.answers[0]
    assert status in STATUSES, body
    assert headers["x-request-id"]
    assert len(body) < 20_000
    if status != 204:
        length = int(headers.get("inference-header-content-length", len(body)))
        assert isinstance(json.loads(body[:length]), dict)
    return status, headers, body


names = st.sampled_from(["a", "b", "c", "d", "input-0", ""])
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    names,
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
TABLES: list[object] = [
    {"data": {"a": 1.5, "b": 2}},
    {"data": {"a": [1.5], "b": ["x"]}},
    {"parameters": [1.5, 2]},
    {"parameters": [[1.5], [2]]},
    {"instances": [[1.5, 2], [3, 4]]},
    {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}], "params": {}},
    {"instances": [1, 2.5], "params": {"b": 3, "c": "x"}},
    {"inputs": {"a": [1, 2], "b": [3, 4]}},
    {"inputs": [[1, 2]]},
    {"dataframe_records": [{"a": 1, "b": 2}, {"b": 2, "a": 3}]},
    {"dataframe_split": {"columns": ["b", "a"], "index": [0], "data": [[1, 2], [3, 4.5]]}},
]
A = {"name": "a", "datatype": "FP64", "shape": [2], "data": [1.5, None]}
B = {"name": "b", "datatype": "INT8", "shape": [2, 1], "data": [[1], [2]]}
BINARY_A = {"name": "a", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}
BINARY_B = {"name": "b", "datatype": "UINT8", "shape": [2], "parameters": {"binary_data_size": 2}}
TEXTS = {"name": "c", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 10}}
POSITIONAL = {"name": "input-0", "datatype": "INT32", "shape": [2, 2], "data": [1, 2, 3, 4]}
INFERENCES: list[tuple[object, bytes]] = [
    ({"inputs": [A, B], "id": "x"}, b""),
    ({"inputs": [A], "parameters": {"b": 3}}, b""),
    ({"inputs": [BINARY_A, BINARY_B], "parameters": {"binary_data_output": True}}, bytes(10)),
    ({"inputs": [A, TEXTS], "outputs": [{"name": "output-0"}]}, b"\x01\x00\x00\x00x" * 2),
    (
        {
            "inputs": [A, B],
            "outputs": [{"name": "output-0", "parameters": {"binary_data": True}}],
        },
        b"",
    ),
    ({"inputs": [POSITIONAL]}, b""),
]


@st.composite
def mutated(draw: st.DrawFn, templates: list[object]) -> object:
    """Give a good request with none to three places changed."""
    value = copy.deepcopy(draw(st.sampled_from(templates)))
    for _ in range(draw(st.integers(0, 3))):
        value = _mutated(draw, value)
    return value


def _mutated(draw: st.DrawFn, value: object) -> object:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 7:
        return draw(values)
    key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
    if draw(st.integers(0, 9)) == 7:
        value.pop(key)
    else:
        value[key] = _mutated(draw, value[key])  # type: ignore[index] # of its kind
    return value


functions = st.sampled_from(sorted(FRONTS))
fuzz = settings(
    max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@fuzz
@given(functions, mutated(TABLES))
def test_any_json_to_domino_and_mlflow(function: str, body: object) -> None:
    content = json.dumps(body).encode()
    for end in ENDS[:2]:
        request = Request("POST", end, {"content-type": "application/json"}, content)
        answer(function, request)


@fuzz
@given(functions, st.sampled_from(INFERENCES), st.data())
def test_any_tensors(function: str, template: tuple[object, bytes], data: st.DataObject) -> None:
    good, binary = template
    content = json.dumps(data.draw(mutated([good]))).encode()
    if data.draw(st.integers(0, 9)) == 7:
        binary = data.draw(st.binary(max_size=20))
    off = data.draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    length = {"inference-header-content-length": str(len(content) + off)} if binary else {}
    answer(function, Request("POST", INFER[0], length, content + binary))


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
def test_any_request(
    function: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    answer(function, Request(method, path, headers, body))


@pytest.mark.parametrize("end", [*ENDS[:2], INFER[0]])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5000,
        b'{"data":' * 500 + b"1" + b"}" * 500,
        b'{"instances":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"parameters":[' + b"[" * 900 + b"]" * 900 + b"]}",
        b'{"inputs":[{"name":"a","datatype":"FP32","shape":[1],"data":'
        + b"[" * 900
        + b"]" * 900
        + b"}]}",
        b'{"inputs":{"a":' + b"[" * 900 + b"]" * 900 + b',"b":[]}}',
        b'{"data":{"a":1e400}}',
        b'{"data":{"a":' + b"9" * 5000 + b"}}",
        b'{"data":{"a":1,"a":2}}',
        b'{"data":{"a":"\\ud800"}}',
        b'\xff{"data":{}}',
        b"",
    ],
    ids=range(12),
)
def test_hostile_bodies(end: str, body: bytes) -> None:
    for function in FRONTS:
        answer(function, Request("POST", end, {"content-type": "application/json"}, body))
