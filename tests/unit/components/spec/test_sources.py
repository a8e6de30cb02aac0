"""What makes two sources the same content, and what is written for Docker."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from components import sources, staging
from components.languages import PYTHON, R
from components.sources import SourceError, content_hash, content_hash_of_image, read

FILES = {"predict.py": "def predict(): ...\n", "data/weights.json": "[1]", "run.sh": "exit\n"}


def make(folder: Path, files: dict[str, str] | None = None, executable: str = "run.sh") -> Path:
    for name, content in (FILES if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755 if name == executable else 0o644)
    return folder


def hash_of(folder: Path, **changes: str) -> str:
    handler = changes.pop("handler", "predict:predict")
    language = changes.pop("language", "python")
    return content_hash(read(folder), language, handler, changes)


def test_the_hash_is_pinned(tmp_path: Path) -> None:
    """Another hash for the same content would make every published version look changed."""
    assert hash_of(make(tmp_path), LOG="info", A="b") == (
        "57280f4238d5c0b845a8a96d010c484fe8d9ebe6b0b3195e38347e69f5de4a2c"
    )


def test_place_time_order_and_modes_but_execution_do_not_count(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one"), tmp_path / "elsewhere" / "two"
    make(two, dict(reversed(FILES.items())))
    os.utime(two / "predict.py", (0, 0))
    (two / "predict.py").chmod(0o600)
    (two / "run.sh").chmod(0o711)
    assert hash_of(one, A="1", B="2") == hash_of(two, B="2", A="1")


def test_what_tools_drop_does_not_count(tmp_path: Path) -> None:
    folder = make(tmp_path)
    before = hash_of(folder)
    make(
        folder,
        {
            "__pycache__/predict.cpython-311.pyc": "x",
            "data/.ipynb_checkpoints/a.ipynb": "x",
            "data/old.pyc": "x",
            ".git/HEAD": "x",
            ".venv/bin/python": "x",
            ".DS_Store": "x",
            "predict.py~": "x",
        },
    )
    (folder / "empty").mkdir()
    assert hash_of(folder) == before


CHANGES: dict[str, Callable[[Path], object]] = {
    "bytes": lambda folder: (folder / "predict.py").write_text("def predict(): pass\n"),
    "name": lambda folder: (folder / "predict.py").rename(folder / "predikt.py"),
    "place": lambda folder: (folder / "data/weights.json").rename(folder / "weights.json"),
    "executable bit": lambda folder: (folder / "predict.py").chmod(0o744),
    "a file more": lambda folder: (folder / "more.txt").write_text(""),
    "a file less": lambda folder: (folder / "run.sh").unlink(),
    "a hidden file": lambda folder: (folder / ".env").write_text(""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_each_of_these_is_other_content(tmp_path: Path, change: Callable[[Path], object]) -> None:
    folder = make(tmp_path)
    before = hash_of(folder)
    change(folder)
    assert hash_of(folder) != before


def test_handler_language_and_environment_count_and_do_not_run_together(tmp_path: Path) -> None:
    folder = make(tmp_path)
    hashes = [
        hash_of(folder),
        hash_of(folder, handler="predict:other"),
        hash_of(folder, language="r"),
        hash_of(folder, A="bc"),
        hash_of(folder, Ab="c"),
        hash_of(folder, A="b", c=""),
        hash_of(folder, A="", b="c"),
    ]
    assert len(set(hashes)) == len(hashes)


DIGEST = "0123456789abcdef" * 4


def hash_of_image(name: str = "iris", **changes: str) -> str:
    handler = changes.pop("handler", "predict:predict")
    language = changes.pop("language", "python")
    digest = changes.pop("digest", DIGEST)
    return content_hash_of_image(f"{name}@sha256:{digest}", language, handler, changes)


def test_the_hash_of_an_image_is_pinned() -> None:
    assert hash_of_image(LOG="info", A="b") == (
        "73ea4ff2f4b6e16b66826be75a8d1e063ad5c7e09065a45bba8c448b9865987c"
    )


def test_an_image_is_the_same_content_under_any_name_and_order() -> None:
    one = hash_of_image("registry.example.com/iris:1.0", A="1", B="2")
    assert one == hash_of_image("mirror.example.com:5000/copies/iris", B="2", A="1")


def test_digest_handler_language_and_environment_of_an_image_count(tmp_path: Path) -> None:
    digest = read(make(tmp_path)).digest
    hashes = [
        hash_of_image(),
        hash_of_image(digest="f" * 64),
        hash_of_image(handler="predict:other"),
        hash_of_image(language="r"),
        hash_of_image(A="bc"),
        hash_of_image(Ab="c"),
        hash_of_image(digest=digest),
        hash_of(tmp_path),  # the same digest, but of a folder
    ]
    assert len(set(hashes)) == len(hashes)


def test_names_and_bytes_do_not_run_together(tmp_path: Path) -> None:
    one = make(tmp_path / "one", {"a": "b", "c": ""})
    two = make(tmp_path / "two", {"a": "", "bc": ""})
    three = make(tmp_path / "three", {"ab": "", "c": ""})
    assert len({read(folder).digest for folder in (one, two, three)}) == 3


@pytest.mark.parametrize("target", ["predict.py", "data", "nowhere", "/etc"])
def test_a_symbolic_link_is_refused_by_name(tmp_path: Path, target: str) -> None:
    folder = make(tmp_path)
    (folder / "data" / "link").symlink_to(target)
    with pytest.raises(SourceError, match=re.escape("the symbolic link 'data/link'")):
        read(folder)


def test_an_unreadable_folder_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file or directory"):
        read(tmp_path / "nowhere")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path / "harness/python", {"Dockerfile": "FROM base\n", "model.Dockerfile": "FROM h\n"})
    make(tmp_path / "models/iris/v1", {**FILES, "requirements.txt": "numpy==2.0.0\n"})
    return tmp_path


def stage(root: Path) -> Path:
    tree = read(root / "models/iris/v1")
    digest = content_hash(tree, "python", "predict:predict", {})
    path = staging.stage_version(root, PYTHON, "iris", "v1", tree, digest)
    assert path == f".build/iris-v1-{digest[:12]}"
    return root / path


def listing(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")
    }


def test_a_version_is_staged_with_normal_modes_whatever_the_umask(root: Path) -> None:
    (root / "models/iris/v1/predict.py").chmod(0o600)
    before = os.umask(0o077)
    try:
        folder = stage(root)
    finally:
        os.umask(before)
    assert listing(folder) == {
        "Dockerfile": 0o644,
        "requirements.txt": 0o644,
        "source": 0o755,
        "source/data": 0o755,
        "source/data/weights.json": 0o644,
        "source/predict.py": 0o644,
        "source/requirements.txt": 0o644,
        "source/run.sh": 0o755,
    }
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "Dockerfile").read_text() == "FROM h\n"
    assert (folder / "requirements.txt").read_text() == "numpy==2.0.0\n"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_without_requirements_an_empty_file_is_staged(root: Path) -> None:
    (root / "models/iris/v1/requirements.txt").unlink()
    assert (stage(root) / "requirements.txt").read_bytes() == b""


def test_a_whole_folder_is_left_as_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stage(root)

    def no_write(*_: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(staging, "_write", no_write)
    assert stage(root) == folder


SPOILS: dict[str, Callable[[Path], object]] = {
    "lost": lambda folder: (folder / "source/predict.py").unlink(),
    "cut": lambda folder: (folder / "source/predict.py").write_text(""),
    "mode": lambda folder: (folder / "source/predict.py").chmod(0o600),
    "added": lambda folder: (folder / "source/more.py").write_text(""),
    "other Dockerfile": lambda folder: (folder / "Dockerfile").write_text("FROM i\n"),
    "other requirements": lambda folder: (folder / "requirements.txt").write_text("numpy==2.0.1\n"),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS.keys())
def test_a_spoiled_folder_is_written_again(root: Path, spoil: Callable[[Path], object]) -> None:
    whole = listing(stage(root))
    spoil(stage(root))
    folder = stage(root)
    assert listing(folder) == whole
    assert (folder / "source/predict.py").read_text() == FILES["predict.py"]
    assert (folder / "Dockerfile").read_text() == "FROM h\n"
    assert (folder / "requirements.txt").read_text() == "numpy==2.0.0\n"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_source_that_changes_meanwhile_is_never_staged(root: Path) -> None:
    tree = read(root / "models/iris/v1")
    (root / "models/iris/v1/predict.py").write_text("def predict(): pass #\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        staging.stage_version(root, PYTHON, "iris", "v1", tree, "0" * 64)
    assert list((root / ".build").iterdir()) == []


def test_a_missing_dockerfile_is_told_in_words(root: Path) -> None:
    (root / "harness/python/model.Dockerfile").unlink()
    with pytest.raises(SourceError, match=re.escape("model.Dockerfile: No such file")):
        stage(root)


def test_another_run_that_was_quicker_is_good_enough(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def overtaken(source: Path, target: Path) -> None:
        monkeypatch.undo()
        stage(root)
        rename(source, target)

    monkeypatch.setattr(os, "rename", overtaken)
    assert listing(stage(root))


def test_a_rename_that_fails_is_told_in_words(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(source))

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(SourceError, match="No space left on device"):
        stage(root)


def test_the_harness_is_staged_under_its_own_hash(root: Path) -> None:
    harness = staging.read_harness(root, PYTHON)
    path = staging.stage_harness(root, harness)
    assert path == f".build/harness-python-{harness.digest[:12]}"
    assert listing(root / path) == {"Dockerfile": 0o644, "model.Dockerfile": 0o644}
    (root / "harness/python/Dockerfile").write_text("FROM other\n")
    assert staging.read_harness(root, PYTHON).digest != harness.digest


@pytest.fixture
def both(root: Path) -> Path:
    """A project with harnesses of both languages."""
    front = {"requirements.txt": "granian==2\n", "model_harness/front.py": "a = 1\n"}
    make(root / "harness/python", front)
    files = {"Dockerfile": "FROM r\n", "model.Dockerfile": "FROM hr\n", "model_harness_r/w.R": ""}
    make(root / "harness/r", files)
    return root


def test_the_harness_of_r_holds_its_own_files_and_the_front(both: Path) -> None:
    harness = staging.read_harness(both, R)
    folder = both / staging.stage_harness(both, harness)
    assert folder.name == f"harness-r-{harness.digest[:12]}"
    assert listing(folder) == {
        "Dockerfile": 0o644,
        "model.Dockerfile": 0o644,
        "model_harness": 0o755,
        "model_harness/front.py": 0o644,
        "model_harness_r": 0o755,
        "model_harness_r/w.R": 0o644,
        "requirements.txt": 0o644,
    }
    assert (folder / "Dockerfile").read_text() == "FROM r\n"
    assert (folder / "model_harness/front.py").read_text() == "a = 1\n"


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("r/model_harness_r/w.R", True),
        ("python/model_harness/front.py", True),
        ("python/requirements.txt", True),
        ("python/Dockerfile", False),
        ("python/model.Dockerfile", False),
    ],
)
def test_what_the_hash_of_the_harness_of_r_follows(both: Path, file: str, changes: bool) -> None:
    before = staging.read_harness(both, R).digest
    (both / "harness" / file).write_text("# other\n")
    assert (staging.read_harness(both, R).digest != before) is changes


@pytest.mark.parametrize("file", ["model_harness/front.py", "model_harness_r/w.R"])
def test_a_spoiled_context_of_the_harness_is_written_again(both: Path, file: str) -> None:
    harness = staging.read_harness(both, R)
    folder = both / staging.stage_harness(both, harness)
    before = (folder / file).read_text()
    (folder / file).write_text("# spoiled\n")
    staging.stage_harness(both, harness)
    assert (folder / file).read_text() == before


def test_a_version_in_r_has_its_own_dockerfile_and_list_of_packages(both: Path) -> None:
    make(both / "models/cars/v1", {"predict.R": "predict <- function() 1\n"})
    tree = read(both / "models/cars/v1")
    folder = both / staging.stage_version(both, R, "cars", "v1", tree, "0" * 64)
    assert (folder / "Dockerfile").read_text() == "FROM hr\n"
    assert (folder / "dependencies").read_bytes() == b""
    make(both / "models/cars/v2", {"predict.R": "", "dependencies": "r-cran-mgcv\n"})
    tree = read(both / "models/cars/v2")
    folder = both / staging.stage_version(both, R, "cars", "v2", tree, "0" * 64)
    assert (folder / "dependencies").read_text() == "r-cran-mgcv\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        "Dockerfile",
        "dependencies",
        "source",
    ]


def test_what_is_left_out_is_documented_by_name() -> None:
    assert {"__pycache__", ".git", ".venv", ".DS_Store"} <= sources.LEFT_OUT
