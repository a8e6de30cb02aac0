"""Structured logging: one JSON object per line on standard error."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

_EXTRA_FIELDS = ("model", "version", "event", "resource")
"""Keys of `extra={...}` that are logged; all others are dropped."""


class JsonFormatter(logging.Formatter):
    """Format a record as one line of JSON, with `extra` and the traceback as fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; JSON escapes the line feeds of a traceback."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _EXTRA_FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure() -> None:
    """Log the watcher at level INFO and libraries at level WARNING.

    pika is limited to CRITICAL because it logs connection parameters and every refused attempt;
    the publisher logs these errors.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.getLogger("watcher").setLevel(logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
