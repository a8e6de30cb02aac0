"""Structured logging: one JSON object per line on standard error, none for a successful request."""

import logging
import os
import sys
from datetime import UTC, datetime

import orjson

from model_harness.errors import encodable
from model_harness.observability.termination_message import SecretRedactor


class _HarnessLogger(logging.Logger):
    """A logger that user code cannot reconfigure or disable: `logging` does not know it."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name of the standard library
        """Ignore `logging.disable`."""
        return level >= self.level


logger: logging.Logger = _HarnessLogger("model_harness", logging.INFO)


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON; `extra={"request_id": ...}` and the traceback become fields."""

    def __init__(self, redactor: SecretRedactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without secrets; JSON escapes the line feeds of a traceback."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redactor.redact(record.getMessage()),
        }
        if hasattr(record, "request_id"):
            fields["request_id"] = record.request_id
        if record.exc_info:
            fields["traceback"] = self._redactor.redact(self.formatException(record.exc_info))
        return orjson.dumps(_encodable(fields), default=str).decode()


def _encodable(fields: dict[str, object]) -> dict[str, object]:
    return {
        key: encodable(value) if isinstance(value, str) else value for key, value in fields.items()
    }


def configure(redactor: SecretRedactor) -> None:
    """Log the harness and Granian to standard error; user code configures other loggers."""
    # a copy of the descriptor: user code may close standard error
    stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(redactor))
    granian = logging.getLogger("_granian")
    granian.setLevel(logging.WARNING)
    for target in (logger, granian):
        target.handlers = [handler]
        target.propagate = False
