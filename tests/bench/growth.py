"""Stores of one, five and ten million statements: what a statement costs and what a look-up takes.

Each store is filled by copies of a hundred thousand statements, a million a day (tests.bench.filling). At each size,
when what was written is merged, what workers, pages and ingest ask for is asked for. Then, in turns over the stores, a
worker starts in the middle of the log and reads on: statements that the store does not know, by students whom nobody
has met, and by students who are in the store, none of them in its memory. A machine that is slower for some minutes is
so for all sizes then, and a ratio of one turn is of one minute.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from infra.runtime import registry
from infra.runtime.clickhouse import open_clickhouse
from ingest.reading import AskedId, by_ids
from streams.rows.arrival import Arrival, read
from streams.rows.days import LocalDays
from streams.sink import Sink
from streams.store import ClickHouseStore
from tests.bench.calibrated import take_into_use
from tests.bench.figures import Figure
from tests.bench.filling import MET, ROUND_US, Filler, template
from tests.bench.servers import GaveUpError, Servers, servers, wait_until
from tests.bench.worker import Measured, consume
from tests.bench.workload import FIRST_US, Mix, items

__all__ = ["Filler", "growth", "template"]

MILLIONS: Final = tuple(float(size) for size in os.environ.get("ROUNDTRIP_BENCH_MILLIONS", "1,5,10").split(","))
CONSUMED: Final = 150_000
BEGUN: Final = 4_000
TURNS: Final = 3
NEW: Final = "new students"
KNOWN: Final = "known students"
NOT_MET: Final = 240
"""Students of a batch of the school's mix whom the batches before it did not have."""
ASKED: Final = 9
MERGED_SECONDS: Final = 60.0


class Sized:
    """Servers with a store of some millions, and a log that goes on from there."""

    def __init__(self, millions: float, running: Servers) -> None:
        self.name = f"{millions:g} M"
        self.running = running
        engine = registry.open_registry(running.settings.registry_url())
        take_into_use(engine)  # that of the template: students under another one would all be folded again
        engine.dispose()
        self.store = running.store()
        self._millions = millions
        self._begun = 0
        self._runs = 0
        self.known: tuple[str, ...] = ()
        self.measured: dict[str, list[Measured]] = {}

    def fill(self) -> Iterator[Figure]:
        """Fill the store, look things up in it, and start one worker that reads the beginning of the log: no other
        begins where it could tell that all is new."""
        sink, stored, before = self._sink(), 0, self.running.front.cpu_seconds()
        filler = Filler(sink, template())
        while stored < self._millions * 1e6:
            stored += filler.write()
        _merge(self.store)
        cpu = (self.running.front.cpu_seconds() - before) / stored * 1e6
        note = f"copied in the store, front {cpu:.1f} µs a statement with merges; {_parts(self.store)}"
        yield Figure("growth", f"{self.name}: filled", stored / filler.seconds, "statements/s", note=note)
        self.known = _known(self.store)
        yield from _look_ups(self.name, self.running, filler, self.known)
        yield from _disk(self.name, self.store)
        self._begun = FIRST_US + filler.rounds * ROUND_US
        consume(self.running, Mix(first_us=self._begun), BEGUN, seed=99)
        sink.close()

    def read_on(self, whose: str) -> None:
        """A worker that reads on: of new students, or of known ones. What it wrote is merged before the next one."""
        self._begun += ROUND_US // 4
        self._runs += 1
        mix = Mix(first_us=self._begun, known=self.known if whose == KNOWN else ())
        self.measured.setdefault(whose, []).append(consume(self.running, mix, CONSUMED, seed=99 + self._runs))
        _merge(self.store)

    def _sink(self) -> Sink:
        settings = self.running.settings.clickhouse
        return Sink(lambda: open_clickhouse(settings), threading.Event())


def growth() -> Iterator[Figure]:
    """Fill, and at each size measure, in turns; ROUNDTRIP_BENCH_MILLIONS names other sizes."""
    with ExitStack() as all_of_them:
        sizes = [Sized(millions, all_of_them.enter_context(servers())) for millions in MILLIONS]
        for sized in sizes:
            yield from sized.fill()
        for _ in range(TURNS):
            for whose in (NEW, KNOWN):
                for sized in sizes:
                    sized.read_on(whose)
        for whose in (NEW, KNOWN):
            for sized in sizes:
                yield from _of_turns(whose, sized, sizes[0])


def _of_turns(whose: str, sized: Sized, least: Sized) -> Iterator[Figure]:
    """Medians of the turns, and of the ratios to the smallest store within a turn."""
    found = sized.measured[whose]
    rates = [one.rate for one in found]
    cpu = {name: statistics.median(one.cpu_us[name] for one in found) for name in found[0].cpu_us}
    used = ", ".join(f"{process} {spent:.1f}" for process, spent in cpu.items())
    note = f"median of turns: {', '.join(f'{rate:,.0f}' for rate in rates)}; processor time {used} µs"
    name = f"{sized.name}: worker, {whose}"
    yield Figure("growth", name, statistics.median(rates), "statements/s", note=note)
    if sized is not least:
        ratios = [one.rate / other.rate for one, other in zip(found, least.measured[whose], strict=True)]
        note = f"median of turns: {', '.join(f'{ratio:.2f}' for ratio in ratios)}"
        yield Figure("growth", f"{name}, to {least.name}", statistics.median(ratios), "×", 0.85, note)


