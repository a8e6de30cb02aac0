"""The termination message of the container, without the values of the version's secrets.

Kubernetes copies the file into the status of the Pod; events and the status page show it. So it is
never the end of the log, where user code may have printed anything, but a sentence of the harness.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

MAX_BYTES = 4096
"""The limit of kubelet."""

_MIN_LINE_CHARACTERS = 8
"""Shorter lines of a multi-line secret, such as `}`, are not redacted on their own."""


class SecretRedactor:
    """Replaces values of secrets by the names of their variables."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the variables that `MODEL_SECRETS` names, before user code can change them."""
        self._names = {
            spelling: name
            for name in environment.get("MODEL_SECRETS", "").split(",")
            for spelling in _spellings(environment.get(name, ""))
        }
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def redact(self, text: str) -> str:
        """Return the text with each value replaced by `<secret NAME>`."""
        if not self._names:
            return text
        return self._pattern.sub(lambda match: f"<secret {self._names[match[0]]}>", text)


class TerminationMessage:
    """Writes the file that kubelet reads when the container terminates."""

    def __init__(self, file: Path | None, redactor: SecretRedactor) -> None:
        """Create the writer. Without a file nothing is written."""
        self._file = file
        self.redactor = redactor

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "TerminationMessage":
        """Read `MODEL_TERMINATION_LOG`, an existing file, and `MODEL_SECRETS`."""
        file = environment.get("MODEL_TERMINATION_LOG")
        return cls(Path(file) if file else None, SecretRedactor(environment))

    def report(self, reason: object) -> None:
        """Print the reason as the last line of the log and write the termination message."""
        text = self.redactor.redact(str(reason))
        print(text, file=sys.stderr)
        self.write(text)

    def write(self, text: str) -> None:
        """Replace the termination message."""
        if self._file is None:
            return
        redacted = self.redactor.redact(text).encode(errors="replace")
        # Not cut within a character: the API server would refuse the status.
        message = redacted[-MAX_BYTES:].decode(errors="ignore")
        try:
            with self._file.open("r+", encoding="utf-8") as file:  # kubelet creates the file
                file.truncate()
                file.write(message)
        except OSError as error:
            print(f"cannot write {self._file}: {error.strerror}", file=sys.stderr)

    def write_if_empty(self, text: str) -> None:
        """Write the termination message unless there is one."""
        if self._file is not None and self._file.exists() and not self._file.stat().st_size:
            self.write(text)


def _spellings(secret: str) -> Iterator[str]:
    """Yield the secret and its lines, each verbatim and as `repr` quotes it in a message."""
    lines = [line for line in secret.splitlines() if len(line.strip()) >= _MIN_LINE_CHARACTERS]
    for part in filter(str.strip, (secret, secret.strip(), *lines)):
        yield part
        yield repr(part)[1:-1]
