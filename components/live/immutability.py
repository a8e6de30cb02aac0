"""A published version stays what it is: refused here, before anything is touched."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from components.errors import Mistake
from components.live.state import Live, LiveVersion

_SHOWN = 12


class Content(Protocol):
    """What is compared of a version's content."""

    @property
    def content_hash(self) -> str:
        """64 hexadecimal digits."""

    @property
    def commit(self) -> str:
        """The commit that it was read from."""

    @property
    def ref(self) -> str:
        """The tag or commit that the stack file names; empty for a folder."""


def changed(contents: Mapping[tuple[str, str], Content], live: Live) -> Iterator[Mistake]:
    """A mistake for each published version, by (model, version), that is another one now.

    A version that never became Available is not published yet: it may be mended under its name.
    """
    for (model, version), content in contents.items():
        standing = live.versions.get((model, version))
        if standing is not None and standing.was_available:
            yield from _compare(("models", model, "versions", version), content, standing)


def _compare(at: tuple[str, ...], content: Content, standing: LiveVersion) -> Iterator[Mistake]:
    since = f" since it was published at {standing.published_at}" if standing.published_at else ""
    moved = ""
    if content.ref and content.ref == standing.ref and content.commit != standing.commit:
        commits = f"commit {standing.commit[:_SHOWN]}, now {content.commit[:_SHOWN]}"
        moved = f"ref {content.ref} that moved{since} ({commits})"
    if standing.content_hash != content.content_hash:
        yield Mistake(
            at,
            f"content that changed{since} "
            f"(hash {standing.content_hash[:_SHOWN]}, now {content.content_hash[:_SHOWN]})"
            + (f"; it has the {moved}" if moved else ""),
            "publish it as a new version, or put source, handler, language and environment back",
        )
    elif moved:
        yield Mistake(
            (*at, "source", "ref"), f"a {moved}", "write the commit itself, or put the tag back"
        )
