"""Sources at a commit: which names are taken, and that the files are the commit's own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components import git_sources
from components.git_sources import GitSourceError, check_out, read_git, resolve
from components.sources import SourceError, content_hash, read
from tests.unit.components.config.conftest import PLAIN, git, write

FILES = {
    "predict.py": PLAIN,
    "data/größe 1.json": "[1]\n",
    "run.sh": "exit\n",
    "__pycache__/predict.cpython-311.pyc": "x",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in a folder of its repository, whose work tree is ahead of the tag `iris-1.0`."""
    root = tmp_path / "repository" / "project"
    source = root / "models/iris"
    write(source, FILES)
    write(
        root.parent, {".gitattributes": "*.json text eol=crlf export-ignore\n*.py filter=upper\n"}
    )
    (source / "run.sh").chmod(0o755)
    git(root.parent, "init", "--quiet", "--initial-branch=main")
    # a filter as Git LFS has one, which a checkout on this machine would apply
    git(root.parent, "config", "filter.upper.smudge", "tr a-z A-Z")
    git(root.parent, "add", "--force", ".")
    git(root.parent, "commit", "--quiet", "--message", "models")
    git(root.parent, "tag", "iris-1.0")
    write(source, {"predict.py": "def predict(value): ...\n"})
    git(root.parent, "commit", "--quiet", "--all", "--message", "more")
    return root


def commits(root: Path) -> tuple[str, str]:
    """The tag's commit, and the one after it."""
    return git(root, "rev-parse", "iris-1.0"), git(root, "rev-parse", "main")


def test_resolve_tag_and_commit_returns_full_hash(root: Path) -> None:
    first, second = commits(root)
    git(root, "tag", "--annotate", "--message", "one", "annotated", first)
    assert resolve(root, "iris-1.0") == first
    assert resolve(root, "annotated") == first
    assert resolve(root, first) == first
    assert resolve(root, second[:7]) == second


def test_resolve_tag_precedes_branch_and_commit_of_same_name(root: Path) -> None:
    first, second = commits(root)
    git(root, "branch", "iris-1.0", second)
    git(root, "tag", second[:8], first)
    assert resolve(root, "iris-1.0") == first
    assert resolve(root, second[:8]) == first


def test_resolve_moved_tag_returns_new_commit(root: Path) -> None:
    before = resolve(root, "iris-1.0")
    git(root, "tag", "--force", "iris-1.0", "main")
    assert resolve(root, "iris-1.0") != before


def test_resolve_branch_is_refused(root: Path) -> None:
    git(root, "branch", "feedbeef")
    git(root, "update-ref", "refs/remotes/origin/theirs", "main")
    for branch in ("main", "feedbeef", "theirs"):
        with pytest.raises(GitSourceError, match=f"the branch '{branch}', write a tag or a commit"):
            resolve(root, branch)


@pytest.mark.parametrize("ref", ["iris-2.0", "0" * 40, "deadbeef", "HEAD", "abc"])
def test_resolve_unknown_ref_is_refused_by_name(root: Path, ref: str) -> None:
    with pytest.raises(
        GitSourceError, match=f"'{ref}', which is not a tag or commit of this repository"
    ):
        resolve(root, ref)


def test_resolve_short_commit_is_refused(root: Path) -> None:
    first, _ = commits(root)
    with pytest.raises(GitSourceError, match="not a tag or commit of this repository"):
        resolve(root, first[:6])


def test_resolve_tag_of_non_commit_is_refused(root: Path) -> None:
    git(root, "tag", "file", "iris-1.0:project/models/iris/run.sh")
    with pytest.raises(GitSourceError):
        resolve(root, "file")


def test_resolve_without_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GitSourceError, match="not a git repository"):
        resolve(tmp_path, "iris-1.0")


def test_resolve_without_git_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceError, match="git: No such file or directory"):
        resolve(root, "iris-1.0")


