"""A project whose source folders the stack files of `tests/data/stacks` name."""

import os
from pathlib import Path

import pytest

PLAIN = "def predict(value):\n    return value\n"
MANY = """
import json as imported

def defined(): ...
async def waiting(): ...
class Kind:
    def method(self): ...
assigned, other = defined, defined
if assigned:
    def chosen(): ...
"""
FILES = {
    "models/iris/v1/predict.py": PLAIN,
    "models/iris/v2/predict.py": PLAIN,
    "models/echo/v1/predict.py": PLAIN,
    "models/many/predict.py": MANY,
    "models/star/predict.py": "from json import *\n",
    "models/lazy/predict.py": "def __getattr__(name): ...\n",
    "models/package/serving/__init__.py": PLAIN,
    "models/package/serving/api.py": PLAIN,
    "models/broken/predict.py": "x = 1\ndef predict(:\n",
    "models/binary/predict.py": "x = 1\0\n",
    "models/empty/__pycache__/predict.cpython-311.pyc": "",
    "models/linked/predict.py": PLAIN,
    "models/piped/predict.py": PLAIN,
    "../outside/predict.py": PLAIN,
}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder. Not in Git, which keeps neither empty folders nor pipes."""
    root = tmp_path_factory.mktemp("here") / "project"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "models/outside").symlink_to(root / "../outside")
    (root / "models/linked/data").mkdir()
    (root / "models/linked/data/weights.bin").symlink_to("../predict.py")
    os.mkfifo(root / "models/piped/pipe")
    return root
