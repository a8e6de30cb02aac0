"""Each harness passes the golden cases of harness/contract that are for its language."""

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
    """What one process serves; cases that agree in it share the process."""

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
    """Started when first asked for, ended together."""
    started: dict[Served, HarnessProcess] = {}
    yield started
    for process in started.values():
        process.end()


def _process(
    processes: dict[Served, HarnessProcess], language: str, case: Mapping
) -> HarnessProcess:
    settings = case.get("settings", {})
    served = Served(language, case["handler"], tuple(sorted(settings.items())))
    if served not in processes:
        label = f"golden:{served.handler}"
        package = PACKAGES[language]
        process = HarnessProcess(CONTRACT / "handlers", label, settings, package=package)
        process.start()
        processes[served] = process
        process.await_ready()
    return processes[served]


def _ask(harness: HarnessProcess, request: Mapping) -> Answer:
    assert request.keys() <= REQUEST_KEYS
    body = json.dumps(request["json"]) if "json" in request else request.get("body")
    content = None if body is None else body.encode()
    headers = dict(request.get("headers", {"Content-Type": "application/json"}))
    if "binary" in request:
        assert content is not None
        headers[LENGTH] = str(len(content))
        content += bytes.fromhex(request["binary"])
    return harness.ask(
        request.get("method", "POST"),
        request.get("path", "/models/golden/versions/v7/model"),
        headers,
        content,
    )


def _parts(answer: Answer) -> tuple[object, str]:
    """The JSON, and in hexadecimal what is behind it."""
    length = int(answer.headers.get(LENGTH, len(answer.body)))
    return json.loads(answer.body[:length]), answer.body[length:].hex()


def test_each_case_has_a_name_of_its_own_and_no_unknown_key() -> None:
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names)) > 150
    assert set().union(*CASES) == CASE_KEYS


@pytest.mark.parametrize(("language", "case"), PAIRS)
def test_golden(language: str, case: dict, processes: dict[Served, HarnessProcess]) -> None:
    wanted = case["answer"]
    assert wanted.keys() <= ANSWER_KEYS
    assert wanted.keys() & {"json", "result", "errors", "empty"}, "a case must say the body"

    answer = _ask(_process(processes, language, case), case["request"])

    assert answer.status == wanted["status"], answer.body
    headers = {"content-type": "application/json", "content-length": str(len(answer.body))}
    if "empty" in wanted:
        assert answer.body == b""
        headers = {}
    headers |= {name.lower(): value for name, value in wanted.get("headers", {}).items()}
    headers |= {"x-model-version": "v7"}
    for name, pattern in headers.items():
        assert differences(pattern, answer.headers.get(name)) == [], name
    assert differences("~[A-Z0-9]{16}", answer.headers["x-request-id"]) == []
    if "empty" not in wanted:
        found, binary = _parts(answer)
        _check_body(wanted, found, answer.headers["x-request-id"])
        assert binary == wanted.get("binary", "")


def _check_body(wanted: Mapping, found: object, request_id: str) -> None:
    assert isinstance(found, dict)
    for name in ("request_id", "requestId"):
        assert found.get(name, request_id) == request_id
    if "json" in wanted:
        assert differences(wanted["json"], found) == []
    if "result" in wanted:
        assert {"result", "request_id"} <= found.keys()
        assert differences(wanted["result"], found["result"]) == []
    if "errors" in wanted:
        assert found.keys() == {"requestId", "errors"}
        assert differences(wanted["errors"], found["errors"]) == []


@pytest.mark.parametrize(
    ("pattern", "found"),
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
def test_a_pattern_that_does_not_match_says_so(pattern: object, found: object) -> None:
    assert differences(pattern, found) != []
