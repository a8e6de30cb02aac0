"""The lines of a version's `requirements.txt` that cannot be installed into its image.

pip runs before the version's files are copied, so that a change of code installs nothing. It sees
this file alone, and the image has no program of a version control system.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from components.errors import quote
from components.languages import PYTHON

_COMMENT = re.compile(r"(^|\s+)#.*$")
_FILE_OPTION = re.compile(r"-[rc]|--(requirement|constraint)(?![a-z-])")
_EDITABLE = re.compile(r"-e|--editable(?![a-z-])")
_FIND_LINKS = re.compile(r"(?:-f|--find-links(?![a-z-]))[ =]*(?P<place>.*)")
_DIRECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^]]*\])?\s*@\s*(?P<place>.+)")
_REPOSITORY = re.compile(r"(git|hg|svn|bzr)(\+|://)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tar\.\w+)$")

_ONLY_FILE = "write its lines into requirements.txt itself: pip sees no other file of the folder"
_NO_LOCAL = (
    "move its code into the folder of the version, where the handler can import it, or write a "
    "package of an index: pip sees no other file of the folder"
)
_NO_REPOSITORY = (
    "write a package of an index, or the https address of an archive of that commit: the image "
    "has no version control"
)


@dataclass(frozen=True)
class Refusal:
    """A line that cannot work in an image, and the remedy."""

    line: int
    text: str
    hint: str

    @property
    def actual(self) -> str:
        """Return the line and its number in words."""
        return f"{quote(self.text)} in line {self.line} of {PYTHON.dependencies}"


def find_refusals(content: bytes) -> Iterator[Refusal]:
    """Yield the lines that name other files, folders or repositories."""
    for number, line in _logical_lines(content.decode("utf-8-sig", errors="replace")):
        hint = _hint(line)
        if hint:
            yield Refusal(number, line, hint)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield what pip reads as one line, with its first number: without comments."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if parts else number
        is_comment = line.lstrip().startswith("#")
        parts.append(line.removesuffix("\\"))
        if line.endswith("\\") and not is_comment:
            continue
        yield first, _COMMENT.sub("", "".join(parts)).strip()
        parts = []
    if parts:
        yield first, _COMMENT.sub("", "".join(parts)).strip()


def _hint(line: str) -> str | None:
    """Return the remedy for a line; None if it may work."""
    if _FILE_OPTION.match(line):
        return _ONLY_FILE
    editable = _EDITABLE.match(line)
    place = line[editable.end() :].lstrip(" =") if editable else line
    direct = _DIRECT.fullmatch(place)
    place = direct["place"] if direct else place
    links = _FIND_LINKS.match(place)
    if _REPOSITORY.match(place):
        return _NO_REPOSITORY
    if editable:
        return _NO_LOCAL
    if links:
        return None if _is_remote(links["place"]) else _NO_LOCAL
    if place.startswith("-"):
        return None
    is_local = direct or place.startswith((".", "/", "~", "file:")) or _looks_local(place)
    return _NO_LOCAL if is_local and not _is_remote(place) else None


def _is_remote(place: str) -> bool:
    return bool(_ADDRESS.match(place)) and not place.lower().startswith("file:")


def _looks_local(place: str) -> bool:
    """Return whether pip takes a requirement as a path: by a separator, or as an archive."""
    requirement = re.split(r"\s*(?:;|\s--)", place, maxsplit=1)[0]
    return "/" in requirement or bool(_ARCHIVE.search(requirement))