def _merge(store: Client) -> None:
    """Wait for the merges of what was written, so that they are not counted to what is measured next."""

    def quiet() -> bool:
        return not store.query("SELECT count() FROM system.merges").result_rows[0][0]

    with suppress(GaveUpError):
        wait_until(quiet, MERGED_SECONDS, pause=0.5)


def _look_ups(name: str, running: Servers, filler: Filler, known: tuple[str, ...]) -> Iterator[Figure]:
    """Processor time of the front; each asks for other students than the one before, as many as a batch has."""
    settings = running.settings.clickhouse
    sink, store = Sink(lambda: open_clickhouse(settings), threading.Event()), running.store()
    reads = ClickHouseStore(sink.read, 1)
    dice = random.Random(3)
    sample = filler.sample
    arrivals: list[Arrival] = [read(0, 10**12 + number, 0, item) for number, item in enumerate(sample)]
    strangers = [item.student_id for item in items(30 * NOT_MET, Mix(session=1), seed=8)]
    unknown = [read(0, 10**12, number, item) for number, item in enumerate(items(MET, seed=7))]
    today = LocalDays("America/Chicago").day_of(sample[0].timestamp)

    def some() -> list[str]:
        return dice.sample(known, NOT_MET)

    through = datetime.fromtimestamp(sample[0].stored / 1e6, UTC) + timedelta(hours=1)
    since = through - timedelta(days=2)
    balance = f"SELECT * FROM reconciliation(since = '{since:%F %T}', through = '{through:%F %T}')"
    asked: dict[str, Callable[[int], object]] = {
        f"learners of {NOT_MET} students": lambda _: reads.learners(some()),
        f"days of {NOT_MET} students": lambda _: reads.days([(student, today) for student in some()]),
        f"latest of {NOT_MET} students": lambda _: reads.latest(some()),
        f"latest of {NOT_MET} new students": lambda n: reads.latest(set(strangers[n * NOT_MET : (n + 1) * NOT_MET])),
        f"positions of {MET} stored statements": lambda _: reads.positions(arrivals),
        f"positions of {MET} new statements": lambda _: reads.positions(unknown),
        "attempts of a late student": lambda n: reads.attempts({known[n]: 1 << 62}),
        "a statement by its id": lambda n: by_ids(
            store, [AskedId(sample[n].statement_id, sample[n].provider_id, voided=False)]
        ),
        "reconciliation": lambda _: store.query(balance),
    }
    for what, ask in asked.items():
        taken, before = [], running.front.cpu_seconds()
        for number in range(ASKED):
            began = time.perf_counter()
            ask(number)
            taken.append(time.perf_counter() - began)
        spent = (running.front.cpu_seconds() - before) / ASKED
        note = f"front's processor time, mean of {ASKED}; p50 {statistics.median(taken) * 1e3:.1f} ms by the clock"
        yield Figure("growth", f"{name}: {what}", spent * 1e3, "ms", note=note)
    sink.close()


def _disk(name: str, store: Client) -> Iterator[Figure]:
    of_columns = store.query(
        "SELECT column, sum(column_data_compressed_bytes) AS size, any(n) FROM system.parts_columns,"
        " (SELECT sum(rows) AS n FROM system.parts WHERE active AND table = 'statements') AS whole"
        " WHERE active AND table = 'statements' GROUP BY column ORDER BY size DESC LIMIT 8"
    ).result_rows
    of_tables = store.query(
        "SELECT table, sum(bytes_on_disk), sumIf(rows, table = 'statements') FROM system.parts"
        " WHERE active AND database = currentDatabase() AND NOT startsWith(table, 'template_')"
        " GROUP BY table ORDER BY 2 DESC"
    ).result_rows
    count = sum(row[2] for row in of_tables)
    alone = next(size for table, size, _ in of_tables if table == "statements") / count
    note = ", ".join(f"{column} {size / rows:.1f}" for column, size, rows in of_columns)
    yield Figure("growth", f"{name}: disk", alone, "bytes", 120, f"table statements; by column {note}")
    note = ", ".join(f"{table} {size / count:.1f}" for table, size, _ in of_tables[:6])
    yield Figure("growth", f"{name}: disk, all tables", sum(row[1] for row in of_tables) / count, "bytes", note=note)


def _known(store: Client) -> tuple[str, ...]:
    """As many students of the store as a log of new ones has."""
    asked = f"SELECT DISTINCT toString(student_id) AS s FROM statements ORDER BY cityHash64(s) LIMIT {Mix().students}"
    return tuple(row[0] for row in store.query(asked).result_rows)


def _parts(store: Client) -> str:
    ((parts, merges),) = store.query(
        "SELECT (SELECT count() FROM system.parts WHERE active AND table = 'statements'),"
        " (SELECT count() FROM system.merges)"
    ).result_rows
    return f"{parts} parts of statements, {merges} merges under way"
