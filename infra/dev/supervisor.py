"""Named child processes: started in order, watched, started again with back-off, stopped in reverse.

One thread does it all by calling ``tick``; only checks of health run beside it, since a process that hangs makes its
check wait. Processes are started from the thread that ticks: it has to outlive them (see processes.py).
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal, Self, TypeVar

from infra.dev import processes
from infra.dev.errors import LocalStackError

State = Literal["waiting", "starting", "up", "restarting", "failed", "ended", "stopped"]
Check = Callable[[], bool]
T = TypeVar("T")

TICK_SECONDS = 0.1
CHECK_EVERY_SECONDS = 2.0
TOLD_LINES = 8


@dataclass(frozen=True)
class Backoff:
    """Seconds before a child is started again: doubled each time it dies, forgotten when it was up long enough."""

    first: float = 0.5
    longest: float = 30.0
    stable: float = 60.0

    def delay(self, deaths: int) -> float:
        """After so many deaths in a row (1 or more)."""
        return min(self.longest, self.first * 2.0 ** min(deaths - 1, 16))


@dataclass(frozen=True)
class Spec:
    """What a child is.

    ``ready`` says that it can do its work: waited for at start; None: it is up when it runs. ``alive`` is polled
    afterwards, ``ready`` where there is none: a child that is not alive for ``unhealthy_seconds`` is killed and started
    again. ``may_end``: ending with code 0 is no death. ``failures``: deaths in a row after which it counts as failed
    (and is still tried).
    """

    name: str
    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str] | None = None
    ready: Check | None = None
    alive: Check | None = None
    start_seconds: float = 90.0
    unhealthy_seconds: float = 30.0
    grace_seconds: float = 15.0
    may_end: bool = False
    failures: int = 5


@dataclass(frozen=True)
class Status:
    """A child as seen from outside; ``since`` is the clock's time at which it entered the state."""

    name: str
    state: State
    pid: int | None
    since: float
    restarts: int
    log: Path
    reason: str = ""


class StartError(LocalStackError):
    """A child that could not be started; the message holds the end of its log."""


