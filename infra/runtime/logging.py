"""Logs: structlog for our own, the standard library's for those of libraries, one form on one stream for both.

A module asks for its logger by ``log = get_logger(__name__)`` and writes events with values beside them:
``log.warning("flush failed", table="attempts", rows=500)``. Nothing is set up at import: a command's main
calls ``configure`` once, before it makes anything that logs.

Servers and frameworks that set up logging by themselves are told not to: uvicorn by ``log_config=None``,
Faust by ``faust.Worker(app, **FAUST_WORKER_OPTIONS)``.
"""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from infra.runtime.log_floods import FloodFilter
from infra.runtime.settings import LogSettings

QUIET = ("aiokafka", "asyncio", "faust", "httpcore", "httpx", "kafka", "mode", "urllib3", "uvicorn.access", "watchdog")
"""Libraries that tell of each connection or request at INFO: heard from WARNING, unless the level is DEBUG."""

FLOODING = ("aiokafka", "faust", "kafka", "mode", "urllib3")
"""Libraries that repeat a line for each record or attempt while a server is away."""

FLOOD_LINES_A_MINUTE = 5

FAUST_WORKER_OPTIONS: Final[dict[str, Any]] = {"override_logging": False, "quiet": True}
"""For ``faust.Worker``, which else empties the root logger, logs in its own form and decorates the terminal."""


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module, lazy: it follows ``configure`` even when it was made before."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def bind_request(request_id: str, **values: str) -> AbstractContextManager[None]:
    """Within it, each line (of libraries too) carries the request's id and what else is given, as its provider."""
    return structlog.contextvars.bound_contextvars(request_id=request_id, **values)


def bind_partition(topic: str, partition: int, **values: int) -> AbstractContextManager[None]:
    """Within it, each line (of libraries too) carries topic and partition and what else is given, as an offset."""
    return structlog.contextvars.bound_contextvars(topic=topic, partition=partition, **values)


class _OurHandler(logging.StreamHandler[TextIO]):
    """Known by its class, so that configuring again replaces it and leaves the handlers of others alone."""


def configure(settings: LogSettings, *, service: str, stream: TextIO | None = None) -> None:
    """Write all logs of this process to ``stream`` (standard error by default), each with ``service``."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level]
    shared = _shared_processors(service)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _OurHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(settings, stream)],
        )
    )
    handler.addFilter(FloodFilter(FLOODING, lines=FLOOD_LINES_A_MINUTE, seconds=60.0))

    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, _OurHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET if level <= logging.DEBUG else max(level, logging.WARNING))
    logging.captureWarnings(True)


def _shared_processors(service: str) -> list[Processor]:
    def add_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        add_service,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _renderer(settings: LogSettings, stream: TextIO) -> list[Processor]:
    # Tracebacks are plain in both forms: those with local variables would write names and addresses to a file.
    if settings.format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=40
        )
    ]
