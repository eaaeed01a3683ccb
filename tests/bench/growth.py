"""The store as it grows: what a statement costs and what a look-up takes at one, five and ten million statements.

The store is filled through the sink, batch by batch as a worker writes them: the rows of a hundred thousand statements
are made once and written again under other students, ids, offsets and moments, a million a day. At each size a worker
then starts in the middle of the log and reads on: statements that the store does not know, by students whom nobody has
met, and by students who are in the store, none of them in its memory. And what workers, pages and ingest ask for is
asked for.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from infra.runtime.clickhouse import open_clickhouse
from infra.runtime.settings import ClickHouseSettings
from ingest.reading import AskedId, by_ids
from schemas.events import Item
from streams.rows import tables
from streams.rows.arrival import Arrival, read
from streams.rows.days import LocalDays
from streams.rows.tables import Columns, Row
from streams.rows.texts import whole_text
from streams.sink import Sink
from streams.store import ClickHouseStore
from tests.bench.figures import Figure
from tests.bench.pure import make_processor, prefilled
from tests.bench.servers import servers
from tests.bench.worker import Measured, consume
from tests.bench.workload import FIRST_US, Mix, items

MILLIONS: Final = tuple(float(size) for size in os.environ.get("ROUNDTRIP_BENCH_MILLIONS", "1,5,10").split(","))
TEMPLATE: Final = 100_800
BATCH: Final = 72
"""Envelopes of a hundred: 8 MiB."""
STUDENTS: Final = 200_000
CONSUMED: Final = 200_000
BEGUN: Final = 4_000
MET: Final = 200
ASKED: Final = 9
ROUND_US: Final = 8_640_000_000
"""Between two rounds: a million statements are ten of them, and a day."""
DAY_US: Final = 86_400_000_000


@dataclass
class Filler:
    """Writes rounds of the template; every round is another group of students, who come back when all groups were on.

    Attributes:
        seconds: spent in inserts.
        sample: items of the last round, for look-ups of what is there.
    """

    sink: Sink
    batches: list[dict[Columns, list[Row]]]
    rounds: int = 0
    seconds: float = 0.0
    sample: list[Item] = field(default_factory=list)

    def write(self) -> int:
        """One round; how many statements it was."""
        number, written = self.rounds, 0
        self.rounds += 1
        group = _Group(number)
        for batch in self.batches:
            for columns, rows in batch.items():
                made = group.rows(columns, rows)
                began = time.perf_counter()
                refused = self.sink.insert(columns, made)
                self.seconds += time.perf_counter() - began
                assert not refused, refused[0].message
                if columns is tables.STATEMENTS:
                    written += len(made)
                    self.sample = [_item(row) for row in made[:MET]]
        return written


class _Group:
    """Turns the template's rows into those of one round, of an earlier generation of the log than the one that is read.

    Ids of statements are new in each table's rows alike.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._students: dict[str, str] = {}
        self._students_of = random.Random(number % max(STUDENTS // 4_700, 1))
        # Version and variant of the ids stay.
        self._key = random.Random(-1 - number).getrandbits(128) & ~(0xF << 76 | 0x3 << 62)
        self._shift = number * ROUND_US

    def rows(self, columns: Columns, rows: list[Row]) -> list[Row]:
        """A new list; a value is changed by the name of its column."""
        changes = [
            (place, self._changes()[name]) for place, name in enumerate(columns.names) if name in self._changes()
        ]
        if columns is tables.STATEMENTS:
            return [self._statement(row, changes) for row in rows]
        return [self._changed(row, changes) for row in rows]

    def _changes(self) -> dict[str, Callable[[Any], object]]:
        return {
            "student_id": self._student,
            "statement_id": self._statement_id,
            "last_statement_id": self._statement_id,
            "registration": self._statement_id,
            "timestamp": self._moment,
            "stored": self._moment,
            "first_at": self._moment,
            "last_at": self._moment,
            "day": lambda day: day + self._shift // DAY_US,
            "minute": lambda minute: minute + self._number * ROUND_US // 1_000_000,
            "generation": lambda _: 0,
            "offset": self._offset,
            "watermark": self._offset,
        }

    def _changed(self, row: Row, changes: list[tuple[int, Callable[[Any], object]]]) -> Row:
        values = list(row)
        for place, change in changes:
            values[place] = change(values[place])
        return tuple(values)

    def _statement(self, row: Row, changes: list[tuple[int, Callable[[Any], object]]]) -> Row:
        """The JSON tells actor and registration as the columns do, so that it compresses as other JSON does."""
        values = list(self._changed(row, changes))
        text = values[-1]
        assert isinstance(text, bytes)
        text = text.replace(str(row[9]).encode(), str(values[9]).encode())
        actor = str(values[0]).replace("-", "")[:22] + ".1"
        values[8], values[-1] = actor, text.replace(str(row[8]).encode(), actor.encode())
        return tuple(values)

    def _student(self, student_id: str) -> str:
        known = self._students.get(student_id)
        if known is None:
            known = self._students[student_id] = str(uuid.UUID(int=self._students_of.getrandbits(128)))
        return known

    def _statement_id(self, statement_id: str) -> str:
        digits = f"{int(statement_id.replace('-', ''), 16) ^ self._key:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def _moment(self, at: int) -> int:
        return at + self._shift

    def _offset(self, offset: int) -> int:
        return offset + self._number * TEMPLATE


def growth() -> Iterator[Figure]:
    """Fill, and at each size measure; ROUNDTRIP_BENCH_MILLIONS names other sizes."""
    with servers() as running:
        settings = running.settings.clickhouse
        sink = Sink(lambda: open_clickhouse(settings), threading.Event())
        filler, stored = Filler(sink, template()), 0
        rates: dict[str, float] = {}
        seed = 100
        store = running.store()
        for number, millions in enumerate(MILLIONS):
            name, before = f"{millions:g} M", (filler.seconds, running.front.cpu_seconds(), stored)
            while stored < millions * 1e6:
                stored += filler.write()
            fresh = stored - before[2]
            cpu = (running.front.cpu_seconds() - before[1]) / fresh * 1e6
            note = f"front {cpu:.1f} µs a statement, since the size before; {_parts(store)}"
            yield Figure("growth", f"{name}: sink", fresh / (filler.seconds - before[0]), "statements/s", note=note)
            yield from _look_ups(name, settings, store, filler.sample)
            yield from _disk(name, store)
            begun = FIRST_US + filler.rounds * ROUND_US
            if not number:  # no worker starts at the beginning of the log, where it could tell that all is new
                consume(running, Mix(first_us=begun), BEGUN, seed=99)
            for whose, known in (("new students", ()), ("known students", _known(store))):
                begun += ROUND_US // 4
                found = consume(running, Mix(first_us=begun, known=known), CONSUMED, seed=seed)
                goal = 0.85 * rates.setdefault(whose, found.rate)
                yield Figure("growth", f"{name}: worker, {whose}", found.rate, "statements/s", goal, _told(found))
                seed += 1
        sink.close()


def template() -> list[dict[Columns, list[Row]]]:
    """Rows of TEMPLATE statements, batch by batch."""
    processor = make_processor()
    records = prefilled(TEMPLATE, Mix())
    batches = [processor.process(records[start : start + BATCH]) for start in range(0, len(records), BATCH)]
    return [{columns: rows for columns, rows in batch.rows.items() if rows} for batch in batches]


def _item(row: Row) -> Item:
    told: dict[str, Any] = dict(zip(tables.STATEMENTS.names, row, strict=True))
    return Item(
        told["statement_id"], told["student_id"], told["provider_id"], told["verb"], [], told["timestamp"],
        told["stored"], told["digest"], 0, whole_text(told["statement"], told["statement_id"]),
    )  # fmt: skip


def _look_ups(name: str, settings: ClickHouseSettings, store: Client, known: list[Item]) -> Iterator[Figure]:
    """Medians by the clock; each asks for other students than the one before."""
    sink = Sink(lambda: open_clickhouse(settings), threading.Event())
    reads = ClickHouseStore(sink.read, 1)
    arrivals: list[Arrival] = [read(0, 10**12 + number, 0, item) for number, item in enumerate(known)]
    strangers = [item.student_id for item in items(MET, seed=8)]
    unknown = [read(0, 10**12, number, item) for number, item in enumerate(items(MET, seed=7))]
    students = sorted({item.student_id for item in known})
    day = LocalDays("America/Chicago").day_of
    through = datetime.fromtimestamp(known[0].stored / 1e6, UTC) + timedelta(hours=1)
    since = through - timedelta(days=2)
    balance = f"SELECT * FROM reconciliation(since = '{since:%F %T}', through = '{through:%F %T}')"
    asked: dict[str, Callable[[int], object]] = {
        f"learners of {len(students)} students": lambda _: reads.learners(students),
        f"days of {len(students)} students": lambda _: reads.days([(s, day(known[0].timestamp)) for s in students]),
        f"latest of {len(set(strangers))} new students": lambda _: reads.latest(strangers),
        f"positions of {MET} stored statements": lambda _: reads.positions(arrivals),
        f"positions of {MET} new statements": lambda _: reads.positions(unknown),
        "attempts of a late student": lambda n: reads.attempts({students[n % len(students)]: 1 << 62}),
        "a statement by its id": lambda n: by_ids(
            store, [AskedId(known[n].statement_id, known[n].provider_id, voided=False)]
        ),
        "reconciliation": lambda _: store.query(balance),
    }
    for what, ask in asked.items():
        taken = []
        for number in range(ASKED):
            began = time.perf_counter()
            ask(number)
            taken.append(time.perf_counter() - began)
        yield Figure("growth", f"{name}: {what}", statistics.median(taken) * 1e3, "ms", note=f"p50 of {ASKED}")
    sink.close()


def _disk(name: str, store: Client) -> Iterator[Figure]:
    of_columns = store.query(
        "SELECT column, sum(column_data_compressed_bytes) AS size, any(n) FROM system.parts_columns,"
        " (SELECT sum(rows) AS n FROM system.parts WHERE active AND table = 'statements') AS whole"
        " WHERE active AND table = 'statements' GROUP BY column ORDER BY size DESC LIMIT 8"
    ).result_rows
    of_tables = store.query(
        "SELECT table, sum(bytes_on_disk), sumIf(rows, table = 'statements') FROM system.parts"
        " WHERE active AND database = currentDatabase() GROUP BY table ORDER BY 2 DESC"
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


def _told(found: Measured) -> str:
    used = ", ".join(f"{process} {spent:.1f}" for process, spent in found.cpu_us.items())
    return f"{found.statements:,} statements more; processor time {used} µs"
