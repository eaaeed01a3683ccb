"""Posts the sample district: its history first, then live, each provider over HTTP with its own credential."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import defaultdict
from contextlib import suppress
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from infra.dev.accounts import Account
from infra.dev.bar import Bar
from infra.dev.posting import Connection, GaveUpError
from infra.dev.simulation import mishaps
from infra.dev.simulation.chance import chance, uuid4_of
from infra.dev.simulation.content import PROVIDERS
from infra.dev.simulation.district import District
from infra.dev.simulation.habits.telling import SECOND
from infra.dev.simulation.lanes import Lane
from infra.dev.simulation.live import Live, share_of_rate
from infra.dev.simulation.preparation import Options, OtherDistrictError, prepare
from infra.dev.simulation.report import Report, say
from infra.dev.simulation.state import Progress, State
from infra.dev.simulation.timeline import Post, Upcoming, encode, history, school_days
from infra.runtime.settings import Settings

_TICK: Final = 0.25
_FAR: Final = 10 * 365 * 24 * 3600 * SECOND
_GRACE: Final = 3.0
"""Time for the requests under way after a signal to stop, s."""
_SENT_TWICE: Final = 0.01
_INVALID: Final = 0.2
_INVALID_EVERY: Final = 75.0
_LINE_EVERY: Final = 10.0


def run(settings: Settings, options: Options) -> int:
    """Seed, post the history from where it ended, then live until SIGINT or SIGTERM; returns an exit code."""
    try:
        district, accounts, new = prepare(settings, options)
        return asyncio.run(_Run(settings, options, district, accounts).run(new_rows=new > 0))
    except (OtherDistrictError, GaveUpError) as error:
        say(str(error))
        return 1


class _Run:
    def __init__(self, settings: Settings, options: Options, district: District, accounts: dict[str, Account]) -> None:
        url = options.url or f"http://{settings.ingest.host}:{settings.ingest.port}/xapi"
        self._zone = ZoneInfo(settings.district.timezone)
        self._refresh = settings.ingest.catalogue_refresh_seconds
        self._options = options
        self._district = district
        self._state = State(settings.data_dir)
        self._report = Report()
        self._stop = asyncio.Event()
        self._lanes = {
            p.provider_id: Lane(
                Connection(url, accounts[p.provider_id].key, accounts[p.provider_id].secret, p.version),
                self._report,
                options.batch,
                options.patience,
            )
            for p in PROVIDERS
        }

    async def run(self, *, new_rows: bool) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # a platform without signals in its loop stops by KeyboardInterrupt
                loop.add_signal_handler(number, self._stop.set)
        work = asyncio.create_task(self._work(new_rows))
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not (await asyncio.wait({work}, timeout=_GRACE))[0]:
                work.cancel()  # what was not acknowledged is posted again by the next start
            with suppress(asyncio.CancelledError):
                await work
        finally:
            stop.cancel()
            for lane in self._lanes.values():
                lane.connection.close()
        say(f"end: {self._report}")
        return 0

    async def _work(self, new_rows: bool) -> None:
        await self._until_known(new_rows)
        self._report.began = time.monotonic()
        progress = self._state.progress()
        far = _now() + _FAR
        upcoming = Upcoming(history(self._district, self._zone, after=(progress.at, progress.statement_id), until=far))
        await self._history(upcoming)
        say(f"history: {self._report}")
        if not self._options.once:
            await self._live(upcoming)

    async def _until_known(self, new_rows: bool) -> None:
        """Wait until ingest knows the credentials, and has read the registry since the last new row."""
        if new_rows:
            await self._pause(self._refresh + 1.5)
        for lane in self._lanes.values():
            await lane.connection.until_known(patience=self._options.patience)

    async def _history(self, upcoming: Upcoming) -> None:
        until = _now()
        start = self._district.start
        total = school_days(start, self._date(until)) + 1
        with Bar("history", total) as bar:
            while (window := upcoming.before(until, self._options.window)) and not self._stop.is_set():
                await self._post(window)
                self._keep_progress(window[-1])
                done = min(total, school_days(start, self._date(window[-1].at)))
                bar.show(done, f"school day {done + 1} of {total} · {self._report.pace}")
            if not self._stop.is_set():
                bar.show(total, self._report.pace)

    def _keep_progress(self, last: Post) -> None:
        self._state.keep_progress(Progress(last.at, last.statement_id))

    async def _post(self, window: list[Post]) -> None:
        """All providers at once, each in order; none goes on in time before the others."""
        rng = chance(self._district.seed, "mishaps", window[0].statement_id)
        by_provider: dict[str, list[Post]] = defaultdict(list)
        for post in window:
            by_provider[post.provider.provider_id].append(post)
        await asyncio.gather(*(self._lanes[provider_id].post(posts) for provider_id, posts in by_provider.items()))
        for provider_id, posts in by_provider.items():
            if rng.random() < _SENT_TWICE:
                await self._lanes[provider_id].post_again(posts[: self._options.batch])
        if rng.random() < _INVALID:
            provider = rng.choice(PROVIDERS)
            student = rng.choice(self._district.students)
            statement = mishaps.invalid(rng, student, provider, uuid4_of(rng), window[-1].at)
            await self._lanes[provider.provider_id].post_refused(encode(statement))

    async def _live(self, upcoming: Upcoming) -> None:
        """Live traffic at the chosen rate, on top of what the district's own days bring as they come."""
        start = _now()
        live = Live(self._district, start=start, day=school_days(self._district.start, self._date(start)))
        rng = chance(self._district.seed, "live mishaps", start)
        senders = [asyncio.create_task(lane.run(_TICK)) for lane in self._lanes.values()]
        owed, ticks = 0.0, 0
        last: Post | None = None
        try:
            while not self._stop.is_set():
                now = _now()
                local = datetime.fromtimestamp(now / SECOND, self._zone)
                owed += self._options.rate * _TICK * share_of_rate(local.hour + local.minute / 60)
                posts = live.tick(now, int(owed))
                owed -= int(owed)
                if last and all(lane.idle for lane in self._lanes.values()):
                    self._keep_progress(last)
                    last = None
                if came := upcoming.before(now, self._options.window):
                    posts += came
                    last = came[-1]
                for provider in PROVIDERS:
                    own = [post for post in posts if post.provider is provider]
                    lane = self._lanes[provider.provider_id]
                    lane.put(own)
                    if own and rng.random() < _SENT_TWICE:
                        lane.put_again(own)
                if rng.random() < _TICK / _INVALID_EVERY:
                    provider, statement = live.invalid(now)
                    self._lanes[provider.provider_id].put_refused(statement)
                ticks += 1
                if ticks % int(_LINE_EVERY / _TICK) == 0:
                    say(f"live: {self._report.accepted:,} kept · {self._report.rejected:,} refused")
                await self._pause(_TICK)
                if failed := next((task for task in senders if task.done()), None):
                    failed.result()
        finally:
            for task in senders:
                task.cancel()
            await asyncio.gather(*senders, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until the run is told to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _date(self, at: int) -> date:
        return datetime.fromtimestamp(at / SECOND, self._zone).date()


def _now() -> int:
    return time.time_ns() // 1000
