"""Structured log lines: one JSON object a line on standard error, none for a good request."""

import logging
import sys
from datetime import UTC, datetime

import orjson

from model_harness import last_words

logger = logging.getLogger("model_harness")


class JsonFormatter(logging.Formatter):
    """`extra={"request_id": ...}` and the traceback become fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, without secrets; a traceback's line feeds are escaped by JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": last_words.without_secrets(record.getMessage()),
        }
        if hasattr(record, "request_id"):
            line["request_id"] = record.request_id
        if record.exc_info:
            line["traceback"] = last_words.without_secrets(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()


def configure() -> None:
    """Send the harness's and Granian's lines out; the user's own loggers stay the user's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    for name, level in (("model_harness", logging.INFO), ("_granian", logging.WARNING)):
        target = logging.getLogger(name)
        target.handlers = [handler]
        target.setLevel(level)
        target.propagate = False
