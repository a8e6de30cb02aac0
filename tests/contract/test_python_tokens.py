"""Authentication by tokens in a directory, replaced while the harness runs."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.harness_process import Answer, HarnessProcess
from tests.support.time_limits import at_most

BODY = b'{"data": {}}'


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    folder = tmp_path / "tokens"
    folder.mkdir()
    (folder / "irisTokenA").write_text("secret-a")
    return folder


@pytest.fixture
def harness(tmp_path: Path, tokens: Path) -> Iterator[HarnessProcess]:
    (tmp_path / "predict.py").write_text("def predict():\n    return 0\n")
    with HarnessProcess(tmp_path, "predict:predict", {"MODEL_TOKENS": str(tokens)}) as process:
        yield process


def call(harness: HarnessProcess, authorization: str | None, path: str = "/model") -> Answer:
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    return harness.request("POST", path, headers, BODY)


def test_only_valid_token_is_accepted(harness: HarnessProcess) -> None:
    basic = base64.b64encode(b"secret-a:secret-a").decode()
    assert call(harness, "Bearer secret-a").status == 200
    assert call(harness, f"Basic {basic}").status == 200
    for wrong in (None, "", "Bearer", "Bearer secret-b", "Basic c2VjcmV0LWE6", "Bearer \xff\xfe"):
        answer = call(harness, wrong)
        assert answer.status == 401, wrong
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "secret-a" not in answer.body.decode()
        assert answer.headers["x-model-version"] == "v7"
    assert harness.health("ready") == 200


def test_every_path_of_model_requires_token(harness: HarnessProcess) -> None:
    for path in ("/models/golden/prod/model", "/models/golden/versions/v7/model"):
        assert call(harness, None, path).status == 401
        assert call(harness, "Bearer secret-a", path).status == 200
    assert call(harness, None, "/nowhere").status == 404


def test_token_is_replaced_without_restart(harness: HarnessProcess, tokens: Path) -> None:
    (tokens / "irisTokenB").write_text("secret-b")
    (tokens / "irisTokenA").unlink()
    end = time.monotonic() + at_most(10)
    while call(harness, "Bearer secret-b").status != 200 and time.monotonic() < end:
        time.sleep(0.1)
    assert call(harness, "Bearer secret-b").status == 200
    assert call(harness, "Bearer secret-a").status == 401
    (tokens / "irisTokenB").unlink()
    while call(harness, "Bearer secret-b").status == 200 and time.monotonic() < end + 10:
        time.sleep(0.1)
    assert call(harness, "Bearer secret-b").status == 401


def test_missing_directory_ends_start(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text("def predict():\n    return 0\n")
    wrong = {"MODEL_TOKENS": str(tmp_path / "nowhere")}
    harness = HarnessProcess(tmp_path, "predict:predict", wrong)
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert errors.startswith("MODEL_TOKENS: cannot read /")
