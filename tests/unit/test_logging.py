"""Logs: our lines and those of libraries in one form, with their context, and floods held back."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import faust
import pytest
import structlog

from infra.runtime.log_floods import FloodFilter
from infra.runtime.logging import (
    FAUST_WORKER_OPTIONS,
    FLOOD_LINES_A_MINUTE,
    QUIET,
    bind_partition,
    bind_request,
    configure,
    get_logger,
)
from infra.runtime.settings import LogSettings

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:], root.level = handlers, level
    for name, earlier in levels.items():
        logging.getLogger(name).setLevel(earlier)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def lines() -> Lines:
    """Configured for JSON; the lines written so far."""
    stream = io.StringIO()
    configure(LogSettings(format="json"), service="ingest", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_holds_event_values_level_logger_and_service(lines: Lines) -> None:
    get_logger("streams.sink").warning("flush failed", table="attempts", rows=500)

    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "flush failed",
        "table": "attempts",
        "rows": 500,
        "level": "warning",
        "logger": "streams.sink",
        "service": "ingest",
    }


def test_a_logger_made_before_configuring_follows_it() -> None:
    log = get_logger("early")
    stream = io.StringIO()
    configure(LogSettings(format="json"), service="ingest", stream=stream)

    log.info("heard")

    assert json.loads(stream.getvalue())["event"] == "heard"


def test_a_librarys_line_has_the_same_form_and_the_context_of_the_request(lines: Lines) -> None:
    with bind_request("7c0e", provider="reader"):
        logging.getLogger("sqlalchemy.pool").warning("connection %d lost", 3)
    logging.getLogger("sqlalchemy.pool").warning("later")

    within, after = lines()
    assert within["event"] == "connection 3 lost"
    assert within["request_id"] == "7c0e"
    assert within["provider"] == "reader"
    assert within["service"] == "ingest"
    assert "request_id" not in after


def test_a_line_of_a_partitions_work_says_which(lines: Lines) -> None:
    with bind_partition("statements", 3, offset=41):
        get_logger("streams").info("flushed")

    (line,) = lines()
    assert (line["topic"], line["partition"], line["offset"]) == ("statements", 3, 41)


def test_an_error_brings_its_traceback_without_the_values_of_variables(lines: Lines) -> None:
    learner = "Ada Lovelace"
    try:
        raise ValueError(len(learner))
    except ValueError:
        get_logger("ingest").exception("failed")

    (line,) = lines()
    assert line["exception"].endswith("ValueError: 12")
    assert learner not in line["exception"]


def test_for_people_a_line_is_text_without_colours_when_it_goes_to_a_file() -> None:
    stream = io.StringIO()
    configure(LogSettings(format="console"), service="ingest", stream=stream)

    get_logger("ingest").info("listening", port=8080)

    assert "listening" in stream.getvalue()
    assert "port=8080" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_chatter_of_libraries_is_heard_only_when_debugging() -> None:
    stream = io.StringIO()
    configure(LogSettings(format="json"), service="ingest", stream=stream)
    logging.getLogger("httpx").info("request sent")
    get_logger("ingest").debug("detail")
    assert stream.getvalue() == ""

    configure(LogSettings(format="json", level="DEBUG"), service="ingest", stream=stream)
    logging.getLogger("httpx").info("request sent")
    get_logger("ingest").debug("detail")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["request sent", "detail"]


def test_configuring_again_does_not_write_lines_twice(lines: Lines) -> None:
    stream = io.StringIO()
    configure(LogSettings(format="json"), service="ingest", stream=stream)

    get_logger("ingest").info("once")

    assert len(stream.getvalue().splitlines()) == 1
    assert lines() == []


async def test_fausts_worker_leaves_it_as_it_is(lines: Lines) -> None:
    app = faust.App("logging-test", broker="memory://", store="memory://")
    before = logging.getLogger().handlers[:]

    await app.Worker(**FAUST_WORKER_OPTIONS).default_on_first_start()

    assert logging.getLogger().handlers == before


def test_a_librarys_flood_is_cut_to_some_lines_a_minute(lines: Lines) -> None:
    for record in range(1000):
        logging.getLogger("aiokafka.producer.sender").warning("Got error for record %d", record)
        get_logger("ingest").warning("ours")

    events = [line["event"] for line in lines()]
    assert events.count("ours") == 1000
    assert len(events) == 1000 + FLOOD_LINES_A_MINUTE


@pytest.fixture
def limited() -> Iterator[tuple[logging.Logger, list[str], Callable[[float], None]]]:
    """A logger whose lines are limited to two in sixty seconds, the lines that passed, and a clock to set."""
    now = [0.0]
    passed: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            passed.append(record.getMessage())

    handler = Collect()
    handler.addFilter(FloodFilter(("noisy",), lines=2, seconds=60, clock=lambda: now[0]))
    root = logging.getLogger()
    root.addHandler(handler)
    yield logging.getLogger("noisy.part"), passed, lambda seconds: now.__setitem__(0, seconds)
    root.removeHandler(handler)


def test_what_was_held_back_is_told_when_the_minute_is_over(limited) -> None:
    noisy, passed, set_clock = limited
    for record in range(5):
        noisy.warning("record %s waits", record)
    assert passed == ["record 0 waits", "record 1 waits"]

    set_clock(60.0)
    logging.getLogger("other").warning("anything")

    assert passed[2:] == ["suppressed 3 more lines like: record %s waits", "anything"]


def test_after_the_minute_lines_pass_again(limited) -> None:
    noisy, passed, set_clock = limited
    for _ in range(3):
        noisy.warning("away")
    set_clock(61.0)

    noisy.warning("away")

    assert passed == ["away", "away", "suppressed 1 more lines like: away", "away"]


def test_lines_that_differ_in_numbers_only_are_one_flood(limited) -> None:
    noisy, passed, _ = limited
    for record in range(5):
        noisy.warning(f"record {record} waits")

    assert passed == ["record 0 waits", "record 1 waits"]


def test_different_messages_do_not_hold_each_other_back(limited) -> None:
    noisy, passed, _ = limited
    for _ in range(3):
        noisy.warning("away")
        noisy.warning("still away")

    assert passed == ["away", "still away"] * 2
