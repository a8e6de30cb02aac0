"""The pattern language of `.dockerignore`, as Docker's builder reads it.

The files that a pattern matches are part of what a content hash covers, so the meaning of a pattern
never changes. ADR 27 tells why this is no library.
"""

import posixpath
import re
from dataclasses import dataclass

from components.errors import quote

NAME = ".dockerignore"

_BYTE_ORDER_MARK = "\ufeff"
_WILDCARD = re.compile(r"[*?\[\]\\]")
_CLASS = re.compile(r"((?!\^\])\^?(?:[^]\[\\/*?-](?:-[^]\[\\/*?-])?)+)\]")
"""What follows the bracket of a class: letters and ranges, as Docker accepts them."""
_SPECIAL_IN_CLASS = re.compile(r"([&~|])")


class PatternError(Exception):
    """Raised for a pattern that Docker refuses; the message has its line."""


@dataclass(frozen=True)
class _Pattern:
    """One line: what it matches, and whether it takes the files back in (`!`)."""

    regex: re.Pattern[str]
    is_exception: bool


@dataclass(frozen=True)
class IgnoreFile:
    """The patterns of a file, in their order; the last one that matches decides."""

    patterns: tuple[_Pattern, ...] = ()

    @property
    def has_exceptions(self) -> bool:
        """Return whether files in a folder that matches may belong to the version."""
        return any(pattern.is_exception for pattern in self.patterns)

    def matches(self, path: str) -> bool:
        """Return whether a path, relative to the file's folder, or a folder above it is listed."""
        names = path.split("/")
        paths = ["/".join(names[:count]) for count in range(len(names), 0, -1)]
        return next(
            (
                not pattern.is_exception
                for pattern in reversed(self.patterns)
                if any(pattern.regex.fullmatch(prefix) for prefix in paths)
            ),
            False,
        )


def parse(text: str) -> IgnoreFile:
    """Return the patterns of a file. Raises PatternError."""
    patterns: list[_Pattern] = []
    for number, raw in enumerate(text.removeprefix(_BYTE_ORDER_MARK).split("\n"), start=1):
        line = raw.strip()
        if raw.startswith("#") or not line:
            continue
        is_exception = line.startswith("!")
        pattern = line.removeprefix("!").strip()
        try:
            regex = re.compile(_translate(_clean(pattern)), re.DOTALL)
        except (re.error, ValueError):
            raise PatternError(f"{quote(line)} in line {number} of {NAME}") from None
        patterns.append(_Pattern(regex, is_exception))
    return IgnoreFile(tuple(patterns))


def _clean(pattern: str) -> str:
    if not pattern:
        raise ValueError("an exclamation mark alone")
    return posixpath.normpath(pattern).lstrip("/")


def _translate(pattern: str) -> str:
    """Return the regular expression of a pattern, for whole paths."""
    regex: list[str] = []
    remainder = pattern
    while remainder:
        character, remainder = remainder[0], remainder[1:]
        if character == "*" and remainder.startswith("*"):
            remainder = remainder[1:]
            if not regex and remainder and remainder[0] != "/" and not _WILDCARD.search(remainder):
                regex.append(".*")  # `**` and plain text: any path that ends in the text
                continue
            remainder = remainder.removeprefix("/")
            regex.append("(.*/)?" if remainder else ".*")
        elif character == "*":
            regex.append("[^/]*")
        elif character == "?":
            regex.append("[^/]")
        elif character == "[":
            members = _CLASS.match(remainder)
            if members is None:
                raise ValueError("an incomplete class")
            regex.append("[" + _SPECIAL_IN_CLASS.sub(r"\\\1", members[1]) + "]")
            remainder = remainder[members.end() :]
        elif character == "\\" and remainder:
            regex.append(re.escape(remainder[0]))
            remainder = remainder[1:]
        else:
            regex.append(re.escape(character))
    return "".join(regex)