class Child:
    """One process and what is known of it."""

    def __init__(self, spec: Spec, clock: Callable[[], float], backoff: Backoff) -> None:
        self.spec = spec
        self.state: State = "waiting"
        self.reason = ""
        self.since = clock()
        self.restarts = 0
        self.deaths = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._clock = clock
        self._backoff = backoff
        self._healthy_at = self.since
        self._checked_at = float("-inf")
        self._check: Future[bool] | None = None

    def status(self) -> Status:
        """What is shown of it."""
        pid = self.process.pid if self.process is not None else None
        return Status(self.spec.name, self.state, pid, self.since, self.restarts, self.spec.log, self.reason)

    def launch(self) -> None:
        """Start the process."""
        self._check = None
        self.process = processes.spawn(self.spec.argv, self.spec.log, self.spec.environment)
        self._enter("starting")

    def tick(self, pool: ThreadPoolExecutor, notice: Callable[[str], None]) -> None:
        """Look at the process once."""
        now = self._clock()
        if self.state in ("restarting", "failed"):
            if now - self.since >= self._backoff.delay(self.deaths):
                self.restarts += 1
                try:
                    self.launch()
                except OSError as error:  # too many processes, no memory: it may be better the next time
                    self._died(f"cannot be started: {error}", notice)
            return
        if self.process is None:
            return
        code = self.process.poll()
        if code is not None:
            self._ended(code, notice)
        else:
            check = self.spec.ready if self.state == "starting" else self.spec.alive or self.spec.ready
            if check is None:
                self._seen_healthy(now)
            else:
                self._look_at_health(pool, now, check, notice)

    def stop(self) -> None:
        """End the process and its own children."""
        if self.process is not None:
            processes.stop(self.process, self.spec.grace_seconds)
            self.process = None
        if self.state != "waiting":
            self._enter("stopped")

    def kill(self) -> None:
        """Have the process and its own children killed; does not wait, so a signal's handler may call it."""
        if self.process is not None:
            processes.signal_group(self.process, signal.SIGKILL)

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(f"    {line}" for line in processes.last_lines(self.spec.log, TOLD_LINES))

    def _enter(self, state: State, reason: str = "") -> None:
        self.state, self.reason, self.since = state, reason, self._clock()

    def _look_at_health(
        self, pool: ThreadPoolExecutor, now: float, check: Check, notice: Callable[[str], None]
    ) -> None:
        if self._check is not None and self._check.done():
            healthy = self._check.exception() is None and self._check.result()
            self._check = None
            if healthy:
                self._seen_healthy(now)
                return
        pause = TICK_SECONDS if self.state == "starting" else CHECK_EVERY_SECONDS
        if self._check is None and now - self._checked_at >= pause:
            self._checked_at = now
            self._check = pool.submit(check)
        if self.state == "starting" and now - self.since > self.spec.start_seconds:
            self._give_up(f"did not get ready in {self.spec.start_seconds:g} s", notice)
        elif self.state == "up" and now - self._healthy_at > self.spec.unhealthy_seconds:
            self._give_up(f"gave no sign of health for {self.spec.unhealthy_seconds:g} s", notice)

    def _seen_healthy(self, now: float) -> None:
        self._healthy_at = now
        if self.state == "starting":
            self._enter("up")
        elif now - self.since >= self._backoff.stable:
            self.deaths = 0

    def _give_up(self, why: str, notice: Callable[[str], None]) -> None:
        if self.process is not None:
            processes.kill(self.process)
        self._died(why, notice)

    def _ended(self, code: int, notice: Callable[[str], None]) -> None:
        assert self.process is not None
        processes.kill(self.process)  # what it may have started
        if code == 0 and self.spec.may_end:
            self.process = None
            self._enter("ended")
            notice(f"{self.spec.name} is done")
            return
        self._died(f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with code {code}", notice)

    def _died(self, why: str, notice: Callable[[str], None]) -> None:
        self.process = None
        self.deaths += 1
        self._enter("failed" if self.deaths >= self.spec.failures else "restarting", why)
        notice(
            f"{self.spec.name} {why}, starting it again in {self._backoff.delay(self.deaths):g} s; "
            f"the end of {self.spec.log}:\n{self.tail()}"
        )


class Supervisor:
    """Children in the order in which they were started. As a context manager it leaves none behind."""

    def __init__(
        self,
        on_notice: Callable[[str], None] = lambda line: None,
        on_tick: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stopping = False
        self._children: list[Child] = []
        self._notice = on_notice
        self._on_tick = on_tick
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="health")

    def statuses(self) -> list[Status]:
        """All children, in order."""
        return [child.status() for child in self._children]

    def start(self, *specs: Spec) -> None:
        """Start children side by side and return when all are ready, or when a stop was asked for.

        Raises StartError when one ends or does not get ready in time: what cannot start once is not tried again.
        """
        if self.stopping:
            return
        started = [Child(spec, self._clock, self._backoff) for spec in specs]
        self._children += started
        for child in started:
            try:
                child.launch()
            except OSError as error:
                raise StartError(f"{child.spec.name} cannot be started: {error}") from error
        while any(child.state == "starting" for child in started) and not self.stopping:
            self.tick()
            for child in started:
                if child.state in ("restarting", "failed"):
                    where = f"the end of its log, {child.spec.log}"
                    raise StartError(f"{child.spec.name} {child.reason}; {where}:\n{child.tail()}")
            time.sleep(TICK_SECONDS / 2)

    def meanwhile(self, work: Callable[[], T]) -> T:
        """Do something that takes a while, and watch the children meanwhile."""
        doing = self._pool.submit(work)
        while not doing.done():
            self.tick()
            time.sleep(TICK_SECONDS / 2)
        return doing.result()

    def tick(self) -> None:
        """Look at every child once."""
        for child in self._children:
            starting = child.state == "starting" and child.deaths == 0 and child.restarts == 0
            child.tick(self._pool, _ignore if starting else self._notice)
        self._on_tick()

    def watch(self, between: Callable[[], None] = lambda: None) -> None:
        """Tick until a stop is asked for; ``between`` may start more children."""
        while not self.stopping:
            self.tick()
            between()
            time.sleep(TICK_SECONDS)

    def ask_to_stop(self) -> None:
        """End start() and watch() soon; asked again, kill all children."""
        if self.stopping:
            for child in self._children:
                child.kill()
        self.stopping = True

    def stop(self) -> None:
        """Stop all children, the last one first."""
        self.stopping = True
        for child in reversed(self._children):
            child.stop()
            self._on_tick()
        self._pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Within it SIGINT, SIGTERM and SIGHUP ask to stop; for the main thread only.

        Entered before the supervisor itself, it also covers the stopping.
        """

        def asked(number: int, frame: FrameType | None) -> None:
            self.ask_to_stop()

        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, asked) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _ignore(line: str) -> None:
    """The first start of a child fails with an exception that says the same."""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
