"""A container's last words: the harness's own, without the values of the version's secrets.

Kubernetes takes them from a file into the Pod's status; from there they go into events and onto the
status page, before more eyes than a log. So they are never the end of the log, where user's code
may have printed anything, but sentences from here.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 4096
"""So much kubelet keeps."""

_LEAST_LINE = 8
"""Characters. A key of many lines may be told in part, but a line `}` of it is no secret."""


@dataclass
class _Known:
    """What the environment said at the start; user's code may change it."""

    file: Path | None = None
    secrets: re.Pattern[str] | None = None
    names: Mapping[str, str] | None = None
    """Of secrets, by all that they may look like."""


_known = _Known()


def configure(environment: Mapping[str, str]) -> None:
    """Read `MODEL_TERMINATION_LOG`, a file that exists, and `MODEL_SECRETS`, names of variables.

    To be called before any process is forked. Without it nothing is kept and nothing left out.
    """
    file = environment.get("MODEL_TERMINATION_LOG")
    _known.file = Path(file) if file else None
    _known.names = {
        form: name
        for name in environment.get("MODEL_SECRETS", "").split(",")
        for form in _forms(environment.get(name, ""))
    }
    longest_first = sorted(_known.names, key=len, reverse=True)
    _known.secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def say(text: object) -> None:
    """The last line of the log, and what the Pod's status will show."""
    told = without_secrets(str(text))
    print(told, file=sys.stderr)
    keep(told)


def keep(text: str) -> None:
    """Only for the Pod's status, instead of what was kept before."""
    if _known.file is None:
        return
    # not cut within a character: the API server refuses such a status
    end = without_secrets(text).encode(errors="replace")[-MOST_BYTES:].decode(errors="ignore")
    try:
        with _known.file.open("r+", encoding="utf-8") as file:  # kubelet has made it
            file.truncate()
            file.write(end)
    except OSError as error:
        print(f"{_known.file} cannot be written: {error.strerror}", file=sys.stderr)


def keep_if_none(text: str) -> None:
    """For the Pod's status, unless something is kept."""
    if _known.file is not None and _known.file.exists() and not _known.file.stat().st_size:
        keep(text)


def without_secrets(text: str) -> str:
    """Each secret's value replaced by its name."""
    if _known.secrets is None:
        return text
    names = _known.names or {}
    return _known.secrets.sub(lambda found: f"<secret {names[found[0]]}>", text)


def _forms(value: str) -> Iterator[str]:
    """A secret whole and line by line, each as it is and as `repr` shows it within a message."""
    lines = [line for line in value.splitlines() if len(line.strip()) >= _LEAST_LINE]
    for part in filter(str.strip, (value, value.strip(), *lines)):
        yield part
        yield repr(part)[1:-1]
