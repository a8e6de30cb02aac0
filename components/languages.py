"""The languages that a handler may be written in, one row each.

A runtime is one release of a language; each runtime has a separate harness image.
"""

import re
from dataclasses import dataclass

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True)
class Language:
    """A language, with the properties that stack file and images depend on."""

    name: str
    folder: str
    """Folder of its harness, relative to the project."""
    shared: tuple[str, ...]
    """Files and folders of the Python harness that its image contains."""
    dependencies: str
    """The file of a version with its dependencies."""
    handler: str
    """The regular expression of a handler."""
    form: str
    """The form of a handler, in words."""


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
    """The language release that a harness image is built for."""

    language: Language
    release: str = ""
    """Release of the language; empty for the default of the harness's Dockerfile."""
    base: str = ""
    """The base image; empty for the default of the harness's Dockerfile."""

    @property
    def name(self) -> str:
        """Return the language, with the release if it is not the default."""
        return "-".join(filter(None, (self.language.name, self.release)))


DEFAULT_PYTHON = "3.11"
"""The release of versions without the key `python`; fixed, since published versions use it."""
PYTHON_RUNTIMES = {
    DEFAULT_PYTHON: Runtime(PYTHON),
    "3.13": Runtime(PYTHON, "3.13", "python:3.13-slim-trixie"),
}


def runtime(language: str, python: str | None) -> Runtime:
    """Return the runtime of a version; `python` is the version's key."""
    if language == PYTHON.name:
        return PYTHON_RUNTIMES[python or DEFAULT_PYTHON]
    return Runtime(LANGUAGES[language])


def is_handler(text: str, language: Language) -> bool:
    """Return whether text has the form of a handler in a language."""
    return re.fullmatch(language.handler, text, re.ASCII) is not None


def handler_files(language: str, handler: str) -> list[str]:
    """Return the paths of which one must be in the source, the usual one first."""
    module = handler.partition(":")[0]
    if language == R.name:
        return [f"{module}.R"]
    path = module.replace(".", "/")
    return [f"{path}.py", f"{path}/__init__.py"]
