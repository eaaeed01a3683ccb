"""A limit on lines that a library repeats: aiokafka writes a line or two for each record that waits for a broker."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_SUMMARY = "_flood_summary"
_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class _Window:
    """Lines of one message since ``began``."""

    began: float
    level: int
    passed: int = 0
    suppressed: int = 0


class FloodFilter(logging.Filter):
    """Lets ``lines`` records of one logger and message template through in ``seconds``, then tells how many more came.

    Only the loggers named, and those below them, are limited. A template is the message before its arguments are
    put in, numbers aside, since some libraries put them in by themselves. The sum is said at the first record of
    any logger after the window has ended. To be added to a handler; safe between threads.
    """

    def __init__(
        self, loggers: tuple[str, ...], *, lines: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._limited = frozenset(loggers)
        self._lines = lines
        self._seconds = seconds
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, _SUMMARY):
            return True
        now = self._clock()
        with self._lock:
            ended = self._end_windows(now)
            passes = self._passes(record, now)
        for (name, template), window in ended:
            _summarise(name, template, window)
        return passes

    def _end_windows(self, now: float) -> list[tuple[tuple[str, str], _Window]]:
        ended = [key for key, window in self._windows.items() if now - window.began >= self._seconds]
        closed = [(key, self._windows.pop(key)) for key in ended]
        return [(key, window) for key, window in closed if window.suppressed]

    def _passes(self, record: logging.LogRecord, now: float) -> bool:
        if not self._is_limited(record.name):
            return True
        key = (record.name, _NUMBER.sub("#", str(record.msg)))
        window = self._windows.setdefault(key, _Window(began=now, level=record.levelno))
        if window.passed < self._lines:
            window.passed += 1
            return True
        window.suppressed += 1
        return False

    def _is_limited(self, name: str) -> bool:
        return name.partition(".")[0] in self._limited


def _summarise(name: str, template: str, window: _Window) -> None:
    logger = logging.getLogger(name)
    record = logger.makeRecord(
        name,
        window.level,
        fn="",
        lno=0,
        msg="suppressed %d more lines like: %s",
        args=(window.suppressed, template),
        exc_info=None,
        extra={_SUMMARY: True},
    )
    logger.handle(record)
