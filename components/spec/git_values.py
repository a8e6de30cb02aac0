"""The values of `source: {path, ref}`, as far as they can be checked without asking Git."""

import posixpath
import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from components.errors import refusal

_REF = r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}"
"""Narrower than Git's own rule: no `HEAD~1`, `main@{1}` or `:/text`, which name what moves."""


def _ref(text: str) -> str:
    if text.startswith("-"):
        raise refusal("write a tag or a commit: Git would read this as an option")
    if not re.fullmatch(_REF, text) or ".." in text or text.endswith("/"):
        raise refusal("write a tag or a commit, such as iris-1.0")
    return text


def _folder(text: str) -> str:
    if posixpath.isabs(text):
        raise refusal("write it relative to the project: every clone lies elsewhere")
    if not text or not text.isprintable():
        raise refusal("write a folder relative to the project, such as models/iris")
    path = posixpath.normpath(text)
    if path == "." or path.split("/")[0] == "..":
        raise refusal("write a folder inside the project; this leads out of it, or is all of it")
    return path


GitRef = Annotated[
    str, AfterValidator(_ref), WithJsonSchema({"type": "string", "pattern": f"^{_REF}$"})
]
GitFolder = Annotated[str, AfterValidator(_folder), WithJsonSchema({"type": "string"})]
