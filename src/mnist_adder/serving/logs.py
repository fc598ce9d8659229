"""The log: JSON objects, one a line, on standard error. Never in it: pictures, numbers, query strings."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

LOGGER = logging.getLogger("mnist_adder.serving")
"""Of the service; its records carry what happened under ``extra={"fields": {...}}``."""


class JsonFormatter(logging.Formatter):
    """One JSON object: time (UTC), level, logger, message, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def log_request(fields: dict[str, Any]) -> None:
    """Write the line of one request, if lines of this level are wanted.

    The same as ``LOGGER.info("request", extra={"fields": fields})`` in 1 us instead of 13, of the 190 us that
    an answer takes.
    """
    if LOGGER.isEnabledFor(logging.INFO):
        entry = {"time": datetime.now(UTC), "level": "info", "logger": LOGGER.name, "message": "request"}
        line = orjson.dumps(entry | fields, default=str, option=orjson.OPT_APPEND_NEWLINE)
        sys.stderr.write(line.decode())


def configuration(level: str) -> dict[str, Any]:
    """For ``logging.config``, which uvicorn calls: our lines and uvicorn's own in the one form."""
    to_standard_error = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "mnist_adder.serving.logs.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {"mnist_adder.serving": to_standard_error, "uvicorn": to_standard_error},
    }
