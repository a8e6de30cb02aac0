"""Each harness passes the golden cases of harness/contract for its language."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest
import yaml

from tests.contract.harness_process import ROOT, Answer, HarnessProcess
from tests.contract.patterns import differences

CONTRACT = ROOT / "harness" / "contract"
PACKAGES = {"python": "model_harness", "r": "model_harness_r"}
CASE_KEYS = {"name", "language", "handler", "settings", "request", "answer"}
REQUEST_KEYS = {"method", "path", "headers", "json", "body", "binary"}
ANSWER_KEYS = {"status", "headers", "json", "result", "errors", "empty", "binary"}
LENGTH = "inference-header-content-length"


class Served(NamedTuple):
    """What one process serves; cases with equal values share the process."""

    language: str
    handler: str
    settings: tuple[tuple[str, str], ...]


def _cases() -> list[dict]:
    cases = []
    for path in sorted((CONTRACT / "cases").glob("*.yaml")):
        cases += yaml.safe_load(path.read_text(encoding="utf-8"))
    return cases


CASES = _cases()
PAIRS = [
    pytest.param(language, case, id=f"{language}: {case['name']}")
    for language in PACKAGES
    for case in CASES
    if case.get("language", language) == language
]


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[Served, HarnessProcess]]:
    """Start a process for its first case, and end all together."""
    started: dict[Served, HarnessProcess] = {}
    yield started
    for process in started.values():
        process.end()


def _process(
    processes: dict[Served, HarnessProcess], language: str, case: Mapping
) -> HarnessProcess:
    settings = case.get("settings", {})
    key = Served(language, case["handler"], tuple(sorted(settings.items())))
    if key not in processes:
        label = f"golden:{key.handler}"
        package = PACKAGES[language]
        process = HarnessProcess(CONTRACT / "handlers", label, settings, package=package)
        process.start()
        processes[key] = process
        process.await_ready()
    return processes[key]


def _send(harness: HarnessProcess, request: Mapping) -> Answer:
    assert request.keys() <= REQUEST_KEYS
    body = json.dumps(request["json"]) if "json" in request else request.get("body")
    content = None if body is None else body.encode()
    headers = dict(request.get("headers", {"Content-Type": "application/json"}))
    if "binary" in request:
        assert content is not None
        headers[LENGTH] = str(len(content))
        content += bytes.fromhex(request["binary"])
    return harness.request(
        request.get("method", "POST"),
        request.get("path", "/models/golden/versions/v7/model"),
        headers,
        content,
    )


def _parts(answer: Answer) -> tuple[object, str]:
    """Return the JSON, and the binary data after it in hexadecimal."""
    length = int(answer.headers.get(LENGTH, len(answer.body)))
    return json.loads(answer.body[:length]), answer.body[length:].hex()


def test_cases_have_unique_names_and_known_keys() -> None:
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names)) > 150
    assert set().union(*CASES) == CASE_KEYS


@pytest.mark.parametrize(("language", "case"), PAIRS)
def test_golden(language: str, case: dict, processes: dict[Served, HarnessProcess]) -> None:
    expected = case["answer"]
    assert expected.keys() <= ANSWER_KEYS
    assert expected.keys() & {"json", "result", "errors", "empty"}, "a case must have a body"

    answer = _send(_process(processes, language, case), case["request"])

    assert answer.status == expected["status"], answer.body
    headers = {"content-type": "application/json", "content-length": str(len(answer.body))}
    if "empty" in expected:
        assert answer.body == b""
        headers = {}
    headers |= {name.lower(): value for name, value in expected.get("headers", {}).items()}
    headers |= {"x-model-version": "v7"}
    for name, pattern in headers.items():
        assert differences(pattern, answer.headers.get(name)) == [], name
    assert differences("~[A-Z0-9]{16}", answer.headers["x-request-id"]) == []
    if "empty" not in expected:
        body, binary = _parts(answer)
        _check_body(expected, body, answer.headers["x-request-id"])
        assert binary == expected.get("binary", "")


def _check_body(expected: Mapping, body: object, request_id: str) -> None:
    assert isinstance(body, dict)
    for name in ("request_id", "requestId"):
        assert body.get(name, request_id) == request_id
    if "json" in expected:
        assert differences(expected["json"], body) == []
    if "result" in expected:
        assert {"result", "request_id"} <= body.keys()
        assert differences(expected["result"], body["result"]) == []
    if "errors" in expected:
        assert body.keys() == {"requestId", "errors"}
        assert differences(expected["errors"], body["errors"]) == []


@pytest.mark.parametrize(
    ("pattern", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ([1], [1, 2]),
        (1, True),
        (None, 0),
        (False, 0),
        ("<integer>", 1.0),
        ("<integer>", True),
        ("<number>", "1"),
        ("~a+", "aab"),
    ],
)
def test_pattern_reports_difference(pattern: object, actual: object) -> None:
    assert differences(pattern, actual) != []