def test_check_out_ignores_work_tree_and_settings(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    write(copy, FILES)
    (copy / "run.sh").chmod(0o755)
    status = git(root, "status", "--porcelain")
    tree = read_git(root, "models/iris", resolve(root, "iris-1.0"))
    assert tree.digest == read(copy).digest
    assert [file.path for file in tree.files] == ["data/größe 1.json", "predict.py", "run.sh"]
    assert (tree.folder / "data/größe 1.json").read_bytes() == b"[1]\n"
    assert (root / "models/iris/predict.py").read_text() != PLAIN
    assert git(root, "status", "--porcelain", "--", "models") == status


def test_check_out_has_same_content_hash_as_folder(root: Path) -> None:
    _, second = commits(root)
    trees = read_git(root, "models/iris", second), read(root / "models/iris")
    hashes = {content_hash(tree, "python", "predict:predict", {}) for tree in trees}
    assert len(hashes) == 1


def test_check_out_uses_one_folder_per_path_and_commit(root: Path) -> None:
    first, second = commits(root)
    folders = [
        check_out(root, "models/iris", first),
        check_out(root, "models/iris", second),
        check_out(root, "models/iris/data", first),
    ]
    assert len(set(folders)) == 3
    assert check_out(root, "models/iris", first) == folders[0]
    assert {folder.parent for folder in folders} == {root / ".build"}
    assert sorted(path.name for path in (root / ".build").iterdir()) == sorted(
        folder.name for folder in folders
    )


def test_check_out_complete_folder_is_unchanged(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = commits(root)
    folder = check_out(root, "models/iris", first)

    def no_write(*_: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(git_sources, "_write", no_write)
    assert check_out(root, "models/iris", first) == folder


SPOILS: dict[str, Callable[[Path], object]] = {
    "lost": lambda folder: (folder / "predict.py").unlink(),
    "other bytes, same size": lambda folder: (folder / "run.sh").write_text("tixe\n"),
    "mode": lambda folder: (folder / "run.sh").chmod(0o644),
    "added": lambda folder: (folder / "more.py").write_text(""),
    "a link": lambda folder: (
        (folder / "run.sh").rename(folder.parent / "run.sh"),
        (folder / "run.sh").symlink_to(folder.parent / "run.sh"),
    ),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS.keys())
def test_check_out_modified_folder_is_rewritten(
    root: Path, spoil: Callable[[Path], object]
) -> None:
    first, _ = commits(root)
    before = read_git(root, "models/iris", first)
    spoil(before.folder)
    after = read_git(root, "models/iris", first)
    assert (after.digest, after.files) == (before.digest, before.files)
    assert (after.folder / "predict.py").read_text() == PLAIN
    assert not (after.folder / "more.py").exists()


def test_check_out_large_file_is_complete(root: Path) -> None:
    content = os.urandom((1 << 20) + 1)
    (root / "models/iris/weights.bin").write_bytes(content)
    (root / "models/iris/zero").write_bytes(b"")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "large")
    folder = check_out(root, "models/iris", git(root, "rev-parse", "HEAD"))
    assert (folder / "weights.bin").read_bytes() == content
    assert (folder / "zero").read_bytes() == b""


def test_check_out_supports_sha256_repositories(tmp_path: Path) -> None:
    write(tmp_path, {"models/iris/predict.py": PLAIN})
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "models")
    commit = git(tmp_path, "rev-parse", "HEAD")
    folder = check_out(tmp_path, "models/iris", resolve(tmp_path, commit))
    (folder / "predict.py").write_text("spoiled")
    assert (check_out(tmp_path, "models/iris", commit) / "predict.py").read_text() == PLAIN


def test_check_out_missing_blob_is_refused(root: Path) -> None:
    first, _ = commits(root)
    blob = git(root, "rev-parse", f"{first}:./models/iris/run.sh")
    (root.parent / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(SourceError, match=r"run\.sh is missing in this clone; fetch it"):
        check_out(root, "models/iris", first)
    assert list((root / ".build").iterdir()) == []


DYING = {
    "at once": "exit 1",
    "after it was asked": "read name; exit 1",
    "in a file": f"echo {'0' * 40} blob 100; echo cut",
}


@pytest.mark.parametrize("command", DYING.values(), ids=DYING.keys())
def test_check_out_failed_git_leaves_no_folder(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    first, _ = commits(root)
    real = shutil.which("git")
    script = f'#!/bin/sh\ncase "$*" in *cat-file*) {command};; *) exec {real} "$@";; esac\n'
    write(tmp_path / "bin", {"git": script})
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(SourceError, match="git: ended before it gave the whole file"):
        check_out(root, "models/iris", first)
    assert list((root / ".build").iterdir()) == []


def test_resolve_ignores_git_warnings(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TRACE", "1")
    assert resolve(root, "iris-1.0") == commits(root)[0]


def test_check_out_unwritable_folder_is_refused(root: Path) -> None:
    (root / ".build").write_text("")
    with pytest.raises(SourceError, match=r"\.build.*: (File exists|Not a directory)"):
        check_out(root, "models/iris", commits(root)[0])


def test_check_out_skips_ignored_files(root: Path) -> None:
    (root / "models/iris/.venv").symlink_to("/usr")
    git(root, "add", "--force", ".")
    git(root, "commit", "--quiet", "--message", "a link that no image gets")
    folder = check_out(root, "models/iris", git(root, "rev-parse", "HEAD"))
    assert not (folder / ".venv").is_symlink()
