"""The languages that a handler may be written in, one row each.

A runtime is one release of a language; each runtime has a separate harness image.
"""

import re
from dataclasses import dataclass

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class Language:
    """A language, as far as the stack file and the images know one from another."""

    name: str
    folder: str
    """Of its harness, relative to the project."""
    shared: tuple[str, ...]
    """Files and folders of the Python harness, the front of every language, that it is built of."""
    dependencies: str
    """The file of a version that names the packages it needs."""
    handler: str
    """The pattern of a handler."""
    form: str
    """The same in words."""


PYTHON = Language(
    name="python",
    folder="harness/python",
    shared=(),
    dependencies="requirements.txt",
    handler=rf"{_IDENTIFIER}(\.{_IDENTIFIER})*:{_IDENTIFIER}",
    form="<module>:<function>, such as predict:predict",
)
R = Language(
    name="r",
    folder="harness/r",
    shared=("model_harness", "requirements.txt"),
    dependencies="dependencies",
    handler=r"(?![^:]*\.[Rr]:)[A-Za-z_][A-Za-z0-9_.-]*:([A-Za-z]|\.(?![0-9]))[A-Za-z0-9._]*",
    form="<file>:<function>, the file without .R, such as predict:predict",
)
LANGUAGES = {language.name: language for language in (PYTHON, R)}


@dataclass(frozen=True)
class Runtime:
    """What the image of a harness is built for."""

    language: Language
    release: str = ""
    """Of the language; empty for the one that the harness's Dockerfile has by default."""
    base: str = ""
    """The base image; empty for the one that the harness's Dockerfile has by default."""

    @property
    def name(self) -> str:
        """The language, with the release if it is not the default."""
        return "-".join(filter(None, (self.language.name, self.release)))


DEFAULT_PYTHON = "3.11"
"""The release of a version without the key `python`; fixed, since published versions have it."""
PYTHON_RUNTIMES = {
    DEFAULT_PYTHON: Runtime(PYTHON),
    "3.13": Runtime(PYTHON, "3.13", "python:3.13-slim-trixie"),
}


def runtime(language: str, python: str | None) -> Runtime:
    """Return the runtime of a version; `python` is its key of that name."""
    if language == PYTHON.name:
        return PYTHON_RUNTIMES[python or DEFAULT_PYTHON]
    return Runtime(LANGUAGES[language])


def is_handler(text: str, language: Language) -> bool:
    """Whether this is the form of a handler in that language."""
    return re.fullmatch(language.handler, text, re.ASCII) is not None
