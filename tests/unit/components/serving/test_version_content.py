"""What belongs to a version, and what published versions keep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components.cluster_state.state import ClusterState, parse_cluster_state
from components.config import StackSpec, parse
from components.errors import ConfigIssue
from components.languages import PYTHON_RUNTIMES
from components.serving.provenance import GitCheckout
from components.serving.version_checks import find_issues
from components.serving.version_content import keep_published, read_all
from components.sources import NAME_RULES, ORIGINAL_RULES, content_hash, read
from components.standard_library import MODULE_NAMES
from tests.support.k8s_objects import STARTING, UNAVAILABLE, deployment

VERSION = ("iris", "v1")
LITTER = [
    ".Rhistory",
    ".RData",
    ".Rproj.user/shared",
    ".coverage",
    ".tox/log",
    "iris.egg-info/PKG-INFO",
    "htmlcov/index.html",
    ".predict.py.swo",
    "#predict.py#",
    "._predict.py",
    "__MACOSX/predict.py",
    "desktop.ini",
    ".nfs000000000012",
    ".Trash-1000/files",
    "mlruns/0/meta.yaml",
    "data/.Rhistory",
    "venv/pyvenv.cfg",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "models/iris/v1/predict.py", "def predict(value):\n    return value\n")
    return tmp_path


def write(root: Path, name: str, text: str = "x") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def spec_of(root: Path, **changes: str) -> StackSpec:
    platform = {"namespace": "models", "registry": "localhost:5000/models", "hostname": "localhost"}
    version = {"source": "models/iris/v1", "language": "python", "handler": "predict:predict"}
    version |= changes
    return parse(platform, {"iris": {"versions": {"v1": version}}}, root)


def hash_of(root: Path) -> str:
    return read_all(spec_of(root), root)[VERSION].content_hash


def issues_of(root: Path, state: ClusterState | None = None, **changes: str) -> list[ConfigIssue]:
    spec = spec_of(root, **changes)
    return list(find_issues(read_all(spec, root), state or parse_cluster_state([], []), spec))


@pytest.mark.parametrize("name", LITTER)
def test_litter_of_tools_is_not_part_of_version(root: Path, name: str) -> None:
    before = hash_of(root)
    write(root, f"models/iris/v1/{name}")
    assert hash_of(root) == before
    write(root, "models/iris/v1/data/weights.csv")
    assert hash_of(root) != before


def test_lock_of_editor_is_not_part_of_version(root: Path) -> None:
    before = hash_of(root)
    (root / "models/iris/v1/.#predict.py").symlink_to("me@host.123:1")
    assert hash_of(root) == before


def test_version_published_by_original_rules_keeps_its_content(root: Path) -> None:
    write(root, "models/iris/v1/.Rhistory", "secret <- 1")
    spec = spec_of(root)
    tree = read(root / "models/iris/v1", ORIGINAL_RULES)
    original = content_hash(tree, "python", "predict:predict", {})
    contents = read_all(spec, root)
    assert contents[VERSION].content_hash != original
    published = parse_cluster_state([deployment("iris", "v1", content_hash=original)], [])
    content = keep_published(contents, published, spec, root)[VERSION]
    assert content.content_hash == original
    assert content.tree is not None
    assert [file.path for file in content.tree.files] == [".Rhistory", "predict.py"]
    changed = parse_cluster_state([deployment("iris", "v1", content_hash="b" * 64)], [])
    assert keep_published(contents, changed, spec, root) == contents


def test_version_published_before_ignore_file_was_read_keeps_its_content(root: Path) -> None:
    write(root, "models/iris/v1/notes.md")
    write(root, "models/iris/v1/.dockerignore", "*.md\n")
    spec, contents = spec_of(root), read_all(spec_of(root), root)
    tree = read(root / "models/iris/v1", NAME_RULES)
    older = content_hash(tree, "python", "predict:predict", {})
    assert contents[VERSION].content_hash != older
    published = parse_cluster_state([deployment("iris", "v1", content_hash=older)], [])
    content = keep_published(contents, published, spec, root)[VERSION]
    assert content.content_hash == older
    assert content.tree is not None
    assert [file.path for file in content.tree.files] == ["notes.md", "predict.py"]


PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", "TOKEN=x"),
        ("config/.netrc", "machine x"),
        (".aws/credentials", "[default]"),
        (".ssh/config", "x"),
        ("credentials.json", "{}"),
        ("id_rsa", "x"),
        ("server.pem", PRIVATE_KEY),
        ("service-account.json", f'{{"private_key": "{PRIVATE_KEY}"}}'),
    ],
)
def test_file_with_credentials_is_refused_before_publication(
    root: Path, name: str, text: str
) -> None:
    write(root, f"models/iris/v1/{name}", text)
    unpublished = parse_cluster_state([deployment("iris", "v1", (UNAVAILABLE, STARTING))], [])
    for state in (parse_cluster_state([], []), unpublished):
        (issue,) = issues_of(root, state)
        assert issue.location == "models.iris.versions.v1.source"
        assert repr(name) in issue.actual
    assert not issues_of(root, parse_cluster_state([deployment("iris", "v1")], []))
    write(root, "models/iris/v1/.dockerignore", name)
    assert not issues_of(root)


@pytest.mark.parametrize(
    ("name", "text"),
    [("ca.pem", "-----BEGIN CERTIFICATE-----\n"), ("weights.json", "[1]")],
)
def test_certificate_and_data_are_no_secrets(root: Path, name: str, text: str) -> None:
    write(root, f"models/iris/v1/{name}", text)
    assert not issues_of(root)


def test_ignored_file_of_handler_is_refused(root: Path) -> None:
    write(root, "models/iris/v1/other.py")
    write(root, "models/iris/v1/.dockerignore", "predict.py")
    (issue,) = issues_of(root)
    assert str(issue) == (
        "models.iris.versions.v1.source: found a folder whose .dockerignore or list of ignored "
        "names leaves out predict.py, which handler 'predict:predict' needs; change .dockerignore "
        "or the name, or the handler"
    )
    assert not issues_of(root, parse_cluster_state([deployment("iris", "v1")], []))


def test_requirements_that_name_other_files_are_refused(root: Path) -> None:
    write(root, "models/iris/v1/base.txt", "numpy")
    write(root, "models/iris/v1/requirements.txt", "pandas\n-r base.txt\n./x.whl\n")
    first, second = issues_of(root)
    assert str(first) == (
        "models.iris.versions.v1.source: found '-r base.txt' in line 2 of requirements.txt; write "
        "its lines into requirements.txt itself: pip sees no other file of the folder"
    )
    assert second.actual == "'./x.whl' in line 3 of requirements.txt"
    assert not issues_of(root, parse_cluster_state([deployment("iris", "v1")], []))


@pytest.mark.parametrize("name", ["signal", "queue", "token", "types", "select", "random"])
def test_handler_named_like_module_of_python_is_refused(root: Path, name: str) -> None:
    write(root, f"models/iris/v1/{name}.py", "def predict(value):\n    return value\n")
    (issue,) = issues_of(root, handler=f"{name}:predict")
    assert str(issue) == (
        f"models.iris.versions.v1.handler: found '{name}:predict', but Python 3.11 has a module "
        f"{name} of its own; rename the file {name}.py, for example to model_{name}, and write "
        f"model_{name} here"
    )
    published = parse_cluster_state([deployment("iris", "v1")], [])
    assert not issues_of(root, published, handler=f"{name}:predict")


@pytest.mark.parametrize(("python", "count"), [("3.11", 1), ("3.13", 0)])
def test_module_names_are_those_of_the_versions_python(root: Path, python: str, count: int) -> None:
    write(root, "models/iris/v1/chunk/code.py", "def predict(value):\n    return value\n")
    issues = issues_of(root, handler="chunk.code:predict", python=python)
    assert len(issues) == count
    assert all("rename the folder chunk" in issue.hint for issue in issues)


def test_module_names_are_known_for_every_runtime() -> None:
    assert MODULE_NAMES.keys() == PYTHON_RUNTIMES.keys()
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert MODULE_NAMES.get(running, public) == public


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(params=["", "deep/project"], ids=["at the top", "in a subfolder"])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A committed project, also in a subfolder of its repository."""
    project = tmp_path / request.param
    for folder in ("iris/v1", "größe/v1"):
        write(project, f"models/{folder}/predict.py")
    write(project, ".gitignore", "*.joblib\n__pycache__/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    return project


@pytest.mark.parametrize("source", ["models/iris/v1", "./models/iris/v1", "models//iris/v1/"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("models/iris/v1/predict.py", "changed"),
        ("models/iris/v1/my data.csv", "x"),
        ("models/iris/v1/größe.csv", "x"),
        ("models/iris/v1/weights.joblib", "x"),
    ],
)
def test_source_that_differs_from_commit_is_dirty(
    project: Path, source: str, name: str, text: str
) -> None:
    git(project, "config", "status.showUntrackedFiles", "no")
    assert not GitCheckout(project).commit(source).endswith("-dirty")
    write(project, name, text)
    assert GitCheckout(project).commit(source).endswith("-dirty")
    assert not GitCheckout(project).commit("models/größe/v1").endswith("-dirty")


@pytest.mark.parametrize(
    "name", ["models/iris/v1/__pycache__/predict.pyc", "models/iris/v1/.Rhistory", "models/x.py"]
)
def test_litter_and_other_folders_do_not_make_source_dirty(project: Path, name: str) -> None:
    write(project, name)
    assert not GitCheckout(project).commit("models/iris/v1").endswith("-dirty")


def test_folder_with_umlaut_is_dirty(project: Path) -> None:
    write(project, "models/größe/v1/predict.py", "changed")
    assert GitCheckout(project).commit("models/größe/v1").endswith("-dirty")


def test_ignored_parent_folder_is_dirty(project: Path) -> None:
    write(project, ".gitignore", "models/new/\n")
    git(project, "add", ".gitignore")
    git(project, "commit", "-qm", "y")
    write(project, "models/new/v1/predict.py")
    assert GitCheckout(project).commit("models/new/v1").endswith("-dirty")


@pytest.mark.parametrize(
    ("patterns", "name", "is_dirty"),
    [
        ("*.joblib", "weights.joblib", False),
        ("*.joblib", "data.csv", True),
        ("raw", "raw/data.csv", False),
        ("*\n!predict.py\n!raw/data.csv", "raw/data.csv", True),
        ("*.md", ".dockerignore", True),
    ],
)
def test_ignored_files_do_not_make_source_dirty(
    project: Path, patterns: str, name: str, is_dirty: bool
) -> None:
    write(project, "models/iris/v1/.dockerignore", patterns)
    write(project, ".gitignore", "raw/\n")
    git(project, "add", ".")
    git(project, "commit", "-qm", "y")
    write(project, f"models/iris/v1/{name}", f"{patterns}\n# changed")
    assert GitCheckout(project).commit("models/iris/v1").endswith("-dirty") is is_dirty
