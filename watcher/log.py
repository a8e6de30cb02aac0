"""Structured log lines: one JSON object a line on standard error."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

_FIELDS = ("model", "version", "event", "resource")
"""What `extra={...}` may carry; nothing else of a record gets out."""


class JsonFormatter(logging.Formatter):
    """`extra` and the traceback become fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; a traceback's line feeds are escaped by JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure() -> None:
    """Send the watcher's lines out; of libraries only what is worth waking up for.

    pika logs whole connection parameters and every refused attempt: its own errors are told by us.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.getLogger("watcher").setLevel(logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
