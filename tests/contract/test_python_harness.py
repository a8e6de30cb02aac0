"""The Python harness passes the golden cases of harness/contract."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest
import yaml

from tests.contract.harness_process import ROOT, Answer, HarnessProcess
from tests.contract.patterns import differences

CONTRACT = ROOT / "harness" / "contract"
REQUEST_KEYS = {"method", "path", "headers", "json", "body"}
ANSWER_KEYS = {"status", "headers", "json", "result", "errors"}


class Served(NamedTuple):
    """What one process serves; cases that agree in it share the process."""

    handler: str
    settings: tuple[tuple[str, str], ...]


def _cases() -> list[dict]:
    cases = []
    for path in sorted((CONTRACT / "cases").glob("*.yaml")):
        cases += yaml.safe_load(path.read_text(encoding="utf-8"))
    return cases


CASES = _cases()


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[Served, HarnessProcess]]:
    """Started when first asked for, ended together."""
    started: dict[Served, HarnessProcess] = {}
    yield started
    for process in started.values():
        process.end()


def _process(processes: dict[Served, HarnessProcess], case: Mapping) -> HarnessProcess:
    served = Served(case["handler"], tuple(sorted(case.get("settings", {}).items())))
    if served not in processes:
        label = f"golden:{served.handler}"
        process = HarnessProcess(CONTRACT / "handlers", label, dict(served.settings))
        process.start()
        processes[served] = process
        process.await_ready()
    return processes[served]


def _ask(harness: HarnessProcess, request: Mapping) -> Answer:
    assert request.keys() <= REQUEST_KEYS
    body = request.get("body")
    content = json.dumps(request["json"]) if "json" in request else body
    return harness.ask(
        request.get("method", "POST"),
        request.get("path", "/models/golden/versions/v7/model"),
        request.get("headers", {"Content-Type": "application/json"}),
        None if content is None else content.encode(),
    )


def test_each_case_has_a_name_of_its_own() -> None:
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names)) > 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden(case: dict, processes: dict[Served, HarnessProcess]) -> None:
    wanted = case["answer"]
    assert wanted.keys() <= ANSWER_KEYS
    assert wanted.keys() & {"json", "result", "errors"}, "a case must say what the body is"

    answer = _ask(_process(processes, case), case["request"])

    assert answer.status == wanted["status"], answer.body
    found = answer.json()
    assert isinstance(found, dict)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-model-version"] == "v7"
    request_id = found.get("request_id", found.get("requestId"))
    assert answer.headers["x-request-id"] == request_id
    assert differences("~[A-Z0-9]{16}", request_id) == []
    for name, pattern in wanted.get("headers", {}).items():
        assert differences(pattern, answer.headers.get(name.lower())) == []
    if "json" in wanted:
        assert differences(wanted["json"], found) == []
    if "result" in wanted:
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
