"""Structured logging: one JSON object per line on standard error, none for a successful request."""

import logging
import sys
from datetime import UTC, datetime

import orjson

from model_harness.observability.termination_message import SecretRedactor

logger = logging.getLogger("model_harness")


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
        return orjson.dumps(fields, default=str).decode()


def configure(redactor: SecretRedactor) -> None:
    """Log the harness and Granian to standard error; user code configures other loggers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redactor))
    for name, level in (("model_harness", logging.INFO), ("_granian", logging.WARNING)):
        target = logging.getLogger(name)
        target.handlers = [handler]
        target.setLevel(level)
        target.propagate = False
