"""The start of the Python harness and its errors."""

import time
from pathlib import Path

import pytest

from tests.contract.harness_process import HarnessProcess, Serve
from tests.support.time_limits import at_most

FUNCTION = "def quick():\n    return 0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.py").write_text(FUNCTION, encoding="utf-8")
    return tmp_path


def test_calls_before_load_are_answered_with_503(folder: Path) -> None:
    (folder / "slow.py").write_text("import time\ntime.sleep(2)\ndef f():\n    return 0\n")
    harness = HarnessProcess(folder, "slow:f")
    harness.start()
    try:
        end = time.monotonic() + at_most(10)
        while harness.health("live") is None and time.monotonic() < end:
            time.sleep(0.02)
        assert harness.health("ready") == 503
        time.sleep(0.5)
        assert harness.call({}).status == 503
        harness.await_ready()
        assert harness.call({}).status == 200
    finally:
        harness.end()


START_FAILURES = [
    ("nowhere:f", "module 'nowhere' does not exist in "),
    ("package.inner:f", "module 'package' does not exist in "),
    ("imports_missing:f", "imports_missing imports 'not_installed_anywhere', which is not inst"),
    ("raises:f", "importing raises raised ZeroDivisionError: division by zero"),
    ("exits:f", "importing exits ended the process (SystemExit: 4)"),
    ("interrupts:f", "importing interrupts raised KeyboardInterrupt: "),
    ("dies:f", "handler dies:f: the serving process ended with status 0: the code calls os._exit"),
    ("signal:f", "Python or the harness has a module 'signal', too, which hides signal.py; rena"),
    ("http.inner:f", "Python or the harness has a module 'http', too, which hides http; rename"),
    ("hinted:f", "handler hinted:f: argument 'x': pydantic refuses the hint: Unable to generate"),
    ("broken:f", "importing broken raised SyntaxError: "),
    ("kinds:missing", "module kinds has no 'missing'; it defines Bare, Broken, Late, Needy, good"),
    ("kinds:NUMBER", "handler kinds:NUMBER is not callable: it is a int"),
    ("kinds:strict", "cannot be called by name: a, b is positional-only; remove the /"),
    ("kinds:stream", "handler kinds:stream is a generator; return a list"),
    ("kinds:Bare", "handler kinds:Bare is a class without a method predict; add one"),
    ("kinds:Needy", "handler kinds:Needy: Needy requires path, but is called without arguments"),
    ("kinds:Broken", "handler kinds:Broken: load() raised KeyError: 'weights'"),
    ("kinds:Late", "handler kinds:Late: load is async; it runs once, before any call"),
]


@pytest.mark.parametrize(("label", "message"), START_FAILURES, ids=lambda value: value[:30])
def test_handler_error_ends_start(folder: Path, label: str, message: str) -> None:
    (folder / "imports_missing.py").write_text("import not_installed_anywhere\ndef f(): ...\n")
    (folder / "raises.py").write_text("1 / 0\n")
    (folder / "exits.py").write_text("import sys\nsys.exit(4)\n")
    (folder / "interrupts.py").write_text("raise KeyboardInterrupt\n")
    (folder / "dies.py").write_text("import os\nos._exit(0)\n")
    (folder / "signal.py").write_text("def f(): ...\n")
    (folder / "http").mkdir()
    (folder / "http" / "inner.py").write_text("def f(): ...\n")
    (folder / "hinted.py").write_text(
        "import pydantic\nclass M(pydantic.BaseModel): ...\nclass C: ...\n"
        "def f(x: dict[str, M | C]): ...\n"
    )
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "kinds.py").write_text(
        "from pathlib import Path\n"  # an import, not a definition
        "NUMBER = 1\ndef good(a): ...\ndef strict(a, b, /, c): ...\n"
        "def stream():\n    yield 1\n"
        "class Bare: ...\n"
        "class Needy:\n    def __init__(self, path): ...\n    def predict(self): ...\n"
        "class Broken:\n    def load(self): {}['weights']\n    def predict(self): ...\n"
        "class Late:\n    async def load(self): ...\n    def predict(self): ...\n"
    )
    harness = HarnessProcess(folder, label)
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert message in errors.splitlines()[-1]
    assert "Fatal" not in errors


def test_all_wrong_settings_are_reported(folder: Path) -> None:
    wrong = {"MODEL_NAME": "Iris", "MODEL_VERSION": "1", "MODEL_IN_FLIGHT": "0"}
    harness = HarnessProcess(folder, "predict", wrong)
    harness.model, harness.version = "Iris", "1"
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert [line.split()[0] for line in errors.splitlines()] == [
        "MODEL_NAME",
        "MODEL_VERSION",
        "MODEL_HANDLER",
        "MODEL_IN_FLIGHT",
    ]


@pytest.mark.parametrize("variable", ["MODEL_PORT", "MODEL_HEALTH_PORT"])
@pytest.mark.parametrize("used", ["port", "health_port"])
def test_port_in_use_is_reported(serve: Serve, folder: Path, variable: str, used: str) -> None:
    port = getattr(serve("quick"), used)
    second = HarnessProcess(folder, "predict:quick", {variable: str(port)})
    second.start()
    try:
        status, _, errors = second.finish()
    finally:
        second.end()
    assert status == 1
    message = f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert errors.splitlines()[-1] == message


def test_user_modules_do_not_shadow_harness_modules(serve: Serve, folder: Path) -> None:
    for name in ("queue", "signal", "socket", "http", "json", "granian"):
        (folder / f"{name}.py").write_text("raise RuntimeError('shadowed')\n")
    assert serve("quick").call({}).status == 200
