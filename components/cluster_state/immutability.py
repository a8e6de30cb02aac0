"""Reject changes of published versions before any resource is changed."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from components.cluster_state.state import ClusterState, VersionState
from components.errors import ConfigIssue

_SHOWN = 12


class Content(Protocol):
    """The content of a version that is compared."""

    @property
    def content_hash(self) -> str:
        """64 hexadecimal digits."""

    @property
    def commit(self) -> str:
        """The commit of the source."""

    @property
    def ref(self) -> str:
        """The tag or commit that the stack file names; empty for a folder."""


def find_changed_versions(
    contents: Mapping[tuple[str, str], Content], state: ClusterState
) -> Iterator[ConfigIssue]:
    """Yield an issue for each published version, by (model, version), whose content changed.

    A version that never became Available is not published yet: its content may change.
    """
    for (model, version), content in contents.items():
        current = state.versions.get((model, version))
        if current is not None and current.ever_available:
            yield from _compare(("models", model, "versions", version), content, current)


def _compare(at: tuple[str, ...], content: Content, current: VersionState) -> Iterator[ConfigIssue]:
    since = f" since it was published at {current.published_at}" if current.published_at else ""
    moved = ""
    if content.ref and content.ref == current.ref and content.commit != current.commit:
        commits = f"commit {current.commit[:_SHOWN]}, now {content.commit[:_SHOWN]}"
        moved = f"ref {content.ref} that moved{since} ({commits})"
    if current.content_hash != content.content_hash:
        yield ConfigIssue(
            at,
            f"content that changed{since} "
            f"(hash {current.content_hash[:_SHOWN]}, now {content.content_hash[:_SHOWN]})"
            + (f"; it has the {moved}" if moved else ""),
            "publish it as a new version, or put source, handler, language, python and environment "
            "back",
        )
    elif moved:
        yield ConfigIssue(
            (*at, "source", "ref"), f"a {moved}", "write the commit itself, or put the tag back"
        )
