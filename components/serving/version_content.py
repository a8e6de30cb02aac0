"""The content of the versions of a stack, read once before resources are declared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.cluster_state.state import ClusterState
from components.config import GitSource, StackSpec, VersionSpec
from components.git_sources import read_git, resolve
from components.serving.provenance import GitCheckout
from components.sources import (
    OLDER_RULES,
    RULES,
    IgnoreRules,
    SourceTree,
    content_hash,
    content_hash_of_image,
    read,
)


@dataclass(frozen=True)
class Content:
    """A version's files (None for a prebuilt image), content hash and commit."""

    tree: SourceTree | None
    content_hash: str
    commit: str
    ref: str
    """The tag or commit that the stack file names; empty for a folder or an image."""


def read_all(spec: StackSpec, root: Path) -> Mapping[tuple[str, str], Content]:
    """Return the contents by (model, version). Raises `SourceError` for unreadable files."""
    checkout = GitCheckout(root)
    return {
        (name, version): _read(version_spec, root, checkout)
        for name, model in spec.models.items()
        for version, version_spec in model.versions.items()
    }


def keep_published(
    contents: Mapping[tuple[str, str], Content],
    state: ClusterState,
    spec: StackSpec,
    root: Path,
) -> Mapping[tuple[str, str], Content]:
    """Return the contents, by the older rules for versions that were published with them.

    New rules for ignored files must not change the content of published versions.
    """
    checkout = GitCheckout(root)
    by_published_rules = dict(contents)
    for (model, version), content in contents.items():
        current = state.versions.get((model, version))
        if current is None or content.tree is None or current.content_hash == content.content_hash:
            continue
        version_spec = spec.models[model].versions[version]
        for rules in OLDER_RULES:
            older = _read(version_spec, root, checkout, rules)
            if older.content_hash == current.content_hash:
                by_published_rules[model, version] = older
    return by_published_rules


def _read(
    spec: VersionSpec, root: Path, checkout: GitCheckout, rules: IgnoreRules = RULES
) -> Content:
    runtime_settings = (spec.language, spec.handler, spec.environment)
    if spec.image is not None:
        return Content(None, content_hash_of_image(spec.image, *runtime_settings), "unknown", "")
    if isinstance(spec.source, GitSource):
        commit = resolve(root, spec.source.ref)
        tree = read_git(root, spec.source.path, commit, rules)
        return Content(
            tree, content_hash(tree, *runtime_settings, spec.python), commit, spec.source.ref
        )
    folder = str(spec.source)
    tree = read(root / folder, rules)
    return Content(
        tree, content_hash(tree, *runtime_settings, spec.python), checkout.commit(folder), ""
    )
