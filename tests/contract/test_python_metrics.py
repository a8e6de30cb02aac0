"""`/metrics` on the health port after real requests."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.harness_process import HarnessProcess
from tests.support.time_limits import at_most

FUNCTION = """
import time
def predict(seconds):
    time.sleep(seconds)
    return seconds
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.py").write_text(FUNCTION)
    return tmp_path


@pytest.fixture(params=["1", "2"], ids=["one worker", "two workers"])
def harness(request: pytest.FixtureRequest, folder: Path) -> Iterator[HarnessProcess]:
    settings = {
        "MODEL_WORKERS": request.param,
        "MODEL_TIMEOUT_SECONDS": "1",
        "MODEL_IN_FLIGHT": "3",
    }
    with HarnessProcess(folder, "predict:predict", settings) as process:
        yield process


Samples = dict[str, float]


def read(harness: HarnessProcess) -> Samples:
    answer = harness.request("GET", "/metrics", port=harness.health_port)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            assert (sample.labels["model"], sample.labels["version"]) == ("golden", "v7")
            extra = [v for k, v in sample.labels.items() if k not in {"model", "version"}]
            samples[" ".join([sample.name, *extra])] = sample.value
    return samples


def until(harness: HarnessProcess, condition: Callable[[Samples], bool]) -> Samples:
    end = time.monotonic() + at_most(10)
    samples = read(harness)
    while not condition(samples) and time.monotonic() < end:
        time.sleep(0.05)
        samples = read(harness)
    assert condition(samples), samples
    return samples


def test_responses_are_counted_by_status_and_kind(harness: HarnessProcess) -> None:
    for _ in range(5):
        assert harness.call({"seconds": 0}).status == 200
    assert harness.call({"seconds": "x"}).status == 500
    assert harness.call({"second": 1}).status == 400
    assert harness.request("GET", "/nowhere").status == 404
    assert harness.call({"seconds": 1.3}).status == 504
    time.sleep(1.5)  # meanwhile the harness sends internal requests
    samples = until(harness, lambda values: values.get("model_requests_total 200") == 5)
    statuses = {k: v for k, v in samples.items() if k.startswith("model_requests_total")}
    assert statuses == {
        "model_requests_total 200": 5,
        "model_requests_total 400": 1,
        "model_requests_total 404": 1,
        "model_requests_total 500": 1,
        "model_requests_total 504": 1,
    }
    errors = {k: v for k, v in samples.items() if k.startswith("model_errors_total") and v}
    assert errors == {
        "model_errors_total request": 2,
        "model_errors_total function": 1,
        "model_errors_total timeout": 1,
    }
    assert samples["model_request_duration_seconds_count"] == 5
    assert samples["model_request_duration_seconds_bucket 0.5"] == 5


def test_calls_in_flight_are_exposed(harness: HarnessProcess) -> None:
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(harness.call, {"seconds": 0.4}) for _ in range(2)]
        until(harness, lambda values: values["model_requests_in_flight"] == 2)
        assert {call.result().status for call in calls} == {200}
    until(harness, lambda values: values["model_requests_in_flight"] == 0)
