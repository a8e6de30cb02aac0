"""A project whose source folders the stack files of `tests/data/stacks` name."""

import os
import shutil
import subprocess
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
IN_R = """
model <- lm(mpg ~ wt, mtcars)
predict <- function(wt) stats::predict(model, data.frame(wt = wt))
.hidden = predict
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
    "models/cars/predict.R": IN_R,
    "models/cars/lower.r": IN_R,
    "models/cars/my-file.v2.R": 'source("predict.R")\n',
    "models/empty/__pycache__/predict.cpython-311.pyc": "",
    "models/linked/predict.py": PLAIN,
    "models/piped/predict.py": PLAIN,
    "../outside/predict.py": PLAIN,
}
IN_GIT = {
    "models/tagged/predict.py": PLAIN,
    "models/tagged/__pycache__/predict.cpython-311.pyc": "",
    "models/tagged_broken/predict.py": "def predict(:\n",
    "models/tagged_linked/predict.py": PLAIN,
    "models/tagged_module/predict.py": PLAIN,
    "models/tagged_empty/__pycache__/predict.cpython-311.pyc": "",
    "models/tagged_large/predict.py": PLAIN,
    "models/tagged_large/weights.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "models/tagged_large/more.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
}
"""Files that the commit `iris-1.0` has, and the work tree has no more."""
SUBMODULE = "160000,1111111111111111111111111111111111111111"


def git(root: Path, *arguments: str) -> str:
    """Run Git without the settings of the user who runs the tests."""
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "Nobody" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "nobody@example.com" for who in ("AUTHOR", "COMMITTER")},
    }
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def commit_and_take_away(root: Path) -> None:
    write(root, IN_GIT)
    (root / "models/tagged_linked/data").symlink_to("predict.py")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--force", *sorted({str(Path(name).parent) for name in IN_GIT}))
    git(root, "update-index", "--add", "--cacheinfo", f"{SUBMODULE},models/tagged_module/vendor")
    git(root, "commit", "--quiet", "--message", "models")
    git(root, "tag", "iris-1.0")
    for folder in {Path(name).parts[1] for name in IN_GIT}:
        shutil.rmtree(root / "models" / folder)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder. Made here, since Git keeps neither empty folders nor pipes."""
    root = tmp_path_factory.mktemp("here") / "project"
    write(root, FILES)
    commit_and_take_away(root)
    (root / "models/outside").symlink_to(root / "../outside")
    (root / "models/linked/data").mkdir()
    (root / "models/linked/data/weights.bin").symlink_to("../predict.py")
    os.mkfifo(root / "models/piped/pipe")
    return root
