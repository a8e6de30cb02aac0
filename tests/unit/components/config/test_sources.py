"""What makes two sources the same content, and what is written for Docker."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from components import build_context, sources
from components.languages import PYTHON, Language, R, Runtime
from components.sources import SourceError, content_hash, content_hash_of_image, read

ROOT = Path(__file__).parents[4]
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
    python = changes.pop("python", None)
    return content_hash(read(folder), language, handler, changes, python)


def test_content_hash_of_folder_is_stable(tmp_path: Path) -> None:
    """Another hash for the same content would make every published version look changed."""
    assert hash_of(make(tmp_path), LOG="info", A="b") == (
        "57280f4238d5c0b845a8a96d010c484fe8d9ebe6b0b3195e38347e69f5de4a2c"
    )


@pytest.mark.parametrize(
    ("source", "language", "digits"),
    [
        ("iris/v1", "python", "2a5aed1a38b7b829d661232fb6b23d0e38874be7460441c3bffae7f61f6ce697"),
        ("iris/v2", "python", "8df9cc8fb2bcc83c25306baa9efd4114c72dc62e0b57b5525ad8eb0eacaaad32"),
        ("echo/v1", "python", "91d19855fa219fbd4c6d73055e3e02b7c901f4296cb5ae36335a90ab5d6b140e"),
        ("mpg/v1", "r", "06288dc9a4b53b6e255ff53859850f8895394e1ac238c3fad3880fbc4db60060"),
    ],
)
def test_published_sample_version_keeps_its_hash(source: str, language: str, digits: str) -> None:
    """The hashes are those from before the key `python` existed."""
    assert hash_of(ROOT / "models" / source, language=language) == digits


def test_hash_with_python_is_pinned_and_differs_by_release(tmp_path: Path) -> None:
    folder = make(tmp_path)
    hashes = [hash_of(folder, LOG="info", A="b", python=release) for release in ("3.11", "3.13")]
    assert hashes == [
        "752ff1419522e0f6265ff10295602b6850cb7b16d63f8f576daf7e80b35e98e2",
        "10ec052eb9abe2d010cb6e1078d134017251b139073123074ce624f9b087cdcb",
    ]
    assert hash_of(folder, LOG="info", A="b") not in hashes


def test_content_hash_ignores_location_time_order_and_modes(tmp_path: Path) -> None:
    first, two = make(tmp_path / "one"), tmp_path / "elsewhere" / "two"
    make(two, dict(reversed(FILES.items())))
    os.utime(two / "predict.py", (0, 0))
    (two / "predict.py").chmod(0o600)
    (two / "run.sh").chmod(0o711)
    assert hash_of(first, A="1", B="2") == hash_of(two, B="2", A="1")


def test_content_hash_ignores_files_of_tools(tmp_path: Path) -> None:
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
def test_content_hash_changes_with_content(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    folder = make(tmp_path)
    before = hash_of(folder)
    change(folder)
    assert hash_of(folder) != before


def test_content_hash_separates_handler_language_and_environment(tmp_path: Path) -> None:
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


def test_content_hash_of_image_is_stable() -> None:
    assert hash_of_image(LOG="info", A="b") == (
        "73ea4ff2f4b6e16b66826be75a8d1e063ad5c7e09065a45bba8c448b9865987c"
    )


def test_content_hash_of_image_ignores_name_and_order() -> None:
    first = hash_of_image("registry.example.com/iris:1.0", A="1", B="2")
    assert first == hash_of_image("mirror.example.com:5000/copies/iris", B="2", A="1")


def test_content_hash_of_image_includes_digest_handler_language_and_environment(
    tmp_path: Path,
) -> None:
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


def test_content_hash_separates_names_and_bytes(tmp_path: Path) -> None:
    first = make(tmp_path / "one", {"a": "b", "c": ""})
    two = make(tmp_path / "two", {"a": "", "bc": ""})
    three = make(tmp_path / "three", {"ab": "", "c": ""})
    assert len({read(folder).digest for folder in (first, two, three)}) == 3


@pytest.mark.parametrize("target", ["predict.py", "data", "nowhere", "/etc"])
def test_symbolic_link_is_refused_by_name(tmp_path: Path, target: str) -> None:
    folder = make(tmp_path)
    (folder / "data" / "link").symlink_to(target)
    with pytest.raises(SourceError, match=re.escape("the symbolic link 'data/link'")):
        read(folder)


def test_unreadable_folder_is_refused(tmp_path: Path) -> None:
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
    path = build_context.stage_version(root, PYTHON, "iris", "v1", tree, digest)
    assert path == f".build/iris-v1-{digest[:12]}"
    return root / path


def listing(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")
    }


def test_stage_version_sets_modes_independent_of_umask(root: Path) -> None:
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


def test_stage_without_requirements_writes_empty_file(root: Path) -> None:
    (root / "models/iris/v1/requirements.txt").unlink()
    assert (stage(root) / "requirements.txt").read_bytes() == b""


def test_stage_writes_name_of_model_into_dockerfile(root: Path) -> None:
    (root / "harness/python/model.Dockerfile").write_text("RUN id=pip-@MODEL@ id=pip-@MODEL@\n")
    assert (stage(root) / "Dockerfile").read_text() == "RUN id=pip-iris id=pip-iris\n"


def test_models_share_no_cache_of_pip() -> None:
    """Code of a package that pip builds may write to the cache that its build mounts."""
    text = (ROOT / "harness/python/model.Dockerfile").read_text()
    mounts = re.findall(r"--mount=type=cache\S*", text)
    assert mounts
    assert all("id=pip-@MODEL@," in mount for mount in mounts)


def test_stage_complete_folder_is_unchanged(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stage(root)

    def no_write(*_: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(build_context, "_write", no_write)
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
def test_stage_modified_folder_is_rewritten(root: Path, spoil: Callable[[Path], object]) -> None:
    complete = listing(stage(root))
    spoil(stage(root))
    folder = stage(root)
    assert listing(folder) == complete
    assert (folder / "source/predict.py").read_text() == FILES["predict.py"]
    assert (folder / "Dockerfile").read_text() == "FROM h\n"
    assert (folder / "requirements.txt").read_text() == "numpy==2.0.0\n"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_stage_source_changed_while_copied_is_refused(root: Path) -> None:
    tree = read(root / "models/iris/v1")
    (root / "models/iris/v1/predict.py").write_text("def predict(): pass #\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        build_context.stage_version(root, PYTHON, "iris", "v1", tree, "0" * 64)
    assert list((root / ".build").iterdir()) == []


def test_stage_missing_dockerfile_is_refused(root: Path) -> None:
    (root / "harness/python/model.Dockerfile").unlink()
    with pytest.raises(SourceError, match=re.escape("model.Dockerfile: No such file")):
        stage(root)


def test_stage_accepts_folder_of_concurrent_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def overtaken(source: Path, target: Path) -> None:
        monkeypatch.undo()
        stage(root)
        rename(source, target)

    monkeypatch.setattr(os, "rename", overtaken)
    assert listing(stage(root))


def test_stage_failed_rename_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(source))

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(SourceError, match="No space left on device"):
        stage(root)


@pytest.mark.parametrize("language", [PYTHON, R])
def test_context_of_real_harness_has_its_dockerfile(language: Language) -> None:
    harness = build_context.read_harness(ROOT, Runtime(language))
    paths = {file.path for file in harness.tree.files}
    assert {"Dockerfile", "model.Dockerfile"} <= paths


def test_context_of_real_watcher_has_its_dockerfile() -> None:
    assert "Dockerfile" in {f.path for f in build_context.read_watcher(ROOT).tree.files}


def test_stage_harness_uses_its_own_hash(root: Path) -> None:
    harness = build_context.read_harness(root, Runtime(PYTHON))
    path = build_context.stage_harness(root, harness)
    assert path == f".build/harness-python-{harness.digest[:12]}"
    assert listing(root / path) == {"Dockerfile": 0o644, "model.Dockerfile": 0o644}
    (root / "harness/python/Dockerfile").write_text("FROM other\n")
    assert build_context.read_harness(root, Runtime(PYTHON)).digest != harness.digest


@pytest.fixture
def both(root: Path) -> Path:
    """A project with harnesses of both languages."""
    front = {"requirements.txt": "granian==2\n", "model_harness/front.py": "a = 1\n"}
    make(root / "harness/python", front)
    files = {"Dockerfile": "FROM r\n", "model.Dockerfile": "FROM hr\n", "model_harness_r/w.R": ""}
    make(root / "harness/r", files)
    return root


def test_stage_r_harness_contains_both_harnesses(both: Path) -> None:
    harness = build_context.read_harness(both, Runtime(R))
    folder = both / build_context.stage_harness(both, harness)
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
def test_r_harness_hash_depends_on_both_harnesses(both: Path, file: str, changes: bool) -> None:
    before = build_context.read_harness(both, Runtime(R)).digest
    (both / "harness" / file).write_text("# other\n")
    assert (build_context.read_harness(both, Runtime(R)).digest != before) is changes


@pytest.mark.parametrize("file", ["model_harness/front.py", "model_harness_r/w.R"])
def test_stage_modified_harness_is_rewritten(both: Path, file: str) -> None:
    harness = build_context.read_harness(both, Runtime(R))
    folder = both / build_context.stage_harness(both, harness)
    before = (folder / file).read_text()
    (folder / file).write_text("# spoiled\n")
    build_context.stage_harness(both, harness)
    assert (folder / file).read_text() == before


def test_stage_r_version_has_dockerfile_and_package_list(both: Path) -> None:
    make(both / "models/cars/v1", {"predict.R": "predict <- function() 1\n"})
    tree = read(both / "models/cars/v1")
    folder = both / build_context.stage_version(both, R, "cars", "v1", tree, "0" * 64)
    assert (folder / "Dockerfile").read_text() == "FROM hr\n"
    assert (folder / "dependencies").read_bytes() == b""
    make(both / "models/cars/v2", {"predict.R": "", "dependencies": "r-cran-mgcv\n"})
    tree = read(both / "models/cars/v2")
    folder = both / build_context.stage_version(both, R, "cars", "v2", tree, "0" * 64)
    assert (folder / "dependencies").read_text() == "r-cran-mgcv\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        "Dockerfile",
        "dependencies",
        "source",
    ]


@pytest.mark.parametrize(
    ("rules", "more_files"),
    [
        (sources.ORIGINAL_RULES, {".Rhistory", "mlruns/1", ".dockerignore", "notes.md"}),
        (sources.NAME_RULES, {"notes.md"}),
    ],
    ids=["before names were added", "before .dockerignore was read"],
)
def test_version_read_by_older_rules_is_staged_whole(
    both: Path, rules: sources.IgnoreRules, more_files: set[str]
) -> None:
    assert rules in sources.OLDER_RULES
    files = {".Rhistory": "x", "mlruns/1": "y", ".dockerignore": "*.md\n", "notes.md": "z"}
    make(both / "models/cars/v2", {"predict.R": "", **files})
    tree = read(both / "models/cars/v2", rules)
    folder = both / build_context.stage_version(both, R, "cars", "v2", tree, "0" * 64)
    assert {file.path for file in tree.files} == {"predict.R", *more_files}
    assert all((folder / "source" / name).read_text() == files[name] for name in more_files)


def paths_of(folder: Path) -> list[str]:
    return [file.path for file in read(folder).files]


def test_files_listed_in_ignore_file_do_not_belong(tmp_path: Path) -> None:
    folder = make(tmp_path, {**FILES, "data/raw/a.csv": "1", "data/raw/b.csv": "2"})
    before = hash_of(make(tmp_path / "other"))
    (folder / ".dockerignore").write_text("other\ndata/raw\n")
    assert paths_of(folder) == ["data/weights.json", "predict.py", "run.sh"]
    assert hash_of(folder) == before
    (folder / ".dockerignore").write_text("other\ndata/raw\n!data/raw/b.csv\n")
    assert paths_of(folder) == ["data/raw/b.csv", "data/weights.json", "predict.py", "run.sh"]


def test_ignore_file_in_subfolder_has_no_effect(tmp_path: Path) -> None:
    folder = make(tmp_path, {**FILES, "data/.dockerignore": "*"})
    assert paths_of(folder) == ["data/weights.json", "predict.py", "run.sh"]


def test_ignored_links_and_folders_are_not_read(tmp_path: Path) -> None:
    folder = make(tmp_path)
    (folder / "data/latest").symlink_to("/nowhere")
    (folder / ".dockerignore").write_text("data\n")
    assert paths_of(folder) == ["predict.py", "run.sh"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n[\n", "found the pattern '[' in line 2 of .dockerignore, which Docker refuses; "),
        ("*", "found a folder without files, except those that its .dockerignore lists; remove"),
    ],
)
def test_unusable_ignore_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    folder = make(tmp_path)
    (folder / ".dockerignore").write_text(text)
    with pytest.raises(SourceError, match=re.escape(message)):
        read(folder)


def test_ignore_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "v1")
    (tmp_path / "shared").write_text("*.json")
    (folder / ".dockerignore").symlink_to("../shared")
    with pytest.raises(SourceError, match=re.escape("the symbolic link '.dockerignore'")):
        read(folder)


def test_ignored_files_are_documented() -> None:
    text = (Path(__file__).parents[4] / "docs/stack-file.md").read_text()
    assert [name for name in sources.RULES.names if f"`{name}`" not in text] == []
    assert [name for name in sources.SECRET_NAMES if f"`{name}`" not in text] == []
