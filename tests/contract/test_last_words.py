"""What becomes the Pod's status when a container ends: why, and no secret of the version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.harness_process import HarnessProcess

SECRET = "s3cret of iris"


@dataclass(frozen=True)
class Front:
    """A language's harness, and how a handler tells its secret in an exception, or ends by itself.

    Each also prints the secret first, and takes it out of its environment, as some do.
    """

    package: str
    file: str
    raises: str
    ends: str
    raised: str
    ended: str


PYTHON = Front(
    "model_harness",
    "predict.py",
    "import os\nkey = os.environ.pop('API_KEY')\nprint(key, flush=True)\n"
    "raise ValueError(f'{key} is wrong')\n",
    "import os\nkey = os.environ.pop('API_KEY')\nprint(key, flush=True)\nos._exit(3)\n",
    "handler predict:f: importing predict raised ValueError: <secret API_KEY> is wrong",
    "the model's process ended with status 3; its log says more",
)
R = Front(
    "model_harness_r",
    "predict.R",
    "key <- Sys.getenv('API_KEY'); print(key)\nstop(paste(key, 'is wrong'))\n",
    "print(Sys.getenv('API_KEY'))\nquit('no', status = 3)\n",
    "handler predict:f: loading predict.R failed at line 2: simpleError: <secret API_KEY> is wrong",
    "handler predict:f: the R process ended with status 3 while it loaded predict.R; "
    "the log has its output",
)


def ended(folder: Path, front: Front, code: str, workers: str) -> tuple[str, str]:
    """What the Pod's status gets, and the log."""
    (folder / front.file).write_text(code)
    file = folder / "termination-log"
    file.touch()
    settings = {
        "MODEL_SECRETS": "API_KEY",
        "API_KEY": SECRET,
        "MODEL_TERMINATION_LOG": str(file),
        "MODEL_WORKERS": workers,
    }
    harness = HarnessProcess(folder, "predict:f", settings, package=front.package)
    harness.start()
    try:
        status, output, errors = harness.finish()
    finally:
        harness.end()
    assert status != 0
    assert SECRET in output  # so it was really told, to the log alone
    return file.read_text(), errors


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("front", [PYTHON, R], ids=lambda front: front.package)
def test_an_exception_that_tells_a_secret_is_told_without_it(
    tmp_path: Path, front: Front, workers: str
) -> None:
    words, errors = ended(tmp_path, front, front.raises, workers)
    assert words == front.raised
    assert errors.splitlines()[-1] == words
    assert SECRET not in errors


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("front", [PYTHON, R], ids=lambda front: front.package)
def test_a_program_that_ends_by_itself_leaves_no_words_of_its_own(
    tmp_path: Path, front: Front, workers: str
) -> None:
    words, _ = ended(tmp_path, front, front.ends, workers)
    assert words == front.ended
