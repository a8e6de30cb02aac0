"""The values of `source: {path, ref}`, as far as they can be checked without Git."""

import posixpath
import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from components.errors import value_error

_REF = r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}"
"""Stricter than Git: no `HEAD~1`, `main@{1}` or `:/text`, which are not immutable."""


def _ref(text: str) -> str:
    if text.startswith("-"):
        raise value_error("write a tag or a commit: Git would read this as an option")
    if not re.fullmatch(_REF, text) or ".." in text or text.endswith("/"):
        raise value_error("write a tag or a commit, such as iris-1.0")
    return text


def _folder(text: str) -> str:
    if posixpath.isabs(text):
        raise value_error("write it relative to the project, because clones have different paths")
    if not text or not text.isprintable():
        raise value_error("write a folder relative to the project, such as models/iris")
    path = posixpath.normpath(text)
    if path == "." or path.split("/")[0] == "..":
        raise value_error(
            "write a folder inside the project; this path is outside of it or the project itself"
        )
    return path


GitRef = Annotated[
    str, AfterValidator(_ref), WithJsonSchema({"type": "string", "pattern": f"^{_REF}$"})
]
GitFolder = Annotated[str, AfterValidator(_folder), WithJsonSchema({"type": "string"})]
