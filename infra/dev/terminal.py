"""What a person sees of the running stack: a live view in a terminal, plain lines elsewhere.

``View`` is all that is known; ``picture`` and ``changes`` are pure, so that what is shown can be tested.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

Phase = Literal["starting", "running", "stopping", "stopped"]

STYLES = {
    "up": "green",
    "starting": "yellow",
    "restarting": "red",
    "failed": "bold red",
    "ended": "dim",
    "stopped": "dim",
}
NOTICES_SHOWN = 6
LINE_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Service:
    """One process: ``seconds`` in its state, ``note`` why it is in it or what it says itself."""

    name: str
    state: str
    pid: int | None = None
    seconds: float = 0.0
    restarts: int = 0
    note: str = ""


@dataclass(frozen=True)
class View:
    """The stack at one moment. ``rate``: statements accepted a second; ``stored``: statements in ClickHouse."""

    phase: Phase
    services: tuple[Service, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()
    rate: float | None = None
    stored: int | None = None
    notices: tuple[str, ...] = ()
    doing: str = ""


class Terminal(Protocol):
    """Where views are shown; a context manager."""

    def show(self, view: View, now: float) -> None:
        """Show what has changed; ``now`` in seconds of any clock."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


def open_terminal(stream: TextIO | None = None) -> Terminal:
    """A live view when the stream is a terminal, else plain lines."""
    stream = stream or sys.stdout
    return LiveTerminal(Console(file=stream)) if stream.isatty() else PlainTerminal(stream)


class LiveTerminal:
    """Redraws in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._drawn_at = float("-inf")

    def show(self, view: View, now: float) -> None:
        if now - self._drawn_at >= 0.25 or view.phase == "stopped":
            self._drawn_at = now
            self._live.update(picture(view), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.stop()


class PlainTerminal:
    """One line a change, and the rate every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = View("starting")
        self._told_at = float("-inf")

    def show(self, view: View, now: float) -> None:
        lines = list(changes(self._last, view))
        if view.phase == "running" and view.rate is not None and now - self._told_at >= LINE_EVERY_SECONDS:
            self._told_at = now
            lines.append(counts(view))
        self._last = view
        for line in lines:
            self._stream.write(f"{line}\n")
        if lines:
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stream.flush()


def picture(view: View) -> RenderableType:
    """The live view."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    for heading in ("process", "state", "for", "pid", "restarts", ""):
        table.add_column(heading, no_wrap=heading != "", overflow="ellipsis")
    for service in view.services:
        table.add_row(
            service.name,
            Text(service.state, style=STYLES.get(service.state, "")),
            duration(service.seconds),
            str(service.pid or ""),
            str(service.restarts or ""),
            Text(service.note, style="dim", no_wrap=True, overflow="ellipsis"),
        )
    parts: list[RenderableType] = [Text(headline(view), style="bold"), Text(), table]
    if view.addresses:
        places = Table(box=None, pad_edge=False, show_header=False)
        for what, where in view.addresses:
            places.add_row(what, Text(where, style="cyan"))
        parts += [Text(), places]
    if view.notices:
        *older, newest = view.notices[-NOTICES_SHOWN:]
        parts.append(Text())
        parts += [Text(line, style="yellow") for line in (*(first_line(notice) for notice in older), newest)]
    return Group(*parts)


def changes(before: View, after: View) -> Iterator[str]:
    """What is new in a view, in lines."""
    if after.doing and after.doing != before.doing:
        yield after.doing
    yield from after.notices[len(before.notices) :]
    known = {service.name: service for service in before.services}
    for service in after.services:
        old = known.get(service.name)
        if old is None or old.state != service.state:
            note = f" ({service.note})" if service.note and service.state in ("restarting", "failed") else ""
            yield f"{service.name}: {service.state}{note}"
    if after.phase != before.phase:
        yield headline(after)
        if after.phase == "running":
            for what, where in after.addresses:
                yield f"  {what}: {where}"


def headline(view: View) -> str:
    """The first line."""
    if view.phase == "starting":
        return f"Roundtrip is starting: {view.doing}" if view.doing else "Roundtrip is starting"
    if view.phase == "running":
        return f"Roundtrip runs · {counts(view)} · Ctrl-C stops it"
    return "Roundtrip is stopping" if view.phase == "stopping" else "Roundtrip has stopped"


def counts(view: View) -> str:
    """Statements a second, and in the store."""
    rate = "–" if view.rate is None else f"{view.rate:,.0f}"
    stored = "–" if view.stored is None else f"{view.stored:,}"
    return f"{rate} statements a second accepted, {stored} in ClickHouse"


def first_line(notice: str) -> str:
    """A notice that is no longer the newest: without the lines of a log that came with it."""
    return notice.split("\n", 1)[0]


def duration(seconds: float) -> str:
    """As 42 s, 3 min, 2 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
