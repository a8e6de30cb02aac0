"""The termination message of a container has the reason and no secret."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.harness_process import HarnessProcess

SECRET = "s3cret of iris"


@dataclass(frozen=True)
class Harness:
    """The harness of a language, a handler that raises its secret, and one that exits.

    Both print the secret first and remove it from the environment, as some handlers do.
    """

    package: str
    file: str
    raising_code: str
    exiting_code: str
    raise_message: str
    exit_message: str


PYTHON = Harness(
    "model_harness",
    "predict.py",
    "import os\nkey = os.environ.pop('API_KEY')\nprint(key, flush=True)\n"
    "raise ValueError(f'{key} is wrong')\n",
    "import os\nkey = os.environ.pop('API_KEY')\nprint(key, flush=True)\nos._exit(3)\n",
    "handler predict:f: importing predict raised ValueError: <secret API_KEY> is wrong",
    "the serving process ended with status 3; see its log",
)
R = Harness(
    "model_harness_r",
    "predict.R",
    "key <- Sys.getenv('API_KEY'); print(key)\nstop(paste(key, 'is wrong'))\n",
    "print(Sys.getenv('API_KEY'))\nquit('no', status = 3)\n",
    "handler predict:f: loading predict.R failed at line 2: simpleError: <secret API_KEY> is wrong",
    "handler predict:f: the R process ended with status 3 while it loaded predict.R; "
    "see its output in the log",
)


def run(folder: Path, language: Harness, code: str, workers: str) -> tuple[str, str]:
    """Return the termination message and the log."""
    (folder / language.file).write_text(code)
    file = folder / "termination-log"
    file.touch()
    settings = {
        "MODEL_SECRETS": "API_KEY",
        "API_KEY": SECRET,
        "MODEL_TERMINATION_LOG": str(file),
        "MODEL_WORKERS": workers,
    }
    harness = HarnessProcess(folder, "predict:f", settings, package=language.package)
    harness.start()
    try:
        status, output, errors = harness.finish()
    finally:
        harness.end()
    assert status != 0
    assert SECRET in output  # the handler printed it to the log
    return file.read_text(), errors


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("language", [PYTHON, R], ids=lambda language: language.package)
def test_exception_is_reported_without_secret(
    tmp_path: Path, language: Harness, workers: str
) -> None:
    message, errors = run(tmp_path, language, language.raising_code, workers)
    assert message == language.raise_message
    assert errors.splitlines()[-1] == message
    assert SECRET not in errors


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("language", [PYTHON, R], ids=lambda language: language.package)
def test_exit_of_handler_is_reported_by_harness(
    tmp_path: Path, language: Harness, workers: str
) -> None:
    message, _ = run(tmp_path, language, language.exiting_code, workers)
    assert message == language.exit_message
