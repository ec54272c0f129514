"""One JSON line for each request and event, on standard error; no image, file name, key or query is in any."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import FilteringBoundLogger, Processor

_PROCESSORS: Final[tuple[Processor, ...]] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),  # a local may be a key
)


def make_logger(stream: TextIO | None = None) -> FilteringBoundLogger:
    """A logger of its own, so that nothing is configured for the whole process."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, _Lossy(stream or sys.stderr))),
        processors=[*_PROCESSORS, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger


class _Lossy:
    """A stream whose full disk or closed pipe costs lines: a request or a batch must not fail of being logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class JsonHandler(logging.Handler):
    """Takes what libraries log, such as uvicorn's errors, into the same lines."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._logger.log(record.levelno, record.getMessage().strip(), **fields)
